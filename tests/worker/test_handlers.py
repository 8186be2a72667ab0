"""
Which functions can be handlers, and how they are registered.

The annotations here are classes unless they are in quotes.
"""

import functools
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from typing import TYPE_CHECKING, Any, Final, Literal
from uuid import UUID

import attrs
import pytest

from camunda_ext import (
    ExternalTask,
    File,
    Handlers,
    JavaObject,
    LockedExternalTask,
    Topic,
    Worker,
    testing,
)
from camunda_ext.testing import Engine
from camunda_ext.worker import Task, TaskRetries

if TYPE_CHECKING:
    from fractions import Fraction


@attrs.frozen
class Invoice:
    """
    The variables that the handlers need.
    """

    amount: int
    customer: str


@attrs.define
class Parcel:
    """
    Variables of another kind, one of which is not asked for.
    """

    weight: float = 1.0
    label: str = attrs.field(init=False, default="")


INVOICE: Final = Invoice(100, "Ada")


def registered(function: Callable[..., Any], **options: Any) -> Any:
    """
    The only handler of a registry.
    """
    handlers = Handlers()
    assert handlers.handles("invoice", **options)(function) is function
    [handler] = handlers
    return handler


# --------------------------------------------------------------------------------- right signatures


def no_annotation(task):  # type: ignore[no-untyped-def]  # that is the point
    return task, None


def any_annotation(task: Any) -> object:
    return task, None


def of_task(task: Task) -> object:
    return task, None


def of_locked_task(task: LockedExternalTask) -> object:
    return task, None


def of_any_task(task: ExternalTask) -> object:
    return task, None


def of_input(invoice: Invoice) -> object:
    return None, invoice


def of_both(task: Task, invoice: Invoice) -> object:
    return task, invoice


def of_both_reversed(invoice: Invoice, task: Task) -> object:
    return task, invoice


def of_both_without_annotation(invoice: Invoice, task) -> object:  # type: ignore[no-untyped-def]
    return task, invoice


def positional_only(task: Task, invoice: Invoice, /) -> object:
    return task, invoice


def with_defaults(task: Task, attempts: int = 3, *, rate: float = 0.5) -> object:
    assert (attempts, rate) == (3, 0.5)
    return task, None


def with_rest(task: Task, *args: int, **kwargs: int) -> object:
    assert (args, kwargs) == ((), {})
    return task, None


def in_quotes(task: "Task", invoice: "Invoice") -> object:
    return task, invoice


def in_quotes_for_type_checkers(task: "Task", invoice: "Invoice") -> "Fraction | object":
    return task, invoice


def with_gateway(gateway: str, task: Task, invoice: Invoice) -> object:
    assert gateway == "bank"
    return task, invoice


def with_gateway_last(task: Task, invoice: Invoice, gateway: str) -> object:
    return with_gateway(gateway, task, invoice)


def with_gateway_in_quotes(gateway: "str", task: "Task", invoice: "Invoice") -> object:
    return with_gateway(gateway, task, invoice)


class Colour(Enum):
    """
    An enum of texts.
    """

    RED = "red"


class Cashier:
    """
    Has handlers of all kinds.
    """

    def method(self, task: Task, invoice: Invoice) -> object:
        return task, invoice

    def method_in_quotes(self, task: "Task", invoice: "Invoice") -> object:
        return task, invoice

    @classmethod
    def class_method(cls, task: Task, invoice: Invoice) -> object:
        return task, invoice

    @staticmethod
    def static_method(task: Task, invoice: Invoice) -> object:
        return task, invoice

    def __call__(self, task: "Task", invoice: Invoice) -> object:
        return task, invoice


def decorated(function: Callable[..., Any]) -> Callable[..., Any]:
    """
    A decorator such as any project has.
    """

    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return wrapper


