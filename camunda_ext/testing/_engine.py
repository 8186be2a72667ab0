"""
The engine: its state, its clock, and the ways in.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta, timezone
from pathlib import Path
from types import NoneType, TracebackType
from typing import Any, Final
from weakref import WeakSet
from xml.sax.saxutils import quoteattr

import requests
from requests.auth import HTTPBasicAuth

from camunda_ext import ExternalTaskClient
from camunda_ext.testing._versions import LATEST, Version
from camunda_ext.testing.doors.http import HttpServer
from camunda_ext.testing.doors.in_process import InProcessAdapter
from camunda_ext.testing.rest.app import OPERATIONS, App
from camunda_ext.testing.rest.backend import Backend
from camunda_ext.testing.rest.faults import Faults
from camunda_ext.testing.rest.polls import Polls
from camunda_ext.testing.rest.urls import BASE
from camunda_ext.testing.state import deployments, flow, instances, scopes, users
from camunda_ext.testing.state.store import Store
from camunda_ext.testing.values import variable
from camunda_ext.testing.values.durations import to_seconds

#: Where a session of `Engine.session` finds the engine; the name leads nowhere else.
_IN_PROCESS: Final = "http://engine.invalid"

#: The year 3000, in seconds since 1970.
_FAR: Final = 32_503_680_000

_ONE_TASK: Final = """\
<definitions xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL"
    xmlns:camunda="http://camunda.org/schema/1.0/bpmn" targetNamespace="testing">
  <process id={key} isExecutable="true" camunda:historyTimeToLive="1">
    <startEvent id="start"/>
    <sequenceFlow id="first" sourceRef="start" targetRef="task"/>
    <serviceTask id="task" camunda:type="external" camunda:topic={topic}
        camunda:taskPriority={priority}>
      <extensionElements><camunda:properties>{properties}</camunda:properties></extensionElements>
    </serviceTask>
    <sequenceFlow id="last" sourceRef="task" targetRef="end"/>
    <endEvent id="end"/>
  </process>
