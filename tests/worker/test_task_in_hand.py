"""
Tasks that are made for the tests of handlers.
"""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any, Literal
from uuid import UUID

import attrs
import pytest

from camunda_ext import (
    Handlers,
    JavaObject,
    Variables,
    VariableValue,
    Worker,
    testing,
)
from camunda_ext.testing import Engine
from camunda_ext.worker import Abandoned, Task


@attrs.frozen
class Invoice:
    """
    What a handler needs.
    """

    amount: Decimal
    customer: str


def test_a_task_has_what_a_handler_reads() -> None:
    """
    The ids are new ones in the form of the engine's, the rest is always the same.
    """
    before = datetime.now(timezone.utc)
    task, other = testing.task("invoice"), testing.task("invoice")
    after = datetime.now(timezone.utc)

    assert isinstance(task, Task)
    assert task.create_time is not None
    assert before - timedelta(milliseconds=1) < task.create_time <= after
    assert task.lock_expiration_time == task.create_time + timedelta(seconds=30)
    ids = {
        "id": "",
        "activity_instance_id": "task:",
        "execution_id": "",
        "process_instance_id": "",
        "process_definition_id": "process:1:",
    }
    for name, start in ids.items():
        value = getattr(task, name)
        assert value == f"{start}{UUID(value.removeprefix(start))}"
        assert value != getattr(other, name)
    rest = {
        name: value
        for name, value in task.to_dict().items()
        if name not in {*ids, "create_time", "lock_expiration_time"}
    }
    assert rest == {
        "topic_name": "invoice",
        "worker_id": "worker",
        "retries": None,
        "error_message": None,
        "priority": 0,
        "suspended": False,
        "activity_id": "task",
        "process_definition_key": "process",
        "process_definition_version_tag": None,
        "tenant_id": None,
        "business_key": None,
        "error_details": None,
        "variables": {},
        "extension_properties": {},
    }


def test_it_has_the_fields_of_a_fetched_task() -> None:
    """
    What an engine has filled in is filled in here, and nothing else.
    """
    seen: list[Task] = []
    handlers = Handlers()
    handlers.handles("invoice")(seen.append)
    with Engine() as engine:
        engine.create_task("invoice")
        Worker(engine.client(), handlers).run_once()

    def filled(task: Task) -> set[str]:
        return {name for name, value in task.to_dict().items() if value}

    [fetched] = seen
    assert filled(testing.task("invoice")) == filled(fetched)


def test_any_field_can_be_passed() -> None:
    """
    Each as the class of the task has it.
    """
    moment = datetime(2026, 11, 22, tzinfo=timezone.utc)
    fields: dict[str, Any] = {
        "id": "t1",
        "worker_id": None,
        "lock_expiration_time": moment,
        "create_time": None,
        "retries": 2,
        "error_message": "no money",
        "priority": 50,
        "suspended": True,
        "activity_id": "charge",
        "activity_instance_id": "charge:1",
        "execution_id": "e1",
        "process_instance_id": "p1",
        "process_definition_id": "invoice:1:1",
        "process_definition_key": "invoice",
        "process_definition_version_tag": "v1",
        "tenant_id": "north",
        "business_key": "order-17",
        "error_details": "Traceback ...",
        "extension_properties": {"queue": "fast", "empty": None},
    }
    task = testing.task("invoice", **fields)

    assert {name: getattr(task, name) for name in fields} == fields


def test_variables_are_as_an_engine_gives_them_back() -> None:
    """
    Python values, and instances of the handler's class.
    """
    due = datetime(2026, 12, 1, 12, 0, 0, 123_456, tzinfo=timezone.utc)
    task = testing.task(
        "invoice", variables={"amount": Decimal("12.50"), "customer": "Ada", "due": due, "no": None}
    )
    same = testing.task("invoice", variables=Invoice(Decimal("12.50"), "Ada"))

    assert dict(task.variables) == {
        "amount": "12.50",
        "customer": "Ada",
        "due": due.replace(microsecond=123_000),
        "no": None,
    }
    assert task.variables.typed("due").type == "Date"
    assert same.variables.into(Invoice) == Invoice(Decimal("12.50"), "Ada")