@pytest.mark.parametrize(
    "function",
    [
        no_annotation,
        any_annotation,
        of_task,
        of_locked_task,
        of_any_task,
        of_input,
        of_both,
        of_both_reversed,
        of_both_without_annotation,
        positional_only,
        with_defaults,
        with_rest,
        in_quotes,
        in_quotes_for_type_checkers,
        lambda task: (task, None),
        Cashier().method,
        Cashier().method_in_quotes,
        Cashier.class_method,
        Cashier.static_method,
        Cashier(),
        functools.partial(with_gateway, "bank"),
        functools.partial(with_gateway_last, gateway="bank"),
        functools.partial(with_gateway_in_quotes, "bank"),
        functools.partial(functools.partial(of_both)),
        functools.partial(Cashier()),
        functools.partial(Cashier().method),
        decorated(of_both),
        decorated(in_quotes),
        decorated(decorated(of_input)),
        functools.partial(decorated(with_gateway), "bank"),
    ],
)
def test_right_signatures_get_what_they_ask_for(function: Callable[..., Any]) -> None:
    """
    The task, the variables as an instance of their class, or both in either order.
    """
    handler = registered(function)
    task = testing.task("invoice", variables={"amount": 100, "customer": "Ada", "other": 1})
    got_task, got_input = handler.call(task)

    assert got_task is task or (got_task is None and got_input == INVOICE)
    assert got_input in (None, INVOICE)
    assert handler.variables == (None if got_input is None else ("amount", "customer"))


def test_a_built_in_function_can_be_a_handler() -> None:
    """
    A test may only collect tasks.
    """
    seen: list[Task] = []
    task = testing.task("invoice")
    registered(seen.append).call(task)

    assert seen == [task]


def test_only_what_a_class_takes_is_fetched() -> None:
    """
    A field that is not passed to it is none of its variables.
    """

    def send(parcel: Parcel) -> Parcel:
        return parcel

    handler = registered(send)

    assert handler.variables == ("weight",)
    assert handler.call(testing.task("invoice", variables={"label": "x"})) == Parcel()


# --------------------------------------------------------------------------------- wrong signatures


async def coroutine(task: Task) -> None: ...


async def async_generator(task: Task) -> Any:
    yield task


def generator(task: Task) -> Any:
    yield task


class Asynchronous:
    """
    Has handlers that nobody would wait for.
    """

    async def method(self, task: Task) -> None: ...

    async def __call__(self, task: Task) -> None: ...


class Generating:
    """
    Is called and has done nothing.
    """

    def __call__(self, task: Task) -> Any:
        yield task


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (coroutine, "coroutine is async: handlers are plain functions, each in a thread"),
        (async_generator, "async_generator is async"),
        (functools.partial(coroutine), ".* is async"),
        (Asynchronous().method, r"Asynchronous\.method is async"),
        (Asynchronous(), ".*Asynchronous object.* is async"),
        (functools.partial(Asynchronous()), ".* is async"),
        (generator, "generator is a generator: a handler returns its result"),
        (Generating(), ".*Generating object.* is a generator"),
        (functools.partial(generator), ".* is a generator"),
    ],
)
def test_what_would_not_run_is_no_handler(function: Callable[..., Any], message: str) -> None:
    """
    Calling it would begin nothing, and the task would be completed.
    """
    with pytest.raises(TypeError, match=f"^{message}"):
        registered(function)


@attrs.frozen
class Other:
    """
    A second class of variables.
    """

    name: str


class OwnTask(Task):
    """
    A subclass, which no worker makes.
    """


def no_parameter() -> None: ...
def only_rest(*args: Any) -> None: ...
def only_names(**kwargs: Any) -> None: ...
def only_default(task: Any = None) -> None: ...
def two_tasks(task: Task, other: Task) -> None: ...
def two_without_annotation(task, invoice): ...  # type: ignore[no-untyped-def]
def three(task: Task, invoice: Invoice, other: Any) -> None: ...
def two_classes(invoice: Invoice, other: Other) -> None: ...
def two_classes_and_the_task(task: Task, invoice: Invoice, other: Other) -> None: ...
def keyword_only(*, task: Task) -> None: ...
def keyword_only_besides(task: Task, *, invoice: Invoice) -> None: ...
def of_number(task: int) -> None: ...
def of_mapping(task: Task, variables: dict[str, Any]) -> None: ...
def of_own_task(task: OwnTask) -> None: ...
def of_optional(task: Task, invoice: Invoice | None) -> None: ...
def of_any(task: Any) -> None: ...
def of_unknown(task: "Tsak") -> None: ...  # type: ignore[name-defined]  # noqa: F821


