"""
What a team's own handlers look like, and their tests: nothing but the fixture, and the functions.
"""

import attrs

from camunda_ext import ExternalTaskQuery, Handlers, Worker, testing
from camunda_ext.testing import Engine
from camunda_ext.worker import BpmnError, Completed, Task, TaskRetries

handlers = Handlers()


@attrs.frozen
class Invoice:
    amount: int
    customer: str


@attrs.frozen
class Charged:
    paid: bool


@handlers.handles("invoice", retries=TaskRetries(60_000, 600_000))
def charge(task: Task, invoice: Invoice) -> Charged:
    if invoice.amount > 1000:
        raise BpmnError("NO_FUNDS", f"{invoice.customer} is too poor")
    if not invoice.customer:
        raise LookupError("no such customer")
    return Charged(paid=True)


def test_small_amounts_are_charged() -> None:
    task = testing.task("invoice", variables={"amount": 100, "customer": "Ada"})

    assert charge(task, task.variables.into(Invoice)) == Charged(paid=True)


def test_the_process_learns_it(camunda_engine: Engine) -> None:
    camunda_engine.create_task("invoice", variables={"amount": 100, "customer": "Ada"})

    (done,) = Worker(camunda_engine.client(), handlers).run_once()

    assert done.outcome == Completed({"paid": True})
    assert not camunda_engine.is_running(done.task.process_instance_id)


def test_unknown_customers_are_an_incident_in_the_end(camunda_engine: Engine) -> None:
    camunda_engine.create_task("invoice", variables={"amount": 100, "customer": ""})
    worker = Worker(camunda_engine.client(), handlers)

    for _ in range(3):
        worker.run_once(raising=False)
        camunda_engine.advance(seconds=700)

    [task] = camunda_engine.client().list(ExternalTaskQuery().no_retries_left())
    assert task.error_message == "LookupError: no such customer"
