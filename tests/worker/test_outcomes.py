"""
What is reported for whatever a handler returns or raises.
"""

from __future__ import annotations

import asyncio
import copy
import pickle
import re
import sys
import threading
from collections import ChainMap
from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from enum import Enum
from types import MappingProxyType
from typing import Any, Final
from uuid import UUID

import attrs
import pytest

from camunda_ext import (
    CamundaError,
    ExternalTask,
    File,
    JavaObject,
    Variables,
    VariableValue,
    Worker,
    typed,
)
from camunda_ext.testing import Engine
from camunda_ext.worker import (
    Abandoned,
    BadInput,
    BpmnError,
    Completed,
    Decision,
    Failure,
    Postpone,
    RetryDecider,
    Stopped,
    Task,
    TaskRetries,
)
from camunda_ext.worker.events import Reported
from camunda_ext.worker.outcomes import details_of, message_of, outcome_of_error, outcome_of_result

#: The longest details that are reported, in bytes.
LONGEST: Final = 65_536


@attrs.frozen
class Receipt:
    """
    What a handler may return.
    """

    receipt: Any


@attrs.define
class Unset:
    """
    An instance lacks its field.
    """

    receipt: int = attrs.field(init=False)


class Changing(dict[str, Any]):
    """
    A mapping that another thread has just changed.
    """

    def items(self) -> Any:
        raise RuntimeError("dictionary changed size during iteration")


class Colour(Enum):
    """
    An enum of texts.
    """

    RED = "red"


class Always:
    """
    Decides the same for each failure.
    """

    def __init__(self, retries: int = 7, decision: Any = None) -> None:
        self.decision = Decision(retries, 1234) if decision is None else decision
        self.seen: list[BaseException] = []

    def after(self, task: ExternalTask, error: BaseException, /) -> Any:
        """
        The decision.
        """
        self.seen.append(error)
        return self.decision


class Undecided:
    """
    Cannot decide about any failure.
    """

    def after(self, task: ExternalTask, error: BaseException, /) -> Decision:
        """
        No decision.
        """
        raise ValueError("no policy for this topic")


@pytest.fixture
def engine() -> Iterator[Engine]:
    """
    An embedded engine.
    """
    with Engine() as engine:
        yield engine


def raised(error: BaseException, cause: BaseException | None = None) -> BaseException:
    """
    The error with a traceback, as if a handler had raised it.
    """
    try:
        if cause is None:
            raise error
        raise error from cause
    except BaseException as caught:  # noqa: BLE001  # whatever it is
        return caught


# ------------------------------------------------------------------------------ whatever is raised


class UnprintableError(Exception):
    """
    Its text cannot be read.
    """

    def __str__(self) -> str:
        raise RuntimeError("no text")

    __repr__ = __str__


class MeanError(Exception):
    """
    Who reads its text is asked to exit.
    """

    def __str__(self) -> str:
        raise SystemExit(3)


class MeanInputError(BadInput):
    """
    The same of a class that is reported by its text alone.
    """

    __str__ = MeanError.__str__


def _raise(error: BaseException) -> None:
    raise error


def _recurse() -> None:
    _recurse()


def _chain(length: int = 200) -> None:
    error = ValueError("error 0 " + "x" * 1000)
    for number in range(1, length):
        following = ValueError(f"error {number} " + "x" * 1000)
        following.__cause__ = raised(error)
        error = following
    raise error


def _exhaust() -> None:
    next(iter(()))


def _open() -> None:
    open("/no/such/file")  # noqa: SIM115  # it is not there