_PARAMETERS: Final = (
    "has the wrong parameters: a handler has a parameter for the task, or one whose annotation is "
    "an attrs class, or both"
)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (no_parameter, f"no_parameter {_PARAMETERS}"),
        (only_rest, f"only_rest {_PARAMETERS}"),
        (only_names, f"only_names {_PARAMETERS}"),
        (only_default, f"only_default {_PARAMETERS}"),
        (two_tasks, f"two_tasks {_PARAMETERS}"),
        (two_without_annotation, f"two_without_annotation {_PARAMETERS}"),
        (three, f"three {_PARAMETERS}"),
        (two_classes, f"two_classes {_PARAMETERS}"),
        (two_classes_and_the_task, f"two_classes_and_the_task {_PARAMETERS}"),
        (Cashier.method, rf"Cashier\.method {_PARAMETERS}"),
        (functools.partial(of_any, None), f".* {_PARAMETERS}"),
        (keyword_only, "keyword_only needs 'task' by keyword"),
        (keyword_only_besides, "keyword_only_besides needs 'invoice' by keyword"),
        (functools.partial(with_gateway, gateway="bank"), ".* needs 'task' by keyword"),
        (of_number, "of_number cannot get 'task' as <class 'int'>"),
        (of_mapping, "of_mapping cannot get 'variables' as dict"),
        (of_own_task, "of_own_task cannot get 'task' as <class '.*OwnTask'>"),
        (of_optional, "of_optional cannot get 'invoice' as "),
        (
            of_unknown,
            "an annotation of of_unknown cannot be resolved: name 'Tsak' is not defined; define ",
        ),
        (getattr, "getattr has no signature: "),
        (3, "a handler must be a function, not 3$"),
        (None, "a handler must be a function, not None$"),
        (INVOICE, "a handler must be a function, not Invoice"),
    ],
)
def test_wrong_signatures_are_refused(function: Any, message: str) -> None:
    """
    When they are registered, and not when the first task comes.
    """
    with pytest.raises(TypeError, match=f"^{message}"):
        registered(function)


def test_a_class_that_is_not_there_yet_is_refused() -> None:
    """
    The message says where to put it.
    """

    def charge(task: Task, invoice: "Local") -> None: ...

    @attrs.frozen
    class Local:
        amount: int

    with pytest.raises(
        TypeError,
        match=r"an annotation of .*charge cannot be resolved: .*; define the class before the "
        "handler, at the top of the module$",
    ):
        registered(charge)


class Plain:
    """
    No attrs class.
    """


def with_field(kind: Any, **options: Any) -> Callable[..., None]:
    """
    A handler whose class has a field of a type.
    """
    local = attrs.make_class("Local", {"field": attrs.field(type=kind, **options)})

    def charge(task: Task, local: Any) -> None: ...

    charge.__annotations__["local"] = local
    return charge


@pytest.mark.parametrize(
    "kind", [object, Plain, timedelta, complex, type, Callable[[], int], Plain | int, bytearray]
)
@pytest.mark.parametrize("options", [{}, {"default": None}])
def test_a_field_that_no_variable_can_have_is_refused(kind: Any, options: dict[str, Any]) -> None:
    """
    Otherwise each task would get an incident.
    """
    with pytest.raises(
        TypeError, match=r"charge: Local has a field of a type that no variable has: "
    ):
        registered(with_field(kind, **options))


