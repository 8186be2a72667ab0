"""
The objects in requests and answers, named as in Camunda's reference, without the ``Dto``.

Times are aware datetimes, durations are milliseconds. A field that an answer lacks, for example
because the engine is too old for it, is ``None`` or empty; only its id is never missing. In a
request, ``None`` is not sent.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, ClassVar, Final, Literal

import attrs

from camunda_ext._wire import checks
from camunda_ext._wire.value import Record, TakenAsIs, Value, exported
from camunda_ext._wire.warn import warn_of_seconds
from camunda_ext.variables import Variables, VariablesLike

#: The direction of sorting.
SortOrder = Literal["asc", "desc"]

#: The comparison operators of conditions on variables.
Operator = Literal["eq", "neq", "gt", "gteq", "lt", "lteq", "like", "notLike"]

#: The kinds of events in the historic external task log.
LogEvent = Literal["creation", "failure", "success", "deletion"]


# ------------------------------------------------------------------------ conversion and validation
# A converter does not raise: it leaves a value that it cannot convert to the validator, whose error
# has the name of the field.


#: The longest error message that the engine stores, in UTF-16 units.
_MESSAGE_UNITS: Final = 666


def _valid(
    check: Callable[..., object], **bounds: int
) -> "Callable[[object, attrs.Attribute[Any], object], None]":
    # ``None`` is valid where it is the default.
    def validate(_: object, field: "attrs.Attribute[Any]", value: object) -> None:
        if value is not None or field.default is attrs.NOTHING:
            check(field.name, value, **bounds)

    return validate


def _to_lock_duration(value: int | timedelta) -> int:
    """
    The duration of a lock in milliseconds, with a warning if the number was probably meant as
    seconds.
    """
    warn_of_seconds("the duration of a lock", value, below=_SHORTEST_LOCK)
    return checks.to_milliseconds(value)


#: A shorter lock was probably meant in seconds, in milliseconds.
_SHORTEST_LOCK: Final = 1000


def _to_texts(value: Iterable[str] | None) -> tuple[str, ...] | None:
    texts: tuple[str, ...] | None = _to_tuple(value)
    return texts


def _to_topics(value: "Iterable[Topic]") -> "tuple[Topic, ...]":
    topics: tuple[Topic, ...] = _to_tuple(value)
    return topics


def _to_sortings(value: "Iterable[Sorting] | None") -> "tuple[Sorting, ...] | None":
    sortings: tuple[Sorting, ...] | None = _to_tuple(value)
    return sortings


def _to_tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, Iterable) and not isinstance(value, str) else value


def _to_plain_values(
    value: Mapping[str, str | float | bool | None] | None,
) -> Mapping[str, str | float | bool | None] | None:
    if not isinstance(value, Mapping):
        return value
    return {name: checks.native(f"the value of {name!r}", item) for name, item in value.items()}


def _to_message(value: Any) -> Any:
    """
    An error message, cut to what the engine stores, but not inside a character.
    """
    if not isinstance(value, str) or checks.utf16_units(value) <= _MESSAGE_UNITS:
        return value
    units = value.encode("utf-16-le", "surrogatepass")[: 2 * _MESSAGE_UNITS]
    message = units.decode("utf-16-le", "surrogatepass")
    return message if value.startswith(message) else message[:-1]


def _to_variables(value: VariablesLike | None) -> Variables | None:
    return None if value is None else Variables.of(value)


def _scalar(name: str, value: object) -> None:
    """
    Check that the engine can compare a variable with *value*.
    """
    if value is None or isinstance(value, (bool, str)):
        return
    if isinstance(value, int):
        checks.integer(name, value)
    elif isinstance(value, datetime):
        checks.aware(name, value)
    elif not isinstance(value, float) or not math.isfinite(value):
        raise TypeError(
            f"{name} must be None, bool, int, finite float, str or an aware datetime, "
            f"not {value!r:.80}: the engine compares nothing else"
        )


# ---------------------------------------------------------------------------------- external tasks


@exported
@attrs.frozen(kw_only=True, eq=False, repr=False)
class ExternalTask(Record):
    """
    An external task as a query returns it (``ExternalTaskDto``).
    """

    #: Id of the task; all commands need it.
    id: str

    #: The topic, which names the kind of work.
    topic_name: str = ""

    #: The worker that locked the task last, even if the lock has expired; ``None`` if the task was
    #: never locked, or was unlocked.
    worker_id: str | None = None

    #: When the lock expires or expired; after a failure, the end of its retry timeout.
    lock_expiration_time: datetime | None = None

    #: When the task was created; ``None`` from engines before 7.24.
    create_time: datetime | None = None

    #: Retries left; ``None`` until a worker reports a failure or somebody sets them, which counts
    #: as some left.
    retries: int | None = None

    #: Message of the last failure. The engine cuts it to 666 UTF-16 units, so that it may end with
    #: half of a surrogate pair.
    error_message: str | None = None

    #: Priority; a higher number comes first if the fetch uses priorities.
    priority: int = 0

    #: Whether the process instance is suspended.
    suspended: bool = False

    #: Id of the element in the process model, such as a service task.
    activity_id: str = ""

    #: Id of this execution of the element.
    activity_instance_id: str = ""

    #: Id of the execution that waits for the task.
    execution_id: str = ""

    #: Id of the process instance that the task belongs to.
    process_instance_id: str = ""

    #: Id of the deployed version of the process.
    process_definition_id: str = ""

    #: The key of the process, which all its versions share.
    process_definition_key: str = ""

    #: Version tag of the process; up to 7.13 only fetched tasks have it.
    process_definition_version_tag: str | None = None

    #: Id of the process instance's tenant; ``None`` for none.
    tenant_id: str | None = None

    #: The business key of the process instance.
    business_key: str | None = None


@exported
@attrs.frozen(kw_only=True, eq=False, repr=False)
class LockedExternalTask(ExternalTask):
    """
    An external task that a worker has just locked (``LockedExternalTaskDto``).

    ``suspended`` is always `False` here.
    """

    #: Error details of the last failure; ``None`` for none.
    error_details: str | None = None

    #: The variables that the fetch requested for the topic, by name.
    variables: Variables = attrs.field(factory=lambda: Variables({}), hash=False)

    #: Extension properties of the service task, if the fetch requested them. Since 7.14.
    extension_properties: Mapping[str, str | None] = attrs.field(factory=dict, hash=False)


@exported
@attrs.frozen(kw_only=True, eq=False, repr=False)
class UnreadableTask(Value):
    """
    A task that a worker has locked, but that cannot be read as a `LockedExternalTask`.
    """

    #: Id of the task, which is enough to unlock it, or to report a failure.
    id: str

    #: Why the task cannot be read.
    reason: str


@exported
class FetchedTasks(TakenAsIs, tuple[LockedExternalTask, ...]):
    """
    The tasks that a fetch has locked: a tuple of those that could be read.
    """

    #: The tasks that could not be read, but are locked for the worker as well. Unlock them, report
    #: a failure, or let their locks expire. The engine's operator should look at one that is
    #: fetched again and again.
    unreadable: tuple[UnreadableTask, ...]

    #: When the server answered, by its own clock, in whole seconds; ``None`` if it does not tell.
    #: The time until ``lock_expiration_time`` is the rest of a lock, whatever the clock here says.
    answered_at: datetime | None

    def __new__(
        cls,
        tasks: Iterable[LockedExternalTask] = (),
        *,
        unreadable: Iterable[UnreadableTask] = (),
        answered_at: datetime | None = None,
    ) -> "FetchedTasks":
        """
        Create a result, for example in a test.
        """
        fetched = super().__new__(cls, tasks)
        fetched.unreadable = tuple(unreadable)
        fetched.answered_at = answered_at
        return fetched

    def __repr__(self) -> str:
        tasks = super().__repr__()
        return f"FetchedTasks({tasks}, unreadable={self.unreadable})" if self.unreadable else tasks


@attrs.frozen(kw_only=True, eq=False, repr=False)
class CountResult(Value):
    """
    The answer to a count (``CountResultDto``).
    """

    #: The number of results that match.
    count: int


@attrs.frozen(kw_only=True, eq=False, repr=False)
class Version(Value):
    """
    The version of an engine.
    """

    #: The version as the vendor numbers it; ``None`` if the engine's packaging does not state one.
    version: str | None = None


@attrs.frozen(kw_only=True, eq=False, repr=False)
class Ping(Record):
    """
    The result of `camunda_ext.ExternalTaskClient.ping()`.
    """

    #: The engine's version, as its vendor numbers it; ``None`` if the engine does not state one.
    version: str | None

    #: How long the engine took to answer, in milliseconds.
    milliseconds: float


# -------------------------------------------------------------------------------- parts of queries


@exported
@attrs.frozen(eq=False, repr=False)
class Sorting(Value):
    """
    One sorting criterion (``SortingDto``).
    """

    #: What to sort by, by the engine's name, such as ``createTime``.
    sort_by: str = attrs.field(validator=_valid(checks.not_blank))

    #: ``asc`` or ``desc``.
    sort_order: SortOrder = attrs.field(default="asc")

    @sort_order.validator
    def _known_order(self, field: "attrs.Attribute[Any]", value: object) -> None:
        checks.literal(field.name, value, SortOrder)

    #: Parameters of the criterion; the engine ignores them for external tasks.
    parameters: Mapping[str, Any] | None = attrs.field(
        default=None, kw_only=True, hash=False, validator=_valid(checks.mapping)
    )


@attrs.frozen(eq=False, repr=False)
class VariableQueryParameter(Value):
    """
    A condition on a process variable (``VariableQueryParameterDto``).
    """

    #: Name of the variable.
    name: str = attrs.field(validator=_valid(checks.text))

    #: How to compare the variable with the value.
    operator: Operator = attrs.field()

    #: The value to compare with, see `camunda_ext.ExternalTaskQuery.process_variable()`.
    value: str | float | bool | datetime | None = attrs.field(
        eq=lambda value: (type(value), value),
    )

    @operator.validator
    def _known_operator(self, field: "attrs.Attribute[Any]", value: object) -> None:
        checks.literal(field.name, value, Operator)

    @value.validator
    def _comparable(self, _: "attrs.Attribute[Any]", value: object) -> None:
        _scalar("value", value)
        if self.operator in ("like", "notLike"):
            if not isinstance(value, str):
                raise TypeError(f"value of {self.operator!r} must be a str, not {value!r:.80}")
            checks.pattern("value", value)
        if isinstance(value, str):
            checks.comparable("value", value)
        if self.operator not in ("eq", "neq") and (value is None or isinstance(value, bool)):
            raise TypeError(f"value {value!r} can be compared by 'eq' and 'neq' only")


# ----------------------------------------------------------------------------------- fetch and lock


@exported
@attrs.frozen(eq=False, repr=False)
class Topic(Value):
    """
    One topic of a fetch: which tasks, which variables, and how long to lock them
    (``FetchExternalTaskTopicDto``).

    A task must match all filters. An engine that is too old for a filter ignores it.
    """

    #: Name of the topic.
    topic_name: str = attrs.field(validator=_valid(checks.not_blank))

    #: How long the tasks are locked, in milliseconds, or a `timedelta`.
    lock_duration: int = attrs.field(
        kw_only=True, converter=_to_lock_duration, validator=_valid(checks.milliseconds)
    )

    #: Names of the variables to return with the tasks: ``None`` for all, an empty list for none.
    variables: tuple[str, ...] | None = attrs.field(
        kw_only=True, default=None, converter=_to_texts, validator=_valid(checks.texts)
    )

    #: Whether to return only variables of the task's own scope. Since 7.9.
    local_variables: bool | None = attrs.field(
        kw_only=True, default=None, validator=_valid(checks.flag)
    )

    #: Only tasks of process instances with this business key. Since 7.9.
    business_key: str | None = attrs.field(
        kw_only=True, default=None, validator=_valid(checks.text)
    )

    #: Only tasks of this process definition. Since 7.12.
    process_definition_id: str | None = attrs.field(
        kw_only=True, default=None, validator=_valid(checks.filled)
    )

    #: Only tasks of one of these process definitions. Since 7.12.
    process_definition_id_in: tuple[str, ...] | None = attrs.field(
        kw_only=True, default=None, converter=_to_texts, validator=_valid(checks.filters)
    )

    #: Only tasks of the process with this key. Since 7.12.
    process_definition_key: str | None = attrs.field(
        kw_only=True, default=None, validator=_valid(checks.filled)
    )

    #: Only tasks of the processes with one of these keys. Since 7.12.
    process_definition_key_in: tuple[str, ...] | None = attrs.field(
        kw_only=True, default=None, converter=_to_texts, validator=_valid(checks.filters)
    )

    #: Only tasks whose process has this version tag; ``%`` and ``_`` are wildcards. Since 7.12.
    process_definition_version_tag: str | None = attrs.field(
        kw_only=True, default=None, validator=[_valid(checks.filled), _valid(checks.pattern)]
    )

    #: Only tasks without a tenant; excludes `tenant_id_in`. Since 7.12.
    without_tenant_id: bool | None = attrs.field(
        kw_only=True, default=None, validator=_valid(checks.flag)
    )

    #: Only tasks of one of these tenants. Since 7.12.
    tenant_id_in: tuple[str, ...] | None = attrs.field(
        kw_only=True, default=None, converter=_to_texts, validator=_valid(checks.filters)
    )

    #: Only tasks whose process instance has *at least one* of these variables, values by name.
    #: Unlike a query, a fetch compares types too: an `int` of 32 bits finds Integers only, a larger
    #: one Longs only, a `float` Doubles only; so 7 never finds a Long 7, a Short 7 or a Double 7.
    #: ``None`` finds null of any type. Variables of the task's own scope are not compared.
    #: Since 7.9.
    process_variables: Mapping[str, str | float | bool | None] | None = attrs.field(
        kw_only=True, default=None, hash=False, converter=_to_plain_values
    )

    #: Whether the engine deserializes Object variables. If it lacks the class of one, the whole
    #: fetch fails; and Json and Xml variables lose their content.
    deserialize_values: bool | None = attrs.field(
        kw_only=True, default=None, validator=_valid(checks.flag)
    )

    #: Whether to return the extension properties of the service task. Since 7.14.
    include_extension_properties: bool | None = attrs.field(
        kw_only=True, default=None, validator=_valid(checks.flag)
    )

    @tenant_id_in.validator
    def _one_word_on_tenants(self, _: "attrs.Attribute[Any]", value: object) -> None:
        if value is not None and self.without_tenant_id:
            raise ValueError(
                "tenant_id_in and without_tenant_id exclude each other: the engine would look at "
                "tenant_id_in alone"
            )

    @process_variables.validator
    def _plain_values(self, field: "attrs.Attribute[Any]", value: object) -> None:
        if value is None:
            return
        if not isinstance(value, Mapping) or not value:
            raise ValueError(f"{field.name} must be a mapping with at least one name")
        for name, item in value.items():
            checks.text(f"a name in {field.name}", name)
            _scalar(f"{field.name}[{name!r}]", item)
            if isinstance(item, datetime):
                raise TypeError(
                    f"{field.name}[{name!r}] must not be a date: a fetch compares text with text, "
                    "and finds no Date variable"
                )


@attrs.frozen(kw_only=True, eq=False, repr=False)
class FetchExternalTasks(Value):
    """
    The body of a fetch (``FetchExternalTasksDto``).
    """

    #: The worker that gets the locks.
    worker_id: str = attrs.field(validator=_valid(checks.worker_id))

    #: How many tasks at most, over all topics.
    max_tasks: int = attrs.field(validator=_valid(checks.integer, low=1, high=checks.INT32))

    #: Whether tasks with a higher priority come first; otherwise the order is arbitrary.
    use_priority: bool | None = attrs.field(default=None, validator=_valid(checks.flag))

    #: How long the engine may wait for a task, in milliseconds, or a `timedelta`; at most half an
    #: hour. Since 7.9.
    async_response_timeout: int | None = attrs.field(
        default=None,
        converter=attrs.converters.optional(checks.to_milliseconds),
        # FetchAndLockHandlerImpl.java: MAX_REQUEST_TIMEOUT
        validator=_valid(checks.milliseconds, high=1_800_000),
    )

    #: The topics to fetch, each once.
    topics: tuple[Topic, ...] = attrs.field(converter=_to_topics)

    #: Order within a priority, by ``createTime`` only. Since 7.21; ignored by older engines.
    sorting: tuple[Sorting, ...] | None = attrs.field(default=None, converter=_to_sortings)

    #: Without effect, though the reference lists it: set it in a `Topic`.
    include_extension_properties: bool | None = attrs.field(
        default=None, validator=_valid(checks.flag)
    )

    @topics.validator
    def _each_topic_once(self, _: "attrs.Attribute[Any]", value: tuple[Topic, ...]) -> None:
        if not isinstance(value, tuple):
            raise TypeError(f"topics must be an iterable of Topic, not {value!r:.80}")
        if not value:
            raise ValueError("topics is empty: nothing would ever be fetched")
        names = set()
        for topic in value:
            if not isinstance(topic, Topic):
                raise TypeError(f"each of topics must be a Topic, not {topic!r:.80}")
            if topic.topic_name in names:
                raise ValueError(
                    f"topics has {topic.topic_name!r} twice: the engine would forget the first one"
                )
            names.add(topic.topic_name)

    @sorting.validator
    def _by_create_time(self, _: "attrs.Attribute[Any]", value: tuple[Sorting, ...] | None) -> None:
        for sorting in () if value is None else value:
            if not isinstance(sorting, Sorting):
                raise TypeError(f"each of sorting must be a Sorting, not {sorting!r:.80}")
            if sorting.sort_by != "createTime":
                raise ValueError(
                    f"a fetch can be sorted by 'createTime' only, not {sorting.sort_by!r}"
                )


# ------------------------------------------------------------------------------- commands on a task


@attrs.frozen(kw_only=True, eq=False, repr=False)
class CompleteExternalTask(Value):
    """
    The body of `~camunda_ext.ExternalTaskClient.complete()` (``CompleteExternalTaskDto``).
    """

    #: The worker that holds the lock.
    worker_id: str = attrs.field(validator=_valid(checks.worker_id))

    #: Variables to set in the scope that has them, or else at the process instance.
    variables: Variables | None = attrs.field(default=None, converter=_to_variables, hash=False)

    #: Variables to set in the task's own scope, where its output mappings see them.
    local_variables: Variables | None = attrs.field(
        default=None, converter=_to_variables, hash=False
    )


@attrs.frozen(kw_only=True, eq=False, repr=False)
class ExternalTaskFailure(Value):
    """
    The body of `~camunda_ext.ExternalTaskClient.failure()` (``ExternalTaskFailureDto``).
    """

    #: The worker that holds the lock.
    worker_id: str = attrs.field(validator=_valid(checks.worker_id))

    #: What went wrong, in short; becomes the incident's message. It is cut to 666 UTF-16 units as
    #: the engine would do, but never inside a character: some databases refuse half of one.
    error_message: str | None = attrs.field(
        default=None, converter=_to_message, validator=_valid(checks.text)
    )

    #: The full text, such as a traceback; ``None`` keeps the details of the previous failure.
    error_details: str | None = attrs.field(default=None, validator=_valid(checks.text))

    #: New number of retries left; 0 opens an incident.
    retries: int = attrs.field(validator=_valid(checks.integer, low=0, high=checks.INT32))

    #: How long the task cannot be fetched, in milliseconds, or a `timedelta`.
    retry_timeout: int | None = attrs.field(
        default=None,
        converter=attrs.converters.optional(checks.to_milliseconds),
        validator=_valid(checks.milliseconds, low=0),
    )

    #: Variables to set in the scope that has them, or else at the process instance. Since 7.15.
    variables: Variables | None = attrs.field(default=None, converter=_to_variables, hash=False)

    #: Variables to set in the task's own scope. Since 7.15.
    local_variables: Variables | None = attrs.field(
        default=None, converter=_to_variables, hash=False
    )


@attrs.frozen(kw_only=True, eq=False, repr=False)
class ExternalTaskBpmnError(Value):
    """
    The body of `~camunda_ext.ExternalTaskClient.bpmn_error()` (``ExternalTaskBpmnError``).
    """

    #: The worker that holds the lock.
    worker_id: str = attrs.field(validator=_valid(checks.worker_id))

    #: The code that a boundary event or an event subprocess may catch.
    error_code: str = attrs.field(validator=_valid(checks.not_blank))

    #: The message of the error, which the catching event can read. Since 7.10.
    error_message: str | None = attrs.field(default=None, validator=_valid(checks.not_blank))

    #: Variables to pass to the catching event. Since 7.10.
    variables: Variables | None = attrs.field(default=None, converter=_to_variables, hash=False)


@attrs.frozen(kw_only=True, eq=False, repr=False)
class LockExternalTask(Value):
    """
    The body of `~camunda_ext.ExternalTaskClient.lock()` (``LockExternalTaskDto``).
    """

    #: The worker that gets the lock.
    worker_id: str = attrs.field(validator=_valid(checks.worker_id))

    #: Duration of the lock, in milliseconds from now, or a `timedelta`.
    lock_duration: int = attrs.field(
        converter=_to_lock_duration, validator=_valid(checks.milliseconds)
    )


@attrs.frozen(kw_only=True, eq=False, repr=False)
class ExtendLockOnExternalTask(Value):
    """
    The body of `~camunda_ext.ExternalTaskClient.extend_lock()` (``ExtendLockOnExternalTaskDto``).
    """

    #: The worker that holds the lock.
    worker_id: str = attrs.field(validator=_valid(checks.worker_id))

    #: New duration, in milliseconds from now, or a `timedelta`; may shorten the lock.
    new_duration: int = attrs.field(
        converter=_to_lock_duration, validator=_valid(checks.milliseconds)
    )


@attrs.frozen(kw_only=True, eq=False, repr=False)
class Priority(Value):
    """
    The body of `~camunda_ext.ExternalTaskClient.set_priority()` (``PriorityDto``).
    """

    #: The new priority, any integer of 64 bits.
    priority: int = attrs.field(validator=_valid(checks.integer))


@attrs.frozen(kw_only=True, eq=False, repr=False)
class Retries(Value):
    """
    The body of `~camunda_ext.ExternalTaskClient.set_retries()` (``RetriesDto``).
    """

    #: New number of retries left; 0 opens an incident, more than 0 closes it.
    retries: int = attrs.field(validator=_valid(checks.integer, low=0, high=checks.INT32))


# ------------------------------------------------------------------------------ commands on many


@attrs.frozen(kw_only=True, eq=False, repr=False)
class SetRetriesForExternalTasks(Value):
    """
    The body of `~camunda_ext.ExternalTaskClient.set_retries_of()` and of
    `~camunda_ext.ExternalTaskClient.set_retries_async()` (``SetRetriesForExternalTasksDto``).

    It selects the tasks of all its fields together.
    """

    #: New number of retries left; 0 opens incidents, more than 0 closes them.
    retries: int = attrs.field(validator=_valid(checks.integer, low=0, high=checks.INT32))

    #: Ids of tasks.
    external_task_ids: tuple[str, ...] | None = attrs.field(
        default=None, converter=_to_texts, validator=_valid(checks.ids)
    )

    #: The tasks that match this `camunda_ext.ExternalTaskQuery`.
    external_task_query: Any = None

    #: All tasks of these process instances.
    process_instance_ids: tuple[str, ...] | None = attrs.field(
        default=None, converter=_to_texts, validator=_valid(checks.ids)
    )

    #: All tasks of the process instances that match this body of the engine's own query.
    process_instance_query: Mapping[str, Any] | None = attrs.field(
        default=None, hash=False, validator=_valid(checks.mapping)
    )

    #: All tasks of the process instances that match this body of the engine's query for historic
    #: process instances.
    historic_process_instance_query: Mapping[str, Any] | None = attrs.field(
        default=None, hash=False, validator=_valid(checks.mapping)
    )


@attrs.frozen(kw_only=True, eq=False, repr=False)
class SuspensionState(Value):
    """
    The body for suspending or activating a batch (``SuspensionStateDto``).
    """

    #: `True` to suspend the batch, `False` to activate it.
    suspended: bool = attrs.field(validator=_valid(checks.flag))


@exported
@attrs.frozen(kw_only=True, eq=False, repr=False)
class Batch(Record):
    """
    A batch: work that the engine does in the background (``BatchDto``).
    """

    #: Id of the batch.
    id: str

    #: The kind of work, such as ``set-external-task-retries``.
    type: str = ""

    #: How many jobs the batch has in total.
    total_jobs: int | None = None

    #: How many jobs have been created so far.
    jobs_created: int | None = None

    #: How many jobs are created at once.
    batch_jobs_per_seed: int | None = None

    #: How many tasks one job changes.
    invocations_per_batch_job: int | None = None

    #: Id of the definition of the job that creates the others.
    seed_job_definition_id: str | None = None

    #: Id of the definition of the job that checks whether the batch is finished.
    monitor_job_definition_id: str | None = None

    #: Id of the definition of the jobs that do the work.
    batch_job_definition_id: str | None = None

    #: Whether the batch is suspended.
    suspended: bool | None = None

    #: Id of the batch's tenant; ``None`` for none.
    tenant_id: str | None = None

    #: Id of the user who started the batch; ``None`` if the engine does not authenticate users.
    create_user_id: str | None = None

    #: When the batch was created. Since 7.18.
    start_time: datetime | None = None

    #: When the first job of the batch ran. Since 7.18.
    execution_start_time: datetime | None = None


@exported
@attrs.frozen(kw_only=True, eq=False, repr=False)
class BatchStatistics(Batch):
    """
    A batch with its progress (``BatchStatisticsDto``).
    """

    #: How many jobs are not completed, including failed ones.
    remaining_jobs: int = 0

    #: How many jobs are completed.
    completed_jobs: int = 0

    #: How many jobs have no retries left. While there is one, the batch does not finish by itself.
    failed_jobs: int = 0


# ------------------------------------------------------------------------------------------ history


@exported
@attrs.frozen(kw_only=True, eq=False, repr=False)
class HistoricExternalTaskLog(Record):
    """
    An entry of the historic external task log: one event of a task
    (``HistoricExternalTaskLogDto``).
    """

    _computed: ClassVar[tuple[str, ...]] = ("event",)

    #: Id of the entry.
    id: str

    #: When the event happened.
    timestamp: datetime | None = None

    #: When the engine's history cleanup may delete the entry.
    removal_time: datetime | None = None

    #: Id of the task.
    external_task_id: str = ""

    #: The task's topic.
    topic_name: str = ""

    #: The worker that held the lock; ``None`` for none.
    worker_id: str | None = None

    #: The task's priority.
    priority: int = 0

    #: Retries left; for a failure, the number before it.
    retries: int | None = None

    #: Message of the failure; ``None`` for none.
    error_message: str | None = None

    #: Id of the element in the process model, such as a service task.
    activity_id: str = ""

    #: Id of this execution of the element.
    activity_instance_id: str = ""

    #: Id of the execution that waited for the task.
    execution_id: str = ""

    #: Id of the process instance.
    process_instance_id: str = ""

    #: Id of the deployed version of the process.
    process_definition_id: str = ""

    #: The key of the process, which all its versions share.
    process_definition_key: str = ""

    #: Id of the tenant; ``None`` for none.
    tenant_id: str | None = None

    #: Id of the topmost process instance in a hierarchy of call activities.
    root_process_instance_id: str | None = None

    #: Whether the event is the creation of the task.
    creation_log: bool = False

    #: Whether the event is a failure that a worker reported.
    failure_log: bool = False

    #: Whether the event is the completion of the task.
    success_log: bool = False

    #: Whether the event is the cancellation of the task, such as by a BPMN error.
    deletion_log: bool = False

    @property
    def event(self) -> LogEvent | None:
        """
        The kind of the event; ``None`` if the engine does not state it.
        """
        if self.creation_log:
            return "creation"
        if self.failure_log:
            return "failure"
        if self.success_log:
            return "success"
        return "deletion" if self.deletion_log else None