#: What a handler does, and the message that is reported.
RAISED: Final[dict[str, tuple[Callable[[], object], str]]] = {
    "ordinary": (lambda: _raise(ValueError("no money")), "ValueError: no money"),
    "without text": (lambda: _raise(ValueError()), "ValueError"),
    "key": (lambda: {}["amount"], "KeyError: 'amount'"),  # type: ignore[index]
    "exit": (lambda: sys.exit(3), "SystemExit: 3"),
    "ctrl-c": (lambda: _raise(KeyboardInterrupt()), "KeyboardInterrupt"),
    "generator exit": (lambda: _raise(GeneratorExit()), "GeneratorExit"),
    "stop iteration": (_exhaust, "StopIteration"),
    "cancelled": (lambda: _raise(asyncio.CancelledError()), "CancelledError"),
    "memory": (lambda: _raise(MemoryError()), "MemoryError"),
    "file": (_open, "FileNotFoundError: [Errno 2] No such file or directory: '/no/such/file'"),
    "client": (lambda: _raise(CamundaError("down", status=500)), "CamundaError: 500 down"),
    "unprintable": (
        lambda: _raise(UnprintableError()),
        "UnprintableError: (its text cannot be read)",
    ),
    "mean": (lambda: _raise(MeanError()), "MeanError: (its text cannot be read)"),
    "chain": (_chain, ("ValueError: error 199 " + "x" * 1000)[:666]),
    "megabytes": (
        lambda: _raise(ValueError("x" * 10_000_000)),
        ("ValueError: " + "x" * 1000)[:666],
    ),
    # An emoji has two units: 327 of them and 12 letters are 666.
    "emoji": (lambda: _raise(ValueError("😀" * 700)), "ValueError: " + "😀" * 327),
    "odd characters": (lambda: _raise(ValueError("a\0b\ud800c")), r"ValueError: a\x00b\ud800c"),
    "base": (
        lambda: _raise(BaseException("not even an Exception")),
        "BaseException: not even an Exception",
    ),
}
if sys.version_info >= (3, 11):
    RAISED["group"] = (
        lambda: _raise(
            BaseExceptionGroup(  # noqa: F821  # of Python 3.11
                "two", [ValueError("a"), KeyboardInterrupt()]
            )
        ),
        "BaseExceptionGroup: two (2 sub-exceptions)",
    )


def units(text: str) -> int:
    """
    The length of a text as Java counts.
    """
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


@pytest.mark.parametrize("case", RAISED)
def test_whatever_is_raised_is_one_failure(engine: Engine, case: str) -> None:
    """
    With a message and details of a bounded size, in characters that each database can hold.
    """
    act, message = RAISED[case]
    worker = Worker(engine.client(), retries=TaskRetries(1000))
    worker.handles("invoice")(lambda task: act())
    task_id = engine.create_task("invoice")
    other_id = engine.create_task("other")

    (done,) = worker.run_once(raising=False)

    client = engine.client()
    task, details = client.get(task_id), client.error_details(task_id)
    assert isinstance(done.outcome, Failure)
    assert type(done.error).__name__ == message.partition(":")[0]
    assert (task.error_message, task.retries) == (message, 1)
    assert units(message) <= 666
    assert details is not None
    assert len(details.encode("utf-8")) <= LONGEST  # which a half character would not survive
    assert "\0" not in details
    assert details.lstrip(" +|").startswith(("Traceback (most recent", "Exception Group Traceback"))
    assert client.get(other_id).retries is None


def test_recursion_is_one_failure(engine: Engine) -> None:
    """
    Its message differs between versions of Python.
    """
    worker = Worker(engine.client(), retries=TaskRetries(1000))
    worker.handles("invoice")(lambda task: _recurse())
    task_id = engine.create_task("invoice")

    worker.run_once(raising=False)

    task, details = engine.client().get(task_id), engine.client().error_details(task_id)
    assert task.retries == 1
    assert (task.error_message or "").startswith("RecursionError: maximum recursion depth exceeded")
    assert details is not None
    assert details.count("in _recurse") < 10  # the rest is told by its number
    assert "[Previous line repeated " in details


def test_nothing_that_is_raised_ends_a_slot(engine: Engine) -> None:
    """
    The only one handles all tasks, the last of which is completed.
    """
    settled = threading.Semaphore(0)
    reports: list[Reported] = []

    def on_event(event: object) -> None:
        if isinstance(event, Reported):
            reports.append(event)
            settled.release()

    worker = Worker(
        engine.client(),
        slots=1,
        async_response_timeout=100,
        retries=TaskRetries(3_600_000),
        hooks=[on_event],
    )

    @worker.handles("invoice")
    def handle(task: Task) -> None:
        case = task.variables["case"]
        if case:
            RAISED[case][0]()

    for case in RAISED:
        engine.create_task("invoice", variables={"case": case}, priority=1)
    engine.create_task("invoice", variables={"case": ""})
    with worker:
        for _ in range(len(RAISED) + 1):
            assert settled.acquire(timeout=30)

    assert worker.stop() == Stopped(left=(), exit_code=0)
    assert sorted(one.task.variables["case"] for one in reports) == sorted(["", *RAISED])
    assert {one.result for one in reports} == {"done"}
    assert [one.outcome for one in reports if not one.task.variables["case"]] == [Completed()]
    assert engine.client().count() == len(RAISED)


