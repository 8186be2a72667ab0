"""
Which function handles which topic, and how.
"""

import inspect
from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from typing import Any, Final, TypeAlias, TypeVar, get_type_hints

import attrs

from camunda_ext._wire import checks
from camunda_ext._wire.value import exported
from camunda_ext.dto import ExternalTask, LockedExternalTask, Topic
from camunda_ext.variables import Variables
from camunda_ext.worker.retries import BadInput, RetryDecider
from camunda_ext.worker.task import Task

F = TypeVar("F", bound=Callable[..., Any])

#: How many slots there can be.
MOST_SLOTS: Final = 10_000

#: A function around handlers: it gets the task and a function that calls the handler, and returns
#: what that returns, or something else.
Middleware: TypeAlias = Callable[[Task, Callable[[], Any]], Any]


@attrs.frozen(kw_only=True)
class Handler:
    """
    A function that handles the tasks of one topic, and its options.
    """

    #: The name of the function, for messages.
    name: str
    #: What to fetch; without a lock duration, that of the worker is used.
    topic_name: str
    #: The topic as it is fetched, but for a lock duration of the worker.
    topic: Topic | None
    #: How long to lock, in milliseconds; ``None`` for the worker's.
    lock_duration: int | None
    #: The names of the variables to fetch; ``None`` for all.
    variables: tuple[str, ...] | None
    #: Calls the handler with a task.
    call: Callable[[Task], Any] = attrs.field(repr=False)
    #: How many tasks of this topic are handled at the same time; ``None`` to share the worker's.
    slots: int | None
    #: Decides the retries of failures; ``None`` for the worker's.
    retries: RetryDecider | None
    #: How long the handler may take, in seconds; ``None`` for the worker's.
    task_timeout: float | None
    #: Functions around this handler, inside of those of the worker.
    middleware: tuple[Middleware, ...]

    def to_topic(self, lock_duration: int) -> Topic:
        """
        The topic to fetch.

        Args:
            lock_duration: That of the worker, in milliseconds.
        """
        if self.topic is not None:
            if self.topic.variables is None and self.variables is not None:
                return attrs.evolve(self.topic, variables=self.variables)
            return self.topic
        return Topic(
            self.topic_name,
            lock_duration=timedelta(milliseconds=self.lock_duration or lock_duration),
            variables=self.variables,
        )


