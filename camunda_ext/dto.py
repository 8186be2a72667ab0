"""
What goes over the wire: the reference's DTOs by their names, without the ``Dto``.

Times are aware datetimes, durations are milliseconds. What an engine is too old to know, or leaves
out, is ``None`` or empty in an answer; in a request, ``None`` is not sent.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, ClassVar, Final, Literal

import attrs

from camunda_ext._wire import checks
from camunda_ext._wire.value import Record, TakenAsIs, Value, exported
from camunda_ext._wire.warn import warn_caller
from camunda_ext.variables import Variables, VariablesLike

#: In which direction results are sorted.
SortOrder = Literal["asc", "desc"]

#: How the value of a variable is compared.
Operator = Literal["eq", "neq", "gt", "gteq", "lt", "lteq", "like", "notLike"]

#: What happened to a task, by the historic external task log.
LogEvent = Literal["creation", "failure", "success", "deletion"]


# ------------------------------------------------------------------------ how requests are checked
# A converter brings a value into the form in which it is kept, and leaves one that has none to the
# validator, which knows the name of the field.


#: What the engine keeps of a failure's message.
_MESSAGE_UNITS: Final = 666


def _valid(
    check: Callable[..., object], **bounds: int
) -> "Callable[[object, attrs.Attribute[Any], object], None]":
    def validate(_: object, field: "attrs.Attribute[Any]", value: object) -> None:
        if value is not None or field.default is attrs.NOTHING:
            check(field.name, value, **bounds)

    return validate


def _to_lock_duration(value: int | timedelta) -> int:
    """
    The duration of a lock in milliseconds; a number that was surely meant as seconds is warned of.
    """
    # Python looks the annotation up in the module of the class.
    if isinstance(value, int) and not isinstance(value, bool) and 0 < value < _SHORTEST_LOCK:
        warn_caller(
            f"{value} as the duration of a lock is {value} milliseconds: pass {value}_000, or "
            f"timedelta(seconds={value}), if seconds are meant; "
            f"timedelta(milliseconds={value}) does not warn"
        )
    return checks.to_milliseconds(value)


#: A lock that ends before most work has begun, in milliseconds.
_SHORTEST_LOCK: Final = 1000


def _to_texts(value: Iterable[str] | None) -> tuple[str, ...] | None:
    kept: tuple[str, ...] | None = _to_tuple(value)
    return kept


def _to_topics(value: "Iterable[Topic]") -> "tuple[Topic, ...]":
    kept: tuple[Topic, ...] = _to_tuple(value)
    return kept


def _to_sortings(value: "Iterable[Sorting] | None") -> "tuple[Sorting, ...] | None":
    kept: tuple[Sorting, ...] | None = _to_tuple(value)
    return kept


def _to_tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, Iterable) and not isinstance(value, str) else value


def _to_plain_values(
    value: Mapping[str, str | float | bool | None] | None,
) -> Mapping[str, str | float | bool | None] | None:
    if not isinstance(value, Mapping):
        return value
    return {name: checks.native(f"the value of {name!r}", one) for name, one in value.items()}


def _to_message(value: Any) -> Any:
    if not isinstance(value, str) or checks.utf16_units(value) <= _MESSAGE_UNITS:
        return value
    units = value.encode("utf-16-le", "surrogatepass")[: 2 * _MESSAGE_UNITS]
    kept = units.decode("utf-16-le", "surrogatepass")
    return kept if value.startswith(kept) else kept[:-1]


def _to_variables(value: VariablesLike | None) -> Variables | None:
    return None if value is None else Variables.of(value)


def _scalar(name: str, value: object) -> None:
    """
    Refuse what the engine cannot compare a variable with.
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
    An external task as a query gives it (``ExternalTaskDto``).
    """

    #: Names the task in every command.
    id: str = ""

    #: What kind of work it is.
    topic_name: str = ""

    #: The worker of the most recent lock, also of one that has expired; ``None`` if never locked,
    #: or unlocked.
    worker_id: str | None = None

    #: When the lock expires, or did; after a failure, the end of its retry timeout.
    lock_expiration_time: datetime | None = None

    #: When the task came to be; engines before 7.24 do not say it.
    create_time: datetime | None = None

    #: Retries left; ``None``, which counts as some left, until a worker reports a failure or
    #: somebody sets them.
    retries: int | None = None

    #: Message of the last failure, cut by the engine to 666 UTF-16 units: the last character may be
    #: half of one.
    error_message: str | None = None

    #: Priority; a higher number comes first where the fetch asks for it.
    priority: int = 0

    #: Whether the process instance is suspended.
    suspended: bool = False

    #: Id of the element in the process model, such as a service task.
    activity_id: str = ""

    #: Id of this run of the element.
    activity_instance_id: str = ""

    #: The execution that waits for the task.
    execution_id: str = ""

    #: The process instance that the task belongs to.
    process_instance_id: str = ""

    #: The deployed version of the process.
    process_definition_id: str = ""

    #: The process, whatever its version.
    process_definition_key: str = ""

    #: Version tag of the process; up to 7.13 only fetched tasks have it.
    process_definition_version_tag: str | None = None

    #: The tenant of the process instance.
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

    #: Full text of the last failure.
    error_details: str | None = None

    #: The variables that the topic asked for, by name.
    variables: Variables = attrs.field(factory=lambda: Variables({}), hash=False)

    #: Extension properties of the service task, if the topic asked for them; known since 7.14.
    extension_properties: Mapping[str, str | None] = attrs.field(factory=dict, hash=False)


@exported
@attrs.frozen(kw_only=True, eq=False, repr=False)
class UnreadableTask(Value):
    """
    A task that a worker has locked, but whose answer no `LockedExternalTask` can be made of.
    """

    #: Id of the task, which is enough to unlock it, or to report a failure.
    id: str

    #: What is wrong with the answer.
    reason: str


@exported
class FetchedTasks(TakenAsIs, tuple[LockedExternalTask, ...]):
    """
    The tasks that a fetch has locked: a tuple of those that could be read.
    """

    #: The others, which are locked for the worker as well. Unlock them, report a failure, or let
    #: their locks expire. One that comes again and again is for the engine's operator to look at.
    unreadable: tuple[UnreadableTask, ...]

    def __new__(
        cls,
        tasks: Iterable[LockedExternalTask] = (),
        *,
        unreadable: Iterable[UnreadableTask] = (),
    ) -> "FetchedTasks":
        """
        Make one, such as for a test.
        """
        made = super().__new__(cls, tasks)
        made.unreadable = tuple(unreadable)
        return made

    def __repr__(self) -> str:
        tasks = super().__repr__()
        return f"FetchedTasks({tasks}, unreadable={self.unreadable})" if self.unreadable else tasks


@attrs.frozen(kw_only=True, eq=False, repr=False)
class CountResult(Value):
    """
    How many results a query has (``CountResultDto``).
    """

    #: The number.
    count: int


@attrs.frozen(kw_only=True, eq=False, repr=False)
class Version(Value):
    """
    What the engine says of itself.
    """

    #: The vendor's own number; ``None`` in odd packagings.
    version: str | None = None


@attrs.frozen(kw_only=True, eq=False, repr=False)
class Ping(Value):
    """
    What `camunda_ext.ExternalTaskClient.ping()` has found out.
    """

    #: The engine's version, in the vendor's own count; ``None`` if it does not say it.
    version: str | None

    #: How long the engine took to answer, in milliseconds.
    milliseconds: float


# -------------------------------------------------------------------------------- parts of queries


@exported
@attrs.frozen(eq=False, repr=False)
class Sorting(Value):
    """
    One criterion of sorting (``SortingDto``).
    """

    #: What to sort by, in the engine's word.
    sort_by: str = attrs.field(validator=_valid(checks.not_blank))

    #: ``asc`` or ``desc``.
    sort_order: SortOrder = attrs.field(default="asc")

    @sort_order.validator
    def _known_order(self, field: "attrs.Attribute[Any]", value: object) -> None:
        checks.literal(field.name, value, SortOrder)

    #: Ignored by the engine for external tasks.
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

    #: How to compare.
    operator: Operator = attrs.field()

    #: What to compare with, see `camunda_ext.ExternalTaskQuery.process_variable()`.
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
    What to fetch of one topic, and for how long to lock it (``FetchExternalTaskTopicDto``).

    All filters that are given must hold. An engine that is too old for one ignores it.
    """

    #: Name of the topic.
    topic_name: str = attrs.field(validator=_valid(checks.not_blank))

    #: How long the tasks are locked, in milliseconds, or a `timedelta`.
    lock_duration: int = attrs.field(
        kw_only=True, converter=_to_lock_duration, validator=_valid(checks.milliseconds)
    )

    #: The variables to bring along: ``None`` for all, an empty list for none.
    variables: tuple[str, ...] | None = attrs.field(
        kw_only=True, default=None, converter=_to_texts, validator=_valid(checks.texts)
    )

    #: Whether to bring only variables of the task's own scope. Since 7.9.
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

    #: Only tasks without a tenant; not together with `tenant_id_in`, which would win. Since 7.12.
    without_tenant_id: bool | None = attrs.field(
        kw_only=True, default=None, validator=_valid(checks.flag)
    )

    #: Only tasks of one of these tenants. Since 7.12.
    tenant_id_in: tuple[str, ...] | None = attrs.field(
        kw_only=True, default=None, converter=_to_texts, validator=_valid(checks.filters)
    )

    #: Plain values by name: tasks whose process instance has *any one* of them are fetched, for the
    #: engine joins them by or. Unlike a query, a fetch looks at the type, too: an `int` of 32 bits
    #: finds Integers only, a larger one Longs only, a `float` Doubles only; so 7 never finds a Long
    #: 7, a Short 7 or a Double 7. ``None`` finds null of any type. Variables of the task's own
    #: scope are not looked at. Since 7.9.
    process_variables: Mapping[str, str | float | bool | None] | None = attrs.field(
        kw_only=True, default=None, hash=False, converter=_to_plain_values
    )

    #: Whether the engine builds the Java objects of Object variables; one class that it lacks
    #: fails the whole fetch, and Json and Xml lose their content.
    deserialize_values: bool | None = attrs.field(
        kw_only=True, default=None, validator=_valid(checks.flag)
    )

    #: Whether to bring the extension properties of the service task. Since 7.14.
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
        for name, one in value.items():
            checks.text(f"a name in {field.name}", name)
            _scalar(f"{field.name}[{name!r}]", one)
            if isinstance(one, datetime):
                raise TypeError(
                    f"{field.name}[{name!r}] must not be a date: a fetch compares text with text, "
                    "and finds no Date variable"
                )


