"""
One engine as a test has it: the client, the bare HTTP, and processes that no other test sees.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from typing import Any, Final, Protocol, TypeVar

import attrs
import pytest
import requests

from camunda_ext import (
    CamundaError,
    ExternalTask,
    ExternalTaskClient,
    ExternalTaskQuery,
    LockedExternalTask,
    Topic,
)
from camunda_ext.testing import Engine
from tests.conformance.dialect import DIALECTS, Dialect
from tests.conformance.processes import bpmn

T = TypeVar("T")

#: How long a test waits for what happens by itself, in seconds.
PATIENCE: Final = 30.0


class AnyEngine(Protocol):
    """
    An engine that runs, in Java or in Python.
    """

    @property
    def name(self) -> str:
        """
        Which row of the table of dialects it is.
        """

    @property
    def url(self) -> str:
        """
        The URL of its REST API.
        """

    @property
    def admin(self) -> tuple[str, str]:
        """
        Name and password of its administrator.
        """


@attrs.frozen(eq=False)
class Live:
    """
    An engine, with processes and topics of the test's own.
    """

    url: str
    dialect: Dialect
    client: ExternalTaskClient
    admin: tuple[str, str]
    _session: requests.Session
    #: The embedded engine, if it is that.
    _embedded: Engine | None
    _tag: str = attrs.field(init=False, factory=lambda: uuid.uuid4().hex[:12])
    _deployments: dict[tuple[str, str | None], str] = attrs.field(init=False, factory=dict)

    def client_with(self, **options: Any) -> ExternalTaskClient:
        """
        Another client of the same engine.
        """
        return ExternalTaskClient(self.url, **self.dialect.date_options, **options)

    # ------------------------------------------------------------------------------------- the wire

    def raw(self, method: str, path: str, **kwargs: Any) -> requests.Response:
        """
        The answer to a request that is sent as it stands; the path is one below the engine's.
        """
        kwargs.setdefault("timeout", 60)
        url = self.url + path
        return self._session.request(method, url, allow_redirects=False, **kwargs)

    def done(self, method: str, path: str, **kwargs: Any) -> Any:
        """
        What the engine answers to a request that must succeed; not what a test is about.
        """
        response = self.raw(method, path, **kwargs)
        assert response.ok, f"{method} {path}: {response.status_code} {response.text}"
        return response.json() if response.content else None

    def fetch_body(self, **fields: Any) -> dict[str, Any]:
        """
        The body of a fetch from the test's first topic by w1, but for *fields*.
        """
        topic = {"topicName": self.topic_a, "lockDuration": 60_000}
        return {"workerId": "w1", "maxTasks": 10, "topics": [topic], **fields}

    def stored(self, moment: datetime | None) -> datetime | None:
        """
        What the engine's database keeps of a time.
        """
        if moment is None or not self.dialect.whole_seconds:
            return moment
        return moment.replace(microsecond=0)

    # ------------------------------------------------------------------------------------ processes

    @property
    def topic_a(self) -> str:
        """
        The topic of the only, or the first, external task of each process.
        """
        return f"topicA-{self._tag}"

    @property
    def topic_b(self) -> str:
        """
        The topic of the second external task of process Q.
        """
        return f"topicB-{self._tag}"

    @property
    def own(self) -> ExternalTaskQuery:
        """
        The query that gives the tasks of the first topic, and thus nobody else's.
        """
        return ExternalTaskQuery().topic(self.topic_a)

    def key(self, process: str) -> str:
        """
        The key that a process of the contract has in this test.
        """
        return f"{process}-{self._tag}"

    def start(
        self,
        process: str = "P",
        *,
        variables: Mapping[str, Any] | None = None,
        business_key: str | None = None,
        tenant_id: str | None = None,
    ) -> str:
        """
        The id of a new process instance; *variables* are typed as on the wire.
        """
        self._deploy(process, tenant_id)
        path = f"/process-definition/key/{self.key(process)}"
        if tenant_id is not None:
            path += f"/tenant-id/{tenant_id.replace(',', '%2C')}"
        body = {"variables": variables or {}, "businessKey": business_key}
        return str(self.done("POST", f"{path}/start", json=body)["id"])

    def task(self, process: str = "P", **start: Any) -> ExternalTask:
        """
        The external task of a new process instance.
        """
        instance = self.start(process, **start)
        [task] = self.client.list(ExternalTaskQuery().process_instance_id(instance))
        return task

    def tasks(self, how_many: int) -> list[str]:
        """
        The ids of the external tasks of new instances of P, in the engine's order.
        """
        return sorted(self.task().id for _ in range(how_many))

    def fetch(
        self,
        worker_id: str = "w1",
        lock_duration: int | timedelta = 60_000,
        *,
        max_tasks: int = 10,
        async_response_timeout: int | None = None,
        **topic: Any,
    ) -> tuple[LockedExternalTask, ...]:
        """
        What a worker fetches from the first topic.
        """
        return self.client.fetch_and_lock(
            worker_id,
            [Topic(self.topic_a, lock_duration=lock_duration, **topic)],
            max_tasks=max_tasks,
            async_response_timeout=async_response_timeout,
        )

    def locked(
        self, process: str = "P", *, lock_duration: int | timedelta = 60_000, **start: Any
    ) -> LockedExternalTask:
        """
        The external task of a new process instance, locked by w1.
        """
        instance = self.start(process, **start)
        [task] = self.fetch(lock_duration=lock_duration)
        assert task.process_instance_id == instance
        return task

    def expired(self) -> LockedExternalTask:
        """
        The external task of a new process instance, whose lock by w1 is over.
        """
        task = self.locked(lock_duration=timedelta(milliseconds=1))
        self.wait_for(lambda: self.client.list(self.own.not_locked().external_task_id(task.id)))
        return task

    def suspend(self, process_instance_id: str) -> None:
        """
        Suspend a process instance.
        """
        path = f"/process-instance/{process_instance_id}/suspended"
        self.done("PUT", path, json={"suspended": True})

    # ---------------------------------------------------------------------------- what became of it

    def variables(self, process_instance_id: str) -> Any:
        """
        The variables of a process instance, as on the wire.
        """
        path = f"/process-instance/{process_instance_id}/variables?deserializeValues=false"
        return self.done("GET", path)

    def user_tasks(self, process_instance_id: str) -> list[str]:
        """
        The user tasks where a process instance waits, by their ids in the model.
        """
        found = self.done("GET", f"/task?processInstanceId={process_instance_id}")
        return [task["taskDefinitionKey"] for task in found]

    def is_gone(self, process_instance_id: str) -> bool:
        """
        Whether a process instance has ended.
        """
        return self.raw("GET", f"/process-instance/{process_instance_id}").status_code == 404

    def incidents(self, task_id: str) -> list[tuple[str, str | None]]:
        """
        Type and message of the incidents of an external task.
        """
        found = self.done("GET", f"/incident?configuration={task_id}")
        return [(one["incidentType"], one["incidentMessage"]) for one in found]

    def let_pass(self, seconds: float) -> None:
        """
        Let so much time pass for the engine: at once, if it has a clock that can be advanced.
        """
        if self._embedded is None:
            time.sleep(seconds)
        else:
            self._embedded.advance(seconds + 0.001)

    def next_time(self) -> None:
        """
        Wait until what happens has a later time than what has happened, as the database stores it.
        """
        if self.is_real:
            time.sleep(1.01 if self.dialect.whole_seconds else 0.01)
        else:
            self.let_pass(0.01)

    @property
    def is_real(self) -> bool:
        """
        Whether its time passes as it does, and nothing tells what it is at.
        """
        return self._embedded is None

    @property
    def moment(self) -> float:
        """
        The seconds in which a poll is pending for sure.
        """
        return 1.0 if self.is_real else 0.1

    def clock(self) -> float:
        """
        The seconds of the engine's time.
        """
        if self._embedded is None:
            return time.monotonic()
        return self._embedded.now.timestamp()

    def wait_for_poll(self) -> None:
        """
        Wait until a poll is pending. Of a real engine nothing tells that it is.
        """
        if self._embedded is None:
            time.sleep(self.moment)
        elif self.dialect.long_polling:
            self._embedded.wait_for_polls()

    def wait_for(self, look: Callable[[], T], *, every: float = 0.02) -> T:
        """
        What *look* gives as soon as there is something, looking *every* so many seconds.
        """
        deadline = time.monotonic() + PATIENCE
        while not (seen := look()):
            assert time.monotonic() < deadline, "it did not happen"
            time.sleep(every)
        return seen

    def _deploy(self, name: str, tenant_id: str | None) -> None:
        if (name, tenant_id) in self._deployments:
            return
        model = bpmn(name, key=self.key(name), topic_a=self.topic_a, topic_b=self.topic_b)
        answer = self.done(
            "POST",
            "/deployment/create",
            data={"deployment-name": self.key(name)}
            | ({"tenant-id": tenant_id} if tenant_id else {}),
            files={"model.bpmn": ("model.bpmn", model)},
        )
        self._deployments[name, tenant_id] = answer["id"]

    def clean_up(self) -> None:
        """
        Delete the test's processes, with their instances and history.
        """
        for deployment in self._deployments.values():
            self.done("DELETE", f"/deployment/{deployment}?cascade=true")
        self._deployments.clear()


@contextmanager
def live_on(engine: AnyEngine, *, auth: tuple[str, str] | None = None) -> Iterator[Live]:
    """
    An engine for one test, which is as it was afterwards.
    """
    dialect = DIALECTS[engine.name]
    client = ExternalTaskClient(engine.url, auth=auth, **dialect.date_options)
    with client, requests.Session() as session:
        session.trust_env = False
        session.auth = auth
        embedded: Engine | None = getattr(engine, "engine", None)
        live = Live(engine.url, dialect, client, engine.admin, session, embedded)
        try:
            yield live
        finally:
            live.clean_up()


def answer(response: requests.Response) -> tuple[int, Any]:
    """
    The status and the JSON of an answer.
    """
    return response.status_code, response.json() if response.content else None


def assert_container_refuses(
    live: Live, response: requests.Response, status: int, java_type: str, message: str
) -> None:
    """
    Assert that it is no operation of the engine's that refuses a request.
    """
    if live.dialect.container_answers_json:
        assert answer(response) == live.dialect.error(status, java_type, message)
    else:
        kind = response.headers["Content-Type"].partition(";")[0]
        assert (response.status_code, kind) == (status, "text/html")


@attrs.frozen
class Told:
    """
    What an error of the client says of the engine's answer.
    """

    error: type[CamundaError]
    status: int | None
    java_type: str | None
    message: str | None


def refusal(call: Callable[..., object], *args: Any, **kwargs: Any) -> Told:
    """
    What the client raises when the engine refuses a call.
    """
    with pytest.raises(CamundaError) as caught:
        call(*args, **kwargs)
    error = caught.value
    return Told(type(error), error.status, error.type, error.message)


def ids(tasks: tuple[ExternalTask, ...]) -> list[str]:
    """
    The ids of tasks, in the order in which they came.
    """
    return [task.id for task in tasks]


def seconds_left(moment: datetime | None) -> float:
    """
    How far a moment is in the future, in seconds.
    """
    assert moment is not None
    return (moment - datetime.now(timezone.utc)) / timedelta(seconds=1)


def about(seconds: float) -> Any:
    """
    What equals a time span that a busy machine may have made a little longer or shorter.
    """
    return pytest.approx(seconds, abs=4)
