"""
The handlers of a program that sends invoices.
"""

import logging
from datetime import timedelta

import attrs

from camunda_ext import Handlers
from camunda_ext.worker import BpmnError, Task, TaskRetries

log = logging.getLogger("billing")
handlers = Handlers()


@attrs.frozen
class Invoice:
    """
    The variables that are fetched for an invoice.
    """

    amount: float
    customer: str


@attrs.frozen
class Charged:
    """
    The variables that the process gets.
    """

    paid: bool


@handlers.handles("invoice")
def charge(invoice: Invoice) -> Charged:
    """
    Charge the customer's card.
    """
    log.info("charging %s", invoice.customer)
    if invoice.amount > 1000:
        raise BpmnError("card-declined")
    return Charged(paid=True)


@handlers.handles(
    "render",
    slots=2,
    retries=TaskRetries(timedelta(seconds=10), timedelta(minutes=5)),
    task_timeout=timedelta(hours=1),
)
def render(task: Task) -> None:
    """
    Render the pages of a report, two reports at the same time at most.
    """
    for page in range(task.variables["pages"]):
        task.check()  # whether it is still ours, and the worker goes on
        log.info("page %d", page)