@attrs.frozen(kw_only=True, eq=False, repr=False)
class FetchExternalTasks(Value):
    """
    What a worker asks for (``FetchExternalTasksDto``).
    """

    #: The worker that is to hold the locks.
    worker_id: str = attrs.field(validator=_valid(checks.worker_id))

    #: How many tasks at most, over all topics.
    max_tasks: int = attrs.field(validator=_valid(checks.integer, low=1, high=checks.INT32))

    #: Whether tasks of a higher priority come first; any order otherwise.
    use_priority: bool | None = attrs.field(default=None, validator=_valid(checks.flag))

    #: How long the engine may wait for a task, in milliseconds, or a `timedelta`; at most half an
    #: hour. Since 7.9.
    async_response_timeout: int | None = attrs.field(
        default=None,
        converter=attrs.converters.optional(checks.to_milliseconds),
        # FetchAndLockHandlerImpl.java: MAX_REQUEST_TIMEOUT
        validator=_valid(checks.milliseconds, high=1_800_000),
    )

    #: What to fetch; each topic once.
    topics: tuple[Topic, ...] = attrs.field(converter=_to_topics)

    #: Order of the tasks, by ``createTime`` only, after the priority. Since 7.21, ignored before.
    sorting: tuple[Sorting, ...] | None = attrs.field(default=None, converter=_to_sortings)

    #: Known to the reference here as well, and without effect: it belongs to a `Topic`.
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
        for one in () if value is None else value:
            if not isinstance(one, Sorting):
                raise TypeError(f"each of sorting must be a Sorting, not {one!r:.80}")
            if one.sort_by != "createTime":
                raise ValueError(f"a fetch can be sorted by 'createTime' only, not {one.sort_by!r}")


