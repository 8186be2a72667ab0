"""
The public class of the embedded engine.
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
from camunda_ext.testing._errors import EngineError
from camunda_ext.testing._versions import LATEST, Version
from camunda_ext.testing.doors.http import HttpServer
from camunda_ext.testing.doors.in_process import InProcessAdapter
from camunda_ext.testing.rest.app import OPERATIONS, App
from camunda_ext.testing.rest.backend import Backend
from camunda_ext.testing.rest.faults import Faults
from camunda_ext.testing.rest.polls import Polls
from camunda_ext.testing.rest.urls import BASE
from camunda_ext.testing.state import deployments, evaluation, flow, instances, scopes, users
from camunda_ext.testing.state.clock import Clock
from camunda_ext.testing.state.store import Row, Store, Transaction
from camunda_ext.testing.values import variable
from camunda_ext.testing.values.durations import to_seconds

#: The base URL of the engine for the sessions of `Engine.session`. No host can have this name.
_IN_PROCESS: Final = "http://engine.invalid"

#: The beginning of the year 3000, in seconds since 1970.
_YEAR_3000: Final = 32_503_680_000

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
    The external-task part of a Camunda engine, in Python, for tests.

    It answers as Camunda 7.24 does, over HTTP (`serve`, `url`) and without a socket (`session`,
    `client`). Any number of threads may use one engine. Other processes use its URL, or an engine
    of their own with the same file.

    Args:
        db: The path of a file that keeps the state, even if the process crashes. By default the
            state is in memory, and lost with the engine. Engines with the same file share their
            tasks and their time, but do not wake each other's long polls.

        version: The version of Camunda to answer as, from ``"7.13"`` to ``"7.24"``: the engine
            lacks what that version lacks, and ignores what that version ignores.

        auth: A user and a password, which every request must then have as Basic auth.

        history_time_to_live: For how many days to keep the history of a process whose model does
            not say so. Without it, versions since 7.20 refuse such a model, as Camunda does by
            default.

        seed: Makes ids and the order of equal results repeatable: with the same seed, the same
            calls create the same ids.

        clock: A function that returns the time, in seconds since 1970.

    Raises:
        TypeError: An argument has the wrong type.

        ValueError: The version or the number of days is invalid, or the file is not that of an
            engine.

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
        #: Plans faults, which requests then meet.
        self.faults = Faults(OPERATIONS)
        _check_days(history_time_to_live)
        self._store = Store(
            db,
            Version.of(version),
            history_time_to_live=history_time_to_live,
            clock=clock,
            seed=seed,
        )
        #: The engine's clock, for code under test that takes one.
        self.clock = Clock(self._store.now)
        self._polls = Polls(self._store.now)
        self._auth = auth
        self._backend = Backend(self._store, self._polls, self.faults, auth is not None)
        self._server: HttpServer | None = None
        self._serving = threading.RLock()
        self._sessions: WeakSet[requests.Session] = WeakSet()
        #: The ids of the process definitions of single tasks, by their models.
        self._one_task_definitions: dict[object, str] = {}
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
        The version of Camunda that the engine answers as, such as ``7.24.0``.
        """
        return str(self._store.version)

    # ------------------------------------------------------------------------ processes and tasks

    def deploy(self, bpmn: str | bytes | Path) -> str:
        """
        Deploy a BPMN model.

        Args:
            bpmn: The path of a file, as a `~pathlib.Path`, or the model itself.

        Returns:
            The id of the deployment.

        Raises:
            EngineError: The model is invalid, or has an element that this engine does not run.

            ValueError: A text is no model; it may be the name of a file.

            OSError: The file cannot be read.
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
            process_definition_key: The key of the process, whose latest version is started.

            variables: The variables of the instance: Python values, or mappings with ``value`` and
                ``type`` as in requests.

            business_key: The business key of the instance.

        Returns:
            The id of the process instance.

        Raises:
            TypeError: The value of a variable could have several types.

            ValueError: A value does not fit the type of its variable.

            EngineError: No process with this key was deployed.
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
        Create an external task, in a new instance of a process that has only this task.

        Args:
            topic: The topic from which workers fetch the task.

            variables: The variables of the process instance: Python values, or mappings with
                ``value`` and ``type`` as in requests.

            priority: The priority of the task, an integer of 32 bits.

            retries: The number of retries left; by default ``None``, as for a task that never
                failed. With 0, no worker can fetch the task, but it has no incident.

            business_key: The business key of the process instance.

            process_definition_key: The key of the process. Tasks with another topic, priority or
                extension properties belong to another version of the process.

            extension_properties: The extension properties of the task, for workers that request
                them.

        Returns:
            The id of the task.

        Raises:
            TypeError: An argument has the wrong type, or the value of a variable could have several
                types.

            ValueError: A value does not fit the type of its variable, or the retries are negative.

            EngineError: The key is invalid for a process, or the priority for a task.
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

        def deploy(tx: Transaction) -> Row:
            deployed = deployments.create(tx, {"task.bpmn": model.encode()})
            [definition_id] = deployed["deployedProcessDefinitions"]
            return deployments.get_definition(tx, definition_id)

        with self._backend.transaction() as tx:
            definition = self._definition(tx, model) or deploy(tx)
            task_id = _only_task(tx, definition, business_key, _typed(variables))
            if retries is not None:
                tx.run("UPDATE task SET retries = ? WHERE id = ?", retries, task_id)
        self._one_task_definitions[model] = definition["id"]
        return task_id

    def create_task_of(
        self,
        file: str | Path,
        activity_id: str,
        *,
        variables: Mapping[str, Any] | None = None,
        business_key: str | None = None,
    ) -> str:
        """
        Create one external task of a BPMN file, without running the process around it.

        The file may have anything else in it, also what `deploy` refuses. The task has the topic,
        priority, input parameters and extension properties of its model, and the key, name and
        version tag of its process; its process instance has nothing else, and ends with it, whether
        it is completed or a BPMN error is reported. An error that is caught, by a boundary event or
        an event subprocess, sets the variables that the event names.

        What stands between the task and the rest of the process is not done: output parameters,
        listeners, asynchronous continuations, conditions of ``camunda:errorEventDefinition``, and
        input parameters of enclosing subprocesses. Of a multi-instance activity one instance is
        created; its ``loopCounter`` and its element are there if they are among the *variables*.

        Args:
            file: The path of the file.

            activity_id: The id of the task: a service, send or business rule task with
                ``camunda:type="external"``, or a throwing message event with such a message.

            variables: The variables of the process instance: Python values, or mappings with
                ``value`` and ``type`` as in requests. Topic, priority and input parameters are
                evaluated from them.

            business_key: The business key of the process instance.

        Returns:
            The id of the task. Its process definition is not found by `start`.

        Raises:
            TypeError: An argument has the wrong type, or the value of a variable could have several
                types.

            ValueError: The file is no BPMN, or has no such external task; the task has an
                expression that is more than a single variable, or a script; a variable is missing,
                or a value does not fit its type. The message names the activity.

            OSError: The file cannot be read.
        """
        if not isinstance(activity_id, str):
            raise TypeError(f"activity_id is text, not {activity_id!r}")
        path, values = Path(file), _typed(variables)
        model = path.name, path.read_bytes(), activity_id
        try:
            with self._backend.transaction() as tx:
                definition = self._definition(tx, model) or deployments.create_alone(tx, *model)
                node = flow.model(tx, definition["id"]).nodes[activity_id]
                if missing := evaluation.missing(node, values):
                    raise ValueError(
                        f"{path.name}: activity {activity_id!r} needs the variables "
                        f"{', '.join(map(repr, missing))}"
                    )
                task_id = _only_task(tx, definition, business_key, values)
        except EngineError as error:
            problem = (error.message or error.type).lstrip(": ")
            raise ValueError(
                f"{path.name}: activity {activity_id!r} cannot be made alone: {problem}"
            ) from None
        self._one_task_definitions[model] = definition["id"]
        return task_id

    def _definition(self, tx: Transaction, model: object) -> Row | None:
        """
        The process definition that was deployed for a single task before, if it is still there.
        """
        definition_id = self._one_task_definitions.get(model)
        return None if definition_id is None else deployments.find_definition(tx, definition_id)

    def variables(self, process_instance_id: str) -> dict[str, Any]:
        """
        The values of the variables of a process instance by name, as they are in answers: dates are
        text, for example, and files are ``None``.

        For an instance that has ended, they are the last values; a real engine has them in its
        history.

        Raises:
            LookupError: There is no instance with this id, and there was none.
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

    # ----------------------------------------------------------------------------------------- time

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
        Advance the engine's clock at once, so that locks expire and long polls end.

        Advance it a little past the moment of interest: in the very millisecond in which a lock
        expires, it is neither held nor expired.

        Args:
            seconds: By how many seconds, or a ``timedelta``.

        Raises:
            ValueError: The duration is negative, or leads beyond the year 3000.
        """
        seconds = to_seconds(seconds)
        if not seconds >= 0:
            raise ValueError(f"time does not run backwards, not even by {seconds} seconds")
        if self._store.now() / 1000 + seconds > _YEAR_3000:
            raise ValueError(f"{seconds} seconds lead beyond the year 3000")
        self._store.advance(round(seconds * 1000))
        self._polls.look_at_the_clock()

    def wait_for_polls(self, count: int = 1, *, timeout: float | timedelta = 10.0) -> None:
        """
        Wait until at least *count* long polls wait for tasks, so that a test can then advance the
        clock.

        Args:
            count: How many long polls there must be.

            timeout: How long to wait, in seconds of the machine's time, or a ``timedelta``.

        Raises:
            TimeoutError: There are fewer long polls when the time is over.
        """
        seconds = to_seconds(timeout)
        if not self._polls.wait_until_parked(count, seconds):
            raise TimeoutError(f"fewer than {count} long polls wait after {seconds} seconds")

    # --------------------------------------------------------------------------------------- access

    @property
    def url(self) -> str:
        """
        The URL of the REST API, ending in ``/engine-rest``. The first use starts the server, as
        `serve()` does.
        """
        with self._serving:
            if self._server is None:
                return self.serve()
        host = f"[{self._server.host}]" if ":" in self._server.host else self._server.host
        return f"http://{host}:{self._server.port}{BASE}"

    def serve(self, host: str = "127.0.0.1", port: int = 0, *, remote: bool = False) -> str:
        """
        Start a server that answers over HTTP until the engine is closed.

        Args:
            host: The address to listen on.

            port: The port to listen on; 0 for any free port.

            remote: Whether *host* may be an address that other machines can reach. The engine is
                made for tests, and not protected against them.

        Returns:
            The URL of the REST API.

        Raises:
            ValueError: Other machines could reach *host*, and *remote* is `False`.

            OSError: There is no such host on this machine, or the port is taken.

            RuntimeError: The engine is served already, or closed.
        """
        with self._backend.transaction():
            pass  # raises an error if the engine is closed
        with self._serving:
            if self._server is not None:
                raise RuntimeError(f"the engine is served already, at {self.url}")
            app = App(self._backend, checks_host=not remote)
            self._server = HttpServer(app, host=host, port=port, remote=remote)
        return self.url

    def session(self) -> requests.Session:
        """
        A session of ``requests`` that reaches the engine at `local_url`, without a socket.
        """
        session = requests.Session()
        session.trust_env = False
        session.mount(_IN_PROCESS, InProcessAdapter(App(self._backend, checks_host=False)))
        if self._auth is not None:
            # requests would encode text as Latin-1.
            session.auth = HTTPBasicAuth(*(each.encode() for each in self._auth))
        self._sessions.add(session)
        return session

    @property
    def local_url(self) -> str:
        """
        The URL of the REST API for the sessions that `session()` returns.
        """
        return _IN_PROCESS + BASE

    def client(self, **options: Any) -> ExternalTaskClient:
        """
        A client of this engine, without a socket.

        Args:
            options: Further arguments of `~camunda_ext.ExternalTaskClient`, except ``base_url``
                and ``session``.
        """
        return ExternalTaskClient(self.local_url, session=self.session(), **options)

    def close(self) -> None:
        """
        End all long polls, stop the server, and close the database. A state in memory is lost.
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


def _only_task(
    tx: Transaction,
    definition: Row,
    business_key: str | None,
    variables: Mapping[str, variable.Value],
) -> str:
    """
    Start a process that has only one external task, and return the id of the task.
    """
    instance, _ = flow.start(tx, definition, business_key, variables)
    task_id: str = tx.value("SELECT id FROM task WHERE instance_id = ?", instance.id)
    return task_id


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