def test_details_begin_at_the_handler(engine: Engine) -> None:
    """
    What the worker does around it tells its author nothing.
    """
    worker = Worker(engine.client(), retries=TaskRetries(1000))

    @worker.handles("invoice")
    def charge(task: Task) -> None:
        raise LookupError("no such invoice")

    task_id = engine.create_task("invoice")
    worker.run_once(raising=False)
    details = engine.client().error_details(task_id)

    assert details is not None
    first, where, *_, last = details.splitlines()
    assert first == "Traceback (most recent call last):"
    assert where.startswith(f'  File "{__file__}", line ')
    assert where.endswith(", in charge")
    assert details.count('  File "') == 1
    assert last == "LookupError: no such invoice"


def test_details_of_bad_input_are_one_line(engine: Engine) -> None:
    """
    Its handler was not called, so that all frames are of the worker.
    """
    worker = Worker(engine.client())

    @worker.handles("invoice")
    def charge(receipt: Receipt) -> None: ...

    task_id = engine.create_task("invoice")
    worker.run_once(raising=False)

    assert engine.client().error_details(task_id) == (
        "camunda_ext.worker.retries.BadInput: the variables are no Receipt: "
        "missing @ variables.receipt\n"
    )


def test_long_details_have_their_begin_and_their_end() -> None:
    """
    A quarter and three quarters of what may be sent, in whole characters.
    """
    begin, end = details_of(ValueError(f"x{'😀' * 50_000}y")).split("\n[...]\n")

    # An emoji has four bytes: the next one would not fit.
    assert begin == "ValueError: x" + "😀" * 4092
    assert end == "😀" * 12_285 + "y\n"


def test_details_of_the_longest_size_are_whole() -> None:
    """
    One byte more, and the middle is left out.
    """
    fits = "x" * (LONGEST - len("ValueError: \n"))

    assert details_of(ValueError(fits)) == f"ValueError: {fits}\n"
    assert "\n[...]\n" in details_of(ValueError(fits + "x"))


def test_a_chain_is_told_from_its_first_error_to_its_last() -> None:
    """
    How it began and how it ended; the middle is left out.
    """
    with pytest.raises(ValueError, match="error 199") as caught:
        _chain()
    details = details_of(caught.value)

    assert "ValueError: error 0 xxx" in details
    assert "ValueError: error 100 xxx" not in details
    assert "ValueError: error 199 xxx" in details
    assert details.endswith("x\n")
    assert details.count("\n[...]\n") == 1


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (ValueError("amount is missing"), "ValueError: amount is missing"),
        (BadInput("amount is missing"), "amount is missing"),
        (BadInput(), "BadInput"),
        (BadInput("a\0b\ud800c"), r"a\x00b\ud800c"),
        (MeanInputError(), "(its text cannot be read)"),
    ],
)
def test_bad_input_speaks_for_itself(error: Exception, message: str) -> None:
    """
    The name of its class would not make it clearer.
    """
    assert message_of(error) == message


# --------------------------------------------------------------------------- what a handler returns


@pytest.mark.parametrize(
    ("result", "outcome"),
    [
        (None, Completed()),
        ({}, Completed({})),
        ({"paid": True}, Completed({"paid": True})),
        (MappingProxyType({"paid": True}), Completed({"paid": True})),
        (ChainMap({"paid": True}), Completed(ChainMap({"paid": True}))),
        (Receipt("r1"), Completed({"receipt": "r1"})),
        (Variables.of({"paid": True}), Completed(Variables.of({"paid": True}))),
        (Completed(), Completed()),
        (Completed({"paid": True}), Completed({"paid": True})),
        (Completed(Receipt("r1")), Completed({"receipt": "r1"})),
        (
            Completed(local_variables=Receipt("r1")),
            Completed(None, local_variables={"receipt": "r1"}),
        ),
        (
            Completed({"a": 1}, local_variables={"b": 2}),
            Completed({"a": 1}, local_variables={"b": 2}),
        ),
    ],
)
def test_what_completes_a_task(result: object, outcome: Completed) -> None:
    """
    Nothing, a mapping, an attrs instance, or both scopes.
    """
    assert outcome_of_result(result) == outcome


