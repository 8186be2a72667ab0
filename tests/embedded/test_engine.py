"""
The engine as a part of other people's tests: its time, its ids, its ways in, its end.
"""

from __future__ import annotations

import re
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, Final

import pytest
import requests

from camunda_ext import (
    Conflict,
    ExternalTaskClient,
    ExternalTaskQuery,
    HistoricExternalTaskLogQuery,
    NotSent,
    Topic,
)
from camunda_ext.testing import Engine, EngineError
from camunda_ext.testing.rest.operations import Call
from tests.conformance.processes import bpmn

_TOPICS: Final = [Topic("a", lock_duration=60_000)]

#: A UUID of the first kind.
_ID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-1[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


class Clock:
    """
    Time that stands still, until somebody moves it.
    """

    def __init__(self) -> None:
        self.seconds = 1_700_000_000.0

    def __call__(self) -> float:
        """
        The time.
        """
        return self.seconds


def model(topic: str = "a", *, extra: str = "", time_to_live: bool = True) -> str:
    """
    A process with one task.
    """
    kept = 'camunda:historyTimeToLive="1"' if time_to_live else ""
    return f"""\
<definitions xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL" targetNamespace="t"
    xmlns:camunda="http://camunda.org/schema/1.0/bpmn">
  <process id="invoice" isExecutable="true" {kept} camunda:versionTag="v1">
    <startEvent id="start"/><sequenceFlow id="f" sourceRef="start" targetRef="work"/>
    <serviceTask id="work" camunda:type="external" camunda:topic="{topic}">{extra}</serviceTask>
  </process>
</definitions>
"""


def fetched(engine: Engine, worker_id: str) -> list[str]:
    """
    The ids of the tasks that a worker gets now.
    """
    with engine.client() as client:
        return [task.id for task in client.fetch_and_lock(worker_id, _TOPICS, max_tasks=100)]


# -------------------------------------------------------------------------------------------- time


def test_time_is_that_of_the_clock() -> None:
    """
    In UTC, to the millisecond.
    """
    clock = Clock()
    with Engine(clock=clock) as engine:
        first = engine.now
        clock.seconds += 0.0015
        second = engine.now
        engine.advance(0.5)

        assert [first, second, engine.now] == [
            datetime(2023, 11, 14, 22, 13, 20, tzinfo=timezone.utc),
            datetime(2023, 11, 14, 22, 13, 20, 1000, tzinfo=timezone.utc),
            datetime(2023, 11, 14, 22, 13, 20, 501_000, tzinfo=timezone.utc),
        ]


def test_clock_is_for_code_that_takes_one() -> None:
    """
    It goes with the engine's time, and is there when the engine is closed.
    """
    clock = Clock()
    with Engine(clock=clock) as engine:
        first = engine.clock.now()
        clock.seconds += 0.0015
        engine.advance(59)

    assert [first, engine.clock.now()] == [1_700_000_000, 1_700_000_059.001]


def test_locks_expire() -> None:
    """
    With the engine's time, whoever moves it.
    """
    clock = Clock()
    with Engine(clock=clock) as engine:
        task_id = engine.create_task("a")

        assert fetched(engine, "kim") == [task_id]
        engine.advance(59)
        assert fetched(engine, "pat") == []
        engine.advance(1.001)
        assert fetched(engine, "pat") == [task_id]
        clock.seconds += 60.001
        assert fetched(engine, "kim") == [task_id]


def test_time_is_everywhere() -> None:
    """
    Tasks and their log are dated by it.
    """
    with Engine(clock=Clock()) as engine:
        engine.advance(3600)
        engine.create_task("a")
        with engine.client() as client:
            [task], [entry] = client.list(), client.log_list()

        assert (task.create_time, entry.timestamp) == (engine.now, engine.now)


@pytest.mark.parametrize("seconds", [-1, -0.001, float("nan")])
def test_time_runs_forwards(seconds: float) -> None:
    """
    And it is a number.
    """
    with Engine(clock=Clock()) as engine:
        before = engine.now
        with pytest.raises(ValueError):  # noqa: PT011  # Python words one of them
            engine.advance(seconds)

        assert engine.now == before


def test_time_is_shared_by_engines_on_a_file(tmp_path: Path) -> None:
    """
    And it is still there when the file is opened again.
    """
    clock, db = Clock(), tmp_path / "engine.db"
    with Engine(db, clock=clock) as first, Engine(db, clock=clock) as other:
        task_id = first.create_task("a")
        assert fetched(first, "kim") == [task_id]
        first.advance(61)
        assert other.now == first.now
        assert fetched(other, "pat") == [task_id]
        other.advance(61)
        assert first.now == other.now
        assert fetched(first, "kim") == [task_id]
    with Engine(db, clock=clock) as later:
        assert later.now == datetime(2023, 11, 14, 22, 15, 22, tzinfo=timezone.utc)


# --------------------------------------------------------------------------------------------- ids


def make(engine: Engine) -> list[str]:
    """
    The ids of what a few calls create.
    """
    deployment = engine.deploy(model())
    instance = engine.start("invoice", variables={"amount": 1})
    with engine.client() as client:
        [task] = client.list()
    return [deployment, instance, task.id, str(task.process_definition_id), engine.create_task("b")]


def test_same_seed_gives_same_ids() -> None:
    """
    The same calls make the same, and another seed makes others.
    """
    ids = []
    for seed in (1, 1, 2, None, None):
        with Engine(seed=seed) as engine:
            ids.append(make(engine))

    assert ids[0] == ids[1]
    assert len({tuple(each) for each in ids}) == 4
    assert not {*ids[0]} & {*ids[2]}


def test_equals_come_in_another_order_each_time() -> None:
    """
    Of tasks and of the log, by the seed; what is sorted by id, or not at all, has one order.
    """
    asked = []
    for seed in (1, 1, 2):
        with Engine(seed=seed, clock=lambda: 0) as engine:
            ids = [engine.create_task("a") for _ in range(9)]
            client = engine.client()
            by_priority = ExternalTaskQuery().sort_by("taskPriority")
            by_time = HistoricExternalTaskLogQuery().sort_by("timestamp")
            asked.append(
                [[ids.index(task.id) for task in client.list(by_priority)] for _ in range(5)]
                + [[ids.index(entry.external_task_id) for entry in client.log_list(by_time)]]
            )
            assert [task.id for task in client.list(by_priority.sort_by("id"))] == ids
            assert [task.id for task in client.list()] == ids

    first, again, other = asked
    assert first == again != other
    assert all(sorted(order) == list(range(9)) for order in first)
    assert len({tuple(order) for order in first}) == len(first)


def test_ids_look_like_ids() -> None:
    """
    As those of the engine, they are UUIDs of the first kind.
    """
    with Engine(seed=1) as engine:
        ids = make(engine)

    [name, version, number] = ids[3].split(":")
    assert (name, version) == ("invoice", "1")
    assert [each for each in (*ids[:3], number, ids[4]) if not _ID.fullmatch(each)] == []


def test_later_ids_sort_behind_earlier_ones() -> None:
    """
    Also behind those of a first thousand, and after a call that failed.
    """
    with Engine() as engine:
        ids = []
        for number in range(500):
            if number % 100 == 50:
                with pytest.raises(TypeError):
                    engine.create_task("a", variables={"x": object()})
            ids.append(engine.create_task("a"))

    assert ids == sorted(ids)
    assert len({*ids}) == 500


def test_ids_of_two_engines_on_a_file_differ(tmp_path: Path) -> None:
    """
    Even with the same seed, and with calls between that fail.
    """
    db = tmp_path / "engine.db"
    with Engine(db, seed=1) as first, Engine(db, seed=1) as other:
        ids = []
        for _ in range(30):
            for engine in (first, other):
                with pytest.raises(TypeError):
                    engine.create_task("a", variables={"x": object()})
                ids.append(engine.create_task("a"))
        with first.client() as client:
            listed = {task.id for task in client.list()}

    assert listed == {*ids}
    assert len(listed) == 60


def test_what_failed_is_forgotten() -> None:
    """
    A process that was rolled back is not taken for another that got its id.
    """
    with Engine() as engine:
        for failing in ("a", "b", "c"):
            with pytest.raises(TypeError):
                engine.create_task(failing, variables={"x": object()})
        created = {topic: engine.create_task(topic) for topic in ("c", "b", "a")}
        with engine.client() as client:
            topics = {task.topic_name: task.id for task in client.list()}

    assert topics == created


# ----------------------------------------------------------------------------------- what it holds


def test_created_task_is_as_it_was_wished() -> None:
    """
    All that can be said of it is there.
    """
    with Engine() as engine, engine.client() as client:
        task_id = engine.create_task(
            'a <&"topic">',
            variables={"amount": 50, "typed": {"value": "2", "type": "Long"}},
            priority=-7,
            retries=2,
            business_key="4711",
            process_definition_key="invoice",
            extension_properties={"k": "a\n<&\"'>", "empty": ""},
        )
        topic = Topic('a <&"topic">', lock_duration=1000, include_extension_properties=True)
        [task] = client.fetch_and_lock("kim", [topic], max_tasks=1)
        found = (
            task.id,
            task.priority,
            task.retries,
            task.business_key,
            task.process_definition_key,
            dict(task.variables),
            dict(task.extension_properties or {}),
        )

    assert found == (
        task_id,
        -7,
        2,
        "4711",
        "invoice",
        {"amount": 50, "typed": 2},
        {"k": "a\n<&\"'>", "empty": ""},
    )


def test_created_tasks_share_a_process() -> None:
    """
    One definition for all of a kind, and one instance for each task.
    """
    with Engine() as engine, engine.client() as client:
        for topic in ("a", "a", "b", "a"):
            engine.create_task(topic)
        tasks = sorted(client.list(), key=lambda task: task.id)

    versions = [str(task.process_definition_id).split(":")[1] for task in tasks]
    assert versions == ["1", "1", "2", "1"]
    assert len({task.process_instance_id for task in tasks}) == 4


def test_created_task_survives_the_end_of_its_process() -> None:
    """
    A deployment that was deleted is made again.
    """
    with Engine() as engine, engine.session() as session:
        engine.create_task("a")
        [deployment] = session.get(f"{engine.local_url}/deployment").json()
        url = f"{engine.local_url}/deployment/{deployment['id']}?cascade=true"
        assert session.delete(url).status_code == 204
        task_id = engine.create_task("a")

        assert fetched(engine, "kim") == [task_id]


def test_instance_goes_its_way() -> None:
    """
    It is started with variables, gets others, and ends.
    """
    with Engine() as engine, engine.client() as client:
        engine.deploy(model())
        instance_id = engine.start(
            "invoice", variables={"amount": 50, "paid": False}, business_key="4711"
        )
        [task] = client.fetch_and_lock("kim", _TOPICS, max_tasks=1)
        client.failure(task.id, "kim", error_message="no", retries=1, variables={"paid": True})
        variables, running = engine.variables(instance_id), engine.is_running(instance_id)
        [task] = client.fetch_and_lock("kim", _TOPICS, max_tasks=1)
        client.complete(task.id, "kim")

        assert (task.business_key, variables, running) == (
            "4711",
            {"amount": 50, "paid": True},
            True,
        )
        assert not engine.is_running(instance_id)
        assert engine.variables(instance_id) == {"amount": 50, "paid": True}


@pytest.mark.parametrize("form", ["text", "bytes", "file"])
def test_model_comes_as_text_or_file(tmp_path: Path, form: str) -> None:
    """
    The latest of a key is started.
    """
    path = tmp_path / "ünvoice.bpmn"
    path.write_text(model("b"), "utf-8")
    forms: dict[str, Any] = {"text": model("b"), "bytes": model("b").encode(), "file": path}
    with Engine() as engine, engine.client() as client:
        engine.deploy(model("a"))
        engine.deploy(forms[form])
        engine.start("invoice")
        [task] = client.list()

    assert (task.topic_name, str(task.process_definition_id).split(":")[1]) == ("b", "2")


@pytest.mark.parametrize(
    ("wrong", "error", "message"),
    [
        (lambda engine: engine.start("nothing"), EngineError, "process definition with key: noth"),
        (lambda engine: engine.deploy("a.bpmn"), ValueError, "pass Path"),
        (lambda engine: engine.deploy(Path("/nothing/a.bpmn")), FileNotFoundError, "a.bpmn"),
        (lambda engine: engine.deploy("<a"), EngineError, "ENGINE-09003 Could not parse"),
        (lambda engine: engine.deploy(model("${x.y}")), EngineError, "single variables only"),
        (
            lambda engine: engine.create_task("a", process_definition_key="my process"),
            EngineError,
            "must be a name without blanks, not 'my process'",
        ),
        (
            lambda engine: engine.create_task("a", variables={"x": object()}),
            TypeError,
            "say which, for example",
        ),
        (
            lambda engine: engine.create_task("a", variables={"x": {"value": 1, "type": "No"}}),
            ValueError,
            "Unsupported value type 'No'",
        ),
        (lambda engine: engine.variables("nothing"), LookupError, "no process instance has the id"),
    ],
)
def test_wrong_use_is_told(
    wrong: Callable[[Engine], object], error: type[Exception], message: str
) -> None:
    """
    Before anything is done, and the engine works on.
    """
    with Engine() as engine:
        with pytest.raises(error, match=re.escape(message)):
            wrong(engine)
        task_id = engine.create_task("a")

        assert fetched(engine, "kim") == [task_id]


# ----------------------------------------------------------------------------------- the ways in


def test_url_serves() -> None:
    """
    Asked for twice, it is the same; a second port is not to be had.
    """
    with Engine() as engine:
        before = repr(engine)
        url = engine.url

        assert (before, repr(engine)) == (
            "<Engine 7.24.0, not served>",
            f"<Engine 7.24.0, {url}>",
        )
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/engine-rest", url)
        assert engine.url == url
        with pytest.raises(RuntimeError, match=f"^the engine is served already, at {url}$"):
            engine.serve()


def test_repr_keeps_secrets() -> None:
    """
    A log may have it.
    """
    with Engine(auth=("kim", "hunter2"), version="7.18") as engine:
        assert repr(engine) == "<Engine 7.18.0, not served>"


@pytest.mark.parametrize(
    ("host", "shown"), [("localhost", "localhost"), ("127.0.0.1", "127.0.0.1")]
)
def test_url_names_the_host(host: str, shown: str) -> None:
    """
    As it was given, and whatever that may be, a client gets there.
    """
    with Engine() as engine:
        url = engine.serve(host)
        with ExternalTaskClient(url) as client:
            assert client.version() == "7.24.0"

    assert re.fullmatch(rf"http://{re.escape(shown)}:\d+/engine-rest", url)


@pytest.mark.parametrize("password", ["x", "pässwörd", "€", "a:b", ""])
def test_credentials_are_asked_for_by_both_doors(password: str) -> None:
    """
    What `session` and `client` give knows them, in whatever script.
    """
    with Engine(auth=("kim", password)) as engine:
        with engine.client() as client, engine.session() as session:
            assert client.count() == 0
            assert session.get(f"{engine.local_url}/version").status_code == 200
        for url in (engine.url, engine.local_url):
            with requests.Session() as stranger:
                stranger.trust_env = False
                stranger.mount(engine.local_url, engine.session().get_adapter(engine.local_url))
                assert stranger.get(f"{url}/version").status_code == 401


def test_close_is_the_end() -> None:
    """
    Closed twice is closed; whatever is asked then, the answer says so.
    """
    engine = Engine()
    task_id = engine.create_task("a")
    client, url = engine.client(), engine.url
    engine.close()
    engine.close()

    calls: list[Callable[[], object]] = [
        lambda: engine.create_task("a"),
        lambda: engine.deploy(model()),
        lambda: engine.start("invoice"),
        lambda: engine.variables(task_id),
        lambda: engine.is_running(task_id),
        lambda: engine.advance(1),
        lambda: engine.now,
        client.count,
        engine.client().count,
    ]
    for call in calls:
        with pytest.raises(RuntimeError, match=r"^the engine is closed$"):
            call()
    with ExternalTaskClient(url) as late, pytest.raises(NotSent):
        late.count()


def test_engine_that_was_never_served_serves_no_more() -> None:
    """
    A port that is opened when all is over would stay open.
    """
    engine = Engine()
    engine.close()
    before = threading.enumerate()

    with pytest.raises(RuntimeError, match=r"^the engine is closed$"):
        engine.serve()
    with pytest.raises(RuntimeError, match=r"^the engine is closed$"):
        _ = engine.url
    assert threading.enumerate() == before


def test_two_engines_know_nothing_of_each_other() -> None:
    """
    Neither tasks nor time.
    """
    clock = Clock()
    with Engine(clock=clock) as first, Engine(clock=clock, version="7.18") as other:
        task_id = first.create_task("a")
        first.advance(3600)

        assert (fetched(other, "kim"), fetched(first, "kim")) == ([], [task_id])
        assert first.now - other.now == timedelta(hours=1)
        assert first.url != other.url


# ----------------------------------------------------------------------------------------- versions


@pytest.mark.parametrize(
    ("version", "message"),
    [
        ("7.12", "version must be between 7.13 and 7.24, not '7.12'"),
        ("7.25", "version must be between 7.13 and 7.24, not '7.25'"),
        ("8.7", "version must be between 7.13 and 7.24, not '8.7'"),
        ("7", "version must look like '7.24', not '7'"),
        ("", "version must look like '7.24', not ''"),
        ("7.x", "version must look like '7.24', not '7.x'"),
        ("7.18.0.1", "version must look like '7.24', not '7.18.0.1'"),
        (" 7.18", "version must look like '7.24', not ' 7.18'"),
        ("latest", "version must look like '7.24', not 'latest'"),
    ],
)
def test_unknown_versions_are_refused(version: str, message: str) -> None:
    """
    None is taken for another.
    """
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        Engine(version=version)


def seen_from_outside(version: str) -> str:
    """
    A letter for each feature of an engine that came after 7.13.
    """
    with Engine(version=version) as engine, requests.Session() as session:
        session.trust_env = False
        url = engine.url

        def ask(method: str, path: str, **kwargs: Any) -> Any:
            answer = session.request(method, url + path, timeout=60, **kwargs)
            return answer.json() if answer.content else answer.status_code

        def deploys(text: str) -> bool:
            files = {"data": ("a.bpmn", text)}
            return session.post(f"{url}/deployment/create", files=files, timeout=60).ok

        def fetch(**kwargs: Any) -> Any:
            topic = {"topicName": "a", "lockDuration": 1, "includeExtensionProperties": True}
            return ask(
                "POST",
                "/external-task/fetchAndLock",
                json={"workerId": "kim", "maxTasks": 1, "topics": [topic], **kwargs},
            )

        extra = (
            "<extensionElements><camunda:properties><camunda:property name='k' value='v'/>"
            "</camunda:properties></extensionElements>"
        )
        assert deploys(model(extra=extra))
        started = ask(
            "POST",
            "/process-definition/key/invoice/start",
            json={"variables": {"big": {"value": True, "type": "Boolean"}}},
        )
        [task] = fetch()
        failure = {"workerId": "kim", "retries": 0, "variables": {"failed": {"value": 1}}}
        ask("POST", f"/external-task/{task['id']}/failure", json=failure)
        instance = f"/process-instance/{started['id']}/variables"
        [listed] = ask("GET", "/external-task")
        [incident] = ask("GET", "/incident")
        batch = ask(
            "POST",
            "/external-task/retries-async",
            json={"retries": 1, "externalTaskIds": [task["id"]]},
        )
        error = ask("GET", "/external-task/nothing")
        lock = ask("POST", "/external-task/nothing/lock", json={})
        quoted = {"lockExpirationAfter": '"2026-11-22T17:53:12.000+0000"'}
        letters = {
            "x": task.get("extensionProperties") == {"k": "v"},
            "t": listed["processDefinitionVersionTag"] == "v1",
            "f": "failed" in ask("GET", instance),
            "l": lock["type"] != "NotFoundException",
            "c": "code" in error,
            "b": "startTime" in batch and "annotation" in incident,
            "q": "count" not in ask("GET", "/external-task/count", params=quoted),
            "e": ask("GET", "/external-task?maxResults=-7").get("type")
            == "ProcessEnginePersistenceException",
            "h": not deploys(model(time_to_live=False)),
            "o": "createTime" in task,
            "s": isinstance(fetch(sorting=[{"sortBy": "no", "sortOrder": "asc"}]), dict),
            "d": "definitionKey" in started,
            "O": "createTime" in listed,
            "k": ask("POST", "/external-task/count", json={"processDefinitionKey": "no"})
            == {"count": 0},
            "j": ask(
                "POST",
                "/external-task/count",
                data='{"a":' + "1" * 1001 + "}",
                headers={"Content-Type": "application/json"},
            )
            != {"count": 1},
            "J": ask(
                "POST",
                "/external-task/count",
                data="{} x",
                headers={"Content-Type": "application/json"},
            )
            != {"count": 1},
        }
        assert ask("GET", "/version") == {"version": f"{version}.0"}
    return "".join(letter for letter, has in letters.items() if has)


@pytest.mark.parametrize(
    ("version", "has"),
    [
        ("7.13", ""),
        ("7.14", "xt"),
        ("7.15", "xtf"),
        ("7.16", "xtfl"),
        ("7.17", "xtfl"),
        ("7.18", "xtflcbq"),
        ("7.19", "xtflcbqe"),
        ("7.20", "xtflcbqeh"),
        ("7.21", "xtflcbqehos"),
        ("7.22", "xtflcbqehosd"),
        ("7.24", "xtflcbqehosdOkjJ"),
    ],
)
def test_versions_have_what_they_had(version: str, has: str) -> None:
    """
    Nothing of a later one, and all of their own.
    """
    assert seen_from_outside(version) == has


# ------------------------------------------------------------------------------ threads, processes


@pytest.mark.parametrize("door", ["over HTTP", "in process"])
def test_threads_share_tasks(door: str) -> None:
    """
    Eight fetch at once: no task comes twice, and what was answered is what is locked.
    """
    threads = 8
    with Engine() as engine:
        created = {engine.create_task("a") for _ in range(100)}
        begin = threading.Barrier(threads)

        def work(number: int) -> dict[str, str]:
            over_http = door == "over HTTP"
            client = ExternalTaskClient(engine.url) if over_http else engine.client()
            got: dict[str, str] = {}
            with client:
                begin.wait(60)
                while tasks := client.fetch_and_lock(f"worker {number}", _TOPICS, max_tasks=3):
                    got |= {task.id: str(task.worker_id) for task in tasks}
            return got

        engine.serve()
        with ThreadPoolExecutor(threads) as pool:
            got = list(pool.map(work, range(threads)))
        with engine.client() as client:
            locked = {task.id: task.worker_id for task in client.list()}

    assert sum(map(len, got)) == len(created)
    assert {task_id: worker for each in got for task_id, worker in each.items()} == locked
    assert {*locked} == created


def test_threads_share_a_url() -> None:
    """
    Whoever asks for it first serves it, and the others get the same.
    """
    threads = 8
    for _ in range(5):
        with Engine() as engine:
            begin = threading.Barrier(threads)

            def ask(_: int, engine: Engine = engine, begin: threading.Barrier = begin) -> str:
                begin.wait(60)
                return engine.url

            with ThreadPoolExecutor(threads) as pool:
                urls = set(pool.map(ask, range(threads)))

            assert urls == {engine.url}


def test_threads_create_at_once() -> None:
    """
    No two things get the same id, and nobody gets in another's way.
    """
    with Engine() as engine, ThreadPoolExecutor(8) as pool:
        ids = list(pool.map(lambda number: engine.create_task(f"topic {number % 5}"), range(200)))
        with engine.client() as client:
            assert sorted(task.id for task in client.list()) == sorted(ids)


#: What a child that was forked says of an engine of its parent.
_FORKED: Final = """\
import os, sys, threading
from pathlib import Path
from camunda_ext.testing import Engine

db = sys.argv[1] or None
engine = Engine(db)
engine.create_task("a")
engine.serve()
out, into = os.pipe()
child = os.fork()
if child == 0:
    try:
        engine.create_task("b")
        said = str(engine.client().count())
    except Exception as error:
        said = f"{type(error).__name__}: {error}"
    os.write(into, said.encode())
    engine.close()
    os._exit(0)
_, status = os.waitpid(child, 0)
engine.create_task("c")
print(os.read(out, 1000).decode(), status, engine.client().count())
import requests
print(requests.get(engine.url + "/external-task/count").json())
engine.close()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows does not fork")
@pytest.mark.parametrize(
    ("db", "said"),
    [
        ("", "RuntimeError: an engine in memory cannot be used after a fork: use its URL 0 2"),
        ("engine.db", "2 0 3"),
    ],
)
def test_engine_and_forks(tmp_path: Path, db: str, said: str) -> None:
    """
    What is in memory cannot be shared by a child, what is in a file can; the parent goes on.
    """
    where = str(tmp_path / db) if db else ""
    done = subprocess.run(
        (sys.executable, "-c", _FORKED, where),
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )
    count = int(said[-1])

    assert done.stdout == f"{said}\n{{'count': {count}}}\n"


def test_a_suspended_instance_stays_where_it_is() -> None:
    """
    Its user task is not completed, in the words of 7.24.
    """
    with Engine() as engine, engine.session() as session:
        engine.deploy(TWO_STEPS)
        instance = engine.start("two-steps")
        url = engine.local_url
        [user_task] = session.get(f"{url}/task?processInstanceId={instance}").json()
        session.put(f"{url}/process-instance/{instance}/suspended", json={"suspended": True})
        refused = session.post(f"{url}/task/{user_task['id']}/complete", json={})

    name = user_task["id"]
    assert (refused.status_code, refused.json()) == (
        500,
        {
            "type": "RestException",
            "message": f"Cannot complete task {name}: ENGINE-03043 task with id '{name}' is "
            "suspended.",
            "code": 0,
        },
    )


def test_another_password_locks_the_old_one_out(tmp_path: Path) -> None:
    """
    Who may use a file is said anew each time.
    """
    file = tmp_path / "tasks.db"
    Engine(file, auth=("first", "1")).close()

    with Engine(file, auth=("second", "2")) as engine, engine.session() as session:
        old = session.get(f"{engine.local_url}/version", auth=("first", "1"))
        new = session.get(f"{engine.local_url}/version", auth=("second", "2"))

    assert (old.status_code, new.status_code) == (401, 200)


def test_a_text_too_long_for_its_column_is_refused() -> None:
    """
    255 characters fit, as in 7.24.
    """
    with Engine() as engine:
        engine.create_task("x" * 255, business_key="x" * 255)
        with pytest.raises(EngineError) as of_the_topic:
            engine.create_task("x" * 256)
        with pytest.raises(EngineError) as of_the_instance:
            engine.create_task("a", business_key="x" * 256)

    assert (of_the_topic.value.status, of_the_topic.value.code) == (500, 10002)
    assert (of_the_instance.value.status, of_the_instance.value.code) == (500, 10002)


def test_the_same_files_are_not_deployed_twice() -> None:
    """
    Also if some of them are no models.
    """
    files = {
        "two.bpmn": ("two.bpmn", TWO_STEPS),
        "note.txt": ("note.txt", "something else"),
    }
    form = {"deployment-name": "both", "enable-duplicate-filtering": "true"}
    with Engine() as engine, engine.session() as session:
        url = f"{engine.local_url}/deployment/create"
        first, second = (session.post(url, data=form, files=files).json() for _ in range(2))

    assert second["id"] == first["id"]
    assert second["deployedProcessDefinitions"] is None


TWO_STEPS = """\
<definitions xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL"
    xmlns:camunda="http://camunda.org/schema/1.0/bpmn" targetNamespace="tests">
  <process id="two-steps" isExecutable="true" camunda:historyTimeToLive="1">
    <startEvent id="start"/>
    <sequenceFlow id="first" sourceRef="start" targetRef="look"/>
    <userTask id="look"/>
    <sequenceFlow id="then" sourceRef="look" targetRef="work"/>
    <serviceTask id="work" camunda:type="external" camunda:topic="a"/>
  </process>
</definitions>
"""


def test_what_was_completed_can_be_seen() -> None:
    """
    Though the instance has ended with its only task; and it goes with its deployment.
    """
    with Engine() as engine, engine.client() as client, engine.session() as session:
        engine.deploy(
            TWO_STEPS.replace("userTask", "manualNothing").replace(
                '<manualNothing id="look"/>', '<parallelGateway id="look"/>'
            )
        )
        instance = engine.start("two-steps")
        [task] = client.fetch_and_lock("w1", [Topic("a", lock_duration=1000)], max_tasks=1)
        client.complete(task.id, "w1", {"paid": True})
        seen = engine.variables(instance)
        [deployment] = session.get(f"{engine.local_url}/deployment").json()
        session.delete(f"{engine.local_url}/deployment/{deployment['id']}?cascade=true")

        assert (seen, engine.is_running(instance)) == ({"paid": True}, False)
        with pytest.raises(LookupError):
            engine.variables(instance)


def test_a_task_is_no_instance() -> None:
    """
    Who asks for the variables of one is told whose task it is.
    """
    with Engine() as engine, engine.client() as client:
        task = engine.create_task("a")
        instance = client.get(task).process_instance_id
        with pytest.raises(LookupError, match=f"it is a task of {instance}"):
            engine.variables(task)


@pytest.mark.parametrize("auth", ["demo:demo", ("demo",), ("demo", 1)])
def test_credentials_are_a_pair_of_texts(auth: Any) -> None:
    """
    A text of two characters is none, though it has two parts.
    """
    with pytest.raises(TypeError, match="auth must be a tuple"):
        Engine(auth=auth)


def test_siblings_that_are_completed_at_once_conflict(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    As they may in a real engine: nothing of the later one is done, and it can be sent again.
    """
    come = threading.Semaphore(0)

    def call(**attributes: Any) -> Call:
        come.release()
        return Call(**attributes)

    with Engine() as engine, engine.client(retry=False) as client:
        engine.deploy(bpmn("Q", key="q", topic_a="a", topic_b="b"))
        engine.start("q")
        tasks = client.fetch_and_lock(
            "w1", [Topic(name, lock_duration=60_000) for name in "ab"], max_tasks=2
        )
        conflicts = []

        def complete(task_id: str) -> None:
            try:
                client.complete(task_id, "w1")
            except Conflict as error:
                conflicts.append(error.message)

        threads = [threading.Thread(target=complete, args=(task.id,)) for task in tasks]
        monkeypatch.setattr("camunda_ext.testing.rest.app.Call", call)
        with engine._backend.transaction():  # so that both have come before one is done
            for thread in threads:
                thread.start()
            assert come.acquire(timeout=30)
            assert come.acquire(timeout=30)
        for thread in threads:
            thread.join()
        [left] = client.list()
        client.complete(left.id, "w1")

    assert [str(message)[:30] for message in conflicts] == ["ENGINE-03005 Execution of 'UPD"]
