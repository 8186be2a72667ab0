"""
What is typed works at run time: annotations can be resolved, and what checks by them takes what we
take, and nothing else.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import json
import typing
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from types import ModuleType
from typing import Any, Final

import attrs
import pydantic
import pytest
from beartype import beartype
from beartype.roar import BeartypeCallHintParamViolation

from camunda_ext import (
    Auth,
    Basic,
    Bearer,
    ExternalTaskClient,
    ExternalTaskQuery,
    FetchedTasks,
    LockedExternalTask,
    OAuth2ClientCredentials,
    Operator,
    Retry,
    RetryPolicy,
    Selection,
    Sorting,
    SortOrder,
    Topic,
    Variables,
    VariablesLike,
    VariableValue,
    Via,
)
from camunda_ext.hooks import Hook
from tests.stub import NO_CONTENT, Stub, json_answer

_MODULES: Final = (
    "camunda_ext",
    "camunda_ext.dto",
    "camunda_ext.errors",
    "camunda_ext.hooks",
    "camunda_ext.opentelemetry",
    "camunda_ext.testing",
)
#: What is called by its sign, and not by its name.
_SPECIAL: Final = ("__init__", "__new__", "__call__", "__iter__", "__getitem__", "__enter__")


def _public(module: ModuleType) -> Iterator[tuple[str, Any]]:
    """
    Give all classes and functions that a module has for others, with their methods.
    """
    for name in dir(module):
        value = getattr(module, name)
        is_ours = str(getattr(value, "__module__", "")).startswith("camunda_ext")
        if name.startswith("_") or not is_ours or not callable(value):
            continue
        yield f"{module.__name__}.{name}", value
        for member in dir(value) if inspect.isclass(value) else ():
            if member.startswith("_") and member not in _SPECIAL:
                continue
            found = inspect.getattr_static(value, member)
            if isinstance(found, (classmethod, staticmethod)):
                found = found.__func__
            if isinstance(found, property):
                found = found.fget
            if inspect.isfunction(found):
                yield f"{module.__name__}.{name}.{member}", found


PUBLIC: Final = dict(pair for name in _MODULES for pair in _public(importlib.import_module(name)))


def test_the_walk_meets_all_that_is_public() -> None:
    """
    Such as these.
    """
    assert {
        "camunda_ext.ExternalTaskClient.complete",
        "camunda_ext.Selection.__init__",
        "camunda_ext.Topic.__init__",
        "camunda_ext.ExternalTaskQuery.sort_by",
        "camunda_ext.BatchRun.wait",
        "camunda_ext.OAuth2ClientCredentials.__call__",
        "camunda_ext.testing.Engine.client",
        "camunda_ext.typed.file",
    } <= set(PUBLIC)
    assert len(PUBLIC) > 250


@pytest.mark.parametrize("name", PUBLIC)
def test_annotations_can_be_resolved(name: str) -> None:
    """
    By whoever asks for them.
    """
    hints = typing.get_type_hints(PUBLIC[name])

    assert not any(isinstance(hint, str) for hint in hints.values())


@pytest.mark.parametrize(
    "name", [name for name, value in PUBLIC.items() if inspect.isfunction(value)]
)
def test_each_function_can_be_watched_by_beartype(name: str) -> None:
    """
    Which makes of the annotations what checks each call.
    """
    beartype(PUBLIC[name])


_CALLABLES: Final = [
    name
    for name, value in inspect.getmembers(ExternalTaskClient, inspect.isfunction)
    if not name.startswith("_")
]


@pytest.mark.parametrize("name", _CALLABLES)
def test_each_method_of_a_client_can_be_watched_by_pydantic(name: str) -> None:
    """
    As they are; but of protocols, in the options, it asks for a setting.
    """
    client = ExternalTaskClient("http://engine.invalid/engine-rest")
    allowed = name == "with_options"

    pydantic.validate_call(config={"arbitrary_types_allowed": allowed})(getattr(client, name))


# ----------------------------------------------------------------------------------------- aliases


@attrs.frozen
class Order:
    number: int = 17


class Seen:
    """
    Has fields, but is no attrs class.
    """

    def __repr__(self) -> str:
        return "Seen()"


_TYPED: Final = Variables({"n": VariableValue(value=5, type="Long")})
_TAKEN: Final[tuple[Any, ...]] = ({"a": 1}, {}, Order(), _TYPED)
_REFUSED: Final = (5, "text", None, Order, Seen(), {1: 2}, [("a", 1)])


@pytest.mark.parametrize("value", _TAKEN, ids=repr)
def test_variables_are_taken_as_they_are(value: Any) -> None:
    """
    Of `Variables` no dict is made, which would forget their types.
    """
    checked = pydantic.TypeAdapter[Any](VariablesLike).validate_python(value)

    @beartype
    def watched(given: VariablesLike) -> VariablesLike:
        return given

    assert checked == value
    assert type(checked) is type(value)
    assert watched(value) is value


@pytest.mark.parametrize("value", _REFUSED, ids=repr)
def test_what_are_no_variables_is_refused(value: Any) -> None:
    """
    As a command would.
    """

    @beartype
    def watched(given: VariablesLike) -> None:
        """
        Do nothing.
        """

    with pytest.raises(pydantic.ValidationError):
        pydantic.TypeAdapter[Any](VariablesLike).validate_python(value)
    with pytest.raises(BeartypeCallHintParamViolation):
        watched(value)


def test_an_alias_can_be_part_of_another() -> None:
    """
    Such as one that may be missing.
    """
    aliases: list[Any] = [VariablesLike, Auth, Via, SortOrder, Operator]
    for alias in aliases:
        pydantic.TypeAdapter[Any](alias)
        maybe: Any = typing.Union[alias, None]  # noqa: UP007  # of a value
        assert type(None) in typing.get_args(maybe)
    made: Any = eval("VariablesLike | None", {"VariablesLike": VariablesLike})  # noqa: S307  # ours
    assert typing.get_args(made)[-1] is type(None)


# ------------------------------------------------------------------------------ as users have them


class Job(pydantic.BaseModel):
    """
    What an application keeps.
    """

    topic: Topic
    query: ExternalTaskQuery
    variables: VariablesLike
    retry: Retry = Retry()
    selection: Selection | None = None
    task: LockedExternalTask | None = None
    tasks: FetchedTasks = FetchedTasks()
    auth: Auth = None
    user: Basic | Bearer | OAuth2ClientCredentials | None = None


def test_a_model_of_pydantic_has_our_objects() -> None:
    """
    The same ones, and nothing that only looks like them.
    """
    topic, query = Topic("a", lock_duration=1000), ExternalTaskQuery().topic("a")
    job = Job(topic=topic, query=query, variables=_TYPED)
    with pytest.raises(pydantic.ValidationError, match="topic"):
        Job(topic={"topic_name": "a"}, query=query, variables={})  # type: ignore[arg-type]  # no topic

    assert (job.topic is topic, job.query is query, job.variables is _TYPED) == (True,) * 3


_WATCHERS: Final[Mapping[str, Callable[[Any], Any]]] = {
    "pydantic": pydantic.validate_call,
    "beartype": lambda bound: functools.partial(beartype(bound.__func__), bound.__self__),
}


@pytest.mark.parametrize("watch", _WATCHERS.values(), ids=_WATCHERS)
def test_a_watched_call_sends_the_same(watch: Callable[[Any], Any]) -> None:
    """
    Types of variables, durations and all.
    """
    topic = Topic("a", lock_duration=timedelta(seconds=1))
    with Stub(NO_CONTENT, NO_CONTENT, json_answer(200, [])) as stub:
        client = ExternalTaskClient(stub.url)
        watch(client.complete)("t1", "w1", _TYPED, local_variables=Order())
        watch(client.lock)("t1", "w1", timedelta(seconds=2))
        watch(client.fetch_and_lock)("w1", [topic], max_tasks=1, sorting=[Sorting("createTime")])
        with pytest.raises((pydantic.ValidationError, BeartypeCallHintParamViolation)):
            watch(client.complete)("t1", "w1", 5)
        bodies = [json.loads(one.body) for one in stub.seen]

    assert bodies[0] == {
        "workerId": "w1",
        "variables": {"n": {"value": 5, "type": "Long"}},
        "localVariables": {"number": {"value": 17, "type": "Integer"}},
    }
    assert bodies[1]["lockDuration"] == 2000
    assert bodies[2]["topics"][0]["lockDuration"] == 1000


def test_protocols_can_be_told() -> None:
    """
    At run time, too.
    """
    policy: Any = Retry()

    assert isinstance(policy, RetryPolicy)
    assert not isinstance("no policy", RetryPolicy)
    assert isinstance(print, Hook)