# ------------------------------------------------------------------------------- commands on a task


@attrs.frozen(kw_only=True, eq=False, repr=False)
class CompleteExternalTask(Value):
    """
    That a task is done (``CompleteExternalTaskDto``).
    """

    #: The worker that holds the lock.
    worker_id: str = attrs.field(validator=_valid(checks.worker_id))

    #: Variables to set where they are, or else at the process instance.
    variables: Variables | None = attrs.field(default=None, converter=_to_variables, hash=False)

    #: Variables to set in the task's own scope, for its output mappings to see.
    local_variables: Variables | None = attrs.field(
        default=None, converter=_to_variables, hash=False
    )


@attrs.frozen(kw_only=True, eq=False, repr=False)
class ExternalTaskFailure(Value):
    """
    That a task could not be done (``ExternalTaskFailureDto``).
    """

    #: The worker that holds the lock.
    worker_id: str = attrs.field(validator=_valid(checks.worker_id))

    #: What went wrong, in short; becomes the incident's message. Cut as the engine cuts it, after
    #: 666 UTF-16 units, but between characters: some databases refuse half of one.
    error_message: str | None = attrs.field(
        default=None, converter=_to_message, validator=_valid(checks.text)
    )

    #: All that is known of it; ``None`` keeps the details of the failure before.
    error_details: str | None = attrs.field(default=None, validator=_valid(checks.text))

    #: Retries left from now on; 0 opens an incident. Leaving it out would mean 0.
    retries: int = attrs.field(validator=_valid(checks.integer, low=0, high=checks.INT32))

    #: How long nobody may fetch the task, in milliseconds, or a `timedelta`.
    retry_timeout: int | None = attrs.field(
        default=None,
        converter=attrs.converters.optional(checks.to_milliseconds),
        validator=_valid(checks.milliseconds, low=0),
    )

    #: Variables to set where they are, or else at the process instance. Since 7.15.
    variables: Variables | None = attrs.field(default=None, converter=_to_variables, hash=False)

    #: Variables to set in the task's own scope. Since 7.15.
    local_variables: Variables | None = attrs.field(
        default=None, converter=_to_variables, hash=False
    )