@pytest.mark.parametrize(
    "kind",
    [
        Any,
        bool,
        int,
        float,
        str,
        bytes,
        None,
        datetime,
        date,
        Decimal,
        UUID,
        File,
        JavaObject,
        Colour,
        Invoice,
        list,
        dict,
        list[int],
        tuple[int, str],
        set[Decimal],
        frozenset[str],
        dict[str, Invoice],
        Mapping[str, int],
        Sequence[Invoice],
        Literal["a", "b"],
        int | None,
        int | str,
        Invoice | None,
        list[Invoice] | None,
    ],
)
@pytest.mark.parametrize("options", [{}, {"default": None}])
def test_a_field_that_a_variable_can_have_is_accepted(kind: Any, options: dict[str, Any]) -> None:
    """
    Whether the variable must be there or not.
    """
    assert registered(with_field(kind, **options)).variables == ("field",)


def test_what_a_class_checks_is_not_asked_at_registration() -> None:
    """
    There are no variables yet that could be right or wrong.
    """

    def refuse(instance: object, field: object, value: object) -> None:
        raise OSError("no connection")

    assert registered(with_field(int, default=1, validator=refuse)).variables == ("field",)


@attrs.frozen
class Odd:
    """
    Refers to what is not there.
    """

    field: "Nothing"  # type: ignore[name-defined]  # noqa: F821


def test_a_class_with_unknown_annotations_is_refused() -> None:
    """
    As a handler is.
    """

    def charge(odd: Odd) -> None: ...

    with pytest.raises(
        TypeError,
        match=r"^an annotation of Odd cannot be resolved: name 'Nothing' is not defined; define ",
    ):
        registered(charge)


# ------------------------------------------------------------------------------------- registration


def test_a_function_may_handle_several_topics() -> None:
    """
    Each topic has one handler; a refused registration leaves nothing.
    """
    handlers = Handlers()
    handlers.handles("invoice")(of_task)
    handlers.handles("refund")(of_task)
    with pytest.raises(ValueError, match=r"^the topic 'invoice' has a handler already: of_task$"):
        handlers.handles("invoice")(of_input)
    with pytest.raises(ValueError, match="'refund' has a handler already"):
        handlers.handles(Topic("refund", lock_duration=60_000))(of_input)
    with pytest.raises(TypeError, match="is async"):
        handlers.handles("other")(coroutine)

    assert [handler.topic_name for handler in handlers] == ["invoice", "refund"]
    assert [handler.variables for handler in handlers] == [None, None]
    assert len(handlers) == 2
    assert repr(handlers) == "<Handlers of 'invoice', 'refund'>"
    assert repr(Handlers()) == "<Handlers of no topic>"


@pytest.mark.parametrize(
    ("options", "topic"),
    [
        ({"topic": "invoice"}, Topic("invoice", lock_duration=30_000)),
        (
            {"topic": "invoice", "lock_duration": 60_000},
            Topic("invoice", lock_duration=60_000),
        ),
        (
            {"topic": "invoice", "lock_duration": timedelta(minutes=1)},
            Topic("invoice", lock_duration=60_000),
        ),
        (
            {"topic": Topic("invoice", lock_duration=60_000, tenant_id_in=["north"])},
            Topic("invoice", lock_duration=60_000, tenant_id_in=["north"]),
        ),
        (
            {"topic": Topic("invoice", lock_duration=60_000, variables=["amount"])},
            Topic("invoice", lock_duration=60_000, variables=["amount"]),
        ),
    ],
)
def test_a_topic_is_fetched_as_it_was_said(options: dict[str, Any], topic: Topic) -> None:
    """
    With the lock duration of the worker, 30 seconds here, if there is none.
    """
    handlers = Handlers()
    handlers.handles(**options)(of_task)
    [handler] = handlers

    assert handler.to_topic(30_000) == topic


@pytest.mark.parametrize(
    ("topic", "variables"),
    [
        ("invoice", ("amount", "customer")),
        (Topic("invoice", lock_duration=60_000), ("amount", "customer")),
        (Topic("invoice", lock_duration=60_000, variables=["amount"]), ("amount",)),
        (Topic("invoice", lock_duration=60_000, variables=[]), ()),
    ],
)
def test_the_fields_of_the_class_are_fetched(
    topic: Topic | str, variables: tuple[str, ...]
) -> None:
    """
    Unless the topic itself says what to fetch.
    """
    handlers = Handlers()
    handlers.handles(topic)(of_both)
    [handler] = handlers
    fetched = handler.to_topic(60_000)

    assert fetched == Topic("invoice", lock_duration=60_000, variables=variables)


