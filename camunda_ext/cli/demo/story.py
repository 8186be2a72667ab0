"""
What happens in the demo: each step is one method, and its code is what the reader is shown.

So it is written as one would write it at the prompt, in short lines, and with attributes for all
names: ``self.`` is not shown. What the page says besides is in `telling`.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime, timedelta, timezone
from importlib.resources import files
from typing import Any, Final

from camunda_ext import (
    Auth,
    BatchRun,
    CamundaError,
    ExternalTaskClient,
    ExternalTaskQuery,
    LockLost,
    NotFound,
    SortBy,
    Topic,
    Variables,
    Worker,
)
from camunda_ext.cli._engine import deploy
from camunda_ext.worker import BpmnError, Task, TaskRetries

#: What the orders cost, by their business keys.
ORDERS: Final[Mapping[str, float]] = {"order-17": 39.9, "order-18": 1250.0, "order-19": 8.5}

#: How many tasks are fetched by hand.
FETCHED: Final = 2


class Story:
    """
    A process, orders and tasks of the demo's own, on any engine.

    Their names end in something random, and whatever is asked or changed is narrowed to them.

    Raises:
        CamundaError: From each step, if the engine cannot be reached or refuses.
    """

    client: ExternalTaskClient
    batch: BatchRun

    def __init__(self, url: str, auth: Auth = None) -> None:
        self.url = url
        self.auth = auth
        self.suffix = secrets.token_hex(3)
        self.charge = f"charge-{self.suffix}"
        self.reserve = f"reserve-{self.suffix}"
        self.process_key = f"order-{self.suffix}"
        #: Ids of the process instances by business key.
        self.instances: dict[str, str] = {}
        self._deployment_name: str | None = None
        self._deployment_id: str | None = None

    # ------------------------------------------------------------------------------- the beginning

    def meet(self) -> None:
        """
        Meet the engine.

        A client is made of a URL, and can be shared by threads. ping() is a health check.
        """
        self.client = ExternalTaskClient(self.url, auth=self.auth)
        self.ping = self.client.ping()

    def start(self) -> None:
        """
        Start three orders.

        Other paths of the REST API than those of external tasks are reached by request().
        The process itself was deployed by it, too.
        """
        for business_key, amount in ORDERS.items():
            self.order = self.client.request(
                "POST",
                "/process-definition/key/{key}/start",
                {"key": self.process_key},
                json={
                    "businessKey": business_key,
                    "variables": Variables.of({"amount": amount}),
                },
            )
            self.instances[business_key] = self.order["id"]

    # ------------------------------------------------------------------------------------- queries

    def look(self) -> None:
        """
        Look at the tasks, order by order.

        A query is built filter by filter. This one sorts by two criteria: the tasks of an
        order stand together, the urgent one first.
        """
        self.query = (
            ExternalTaskQuery()
            .activity_id_in(self.charge, self.reserve)
            .sort_by(SortBy.PROCESS_INSTANCE_ID)
            .sort_by(SortBy.TASK_PRIORITY, "desc")
        )
        self.tasks = self.client.list(self.query)

    def compare(self) -> None:
        """
        See what is sent, by POST and by GET.

        A query compiles to both. What GET cannot say is a ValueError, not another query.
        """
        self.body = self.query.body()
        try:
            self.query.params()
        except ValueError as error:
            self.no_room = error
        self.simple = self.query.unsorted().sort_by(SortBy.PROCESS_INSTANCE_ID)
        self.params = self.simple.params()
        self.same_tasks = self.client.list(self.simple, via="GET")

    def count(self) -> None:
        """
        Count.

        A query never changes: each filter gives a new one, so that one can refine it freely.
        """
        self.total = self.client.count(self.query)
        self.urgent = self.client.count(self.query.priority_higher_than_or_equals(50))
        self.failed = self.client.count(self.query.no_retries_left())

    # ---------------------------------------------------------------------------------------- work

    def fetch(self) -> None:
        """
        Fetch and lock.

        Both tasks of an order are locked for a minute, the urgent one first. They come with
        their variables, and with the properties that the model gives them.
        """
        self.topics = [
            Topic(
                name,
                lock_duration=timedelta(minutes=1),
                business_key="order-17",
                include_extension_properties=True,
            )
            for name in (self.charge, self.reserve)
        ]
        self.locked = self.client.fetch_and_lock(
            "worker-1", self.topics, max_tasks=2, use_priority=True
        )

    def complete(self) -> None:
        """
        Complete a task, with variables.

        The task knows which worker has locked it. Python values become typed variables,
        for the rest of the process to use.
        """
        self.paid, self.reserved = self.locked
        self.now = datetime.now(timezone.utc)
        self.client.complete(
            self.paid,
            variables={"paid": True, "receipt": "R-2041", "paid_at": self.now},
        )

    def intrude(self) -> None:
        """
        Be refused.

        Another worker tries to complete a task that it has not locked. The class of the
        error says what happened; it has the engine's words, and a hint on what to do.
        """
        try:
            self.client.complete(self.reserved, "worker-2")
        except LockLost as error:
            self.refused = error
        self.client.complete(self.reserved)

    def work(self) -> None:
        """
        Let a worker do the rest.

        It fetches tasks, and reports what functions return or raise. A declined card is
        business and no failure: the process catches the error, and goes on another way.
        A network that is down is one. Without a retry, the engine opens an incident for
        each task, and gives the task to no worker any more.
        """
        self.worker = Worker(self.client, name="demo", retries=TaskRetries())

        @self.worker.handles(self.charge)
        def charge_card(task: Task) -> dict[str, bool]:
            if task.variables["amount"] > 1000:
                raise BpmnError("card-declined", "The card has expired")
            return {"paid": True}

        @self.worker.handles(self.reserve)
        def reserve_stock(task: Task) -> None:
            raise ConnectionError("The network is down")

        self.handled = self.worker.drain(raising=False)

    # ---------------------------------------------------------------------------------------- bulk

    def give_retries(self) -> None:
        """
        Give them all new retries at once.

        The engine does it in the background, as a batch. A selection without any filter
        would be refused here, for it would change every task of the engine.
        """
        self.stuck = self.client.select(self.query.no_retries_left())
        self.batch = self.stuck.set_retries_async(3)

    def follow(self) -> None:
        """
        Wait for the batch.

        Jobs that failed would be in the result; its raise_for_failures() raises for them.
        """
        self.result = self.batch.wait(timeout=60)
        self.tasks = self.client.list(self.query)

    def work_again(self) -> None:
        """
        Work again.

        The network is back. drain() returns when there are no more tasks, as tests need it;
        run() works in several threads until SIGTERM or Ctrl-C, extends the locks of what
        takes long, and leaves no lock behind.
        """
        self.worker = Worker(self.client, name="demo")

        @self.worker.handles(self.reserve)
        def reserve_stock(task: Task) -> dict[str, int]:
            return {"shelf": 7}

        self.handled = self.worker.drain()
        self.left = self.client.count(self.query)

    # ------------------------------------------------------------------------- what is never shown

    def deploy(self) -> None:
        """
        Deploy the process of the story.
        """
        bpmn = files("camunda_ext.cli.demo").joinpath("order.bpmn").read_text("utf-8")
        content = bpmn.replace("-demo", f"-{self.suffix}").encode()
        name = f"camunda_ext demo {self.suffix}"
        self._deployment_name = name
        self._deployment_id, _ = deploy(self.client, name, "order.bpmn", content)

    def incidents(self) -> list[Mapping[str, object]]:
        """
        The open incidents of all orders.
        """
        return [
            incident
            for instance_id in self.instances.values()
            for incident in self.client.request(
                "GET", "/incident", params={"processInstanceId": instance_id}
            )
        ]

    def clean_up(self) -> tuple[list[str], list[CamundaError]]:
        """
        Delete everything that the story has made.

        Returns:
            What was deleted, in words, and the errors that kept the rest.
        """
        deleted: list[str] = []
        problems: list[CamundaError] = []
        # The batch first: without the tasks its jobs would fail, and it would never end.
        for name, delete in (
            ("the batch", self._delete_batch),
            ("the process with its orders and their history", self._delete_deployment),
        ):
            try:
                if delete():
                    deleted.append(name)
            except CamundaError as error:
                problems.append(error)
        if hasattr(self, "client"):
            self.client.close()
        return deleted, problems

    def _delete_batch(self) -> bool:
        if not hasattr(self, "batch"):
            return False
        try:
            self.client.delete_batch(self.batch, cascade=True)
        except NotFound:  # It is finished; its history stays, if the engine keeps any.
            with suppress(NotFound):
                self.client.request("DELETE", "/history/batch/{id}", {"id": self.batch.id})
        return True

    def _delete_deployment(self) -> bool:
        if self._deployment_name is None:
            return False
        deployments: list[dict[str, Any]] = [{"id": self._deployment_id}]
        if self._deployment_id is None:  # it may exist, although no answer came
            params = {"name": self._deployment_name}
            deployments = self.client.request("GET", "/deployment", params=params)
        for deployment in deployments:
            ids = {"id": str(deployment["id"])}
            self.client.request("DELETE", "/deployment/{id}", ids, params={"cascade": True})
        return bool(deployments)
