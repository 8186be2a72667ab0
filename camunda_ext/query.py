"""
Queries for external tasks, built filter by filter.

The private fields of `ExternalTaskQuery` are the table of filters: the type of each filter, and the
first engine version that knows it. Each filter has a method, written out so that editors complete
its name.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from enum import Enum, EnumMeta
from typing import TYPE_CHECKING, Any, ClassVar, Final, NamedTuple, TypeVar

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


class Resource(NamedTuple):
    """
    What the queries of a class ask for: the path of the POST request for the results, with their
    number at ``/count`` below it; the first engine version that has it; and what the results are,
    in the plural.
    """

    path: str
    since: str
    noun: str


#: What is asked for by `ExternalTaskQuery`, since the oldest supported engine version.
TASKS: Final = Resource("/external-task", "7.5", "tasks")


def resource_of(query: "Query") -> Resource:
    """
    What a query asks for.
    """
    return query._resource


def newer_filters(query: "Query") -> dict[str, str]:
    """
    The filters that are set and that some engine with such queries ignores: the engine's name of
    each, and the first version that knows it.
    """
    oldest = query._resource.since
    return {name: since for name, since in query.filters().items() if since != oldest}


class _Listed(EnumMeta):
    """
    Metaclass of enums that lists only the members in `dir()`, not the methods of `str`.
    """

    def __dir__(cls) -> list[str]:
        return list(cls.__members__)


@exported
class SortBy(str, Enum, metaclass=_Listed):
    """
    The criteria that external tasks can be sorted by.
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


def filter_field(*, since: str = TASKS.since, **metadata: Any) -> Any:
    """
    Declare a filter.

    Args:
        since: The first engine version that knows the filter; older ones ignore it silently.

        excludes_tasks: Whether the filter on its own excludes tasks (default: yes).

        method: Name of the method that sets the filter (default: the name of the field).

        parts: For a filter that collects the values of several calls: the attributes of a value
            that are the arguments of one call.

        read: Function that converts the last argument of a call from JSON, such as a text to a
            date.
    """
    return attrs.field(default=None, metadata={"since": since, **metadata})


_new: Final = object.__new__  # a local name is quicker: each filter of a query creates an instance