def around(task: Task, call_next: Callable[[], Any]) -> Any:
    """
    A middleware that does nothing.
    """
    return call_next()


def test_options_are_those_of_the_handler() -> None:
    """
    Durations in seconds; without an option, the worker's counts.
    """
    policy = TaskRetries(1000)
    handler = registered(
        of_task,
        slots=2,
        retries=policy,
        task_timeout=timedelta(minutes=1),
        middleware=(one for one in [around, around]),
    )
    plain = registered(of_task)

    assert (handler.slots, handler.retries, handler.task_timeout, handler.middleware) == (
        2,
        policy,
        60.0,
        (around, around),
    )
    assert (plain.slots, plain.retries, plain.task_timeout, plain.middleware) == (
        None,
        None,
        None,
        (),
    )
    assert (plain.lock_duration, plain.topic) == (None, None)


@pytest.mark.parametrize(
    ("options", "kind", "message"),
    [
        ({"topic": ""}, ValueError, "topic must not be empty"),
        ({"topic": " "}, ValueError, "topic must not be empty"),
        ({"topic": 3}, TypeError, r"handles\(\) needs a topic, as a str or a Topic"),
        ({"topic": None}, TypeError, r"handles\(\) needs a topic, as a str or a Topic"),
        ({"lock_duration": 0}, ValueError, "lock_duration"),
        ({"lock_duration": -1}, ValueError, "lock_duration"),
        ({"lock_duration": "1m"}, TypeError, "lock_duration must be milliseconds as int"),
        (
            {"topic": Topic("a", lock_duration=60_000), "lock_duration": 60_000},
            ValueError,
            r"pass lock_duration to the Topic, not to handles\(\)",
        ),
        ({"slots": 0}, ValueError, "slots must be from 1 to "),
        ({"slots": -1}, ValueError, "slots must be from 1 to "),
        ({"slots": 2**31}, ValueError, "slots must be from 1 to "),
        ({"slots": True}, TypeError, "slots must be an int, not bool True"),
        ({"slots": 1.5}, TypeError, "slots must be an int, not float 1.5"),
        ({"retries": 3}, TypeError, r"retries must be a TaskRetries, or have a method after\(\)"),
        ({"retries": TaskRetries}, TypeError, "retries must be a TaskRetries, or have a method"),
        ({"retries": "R3/PT1M"}, TypeError, "retries must be a TaskRetries, or have a method"),
        ({"task_timeout": 0}, ValueError, "task_timeout must be a number of seconds to wait"),
        ({"task_timeout": -1}, ValueError, "task_timeout must be a number of seconds to wait"),
        ({"task_timeout": float("nan")}, ValueError, "task_timeout must be a number of seconds"),
        ({"task_timeout": "1m"}, TypeError, "task_timeout must be seconds as a number"),
        ({"middleware": around}, TypeError, "middleware must be an iterable of functions"),
        ({"middleware": 3}, TypeError, "middleware must be an iterable of functions"),
        ({"middleware": [None]}, TypeError, "each of middleware must be a function, not None"),
        ({"slot": 3}, TypeError, ".*unexpected keyword argument 'slot'"),
    ],
)
def test_wrong_options_are_refused(
    options: dict[str, Any], kind: type[Exception], message: str
) -> None:
    """
    At the call, before there is a function; a worker's decorator refuses the same.
    """
    arguments = {"topic": "invoice", **options}
    with Engine() as engine:
        worker = Worker(engine.client())
    for handles in (Handlers().handles, worker.handles):
        with pytest.raises(kind, match=f"^{message}"):
            handles(**arguments)
    assert len(worker.handlers) == 0