@exported
class Handlers:
    """
    A registry of handlers. It knows no client, so any module can have one when it is imported.

    ::

        handlers = Handlers()

        @handlers.handles("invoice")
        def charge(task):
            return {"paid": task.variables["amount"] < 1000}
    """

    def __init__(self) -> None:
        self._handlers: dict[str, Handler] = {}

    def handles(
        self,
        topic: Topic | str,
        *,
        lock_duration: int | timedelta | None = None,
        slots: int | None = None,
        retries: RetryDecider | None = None,
        task_timeout: float | timedelta | None = None,
        middleware: Iterable[Middleware] = (),
    ) -> Callable[[F], F]:
        """
        A decorator that registers a function as the handler of a topic, and returns it unchanged.

        The function has a parameter for the task, or one whose annotation is an attrs class, or
        both. The class gets the task's variables, see `~camunda_ext.Variables.into()`, and only
        those that are its fields are fetched. If they are missing or have other types, the task
        gets an incident.

        It returns ``None``, a mapping, an attrs instance or a `~camunda_ext.worker.Completed` to
        complete the task, and raises a `~camunda_ext.worker.BpmnError`, a
        `~camunda_ext.worker.Failure`, a `~camunda_ext.worker.Postpone` or anything else, which is a
        failure too.

        Args:
            topic: Name of the topic, or a `Topic` with filters.

            lock_duration:
                How long to lock its tasks, in milliseconds, or a `timedelta`; by default as the
                worker. Locks are extended while the handler runs, so a longer one is only needed
                where a crash must not give the task to another worker soon.

            slots:
                How many tasks of this topic are handled at the same time. The topic then has
                threads and a long poll of its own, so that it neither takes slots from others nor
                waits for them. By default it shares the worker's.

            retries: How often and when to try again after failures; by default as the worker.

            task_timeout:
                How long the handler may take, in seconds, or a `timedelta`; by default as the
                worker. After it the failure is reported; the handler is not interrupted.

            middleware: Functions around the handler, the first one outermost.

        Raises:
            TypeError: The function is no handler, such as an ``async def``; a field of its class
                has a type that no variable can have; or an argument has the wrong type.

            ValueError: The topic has a handler already, or an argument is invalid.
        """
        fetched = topic if isinstance(topic, Topic) else None
        if fetched is not None and lock_duration is not None:
            raise ValueError("pass lock_duration to the Topic, not to handles()")
        if not isinstance(topic, (str, Topic)):
            raise TypeError(
                'handles() needs a topic, as a str or a Topic: @worker.handles("invoice"), not '
                f"{topic!r:.80}"
            )
        name = fetched.topic_name if fetched else checks.not_blank("topic", topic)
        if lock_duration is not None:
            lock_duration = Topic(name, lock_duration=lock_duration).lock_duration
        if slots is not None:
            checks.integer("slots", slots, low=1, high=MOST_SLOTS)
        if retries is not None:
            check_retries(retries)
        if task_timeout is not None:
            task_timeout = checks.seconds("task_timeout", task_timeout)
        around = to_middleware(middleware)

        def register(function: F) -> F:
            call, variables = _read_signature(function)
            if name in self._handlers:
                raise ValueError(
                    f"the topic {name!r} has a handler already: {self._handlers[name].name}"
                )
            self._handlers[name] = Handler(
                name=name_of(function),
                topic_name=name,
                topic=fetched,
                lock_duration=lock_duration,
                variables=variables,
                call=call,
                slots=slots,
                retries=retries,
                task_timeout=task_timeout,
                middleware=around,
            )
            return function

        return register

    def __iter__(self) -> Iterator[Handler]:
        return iter(tuple(self._handlers.values()))

    def __len__(self) -> int:
        return len(self._handlers)

    def __repr__(self) -> str:
        return f"<Handlers of {', '.join(map(repr, self._handlers)) or 'no topic'}>"


def name_of(function: object) -> str:
    """
    The name of a function, for messages.
    """
    return str(getattr(function, "__qualname__", repr(function)))


def check_retries(retries: object) -> None:
    """
    Check that an argument is a `RetryDecider`.
    """
    if isinstance(retries, type) or not callable(getattr(retries, "after", None)):
        raise TypeError(f"retries must be a TaskRetries, or have a method after(), not {retries!r}")


def to_middleware(middleware: Iterable[Middleware]) -> tuple[Middleware, ...]:
    """
    Check middleware, and return it as a tuple.
    """
    if callable(middleware) or not isinstance(middleware, Iterable):
        raise TypeError("middleware must be an iterable of functions")
    functions = tuple(middleware)
    for function in functions:
        if not callable(function):
            raise TypeError(f"each of middleware must be a function, not {function!r:.80}")
    return functions


# --------------------------------------------------------------------------------------- signatures

_POSITIONAL: Final = (
    inspect.Parameter.POSITIONAL_ONLY,
    inspect.Parameter.POSITIONAL_OR_KEYWORD,
)
_ALLOWED: Final = (
    "a handler has a parameter for the task, or one whose annotation is an attrs class, or both"
)