@pytest.mark.parametrize(
    ("result", "kind"),
    [
        (True, "bool"),
        (0, "int"),
        ("done", "str"),
        (b"done", "bytes"),
        ([], "list"),
        ([("paid", True)], "list"),
        ({"paid"}, "set"),
        (("paid", True), "tuple"),
        (object(), "object"),
        (Receipt, "type"),
        (Colour.RED, "Colour"),
        ((one for one in "ab"), "generator"),
        (BpmnError("NO_FUNDS"), "BpmnError"),
        (Failure("no money"), "Failure"),
        (Completed(3), "int"),  # type: ignore[arg-type]  # that is the point
    ],
)
def test_any_other_result_is_an_incident(result: object, kind: str) -> None:
    """
    It is a bug of the handler, which does not heal.
    """
    assert outcome_of_result(result) == Failure(
        "the handler's result cannot be sent: the result must be a mapping of names to values or "
        f"an attrs instance, not {kind}",
        retries=0,
    )


def _endless() -> list[Any]:
    endless: list[Any] = []
    endless.append(endless)
    return endless


#: Values that no variable can hold.
UNHOLDABLE: Final[dict[str, Any]] = {
    "object": object(),
    "class": Receipt,
    "complex": 1j,
    "set": {1},
    "timedelta": timedelta(1),
    "generator": (one for one in "ab"),
    "too large": 2**63,
    "too long": "x" * 4001,
    "naive": datetime(2026, 11, 22),
    "object in a list": [1, object()],
    "number as a key": {1: 2},
    "NaN in a list": [float("nan")],
    "endless": _endless(),
    "file without contents": File(filename="scan.pdf"),
    "serialized by Java": JavaObject(content=b""),
    "no Integer": VariableValue(value="", type="Integer"),
}

#: Where a handler may put variables.
PLACES: Final[dict[str, Callable[[Any], object]]] = {
    "result": lambda values: values,
    "variables": Completed,
    "local variables": lambda values: Completed({"ok": 1}, local_variables=values),
    "BPMN error": lambda values: BpmnError("NO_FUNDS", variables=values),
    "failure": lambda values: Failure("no money", variables=values),
    "local variables of a failure": lambda values: Failure("no money", local_variables=values),
}


def outcome_of(said: object) -> object:
    """
    The outcome of a handler that returns it, or raises it if it is an exception.
    """
    if isinstance(said, BaseException):
        return outcome_of_error(raised(said), ExternalTask(id="t", retries=3), Always())
    return outcome_of_result(said)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("value", UNHOLDABLE)
@pytest.mark.parametrize("form", [Receipt, lambda value: {"receipt": value}])
def test_what_no_variable_holds_is_an_incident(
    place: str, value: str, form: Callable[[Any], object]
) -> None:
    """
    It names the variable, and is found before anything is sent.
    """
    outcome = outcome_of(PLACES[place](form(UNHOLDABLE[value])))

    assert isinstance(outcome, Failure)
    assert (outcome.retries, outcome.variables, outcome.local_variables) == (0, None, None)
    assert outcome.error_message is not None
    assert outcome.error_message.startswith("the handler's result cannot be sent: ")
    assert "'receipt'" in outcome.error_message


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("name", [3, None, "x" * 256])
def test_a_name_that_no_variable_has_is_an_incident(place: str, name: object) -> None:
    """
    It is no text, or too long for the engine's column.
    """
    outcome = outcome_of(PLACES[place]({name: 1}))

    assert isinstance(outcome, Failure)
    assert outcome.retries == 0
    assert outcome.error_message is not None
    assert outcome.error_message.startswith(
        "the handler's result cannot be sent: the name of a variable "
    )


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(
    ("values", "problem"),
    [
        # Python 3.13 has the name of the module before that of the class.
        (Unset(), "AttributeError: '.*Unset' object has no attribute 'receipt'"),
        (Changing(receipt=1), "RuntimeError: dictionary changed size during iteration"),
    ],
)
def test_what_cannot_be_read_is_an_incident(place: str, values: object, problem: str) -> None:
    """
    Whatever reading it raises is no end of the thread that reports it.
    """
    outcome = outcome_of(PLACES[place](values))

    assert isinstance(outcome, Failure)
    assert outcome.retries == 0
    assert outcome.error_message is not None
    assert re.fullmatch(
        "the handler's result cannot be sent: (the result|(local_)?variables) cannot be read: "
        + problem,
        outcome.error_message,
    )