@attrs.frozen(kw_only=True, eq=False, repr=False)
class ExternalTaskBpmnError(Value):
    """
    That a task ended in a BPMN error (``ExternalTaskBpmnError``).
    """

    #: The worker that holds the lock.
    worker_id: str = attrs.field(validator=_valid(checks.worker_id))

    #: The code that a boundary event or an event subprocess may catch.
    error_code: str = attrs.field(validator=_valid(checks.not_blank))

    #: What went wrong, for whoever catches it. Since 7.10.
    error_message: str | None = attrs.field(default=None, validator=_valid(checks.not_blank))

    #: Variables to pass to whoever catches it. Since 7.10.
    variables: Variables | None = attrs.field(default=None, converter=_to_variables, hash=False)


@attrs.frozen(kw_only=True, eq=False, repr=False)
class LockExternalTask(Value):
    """
    That a worker wants the lock of a task (``LockExternalTaskDto``).
    """

    #: The worker that is to hold the lock.
    worker_id: str = attrs.field(validator=_valid(checks.worker_id))

    #: How long, in milliseconds from now, or a `timedelta`.
    lock_duration: int = attrs.field(
        converter=_to_lock_duration, validator=_valid(checks.milliseconds)
    )


@attrs.frozen(kw_only=True, eq=False, repr=False)
class ExtendLockOnExternalTask(Value):
    """
    That a worker needs a task for longer (``ExtendLockOnExternalTaskDto``).
    """

    #: The worker that holds the lock.
    worker_id: str = attrs.field(validator=_valid(checks.worker_id))

    #: How long, in milliseconds from now, or a `timedelta`; may shorten the lock.
    new_duration: int = attrs.field(
        converter=_to_lock_duration, validator=_valid(checks.milliseconds)
    )


@attrs.frozen(kw_only=True, eq=False, repr=False)
class Priority(Value):
    """
    The priority that a task is to have (``PriorityDto``).
    """

    #: Any integer of 64 bits.
    priority: int = attrs.field(validator=_valid(checks.integer))


@attrs.frozen(kw_only=True, eq=False, repr=False)
class Retries(Value):
    """
    The retries that a task is to have (``RetriesDto``).
    """

    #: Retries left from now on; 0 opens an incident, more than 0 closes it.
    retries: int = attrs.field(validator=_valid(checks.integer, low=0, high=checks.INT32))


# ------------------------------------------------------------------------------ commands on many


@attrs.frozen(kw_only=True, eq=False, repr=False)
class SetRetriesForExternalTasks(Value):
    """
    The retries that many tasks are to have (``SetRetriesForExternalTasksDto``).

    The engine takes all tasks that any one of the selections names.
    """

    #: Retries left from now on; 0 opens incidents, more than 0 closes them.
    retries: int = attrs.field(validator=_valid(checks.integer, low=0, high=checks.INT32))

    #: Tasks by id.
    external_task_ids: tuple[str, ...] | None = attrs.field(
        default=None, converter=_to_texts, validator=_valid(checks.ids)
    )

    #: Tasks by an `camunda_ext.ExternalTaskQuery`.
    external_task_query: Any = None

    #: All tasks of these process instances.
    process_instance_ids: tuple[str, ...] | None = attrs.field(
        default=None, converter=_to_texts, validator=_valid(checks.ids)
    )

    #: All tasks of the process instances that match this body of the engine's own query.
    process_instance_query: Mapping[str, Any] | None = attrs.field(
        default=None, hash=False, validator=_valid(checks.mapping)
    )

    #: The same, by a query of historic process instances.
    historic_process_instance_query: Mapping[str, Any] | None = attrs.field(
        default=None, hash=False, validator=_valid(checks.mapping)
    )