def _read_signature(
    function: Callable[..., Any],
) -> tuple[Callable[[Task], Any], tuple[str, ...] | None]:
    """
    A function that calls the handler with a task, and the names of the variables that it needs;
    ``None`` for all.

    Raises:
        TypeError: It is no handler.
    """
    name = name_of(function)
    if not callable(function):
        raise TypeError(f"a handler must be a function, not {function!r:.80}")
    target = getattr(function, "func", function)  # of a partial
    called = target if inspect.isroutine(target) else type(target).__call__
    if inspect.iscoroutinefunction(called) or inspect.isasyncgenfunction(called):
        raise TypeError(f"{name} is async: handlers are plain functions, each in a thread")
    if inspect.isgeneratorfunction(called):
        raise TypeError(f"{name} is a generator: a handler returns its result")
    inputs = [_input_class(name, parameter) for parameter in _parameters(name, function)]
    classes = [kind for kind in inputs if kind is not None]
    if not 1 <= len(inputs) <= 2 or len(classes) > 1 or len(inputs) - len(classes) > 1:
        raise TypeError(f"{name} has the wrong parameters: {_ALLOWED}")
    if not classes:
        return function, None
    kind = classes[0]
    if len(inputs) == 1:
        return lambda task: function(_to_input(task, kind)), _names(kind)
    if inputs[0] is None:
        return lambda task: function(task, _to_input(task, kind)), _names(kind)
    return lambda task: function(_to_input(task, kind), task), _names(kind)


def _parameters(name: str, function: Callable[..., Any]) -> list[inspect.Parameter]:
    """
    The parameters that a handler is called with, their annotations resolved.
    """
    try:
        signature = inspect.signature(function)
    except ValueError as error:
        raise TypeError(f"{name} has no signature: {error}") from None
    parameters = []
    for parameter in signature.parameters.values():
        if parameter.kind in _POSITIONAL and parameter.default is parameter.empty:
            parameters.append(parameter)
        elif parameter.kind is parameter.KEYWORD_ONLY and parameter.default is parameter.empty:
            raise TypeError(f"{name} needs {parameter.name!r} by keyword: {_ALLOWED}")
    if any(isinstance(parameter.annotation, str) for parameter in parameters):
        hints = _hints(name, function, parameters)
        parameters = [
            parameter.replace(annotation=hints.get(parameter.name, parameter.annotation))
            for parameter in parameters
        ]
    return parameters


def _hints(name: str, function: Any, parameters: Iterable[inspect.Parameter]) -> dict[str, Any]:
    """
    The annotations of parameters, resolved. What the function returns may be known to type checkers
    alone.
    """
    target = getattr(function, "func", function)
    target = inspect.unwrap(target if inspect.isroutine(target) else type(target).__call__)

    def alone() -> None: ...

    alone.__annotations__ = {one.name: one.annotation for one in parameters}
    try:
        return get_type_hints(alone, target.__globals__)
    except NameError as error:
        raise _unresolved(name, error) from None


def _unresolved(name: str, error: NameError) -> TypeError:
    return TypeError(
        f"an annotation of {name} cannot be resolved: {error}; define the class before the "
        "handler, at the top of the module"
    )


def _input_class(name: str, parameter: inspect.Parameter) -> Any:
    """
    The attrs class of a parameter; ``None`` for the task.
    """
    annotation = parameter.annotation
    if annotation in (parameter.empty, Any):
        return None
    if isinstance(annotation, type):
        if issubclass(annotation, ExternalTask):
            if issubclass(Task, annotation):
                return None
        elif attrs.has(annotation):
            _check_fields(name, annotation)
            return annotation
    raise TypeError(f"{name} cannot get {parameter.name!r} as {annotation!r:.80}: {_ALLOWED}")


def _check_fields(name: str, kind: type) -> None:
    """
    Check that the fields of a handler's class have types that variables can have.
    """
    try:
        Variables({}).into(kind)
    except ValueError:
        pass  # Its variables are missing here.
    except NameError as error:
        raise _unresolved(kind.__name__, error) from None
    except TypeError as error:
        raise TypeError(f"{name}: {error}") from None


def _names(kind: Any) -> tuple[str, ...]:
    return tuple(field.name for field in attrs.fields(kind) if field.init)


def _to_input(task: LockedExternalTask, kind: Any) -> Any:
    """
    The variables of a task as an instance of the handler's class.

    Raises:
        BadInput: They are missing, or have other types.
    """
    try:
        return task.variables.into(kind)
    except ValueError as error:
        raise BadInput(str(error)) from None