@pytest.mark.parametrize("place", PLACES)
def test_an_incident_arrives(engine: Engine, place: str) -> None:
    """
    The engine gets a failure, and no variable.
    """
    said = PLACES[place]({"receipt": object()})
    worker = Worker(engine.client())

    @worker.handles("invoice")
    def charge(task: Task) -> object:
        if isinstance(said, BaseException):
            raise said
        return said

    task_id = engine.create_task("invoice", variables={"amount": 1})
    worker.run_once(raising=False)

    task = engine.client().get(task_id)
    assert task.retries == 0
    assert "'receipt'" in (task.error_message or "")
    assert engine.variables(task.process_instance_id) == {"amount": 1}


#: Values that a variable holds, and what the engine shows of them.
HOLDABLE: Final[dict[str, tuple[Any, Any]]] = {
    "none": (None, None),
    "flag": (True, True),
    "integer": (1, 1),
    "long": (2**63 - 1, 2**63 - 1),
    "float": (1.5, 1.5),
    "not_a_number": (float("nan"), "NaN"),
    "infinite": (float("-inf"), "-Infinity"),
    "text": ("x" * 4000, "x" * 4000),
    "emoji": ("😀", "😀"),
    "half": ("\ud800", "\ud800"),
    "nul": ("\0", "\0"),
    "halves": (["\ud800\0"], '["\\ud800\\u0000"]'),
    "bytes": (b"\xff", "/w=="),
    "decimal": (Decimal("1.50"), "1.50"),
    "uuid": (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
    "day": (date(2026, 11, 22), "2026-11-22"),
    "moment": (datetime(2026, 11, 22, tzinfo=timezone.utc), "2026-11-22T00:00:00.000+0000"),
    "enum": (Colour.RED, "red"),
    "list": ([1, {"a": None}], '[1,{"a":null}]'),
    "attrs": (Receipt("r1"), '{"receipt":"r1"}'),
    "xml": (typed.xml("<a/>"), "<a/>"),
    "file": (typed.file(b"a", "a.txt"), None),
}


def test_what_variables_hold_arrives(engine: Engine) -> None:
    """
    Of all types, half characters and NaN included.
    """
    values = {name: value for name, (value, _) in HOLDABLE.items()}
    worker = Worker(engine.client())
    worker.handles("invoice")(lambda task: values)
    task_id = engine.create_task("invoice")
    instance_id = engine.client().get(task_id).process_instance_id

    (done,) = worker.run_once()

    assert done.outcome == Completed(values)
    assert engine.variables(instance_id) == {name: shown for name, (_, shown) in HOLDABLE.items()}


# ---------------------------------------------------------------------------- what a handler raises


@pytest.mark.parametrize(
    ("failure", "reported"),
    [
        (Failure(), Failure(retries=7, retry_timeout=1234)),
        (Failure("no money"), Failure("no money", retries=7, retry_timeout=1234)),
        (Failure("no money", retries=0), Failure("no money", retries=0)),
        (Failure(retries=2), Failure(retries=2, retry_timeout=1234)),
        (Failure(retries=1), Failure(retries=1, retry_timeout=1234)),
        (Failure(retry_timeout=5), Failure(retries=7, retry_timeout=5)),
        (Failure(retries=2, retry_timeout=0), Failure(retries=2, retry_timeout=0)),
        (
            Failure(retries=2, retry_timeout=timedelta(seconds=5)),
            Failure(retries=2, retry_timeout=5000),
        ),
        (
            Failure("no money", retries=0, error_details="Balance: 3", variables={"balance": 3}),
            Failure("no money", retries=0, error_details="Balance: 3", variables={"balance": 3}),
        ),
        (
            Failure(retries=0, variables=Receipt(1), local_variables=Receipt(2)),
            Failure(retries=0, variables={"receipt": 1}, local_variables={"receipt": 2}),
        ),
    ],
)
def test_a_failure_is_as_said(failure: Failure, reported: Failure) -> None:
    """
    What it does not say is decided by the policy.
    """
    assert outcome_of(failure) == reported


def test_the_texts_of_a_failure_can_be_sent(engine: Engine) -> None:
    """
    A database that refuses them would refuse the failure, and the task would come back for ever.
    """
    odd, shown = "a\0b\ud800c😀", r"a\x00b\ud800c😀"
    worker = Worker(engine.client())

    @worker.handles("invoice")
    def charge(task: Task) -> None:
        if task.business_key == "postpone":
            raise Postpone(0, odd)
        raise Failure(odd, error_details=odd, retries=0)

    failed = engine.create_task("invoice", business_key="fail")
    postponed = engine.create_task("invoice", business_key="postpone")
    worker.run_once()

    client = engine.client()
    assert client.get(failed).error_message == shown
    assert client.error_details(failed) == shown
    assert client.get(postponed).error_message == shown


def test_a_failure_without_retries_asks_no_policy() -> None:
    """
    Nor does one that says all.
    """
    policy = Always()
    task = ExternalTask(id="t")
    outcome_of_error(raised(Failure(retries=0)), task, policy)
    outcome_of_error(raised(Failure(retries=1, retry_timeout=1)), task, policy)

    assert policy.seen == []


@pytest.mark.parametrize("said", [Failure("a"), Postpone(5), LookupError("a")])
def test_a_policy_that_cannot_decide_is_not_taken_for_a_wrong_result(said: Exception) -> None:
    """
    What it raises is for the log, and not for whoever reads the incident.
    """
    with pytest.raises(ValueError, match="no policy for this topic"):
        outcome_of_error(raised(said), ExternalTask(id="t"), Undecided())


@pytest.mark.parametrize("policy", [Undecided(), Always(decision=3)])
@pytest.mark.parametrize(
    ("said", "message", "retries"),
    [
        (Failure("no money"), "no money", 0),
        (Postpone(5, "bank says 429"), "bank says 429", 1),
        (LookupError("no such invoice"), "LookupError: no such invoice", 0),
        # The engine does not accept this result, as somebody has changed the same rows.
        (None, "the result was not accepted: ENGINE-03005 ", 0),
    ],
)
def test_a_policy_that_cannot_decide_opens_an_incident(
    engine: Engine,
    caplog: pytest.LogCaptureFixture,
    policy: RetryDecider,
    said: Exception | None,
    message: str,
    retries: int,
) -> None:
    """
    With what the handler has said; a postponed task has a retry, as it always does.
    """
    worker = Worker(engine.client(retry=False), retries=policy)

    @worker.handles("invoice")
    def charge(task: Task) -> None:
        if said is not None:
            raise said

    task_id = engine.create_task("invoice")
    engine.faults.add("optimistic locking", operation="complete", nth=1)
    worker.run_once(raising=False)

    task = engine.client().get(task_id)
    assert task.retries == retries
    assert (task.error_message or "").startswith(message)
    assert [record.getMessage() for record in caplog.records if record.exc_info] == [
        f"task {task_id}: {policy!r} cannot decide about retries, and gives none"
    ]


def test_a_policy_of_no_retries_opens_an_incident() -> None:
    """
    With the wait that the failure has, as it does no harm.
    """
    none = Always(0)
    task = ExternalTask(id="t")

    assert outcome_of_error(raised(Failure("a")), task, none) == Failure("a", retries=0)
    assert outcome_of_error(raised(Failure("a", retry_timeout=5)), task, none) == Failure(
        "a", retries=0, retry_timeout=5
    )


def test_a_failure_has_the_details_of_its_cause() -> None:
    """
    And its message, unless it has one of its own; the policy sees the cause.
    """
    cause, policy = raised(KeyError("amount")), Always()
    task = ExternalTask(id="t")
    silent = outcome_of_error(raised(Failure(), cause), task, policy)
    own = outcome_of_error(raised(Failure("a", error_details="b"), cause), task, policy)

    assert isinstance(silent, Failure)
    assert silent.error_message == "KeyError: 'amount'"
    assert (silent.error_details or "").splitlines()[-1] == "KeyError: 'amount'"
    assert own == Failure("a", error_details="b", retries=7, retry_timeout=1234)
    assert policy.seen == [cause, cause]


@pytest.mark.parametrize(
    ("left", "policy", "retries"),
    [(None, 7, 7), (None, 0, 1), (3, 7, 3), (1, 7, 1), (9, 7, 9), (0, 7, 1)],
)
def test_a_postponed_task_loses_no_retry(left: int | None, policy: int, retries: int) -> None:
    """
    It has those that it had, or those of the policy; one at least, for it is to be fetched again.
    """
    outcome = outcome_of_error(
        raised(Postpone(timedelta(minutes=2), "bank says 429")),
        ExternalTask(id="t", retries=left),
        Always(policy),
    )

    assert outcome == Failure("bank says 429", retries=retries, retry_timeout=120_000)


def test_a_postponed_task_says_so() -> None:
    """
    People see the message in Cockpit.
    """
    assert outcome_of(Postpone(0)) == Failure("postponed", retries=3, retry_timeout=0)


class Unfinished(BpmnError):
    """
    An outcome without its attributes.
    """

    def __init__(self) -> None:
        """
        Call no ``super().__init__()``.
        """


def changed() -> Failure:
    """
    A failure that was valid when it was made.
    """
    failure = Failure("later")
    failure.retries = -1
    return failure


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (Unfinished, "AttributeError: 'Unfinished' object has no attribute 'variables'"),
        (changed, "ValueError: retries must be from 0 to 2147483647, not -1"),
    ],
)
def test_an_unusable_outcome_is_an_incident(
    engine: Engine, make: Callable[[], Exception], problem: str
) -> None:
    """
    It ends no slot: an own class without the attributes of its base, or one with wrong values.
    """
    worker = Worker(engine.client())

    @worker.handles("broken")
    def broken(task: Task) -> None:
        raise make()

    engine.create_task("broken")

    (handled,) = worker.run_once()

    assert handled.outcome == Failure(
        f"what the handler has raised cannot be reported: {problem}", retries=0
    )


