"""
Queries for external tasks, built filter by filter.

The private fields of `ExternalTaskQuery` are the table of filters: the type of each, and the first
engine version that knows it. Each has one method, written out so that completion shows it.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from enum import Enum, EnumMeta
from typing import TYPE_CHECKING, Any, ClassVar, Final, TypeVar

import attrs

from camunda_ext._display.explanation import Explanation, explanation_of
from camunda_ext._wire import checks
from camunda_ext._wire.dates import MODERN, aware_date
from camunda_ext._wire.encode import encode
from camunda_ext._wire.names import wire_name, without_none
from camunda_ext._wire.urls import project
from camunda_ext._wire.value import TakenAsIs, exported
from camunda_ext.dto import Operator, Sorting, SortOrder, VariableQueryParameter

Q = TypeVar("Q", bound="Query")

#: Every engine is at least this old; what came later may be unknown to one, and ignored by it.
OLDEST: Final = "7.5"


class _Listed(EnumMeta):
    """
    Lets completion offer the members alone, without the methods of text.
    """

    def __dir__(cls) -> list[str]:
        return list(cls.__members__)


@exported
class SortBy(str, Enum, metaclass=_Listed):
    """
    What external tasks can be sorted by.
    """

    ID = "id"
    LOCK_EXPIRATION_TIME = "lockExpirationTime"
    PROCESS_INSTANCE_ID = "processInstanceId"
    PROCESS_DEFINITION_ID = "processDefinitionId"
    PROCESS_DEFINITION_KEY = "processDefinitionKey"
    TASK_PRIORITY = "taskPriority"
    TENANT_ID = "tenantId"
    #: Since 7.21; an older engine refuses it.
    CREATE_TIME = "createTime"


def filter_field(*, since: str = OLDEST, **told: Any) -> Any:
    """
    Declare a filter.

    Args:
        since: The first engine version that knows it; older ones ignore it without a word.

        excludes_tasks: Whether the filter on its own excludes tasks.

        method: The method that sets it, if not the one of its name.

        parts: Of a filter that several calls make up: the attributes that are one call's arguments.

        read: Gives the arguments of one call for those in a body, where a date is text.
    """
    return attrs.field(default=None, metadata={"since": since, **told})


_new: Final = object.__new__  # a query of six filters needs it seven times


# An instance has the fields that are set, and lacks the others: each method copies them all.
@attrs.frozen(slots=False, init=False, eq=False, repr=False)
class Query(TakenAsIs):
    """
    What all queries have: they never change, and compile to a POST body or to GET parameters.
    """

    #: What results can be sorted by.
    _criteria: ClassVar[type[Enum]]

    _sorting: tuple[Sorting, ...] | None = attrs.field(
        default=None,
        metadata={"method": "sort_by", "parts": ("sort_by", "sort_order")},
    )

    if not TYPE_CHECKING:
        # For `attrs.evolve()`, which makes a query of all fields of another.
        def __init__(self, **given: Any) -> None:
            if given:
                self.__dict__.update(_of_fields(type(self), given).__dict__)

        # For what looks at all fields, as attrs, rich and IPython do: many are not set.
        def __getattr__(self, name: str) -> None:
            if name not in attrs.fields_dict(type(self)):
                raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def __rich_repr__(self) -> Iterator[tuple[str, Any]]:
        for field, value in self._set_fields():
            yield _method(field), value

    @property
    def sorting(self) -> tuple[Sorting, ...]:
        """
        The criteria of sorting, the primary one first.
        """
        criteria: tuple[Sorting, ...] = self.__dict__.get("_sorting", ())
        return criteria

    def sort_by(self: Q, criterion: str, order: SortOrder = "asc") -> Q:
        """
        Sort by a *criterion*, after those of earlier calls, ``asc`` or ``desc``.

        Without any, the engine sorts by id. What is equal by all criteria may come in another order
        with each request: add ``id`` last where that matters. `ExternalTaskClient.iterate()` and
        `ExternalTaskClient.select()` add it themselves.
        """
        known = checks.choice("criterion", criterion, self._criteria)
        return self._with("_sorting", (*self.sorting, Sorting(known.value, order)))

    def unsorted(self: Q) -> Q:
        """
        Forget all criteria of sorting.
        """
        made = self._with("_sorting", None)
        del made.__dict__["_sorting"]
        return made

    def body(self) -> dict[str, Any]:
        """
        Give the body of the POST request, dates in the format of servers since 7.8.
        """
        body: dict[str, Any] = encode(self)
        return body

    def params(self) -> dict[str, str]:
        """
        Give the parameters of the GET request that asks for the same.

        Raises:
            ValueError: GET has no form for it, such as two criteria of sorting, a comma in one of
                several values, or a variable that is not text. Send it with POST.
        """
        return project(self.body())

    @classmethod
    def from_body(cls: type[Q], body: Mapping[str, Any]) -> Q:
        """
        Build a query from what `body()` gave, however it was stored meanwhile.

        Raises:
            ValueError: It holds something that is no filter of this query, or an empty list: the
                engine would ignore either.
        """
        if not isinstance(body, Mapping):
            raise TypeError(f"body must be a mapping, not {body!r:.80}")
        query = cls()
        fields = {wire_name(field.name): field for field in attrs.fields(cls)}
        for name, value in body.items():
            if name not in fields:
                raise ValueError(f"{cls.__name__} has no filter {name!r}")
            field = fields[name]
            if value is None or (value is False and _is_flag(field)):
                continue  # The engine takes both for not given.
            for arguments in _arguments_of(name, field, value):
                query = getattr(query, _method(field))(*arguments)
        return query

    def filters(self) -> dict[str, str]:
        """
        Give the filters that are set, by the engine's names, each with the version that brought it.
        """
        return {
            wire_name(field.name): field.metadata["since"]
            for field, _ in self._set_fields()
            if "since" in field.metadata
        }

    def has_filter(self) -> bool:
        """
        Tell whether there is any filter that could leave something out.
        """
        return any(
            "since" in field.metadata and field.metadata.get("excludes_tasks", True)
            for field, _ in self._set_fields()
        )

    def __repr__(self) -> str:
        calls = "".join(
            f".{_method(field)}({', '.join(map(repr, arguments))})"
            for field, value in self._set_fields()
            for arguments in _calls(field, value)
        )
        return f"{type(self).__name__}(){calls}"

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return self.__dict__ == other.__dict__

    def __hash__(self) -> int:
        return hash((type(self), frozenset(self.__dict__.items())))

    def _set_fields(self) -> "Iterator[tuple[attrs.Attribute[Any], Any]]":
        for field in attrs.fields(type(self)):
            if field.name in self.__dict__:
                yield field, self.__dict__[field.name]

    def _with(self: Q, name: str, value: object) -> Q:
        """
        Give a query that differs in one field.
        """
        made = _new(type(self))
        held = made.__dict__
        held.update(self.__dict__)
        held[name] = value
        return made

    def _adding(self: Q, name: str, values: tuple[object, ...]) -> Q:
        """
        Give a query with *values* added to those of a list filter.
        """
        added: tuple[object, ...] = values
        if not all(values) or not values or not {str}.issuperset(map(type, values)):
            added = checks.filters(f"{name[1:]}()", values)
        earlier = self.__dict__.get(name)
        return self._with(name, (*earlier, *added) if earlier else added)


def _of_fields(kind: type[Q], given: Mapping[str, Any]) -> Q:
    """
    Give a query whose fields have the values that are *given*, all of them.
    """
    fields = {field.alias: field for field in attrs.fields(kind)}
    query = kind()
    if given.keys() != fields.keys():
        raise TypeError(
            f"{kind.__name__}() takes no arguments: call its methods, one after the other"
        )
    for alias, field in fields.items():
        value = given[alias]
        for arguments in _calls(field, value) if value is not None else ():
            query = getattr(query, _method(field))(*arguments)
    return query


def _method(field: "attrs.Attribute[Any]") -> str:
    return str(field.metadata.get("method", field.name.lstrip("_")))


def _is_flag(field: "attrs.Attribute[Any]") -> bool:
    return without_none(field.type) is bool


def _calls(field: "attrs.Attribute[Any]", value: Any) -> Iterator[tuple[Any, ...]]:
    """
    Give the arguments of each call that sets a field to *value*.
    """
    if "parts" in field.metadata:
        yield from (tuple(getattr(one, part) for part in field.metadata["parts"]) for one in value)
    elif value is True:
        yield ()
    else:
        yield value if isinstance(value, tuple) else (value,)


def _arguments_of(
    name: str, field: "attrs.Attribute[Any]", value: Any
) -> Iterator[tuple[Any, ...]]:
    """
    Give the same of a value from a body.
    """
    if "parts" in field.metadata:
        parts = [wire_name(part) for part in field.metadata["parts"]]
        if not isinstance(value, (list, tuple)) or not value:
            raise ValueError(f"{name} must be a list with something in it, not {value!r:.80}")
        for one in value:
            if not isinstance(one, Mapping) or not {*one} <= {*parts}:
                raise ValueError(f"each of {name} must have {parts}, not {one!r:.80}")
            # A body leaves out what is None.
            yield _read(field, *map(one.get, parts))
    elif isinstance(value, (list, tuple)) is not field.name.endswith("_in"):
        raise ValueError(f"{name} cannot be {value!r:.80}")
    elif _is_flag(field):
        if value is not True:
            raise ValueError(f"{name} cannot be {value!r:.80}")
        yield ()
    elif isinstance(value, (list, tuple)):
        yield tuple(value)
    else:
        yield _read(field, value)


def _read(field: "attrs.Attribute[Any]", *arguments: Any) -> tuple[Any, ...]:
    read = field.metadata.get("read")
    read_arguments: tuple[Any, ...] = arguments if read is None else read(*arguments)
    return read_arguments


@exported
@attrs.frozen(slots=False, init=False, eq=False, repr=False)
class ExternalTaskQuery(Query):
    """
    Which external tasks; a task must pass all filters.

    A query never changes: each method gives a new one. A filter that is set again is replaced, one
    with several values gets more of them.
    """

    _criteria: ClassVar[type[Enum]] = SortBy

    _external_task_id: str | None = filter_field()
    _external_task_id_in: tuple[str, ...] | None = filter_field(since="7.13")
    _topic_name: str | None = filter_field(method="topic")
    _worker_id: str | None = filter_field()
    _locked: bool | None = filter_field()
    _not_locked: bool | None = filter_field()
    _with_retries_left: bool | None = filter_field()
    _no_retries_left: bool | None = filter_field()
    _lock_expiration_after: datetime | None = filter_field(read=lambda text: (aware_date(text),))
    _lock_expiration_before: datetime | None = filter_field(read=lambda text: (aware_date(text),))
    _activity_id: str | None = filter_field()
    _activity_id_in: tuple[str, ...] | None = filter_field(since="7.13")
    _execution_id: str | None = filter_field()
    _process_instance_id: str | None = filter_field()
    _process_instance_id_in: tuple[str, ...] | None = filter_field(since="7.13")
    _process_definition_id: str | None = filter_field()
    _process_definition_key: str | None = filter_field(since="7.24")
    _process_definition_key_in: tuple[str, ...] | None = filter_field(since="7.24")
    _process_definition_name: str | None = filter_field(since="7.24")
    _process_definition_name_like: str | None = filter_field(since="7.24")
    _tenant_id_in: tuple[str, ...] | None = filter_field()
    _active: bool | None = filter_field()
    _suspended: bool | None = filter_field()
    _priority_higher_than_or_equals: int | None = filter_field()
    _priority_lower_than_or_equals: int | None = filter_field()
    _variable_names_ignore_case: bool | None = filter_field(since="7.24", excludes_tasks=False)
    _variable_values_ignore_case: bool | None = filter_field(since="7.24", excludes_tasks=False)
    _process_variables: tuple[VariableQueryParameter, ...] | None = filter_field(
        since="7.24",
        method="process_variable",
        parts=("name", "operator", "value"),
        read=lambda name, operator, value: (name, operator, date_or_same(value)),
    )

    def external_task_id(self, external_task_id: str) -> "ExternalTaskQuery":
        """
        Only the task of this id.
        """
        return self._with("_external_task_id", checks.filled("external_task_id", external_task_id))

    def external_task_id_in(self, *external_task_ids: str) -> "ExternalTaskQuery":
        """
        Only tasks of one of these ids, and of those of earlier calls. Since 7.13; 7.6 ignores it.
        """
        return self._adding("_external_task_id_in", external_task_ids)

    def topic(self, topic_name: str) -> "ExternalTaskQuery":
        """
        Only tasks of this topic.
        """
        return self._with("_topic_name", checks.filled("topic_name", topic_name))

    def worker_id(self, worker_id: str) -> "ExternalTaskQuery":
        """
        Only tasks that this worker has locked last, though the lock may have expired.
        """
        return self._with("_worker_id", checks.filled("worker_id", worker_id))

    def locked(self) -> "ExternalTaskQuery":
        """
        Only tasks whose lock has not expired.
        """
        return self._with("_locked", True)

    def not_locked(self) -> "ExternalTaskQuery":
        """
        Only tasks that were never locked, or whose lock has expired.
        """
        return self._with("_not_locked", True)

    def with_retries_left(self) -> "ExternalTaskQuery":
        """
        Only tasks with retries left, or without a failure yet.
        """
        return self._with("_with_retries_left", True)

    def no_retries_left(self) -> "ExternalTaskQuery":
        """
        Only tasks with 0 retries; overrules `with_retries_left()`.
        """
        return self._with("_no_retries_left", True)

    def lock_expiration_after(self, moment: datetime) -> "ExternalTaskQuery":
        """
        Only tasks whose lock expires, or has expired, after this moment (an aware datetime).
        """
        return self._with("_lock_expiration_after", checks.aware("moment", moment))

    def lock_expiration_before(self, moment: datetime) -> "ExternalTaskQuery":
        """
        Only tasks whose lock expires, or has expired, before this moment (an aware datetime).
        """
        return self._with("_lock_expiration_before", checks.aware("moment", moment))

    def activity_id(self, activity_id: str) -> "ExternalTaskQuery":
        """
        Only tasks of the element with this id in the model, such as a service task.
        """
        return self._with("_activity_id", checks.filled("activity_id", activity_id))

    def activity_id_in(self, *activity_ids: str) -> "ExternalTaskQuery":
        """
        Only tasks of one of these elements of the model, and of those of earlier calls.
        """
        return self._adding("_activity_id_in", activity_ids)

    def execution_id(self, execution_id: str) -> "ExternalTaskQuery":
        """
        Only the task that this execution waits for.
        """
        return self._with("_execution_id", checks.filled("execution_id", execution_id))

    def process_instance_id(self, process_instance_id: str) -> "ExternalTaskQuery":
        """
        Only tasks of this process instance.
        """
        checked = checks.filled("process_instance_id", process_instance_id)
        return self._with("_process_instance_id", checked)

    def process_instance_id_in(self, *process_instance_ids: str) -> "ExternalTaskQuery":
        """
        Only tasks of one of these process instances, and of those of earlier calls. Since 7.13;
        7.6 ignores it.
        """
        return self._adding("_process_instance_id_in", process_instance_ids)

    def process_definition_id(self, process_definition_id: str) -> "ExternalTaskQuery":
        """
        Only tasks of this deployed version of a process.
        """
        checked = checks.filled("process_definition_id", process_definition_id)
        return self._with("_process_definition_id", checked)

    def process_definition_key(self, process_definition_key: str) -> "ExternalTaskQuery":
        """
        Only tasks of this process, whatever its version. Since 7.24; older engines ignore it.
        """
        checked = checks.filled("process_definition_key", process_definition_key)
        return self._with("_process_definition_key", checked)

    def process_definition_key_in(self, *process_definition_keys: str) -> "ExternalTaskQuery":
        """
        Only tasks of one of these processes, and of those of earlier calls. Since 7.24; older
        engines ignore it.
        """
        return self._adding("_process_definition_key_in", process_definition_keys)

    def process_definition_name(self, process_definition_name: str) -> "ExternalTaskQuery":
        """
        Only tasks of processes with this name. Since 7.24; older engines ignore it.
        """
        checked = checks.filled("process_definition_name", process_definition_name)
        return self._with("_process_definition_name", checked)

    def process_definition_name_like(self, pattern: str) -> "ExternalTaskQuery":
        """
        Only tasks of processes with a name like this: ``%`` stands for any text, ``_`` for one
        character. Since 7.24; older engines ignore it.
        """
        checked = checks.pattern("pattern", checks.filled("pattern", pattern))
        return self._with("_process_definition_name_like", checked)

    def tenant_id_in(self, *tenant_ids: str) -> "ExternalTaskQuery":
        """
        Only tasks of one of these tenants, and of those of earlier calls; none without a tenant.
        """
        return self._adding("_tenant_id_in", tenant_ids)

    def active(self) -> "ExternalTaskQuery":
        """
        Only tasks that are not suspended.
        """
        return self._with("_active", True)

    def suspended(self) -> "ExternalTaskQuery":
        """
        Only tasks that are suspended; overrules `active()`.
        """
        return self._with("_suspended", True)

    def priority_higher_than_or_equals(self, priority: int) -> "ExternalTaskQuery":
        """
        Only tasks of this priority or a higher one.
        """
        checked = checks.integer("priority", priority)
        return self._with("_priority_higher_than_or_equals", checked)

    def priority_lower_than_or_equals(self, priority: int) -> "ExternalTaskQuery":
        """
        Only tasks of this priority or a lower one.
        """
        return self._with("_priority_lower_than_or_equals", checks.integer("priority", priority))

    def variable_names_ignore_case(self) -> "ExternalTaskQuery":
        """
        Compare the names of variables without regard to case. Since 7.24.
        """
        return self._with("_variable_names_ignore_case", True)

    def variable_values_ignore_case(self) -> "ExternalTaskQuery":
        """
        Compare text in variables without regard to case. Since 7.24.
        """
        return self._with("_variable_values_ignore_case", True)

    def process_variable(
        self, name: str, operator: Operator, value: str | float | bool | datetime | None
    ) -> "ExternalTaskQuery":
        """
        Only tasks whose process instance has a variable like this, besides the earlier ones: in any
        scope, be it that of another task.

        A task without the variable does not match, whatever the operator; but with ``neq`` and
        ``notLike`` one whose variable is of another type does. Since 7.24; older engines ignore it.

        Args:
            operator:
                ``eq``, ``neq``, ``gt``, ``gteq``, ``lt``, ``lteq``, ``like`` or ``notLike``; the
                last two for text, where ``%`` stands for any text and ``_`` for one character (an
                emoji counts as two for some databases), and a backslash before one of these for
                itself.

            value:
                `None` finds null of any type, a `datetime` Dates, and a `str` Strings.

                A number is compared with all Doubles, and with those of the whole numbers whose
                type it fits: 0.5 with no other, 5 and 5.0 with Longs, Integers and Shorts as well,
                40,000 with Longs and Integers, and 2**40 with Longs. So ``gt 0.5`` does not find an
                Integer 7, and ``lt 2**40`` neither. Doubles are compared with the nearest float;
                NaN is greater than any number.

                `None` and `bool` can be ``eq`` or ``neq`` only.

        Raises:
            ValueError: A text is something else to the engine: null, such as ``""`` and ``"null"``,
                or a date; or it is a pattern with a backslash before another character.
        """
        condition = VariableQueryParameter(name, operator, _plain(value))
        return self._with(
            "_process_variables", (*self.__dict__.get("_process_variables", ()), condition)
        )

    def explain(self, base_url: str = "http://localhost:8080/engine-rest") -> Explanation:
        """
        Give what asks for these tasks, for a person to read: POST, GET and curl. Nothing is sent.

        Args:
            base_url: The engine's REST API.
        """
        young = {name: since for name, since in self.filters().items() if since != OLDEST}
        return explanation_of(self, base_url, "/external-task", young=young)


def _plain(value: Any) -> Any:
    plain = checks.native("value", value.value if isinstance(value, Enum) else value)
    return checks.aware("value", plain) if isinstance(plain, datetime) else plain


def date_or_same(value: Any) -> Any:
    """
    Give a text as the date that it is, if the engine writes a date just so.
    """
    try:
        date = aware_date(value)
        return date if MODERN.format(date) == value else value
    except (TypeError, ValueError):
        return value