@attrs.frozen(kw_only=True, eq=False, repr=False)
class SuspensionState(Value):
    """
    Whether a batch is to rest (``SuspensionStateDto``).
    """

    #: `True` to let it rest, `False` to let it go on.
    suspended: bool = attrs.field(validator=_valid(checks.flag))


@exported
@attrs.frozen(kw_only=True, eq=False, repr=False)
class Batch(Record):
    """
    Work that the engine does in the background (``BatchDto``).
    """

    #: Names the batch.
    id: str = ""

    #: What it does, such as ``set-external-task-retries``.
    type: str = ""

    #: How many jobs it will have.
    total_jobs: int | None = None

    #: How many jobs have been made so far.
    jobs_created: int | None = None

    #: How many jobs are made at once.
    batch_jobs_per_seed: int | None = None

    #: How many tasks one job changes.
    invocations_per_batch_job: int | None = None

    #: Definition of the job that makes the others.
    seed_job_definition_id: str | None = None

    #: Definition of the job that looks whether all is done.
    monitor_job_definition_id: str | None = None

    #: Definition of the jobs that do the work.
    batch_job_definition_id: str | None = None

    #: Whether it rests.
    suspended: bool | None = None

    #: The tenant it belongs to.
    tenant_id: str | None = None

    #: The user who started it, where the engine knows users.
    create_user_id: str | None = None

    #: When it was made; since 7.18.
    start_time: datetime | None = None

    #: When its first job ran; since 7.18.
    execution_start_time: datetime | None = None


@exported
@attrs.frozen(kw_only=True, eq=False, repr=False)
class BatchStatistics(Batch):
    """
    How far a batch is (``BatchStatisticsDto``).
    """

    #: Jobs still to be done, those that failed among them.
    remaining_jobs: int = 0

    #: Jobs done.
    completed_jobs: int = 0

    #: Jobs given up after all their tries; while there is one, the batch never ends by itself.
    failed_jobs: int = 0


# ------------------------------------------------------------------------------------------ history


@exported
@attrs.frozen(kw_only=True, eq=False, repr=False)
class HistoricExternalTaskLog(Record):
    """
    One event in the life of an external task (``HistoricExternalTaskLogDto``).
    """

    _computed: ClassVar[tuple[str, ...]] = ("event",)

    #: Names the entry.
    id: str = ""

    #: When it happened.
    timestamp: datetime | None = None

    #: When the engine's clean-up may delete the entry.
    removal_time: datetime | None = None

    #: The task.
    external_task_id: str = ""

    #: The task's topic.
    topic_name: str = ""

    #: The worker that had the lock.
    worker_id: str | None = None

    #: The task's priority.
    priority: int = 0

    #: Retries left: of a failure, those before it.
    retries: int | None = None

    #: Message of the failure.
    error_message: str | None = None

    #: Id of the element in the process model, such as a service task.
    activity_id: str = ""

    #: Id of this run of the element.
    activity_instance_id: str = ""

    #: The execution that waited for the task.
    execution_id: str = ""

    #: The process instance.
    process_instance_id: str = ""

    #: The deployed version of the process.
    process_definition_id: str = ""

    #: The process, whatever its version.
    process_definition_key: str = ""

    #: The tenant.
    tenant_id: str | None = None

    #: The process instance at the top, where one calls another.
    root_process_instance_id: str | None = None

    #: Whether the task came to be.
    creation_log: bool = False

    #: Whether a worker reported a failure.
    failure_log: bool = False

    #: Whether the task was completed.
    success_log: bool = False

    #: Whether the task was cancelled, by a BPMN error too.
    deletion_log: bool = False

    @property
    def event(self) -> LogEvent | None:
        """
        The kind of the event; ``None`` if the engine tells none.
        """
        if self.creation_log:
            return "creation"
        if self.failure_log:
            return "failure"
        if self.success_log:
            return "success"
        return "deletion" if self.deletion_log else None