def test_other_outcomes_are_reported_as_they_are() -> None:
    """
    A BPMN error with its variables as a mapping.
    """
    abandoned = Abandoned("the worker stops")

    assert outcome_of(abandoned) is abandoned
    assert outcome_of(BpmnError("NO_FUNDS", "too poor")) == BpmnError("NO_FUNDS", "too poor")
    assert outcome_of(BpmnError("NO_FUNDS", variables=Receipt(1))) == BpmnError(
        "NO_FUNDS", variables={"receipt": 1}
    )


@pytest.mark.parametrize(
    "outcome",
    [
        BpmnError("NO_FUNDS", "too poor", variables={"balance": 3}),
        Failure("no money", retries=2, retry_timeout=5, variables={"balance": 3}),
        Postpone(5, "bank says 429"),
    ],
)
def test_outcomes_are_values(outcome: BpmnError | Failure | Postpone) -> None:
    """
    Equal if they say the same, also after a way through another process.
    """
    assert pickle.loads(pickle.dumps(outcome)) == outcome  # noqa: S301  # it is our own
    assert copy.copy(outcome) == outcome
    assert outcome != Failure("another")
    assert str(outcome) == repr(outcome)


def test_outcomes_show_what_they_say() -> None:
    """
    And nothing that was left out.
    """
    assert repr(BpmnError("NO_FUNDS")) == "BpmnError(error_code='NO_FUNDS')"
    assert repr(Failure("a", retries=0)) == "Failure(error_message='a', retries=0)"
    assert repr(Postpone(5)) == "Postpone(retry_timeout=5)"