def test_variables_of_any_type_stay_as_they_are() -> None:
    """
    So that a handler can be tested with what Python does not write.
    """
    info = {
        "objectTypeName": "java.util.ArrayList",
        "serializationDataFormat": "application/x-java-serialized-object",
    }
    typed = {"list": VariableValue(value="rO0=", type="Object", value_info=info)}
    task = testing.task("invoice", variables=Variables(typed))

    assert task.variables["list"] == JavaObject(
        type_name="java.util.ArrayList", content=b"\xac\xed"
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"topic": 3}, "topic must be str, not 3"),
        ({"retreis": 3}, "a task has no field 'retreis'; it has id, topic_name, worker_id, "),
        ({"id": None}, "id must be str, not None"),
        ({"retries": "3"}, r"retries must be int \| None, not '3'"),
        ({"priority": True}, "priority must be int, not True"),
        ({"suspended": 1}, "suspended must be bool, not 1"),
        ({"create_time": "now"}, r"create_time must be datetime.datetime \| None, not 'now'"),
        ({"extension_properties": ["a"]}, r"extension_properties must be Mapping, not \['a'\]"),
        ({"variables": 3}, "variables must be a mapping of names to values or an attrs instance"),
        ({"variables": {"receipt": object()}}, "variable 'receipt': no variable type for object"),
        ({"lock": 3}, "a task has no field 'lock'"),
    ],
)
def test_wrong_types_are_named(arguments: dict[str, Any], message: str) -> None:
    """
    At the call, so that a test does not pass because of a misspelt field.
    """
    with pytest.raises(TypeError, match=f"^{message}"):
        testing.task(**{"topic": "invoice", **arguments})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"topic": " "}, "topic must not be empty"),
        ({"create_time": datetime(2026, 1, 1)}, "create_time must be an aware datetime"),
        ({"variables": {"amount": 2**63}}, "variable 'amount' must be from "),
    ],
)
def test_wrong_values_are_named(arguments: dict[str, Any], message: str) -> None:
    """
    What an engine would never give.
    """
    with pytest.raises(ValueError, match=f"^{message}"):
        testing.task(**{"topic": "invoice", **arguments})


def test_a_task_is_in_hand_at_first() -> None:
    """
    Neither lost nor stopping, and without a time-out.
    """
    task = testing.task("invoice")
    task.check()

    assert (task.lost, task.stopping, task.deadline, task.wait(0)) == (None, False, None, True)


@pytest.mark.parametrize("reason", ["taken", "gone"])
def test_a_lost_task_is_seen_by_the_handler(reason: Literal["taken", "gone"]) -> None:
    """
    As if the worker had learnt it; its other tasks are not lost.
    """
    task, other = testing.task("invoice"), testing.task("invoice")
    task.lose(reason)

    assert (task.lost, task.stopping, task.wait(60), other.lost) == (reason, False, False, None)
    for act in (task.check, lambda: task.extend_lock(60_000)):
        with pytest.raises(Abandoned, match=f"^the task is lost: {reason}$"):
            act()


def test_a_task_is_lost_for_a_known_reason() -> None:
    """
    A handler may tell them apart.
    """
    task = testing.task("invoice")
    with pytest.raises(ValueError, match=r"^the reason is 'taken' or 'gone', not 'stolen'$"):
        task.lose("stolen")  # type: ignore[arg-type]  # that is the point

    assert task.lost is None


def test_a_stop_is_seen_by_the_handler() -> None:
    """
    The lock is still there, and can be extended.
    """
    task = testing.task("invoice")
    task.stop()
    task.extend_lock(timedelta(minutes=1))

    assert (task.lost, task.stopping, task.wait(60)) == (None, True, False)
    with pytest.raises(Abandoned, match=r"^the worker stops$"):
        task.check()


def test_an_extension_changes_nothing() -> None:
    """
    There is no engine to tell, but the duration is checked.
    """
    task = testing.task("invoice")
    before = task.to_dict()
    task.extend_lock(60_000)

    assert task.to_dict() == before
    with pytest.raises(TypeError, match="duration must be milliseconds as int, or a timedelta"):
        task.extend_lock("60")  # type: ignore[arg-type]  # that is the point


@pytest.mark.parametrize("event", ["lose", "stop"])
def test_a_waiting_handler_wakes(event: str) -> None:
    """
    In its own threads, however many wait, while the test is in another.
    """
    task, waits = testing.task("invoice"), threading.Semaphore(0)

    def handler() -> bool:
        waits.release()
        return task.wait(60)

    with ThreadPoolExecutor() as threads:
        waiting = [threads.submit(handler) for _ in range(3)]
        for _ in waiting:
            assert waits.acquire(timeout=10)
        task.lose("gone") if event == "lose" else task.stop()
        assert [one.result(timeout=10) for one in waiting] == [False, False, False]


def test_a_changed_copy_is_another_task() -> None:
    """
    What becomes of one does not become of the other.
    """
    task = testing.task("invoice")
    copy = attrs.evolve(task, retries=1)
    task.lose("gone")

    assert (copy.lost, copy.retries, copy.id) == (None, 1, task.id)