# The `__dict__` of an instance has only the fields that are set, as each method copies all of it.
@attrs.frozen(slots=False, init=False, eq=False, repr=False)
class Query(TakenAsIs):
    """
    Base class of queries. A query is immutable; it compiles to a POST body or to GET parameters.
    """

    _resource: ClassVar[Resource]

    #: The criteria that results can be sorted by.
    _criteria: ClassVar[type[Enum]]

    _sorting: tuple[Sorting, ...] | None = attrs.field(
        default=None,
        metadata={"method": "sort_by", "parts": ("sort_by", "sort_order")},
    )

    if not TYPE_CHECKING:
        # For `attrs.evolve()`, which passes the values of all fields.
        def __init__(self, **values: Any) -> None:
            if values:
                self.__dict__.update(_of_fields(type(self), values).__dict__)

        # For libraries that read all fields, as attrs, rich and IPython do: ``None`` if not set.
        def __getattr__(self, name: str) -> None:
            if name not in attrs.fields_dict(type(self)):
                raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def __rich_repr__(self) -> Iterator[tuple[str, Any]]:
        for field, value in self._set_fields():
            yield _method(field), value

    @property
    def sorting(self) -> tuple[Sorting, ...]:
        """
        The sorting criteria, the primary one first.
        """
        criteria: tuple[Sorting, ...] = self.__dict__.get("_sorting", ())
        return criteria

    def sort_by(self: Q, criterion: str, order: SortOrder = "asc") -> Q:
        """
        Add a sorting *criterion*, less important than those of earlier calls.

        Without any, the engine sorts by id. Results that are equal by all criteria may come in
        another order with each request: add ``id`` as the last criterion where that matters.
        `ExternalTaskClient.iterate()` and `ExternalTaskClient.select()` add it themselves.

        Args:
            criterion: What to sort by, such as ``"taskPriority"`` for external tasks.

            order: ``asc`` or ``desc``.
        """
        known = checks.choice("criterion", criterion, self._criteria)
        return self._with("_sorting", (*self.sorting, Sorting(known.value, order)))

    def unsorted(self: Q) -> Q:
        """
        Remove all sorting criteria.
        """
        query = self._with("_sorting", None)
        del query.__dict__["_sorting"]
        return query

    def body(self) -> dict[str, Any]:
        """
        The body of the POST request as JSON values, with dates in the format of engines since 7.8.
        """
        body: dict[str, Any] = encode(self)
        return body

    def params(self) -> dict[str, str]:
        """
        The URL parameters of the equivalent GET request.

        Raises:
            ValueError: GET has no form for the query, such as for two sorting criteria, a comma in
                one of several values, or a variable that is not text. Send it with POST.
        """
        return project(self.body())

    @classmethod
    def from_body(cls: type[Q], body: Mapping[str, Any]) -> Q:
        """
        Build a query from the result of `body()`, for example after it was stored as JSON.

        Raises:
            ValueError: The body has a name that is no filter of this query, or an empty list: the
                engine would ignore both.
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
                continue  # To the engine, both mean that the filter is not set.
            for arguments in _calls_of_json(name, field, value):
                query = getattr(query, _method(field))(*arguments)
        return query

    def filters(self) -> dict[str, str]:
        """
        The filters that are set: the engine's name of each, and the first version that knows it.
        """
        return {
            wire_name(field.name): field.metadata["since"]
            for field, _ in self._set_fields()
            if "since" in field.metadata
        }

    def has_filter(self) -> bool:
        """
        Whether any filter is set that can exclude results.
        """
        return any(
            "since" in field.metadata and field.metadata.get("excludes_tasks", True)
            for field, _ in self._set_fields()
        )

    def explain(self, base_url: str = "http://localhost:8080/engine-rest") -> Explanation:
        """
        The query as a POST request, a GET request and a curl command, for a person to read. Nothing
        is sent.

        Args:
            base_url: The engine's REST API.
        """
        newer = newer_filters(self)
        return explanation_of(self, base_url, self._resource.path, newer_filters=newer)

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
        """
        The fields that are set, in the order of their declaration, with their values.
        """
        for field in attrs.fields(type(self)):
            if field.name in self.__dict__:
                yield field, self.__dict__[field.name]

    def _with(self: Q, name: str, value: object) -> Q:
        """
        A copy of the query with one field changed.
        """
        query = _new(type(self))
        fields = query.__dict__
        fields |= self.__dict__
        fields[name] = value
        return query

    def _adding(self: Q, name: str, values: tuple[object, ...]) -> Q:
        """
        A copy of the query with *values* added to a list filter.
        """
        checked: tuple[object, ...] = values
        if not values or not all(values) or not _TEXTS.issuperset(map(type, values)):
            checked = checks.filters(f"{name[1:]}()", values)
        earlier = self.__dict__.get(name)
        return self._with(name, (*earlier, *checked) if earlier else checked)


#: The types of values that need no further check.
_TEXTS: Final = frozenset({str})


def _of_fields(kind: type[Q], values: Mapping[str, Any]) -> Q:
    """
    A query with the *values* of all its fields, each checked by the method of its filter.
    """
    fields = {field.alias: field for field in attrs.fields(kind)}
    query = kind()
    if values.keys() != fields.keys():
        raise TypeError(
            f"{kind.__name__}() takes no arguments: call its methods, one after the other"
        )
    for alias, field in fields.items():
        value = values[alias]
        for arguments in _calls(field, value) if value is not None else ():
            query = getattr(query, _method(field))(*arguments)
    return query


def _method(field: "attrs.Attribute[Any]") -> str:
    """
    Name of the method that sets a field.
    """
    return str(field.metadata.get("method", field.name.lstrip("_")))


def _is_flag(field: "attrs.Attribute[Any]") -> bool:
    return without_none(field.type) is bool


def _calls(field: "attrs.Attribute[Any]", value: Any) -> Iterator[tuple[Any, ...]]:
    """
    The arguments of each call that is needed to set a field to *value*.
    """
    if "parts" in field.metadata:
        parts = field.metadata["parts"]
        yield from (tuple(getattr(item, part) for part in parts) for item in value)
    elif value is True:
        yield ()
    else:
        yield value if isinstance(value, tuple) else (value,)


def _calls_of_json(
    name: str, field: "attrs.Attribute[Any]", value: Any
) -> Iterator[tuple[Any, ...]]:
    """
    The arguments of each call that is needed to set a field to a *value* of a JSON body, which has
    the field by its *name* at the engine.
    """
    parts = [wire_name(part) for part in field.metadata.get("parts", ())]
    read, is_list = field.metadata.get("read"), isinstance(value, (list, tuple))
    if parts:
        if not is_list or not value:
            raise ValueError(f"{name} must be a list with something in it, not {value!r:.80}")
        for item in value:
            if not isinstance(item, Mapping) or not {*item} <= {*parts}:
                raise ValueError(f"each of {name} must have {parts}, not {item!r:.80}")
            *others, last = map(item.get, parts)  # a body has no entry for ``None``
            yield (*others, last if read is None else read(last))
    elif is_list is not field.name.endswith("_in") or (_is_flag(field) and value is not True):
        raise ValueError(f"{name} cannot be {value!r:.80}")
    elif _is_flag(field):
        yield ()
    elif is_list:
        yield tuple(value)
    else:
        yield (value if read is None else read(value),)


def _date_or_same(value: Any) -> Any:
    """
    Convert a text to a date if it is exactly what the engine writes for that date; return any other
    value unchanged.
    """
    try:
        date = aware_date(value)
        return date if MODERN.format(date) == value else value
    except (TypeError, ValueError):
        return value


@exported
@attrs.frozen(slots=False, init=False, eq=False, repr=False)
class ExternalTaskQuery(Query):
    """
    A query for external tasks; a task must match all filters.

    A query is immutable: each method returns a new one. Setting a filter again replaces its value;
    for a filter with several values, it adds more of them.
    """

    _resource: ClassVar[Resource] = TASKS
    _criteria: ClassVar[type[Enum]] = SortBy

    _external_task_id: str | None = filter_field()
    _external_task_id_in: tuple[str, ...] | None = filter_field(since="7.13")
    _topic_name: str | None = filter_field(method="topic")
    _worker_id: str | None = filter_field()
    _locked: bool | None = filter_field()
    _not_locked: bool | None = filter_field()
    _with_retries_left: bool | None = filter_field()
    _no_retries_left: bool | None = filter_field()
    _lock_expiration_after: datetime | None = filter_field(read=aware_date)
    _lock_expiration_before: datetime | None = filter_field(read=aware_date)
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
        read=_date_or_same,
    )

    def external_task_id(self, external_task_id: str) -> "ExternalTaskQuery":
        """
        Only the task with this id.
        """
        return self._with("_external_task_id", checks.filled("external_task_id", external_task_id))

    def external_task_id_in(self, *external_task_ids: str) -> "ExternalTaskQuery":
        """
        Only tasks with one of these ids or those of earlier calls. Since 7.13; 7.6 ignores it.
        """
        return self._adding("_external_task_id_in", external_task_ids)

    def topic(self, topic_name: str) -> "ExternalTaskQuery":
        """
        Only tasks of this topic.
        """
        return self._with("_topic_name", checks.filled("topic_name", topic_name))

    def worker_id(self, worker_id: str) -> "ExternalTaskQuery":
        """
        Only tasks that this worker has locked last, even if the lock has expired.
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
        Only tasks with retries left; a task without a failure counts as one.
        """
        return self._with("_with_retries_left", True)

    def no_retries_left(self) -> "ExternalTaskQuery":
        """
        Only tasks with 0 retries; overrules `with_retries_left()`.
        """
        return self._with("_no_retries_left", True)

    def lock_expiration_after(self, moment: datetime) -> "ExternalTaskQuery":
        """
        Only tasks whose lock expires or expired after this moment, an aware datetime.
        """
        return self._with("_lock_expiration_after", checks.aware("moment", moment))

    def lock_expiration_before(self, moment: datetime) -> "ExternalTaskQuery":
        """
        Only tasks whose lock expires or expired before this moment, an aware datetime.
        """
        return self._with("_lock_expiration_before", checks.aware("moment", moment))

    def activity_id(self, activity_id: str) -> "ExternalTaskQuery":
        """
        Only tasks of the element with this id in the model, such as a service task.
        """
        return self._with("_activity_id", checks.filled("activity_id", activity_id))

    def activity_id_in(self, *activity_ids: str) -> "ExternalTaskQuery":
        """
        Only tasks of one of these elements of the model, or of those of earlier calls.
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
        Only tasks of one of these process instances, or of those of earlier calls. Since 7.13;
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
        Only tasks of all versions of this process. Since 7.24; older engines ignore it.
        """
        checked = checks.filled("process_definition_key", process_definition_key)
        return self._with("_process_definition_key", checked)

    def process_definition_key_in(self, *process_definition_keys: str) -> "ExternalTaskQuery":
        """
        Only tasks of one of these processes, or of those of earlier calls. Since 7.24; older
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
        Only tasks of processes whose name matches this pattern: ``%`` stands for any text, ``_``
        for one character. Since 7.24; older engines ignore it.
        """
        checked = checks.pattern("pattern", checks.filled("pattern", pattern))
        return self._with("_process_definition_name_like", checked)

    def tenant_id_in(self, *tenant_ids: str) -> "ExternalTaskQuery":
        """
        Only tasks of one of these tenants, or of those of earlier calls; no task without a tenant.
        """
        return self._adding("_tenant_id_in", tenant_ids)

    def active(self) -> "ExternalTaskQuery":
        """
        Only tasks whose process instance is not suspended.
        """
        return self._with("_active", True)

    def suspended(self) -> "ExternalTaskQuery":
        """
        Only tasks whose process instance is suspended; overrules `active()`.
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
        Compare the names of variables without regard to case, see `process_variable()`. Since 7.24.
        """
        return self._with("_variable_names_ignore_case", True)

    def variable_values_ignore_case(self) -> "ExternalTaskQuery":
        """
        Compare text in variables without regard to case, see `process_variable()`. Since 7.24.
        """
        return self._with("_variable_values_ignore_case", True)

    def process_variable(
        self, name: str, operator: Operator, value: str | float | bool | datetime | None
    ) -> "ExternalTaskQuery":
        """
        Only tasks whose process instance has a variable that meets this condition. Since 7.24;
        older engines ignore it.

        The variable may be in any scope of the process instance, even in that of another task. The
        conditions of several calls must all be met. A task without the variable does not match,
        whatever the operator; with ``neq`` and ``notLike``, a task whose variable is of another
        type does match.

        Args:
            name: Name of the variable.

            operator:
                ``eq``, ``neq``, ``gt``, ``gteq``, ``lt``, ``lteq``, ``like`` or ``notLike``. The
                last two are for text: ``%`` stands for any text, ``_`` for one character (some
                databases count an emoji as two), and a backslash takes the special meaning from
                these two and from another backslash.

            value:
                `None` finds null of any type, a `datetime` finds Dates, a `str` finds Strings.

                A number is compared with all Doubles, and with the integer types that it fits into:
                0.5 with none of them, 5 and 5.0 with Longs, Integers and Shorts, 40,000 with Longs
                and Integers, and 2**40 with Longs. So neither ``gt 0.5`` nor ``lt 2**40`` finds an
                Integer 7. Doubles are compared with the nearest float; NaN is greater than any
                number.

                `None` and `bool` can be ``eq`` or ``neq`` only.

        Raises:
            ValueError: The engine would not read the text as a String, but as null, such as ``""``
                and ``"null"``, or as a date; or a pattern has a backslash before any other
                character.
        """
        condition = VariableQueryParameter(name, operator, _plain(value))
        return self._with(
            "_process_variables", (*self.__dict__.get("_process_variables", ()), condition)
        )


def _plain(value: Any) -> Any:
    """
    A value as one of Python's own types, without enums and subclasses.
    """
    plain = checks.native("value", value.value if isinstance(value, Enum) else value)
    return checks.aware("value", plain) if isinstance(plain, datetime) else plain