@pytest.mark.parametrize(
    ("make", "kind"),
    [
        (lambda: Completed({}, {}), TypeError),  # type: ignore[call-arg]
        (lambda: BpmnError(""), ValueError),
        (lambda: BpmnError(" "), ValueError),
        (lambda: BpmnError(3), TypeError),  # type: ignore[arg-type]
        (lambda: BpmnError("A", ""), ValueError),
        (lambda: BpmnError("A", 3), TypeError),  # type: ignore[arg-type]
        (lambda: Failure(3), TypeError),  # type: ignore[arg-type]
        (lambda: Failure(error_details=b""), TypeError),  # type: ignore[arg-type]
        (lambda: Failure(retries=-1), ValueError),
        (lambda: Failure(retries=2**31), ValueError),
        (lambda: Failure(retries=1.0), TypeError),  # type: ignore[arg-type]
        (lambda: Failure(retries=True), TypeError),
        (lambda: Failure(retry_timeout=-1), ValueError),
        (lambda: Failure(retry_timeout=0.5), TypeError),  # type: ignore[arg-type]
        (lambda: Postpone(-1), ValueError),
        (lambda: Postpone("PT10S"), TypeError),  # type: ignore[arg-type]
        (lambda: Postpone(1, 429), TypeError),  # type: ignore[arg-type]
    ],
)
def test_wrong_outcomes_are_refused(make: Callable[[], object], kind: type[Exception]) -> None:
    """
    Where they are made, so that the traceback shows the line.
    """
    with pytest.raises(kind):
        make()