</definitions>
"""
_PROPERTY: Final = "<camunda:property name={} value={}/>"


class Engine:
    """
    The external-task part of a process engine, in Python, for tests.

    It answers as Camunda 7.24 does, over HTTP (`serve`, `url`) and without a socket (`session`,
    `client`). Any number of threads may use it, and any number of processes over its URL, or an
    engine of their own on the same file.

    Args:
        db: A file that keeps the state, also over a crash; by default it is in memory, and gone
            with the engine. Engines on one file share tasks and time, but do not wake each
            other's long polls.

        version: The version of Camunda that it answers as, from 7.13 to 7.24: what that version
            lacks is not there, and what it ignores is ignored.

        auth: A user and a password; every request must then carry them, as Basic auth.

        history_time_to_live: How many days the history of a process is kept that does not say it
            itself; without it, versions since 7.20 refuse such a model, as Camunda does by default.

        seed: Makes ids and the order of equal results repeatable: with the same seed, the same
            calls give the same ids.

        clock: A function that returns the time, in seconds since 1970.

    Raises:
        TypeError, ValueError: The version is not one of these, the number of days is not valid,
            or the file was not written by an engine.
        OSError: The file cannot be opened.
    """

    def __init__(
        self,
        db: str | Path | None = None,
        *,
        version: str = LATEST,
        auth: tuple[str, str] | None = None,
        history_time_to_live: int | None = None,
        seed: int | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        #: The faults that are planned for requests.
        self.faults = Faults(OPERATIONS)
        _check_days(history_time_to_live)
        self._store = Store(
            db,
            Version.of(version),
            history_time_to_live=history_time_to_live,
            clock=clock,
            seed=seed,
        )
        self._polls = Polls(self._store.now)
        self._auth = auth
        self._backend = Backend(self._store, self._polls, self.faults, auth is not None)
        self._server: HttpServer | None = None
        self._serving = threading.RLock()
        self._sessions: WeakSet[requests.Session] = WeakSet()
        self._one_task_definitions: dict[str, str] = {}
        if auth is not None:
            _check_auth(auth)
            with self._backend.transaction() as tx:
                users.forget_administrators(tx)
                users.create(tx, *auth, all_rights=True)

    def __enter__(self) -> Engine:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        where = "not served" if self._server is None else self.url
        return f"<Engine {self.version}, {where}>"

    @property
    def version(self) -> str:
        """
        The version that it answers as, such as ``7.24.0``.
        """
        return str(self._store.version)

    # -------------------------------------------------------------------------------- what it holds

    def deploy(self, bpmn: str | bytes | Path) -> str:
        """
        Deploy a BPMN model.

        Args:
            bpmn: A file, as a `~pathlib.Path`, or the model itself.

        Returns:
            The id of the deployment.

        Raises:
            EngineError: The model has something that this engine does not run, or no engine.
            ValueError: A text is no model; it may be the name of a file.
        """
        if isinstance(bpmn, str) and "<" not in bpmn:
            raise ValueError(f"{bpmn!r} is no model; if it is a file, pass Path({bpmn!r})")
        if isinstance(bpmn, Path):
            name, content = bpmn.name, bpmn.read_bytes()
        else:
            name, content = "model.bpmn", bpmn.encode() if isinstance(bpmn, str) else bpmn
        with self._backend.transaction() as tx:
            deployed = deployments.create(tx, {name: content}, name=name)
        return str(deployed["id"])

    def start(
        self,
        process_definition_key: str,
        *,
        variables: Mapping[str, Any] | None = None,
        business_key: str | None = None,
    ) -> str:
        """
        Start an instance of a process.

        Args:
            variables: Python values, or mappings with ``value`` and ``type`` as on the wire.

        Returns:
            The id of the process instance.

        Raises:
            EngineError: There is no such process.
        """
        with self._backend.transaction() as tx:
            definition = deployments.latest(tx, process_definition_key, None)
            instance, _ = flow.start(tx, definition, business_key, _typed(variables))
        return instance.id

    def create_task(
        self,
        topic: str,
        *,
        variables: Mapping[str, Any] | None = None,
        priority: int = 0,
        retries: int | None = None,
        business_key: str | None = None,
        process_definition_key: str = "process",
        extension_properties: Mapping[str, str] | None = None,
    ) -> str:
        """
        Create an external task, in an instance of a process that has nothing else.

        Args:
            topic: The topic that workers fetch it from.

            variables: Variables of the process instance: Python values, or mappings with
                ``value`` and ``type`` as on the wire.

            priority: Its priority, an integer of 32 bits.

            retries: Retries left; by default ``None``, as of a task that never failed. With 0
                nobody can fetch it; an incident comes only from a failure.

            business_key: The business key of the process instance.

            process_definition_key: The key of the process. Each other kind of task is another
                version of it.

            extension_properties: What workers get who ask for extension properties.

        Returns:
            The id of the task.

        Raises:
            TypeError: A variable has no type that its value could only have.
            ValueError: A variable is no value of its type, or the retries are negative.
            EngineError: No process can have such a key, or no task such a priority.
        """
        names_and_values = (extension_properties or {}).items()
        _check_int("priority", priority)
        if retries is not None and not 0 <= _check_int("retries", retries) < 2**31:
            raise ValueError(f"retries must be an integer of 31 bits, not {retries!r}")
        for text in (topic, process_definition_key, *itertools.chain(*names_and_values)):
            if not isinstance(text, str):
                raise TypeError(f"topic, key and extension properties are text, not {text!r}")
        properties = "".join(
            _PROPERTY.format(quoteattr(name), quoteattr(value)) for name, value in names_and_values
        )
        model = _ONE_TASK.format(
            key=quoteattr(process_definition_key),
            topic=quoteattr(topic),
            priority=quoteattr(str(priority)),
            properties=properties,
        )
        with self._backend.transaction() as tx:
            definition_id = self._one_task_definitions.get(model)
            if definition_id is None or deployments.find_definition(tx, definition_id) is None:
                deployed = deployments.create(tx, {"task.bpmn": model.encode()})
                [definition_id] = deployed["deployedProcessDefinitions"]
            definition = deployments.get_definition(tx, definition_id)
            instance, _ = flow.start(tx, definition, business_key, _typed(variables))
            task_id: str = tx.value("SELECT id FROM task WHERE instance_id = ?", instance.id)
            if retries is not None:
                tx.run("UPDATE task SET retries = ? WHERE id = ?", retries, task_id)
        self._one_task_definitions[model] = definition_id
        return task_id

    def variables(self, process_instance_id: str) -> dict[str, Any]:
        """
        The values of the variables of a process instance, as they are on the wire: dates are
        text, for example, and files are ``None``.

        An instance that has ended shows those that it had in the end; a real engine has them in
        its history.

        Raises:
            LookupError: There is no such instance.
        """
        with self._backend.transaction() as tx:
            if not instances.has_been(tx, process_instance_id):
                task = tx.row("SELECT instance_id FROM task WHERE id = ?", process_instance_id)
                hint = f"; it is a task of {task['instance_id']}" if task is not None else ""
                raise LookupError(f"no process instance has the id {process_instance_id}{hint}")
            values = scopes.of_scope(tx, process_instance_id)
        return {name: variable.show(value)["value"] for name, value in values.items()}

    def is_running(self, process_instance_id: str) -> bool:
        """
        Whether a process instance has not ended yet.
        """
        with self._backend.transaction() as tx:
            return instances.is_running(tx, process_instance_id)

    # ------------------------------------------------------------------------------------- its time

    @property
    def now(self) -> datetime:
        """
        The engine's time, in UTC.
        """
        epoch = datetime(1970, 1, 1, tzinfo=timezone.utc)
        with self._backend.transaction() as tx:
            return epoch + timedelta(milliseconds=tx.now)

    def advance(self, seconds: float | timedelta) -> None:
        """
        Let the engine's time go on at once: locks expire, long polls come to their end.

        Go a little past the moment that you wait for: in the very millisecond in which it expires,
        a lock is neither held nor over.

        Args:
            seconds: How far, in seconds, or a ``timedelta``.

        Raises:
            ValueError: Time does not run backwards, nor beyond the year 3000.
        """
        seconds = to_seconds(seconds)
        if not seconds >= 0:
            raise ValueError(f"time does not run backwards, not even by {seconds} seconds")
        if self._store.now() / 1000 + seconds > _FAR:
            raise ValueError(f"{seconds} seconds lead beyond the year 3000")
        self._store.advance(round(seconds * 1000))
        self._polls.look_at_the_clock()

    def wait_for_polls(self, count: int = 1, *, timeout: float | timedelta = 10.0) -> None:
        """
        Return as soon as so many long polls wait for tasks; a test that advances the time then
        ends them.

        Args:
            count: How many there must be.

            timeout: How long to wait for them, in seconds of the machine's time, or a
                ``timedelta``.

        Raises:
            TimeoutError: There are fewer when the time is over.
        """
        seconds = to_seconds(timeout)
        if not self._polls.wait_until_parked(count, seconds):
            raise TimeoutError(f"fewer than {count} long polls wait after {seconds} seconds")

    # ---------------------------------------------------------------------------------- the ways in

    @property
    def url(self) -> str:
        """
        The URL of the REST API, ending in ``/engine-rest``; asked for the first time, it is served.
        """
        with self._serving:
            if self._server is None:
                return self.serve()
        host = f"[{self._server.host}]" if ":" in self._server.host else self._server.host
        return f"http://{host}:{self._server.port}{BASE}"

    def serve(self, host: str = "127.0.0.1", port: int = 0, *, remote: bool = False) -> str:
        """
        Listen for HTTP, until the engine is closed.

        Args:
            port: 0 for any that is free.

            remote: Whether *host* may be one that other machines reach; the engine is a toy for
                tests, and hides nothing from them.

        Returns:
            The URL of the REST API.

        Raises:
            ValueError: Other machines would reach it.
            OSError: The port is taken.
            RuntimeError: It is served already, or closed.
        """
        with self._backend.transaction():
            pass  # What is closed says so.
        with self._serving:
            if self._server is not None:
                raise RuntimeError(f"the engine is served already, at {self.url}")
            app = App(self._backend, checks_host=not remote)
            self._server = HttpServer(app, host=host, port=port, remote=remote)
        return self.url

    def session(self) -> requests.Session:
        """
        A session that reaches the engine at `local_url`, without a socket.
        """
        session = requests.Session()
        session.trust_env = False
        session.mount(_IN_PROCESS, InProcessAdapter(App(self._backend, checks_host=False)))
        if self._auth is not None:
            # Of text, requests would make Latin-1.
            session.auth = HTTPBasicAuth(*(each.encode() for each in self._auth))
        self._sessions.add(session)
        return session

    @property
    def local_url(self) -> str:
        """
        The URL of the REST API for a session of `session`.
        """
        return _IN_PROCESS + BASE

    def client(self, **options: Any) -> ExternalTaskClient:
        """
        A client of this engine that needs no socket.

        Args:
            options: More of what `~camunda_ext.ExternalTaskClient` takes, but for ``base_url``
                and ``session``.
        """
        return ExternalTaskClient(self.local_url, session=self.session(), **options)

    def close(self) -> None:
        """
        End all polls, stop listening, close the database; what was in memory is gone.
        """
        self._polls.close()
        self.faults.close()
        try:
            if self._server is not None:
                self._server.close()
        finally:
            for session in self._sessions:
                session.close()
            self._store.close()


def _check_days(days: object) -> None:
    if days is None:
        return
    if isinstance(days, bool) or not isinstance(days, int):
        raise TypeError(f"history_time_to_live must be a number of days, not {days!r:.60}")
    if not 0 <= days < 2**31:
        raise ValueError(f"history_time_to_live must be a number of days, not {days}")


def _check_auth(auth: object) -> None:
    if (
        not isinstance(auth, tuple)
        or len(auth) != 2
        or not all(isinstance(each, str) for each in auth)
    ):
        raise TypeError("auth must be a tuple of a user and a password")


def _check_int(name: str, number: object) -> int:
    if not isinstance(number, int) or isinstance(number, bool):
        raise TypeError(f"{name} must be an int, not {number!r}")
    return number


def _typed(variables: Mapping[str, Any] | None) -> dict[str, variable.Value]:
    if not isinstance(variables, (Mapping, NoneType)):
        raise TypeError(f"variables must be a mapping, not {variables!r}")
    for name in variables or ():
        if not isinstance(name, str):
            raise TypeError(f"the name of a variable must be a str, not {name!r}")
    return {name: variable.of_python(value) for name, value in (variables or {}).items()}
