"""
What requests look like on the wire, and what answers may lack.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import attrs
import pytest

from camunda_ext import (
    Batch,
    BatchStatistics,
    ExternalTask,
    ExternalTaskQuery,
    File,
    HistoricExternalTaskLog,
    LockedExternalTask,
    Sorting,
    Topic,
    VariableValue,
    dto,
    errors,
    typed,
)
from camunda_ext._wire.decode import decode
from camunda_ext._wire.encode import encode
from camunda_ext._wire.names import wire_name
from camunda_ext.dto import (
    CompleteExternalTask,
    CountResult,
    ExtendLockOnExternalTask,
    ExternalTaskBpmnError,
    ExternalTaskFailure,
    FetchExternalTasks,
    LockExternalTask,
    Priority,
    Retries,
    SetRetriesForExternalTasks,
    VariableQueryParameter,
    Version,
)

SAMPLES = Path(__file__).parent / "samples"
UTC = timezone.utc
AT = datetime(2026, 11, 22, 8, 15, 30, 250000, UTC)


def sample(path: str) -> Any:
    """
    Read a recorded body.
    """
    return json.loads((SAMPLES / path).read_bytes())


REQUESTS: list[tuple[str, object]] = [
    (
        "fetch_and_lock/fetch_minimal.json",
        FetchExternalTasks(
            worker_id="w1", max_tasks=10, topics=[Topic("invoice.send", lock_duration=60_000)]
        ),
    ),
    (
        "fetch_and_lock/fetch_full.json",
        FetchExternalTasks(
            worker_id="w1",
            max_tasks=25,
            use_priority=True,
            async_response_timeout=timedelta(seconds=20),
            sorting=[Sorting("createTime", "asc")],
            topics=(
                topic
                for topic in [
                    Topic(
                        "invoice.send",
                        lock_duration=timedelta(minutes=1),
                        variables=["invoiceId", "total"],
                        local_variables=False,
                        business_key="INV-2026-17",
                        process_definition_id="invoice:3:4711",
                        process_definition_id_in=["invoice:2:4000", "invoice:3:4711"],
                        process_definition_key="invoice",
                        process_definition_key_in=["invoice", "reminder"],
                        process_definition_version_tag="v3",
                        tenant_id_in=["north", "south"],
                        process_variables={"region": "EU", "express": True},
                        deserialize_values=False,
                        include_extension_properties=True,
                    ),
                    Topic(
                        "invoice.archive",
                        lock_duration=120_000,
                        variables=[],
                        without_tenant_id=True,
                    ),
                ]
            ),
        ),
    ),
    (
        "complete/request.json",
        CompleteExternalTask(
            worker_id="w1", variables={"sentAt": AT, "ok": True}, local_variables={"attempt": 1}
        ),
    ),
    (
        "failure/request.json",
        ExternalTaskFailure(
            worker_id="w1",
            error_message="SMTP 451",
            error_details="Traceback (most recent call last):\n  ...",
            retries=2,
            retry_timeout=timedelta(seconds=30),
            variables={"lastError": "451"},
            local_variables={},
        ),
    ),
    (
        "bpmn_error/request.json",
        ExternalTaskBpmnError(
            worker_id="w1",
            error_code="ADDRESS_UNKNOWN",
            error_message="no such customer",
            variables={"checked": True},
        ),
    ),
    ("lock/request.json", LockExternalTask(worker_id="w1", lock_duration=60_000)),
    (
        "extend_lock/request.json",
        ExtendLockOnExternalTask(worker_id="w1", new_duration=timedelta(seconds=90)),
    ),
    ("set_priority/request.json", Priority(priority=5)),
    ("set_retries/request.json", Retries(retries=3)),
    (
        "set_retries_of/request.json",
        SetRetriesForExternalTasks(
            retries=3,
            external_task_ids=["0f1b", "0f2b"],
            process_instance_ids={"0f00"},
            external_task_query=ExternalTaskQuery().topic("invoice.send").no_retries_left(),
            process_instance_query={"processDefinitionKey": "invoice"},
            historic_process_instance_query={"processDefinitionKey": "invoice"},
        ),
    ),
    ("list/request.json", ExternalTaskQuery.from_body(sample("list/request.json"))),
]


@pytest.mark.parametrize(("path", "request_body"), REQUESTS, ids=[row[0] for row in REQUESTS])
def test_a_request_is_on_the_wire_as_recorded(path: str, request_body: object) -> None:
    """
    Names in camel case, durations in milliseconds, and nothing that was not given.
    """
    assert encode(request_body) == sample(path)


def test_a_task_is_read_with_every_field() -> None:
    """
    An answer of 7.24, field by field.
    """
    content = (SAMPLES / "list" / "camunda_7_24.json").read_bytes()
    _, task = decode(content, tuple[ExternalTask, ...])

    assert task == ExternalTask(
        id="0f2b",
        topic_name="invoice.send",
        worker_id="w1",
        lock_expiration_time=datetime(2026, 11, 22, 8, 20, 30, 250000, UTC),
        create_time=AT,
        retries=2,
        error_message="SMTP 451",
        priority=-7,
        suspended=True,
        activity_id="SendInvoice",
        activity_instance_id="SendInvoice:0f1a",
        execution_id="0f29",
        process_instance_id="0f00",
        process_definition_id="invoice:3:4711",
        process_definition_key="invoice",
        process_definition_version_tag="v3",
        tenant_id="north",
        business_key="INV-2026-17",
    )


def test_batch_and_log_are_read_with_every_field() -> None:
    """
    Two more answers of 7.24, field by field.
    """
    [statistics] = decode(
        (SAMPLES / "batch_statistics" / "camunda_7_24.json").read_bytes(),
        tuple[BatchStatistics, ...],
    )
    [entry] = decode(
        (SAMPLES / "log_list" / "camunda_7_24.json").read_bytes(),
        tuple[HistoricExternalTaskLog, ...],
    )

    assert statistics == BatchStatistics(
        id="b001",
        type="set-external-task-retries",
        total_jobs=12,
        jobs_created=12,
        batch_jobs_per_seed=100,
        invocations_per_batch_job=1,
        seed_job_definition_id="s1",
        monitor_job_definition_id="m1",
        batch_job_definition_id="j1",
        suspended=False,
        start_time=AT,
        remaining_jobs=5,
        completed_jobs=7,
        failed_jobs=0,
    )
    assert entry == HistoricExternalTaskLog(
        id="h1",
        timestamp=AT,
        external_task_id="0f1b",
        topic_name="invoice.send",
        worker_id="w1",
        priority=0,
        retries=2,
        error_message="SMTP 451",
        activity_id="SendInvoice",
        activity_instance_id="SendInvoice:0f1a",
        execution_id="0f19",
        process_instance_id="0f00",
        process_definition_id="invoice:3:4711",
        process_definition_key="invoice",
        root_process_instance_id="0f00",
        failure_log=True,
    )


ANSWERS: list[tuple[str, type[Any]]] = [
    ("list/camunda_7_24.json", ExternalTask),
    ("fetch_and_lock/every_type.json", LockedExternalTask),
    ("batch_statistics/camunda_7_24.json", BatchStatistics),
    ("log_list/camunda_7_24.json", HistoricExternalTaskLog),
]


@pytest.mark.parametrize(("path", "kind"), ANSWERS)
def test_an_answer_may_lack_any_field_but_its_id(path: str, kind: type[Any]) -> None:
    """
    Each field may be absent or null, for older engines lack some; the others are read all the same.
    """
    whole = sample(path)[0]
    expected = decode(json.dumps(whole).encode(), kind)
    fields = {field.name: field for field in attrs.fields(kind)}
    for name in whole.keys() - {"id"}:
        ours = next(one for one in fields if wire_name(one) == name)
        for lacking in ({**whole, name: None}, {k: v for k, v in whole.items() if k != name}):
            read = decode(json.dumps(lacking).encode(), kind)

            assert attrs.evolve(read, **{ours: getattr(expected, ours)}) == expected


@pytest.mark.parametrize(("path", "kind"), ANSWERS)
def test_an_answer_without_an_id_is_refused(path: str, kind: type[Any]) -> None:
    """
    With an empty one it could be taken for something that it is not.
    """
    whole = sample(path)[0]
    del whole["id"]
    for lacking in (whole, {**whole, "id": None}):
        with pytest.raises(ValueError, match="wrong shape: missing @ answer\\.id"):
            decode(json.dumps(lacking).encode(), kind)


@pytest.mark.parametrize(("path", "kind"), ANSWERS)
def test_an_answer_may_have_unknown_fields(path: str, kind: type[Any]) -> None:
    """
    A younger engine may say more.
    """
    whole = sample(path)[0]

    assert decode(json.dumps({**whole, "new": {"a": [1]}}).encode(), kind) == decode(
        json.dumps(whole).encode(), kind
    )


def test_an_answer_of_an_old_engine_is_read() -> None:
    """
    What 7.5 does not know is ``None``; a date without a zone needs to be configured.
    """
    content = (SAMPLES / "list" / "camunda_7_5.json").read_bytes()
    with pytest.warns(UserWarning, match="date_zone"):
        [task] = decode(content, tuple[ExternalTask, ...])

    assert (task.create_time, task.business_key, task.process_definition_version_tag) == (
        None,
        None,
        None,
    )
    assert task.lock_expiration_time == datetime(2015, 10, 6, 16, 34, 42, tzinfo=UTC)


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"{}", tuple[ExternalTask, ...]),
        (b"null", tuple[ExternalTask, ...]),
        (b'"text"', tuple[ExternalTask, ...]),
        (b"[1]", tuple[ExternalTask, ...]),
        (b"[{}]", tuple[ExternalTask, ...]),
        (b'[{"foo": 1}]', tuple[ExternalTask, ...]),
        (b"[null]", tuple[ExternalTask, ...]),
        (b"[]", ExternalTask),
        (b"{}", ExternalTask),
        (b'{"id": 5}', ExternalTask),
        (b'{"id": "t", "priority": "7"}', ExternalTask),
        (b'{"id": "t", "priority": 7.0}', ExternalTask),
        (b'{"id": "t", "priority": true}', ExternalTask),
        (b'{"id": "t", "suspended": 0}', ExternalTask),
        (b'{"id": "t", "createTime": "yesterday"}', ExternalTask),
        (b'{"id": "t", "createTime": 5}', ExternalTask),
        (b'{"id": "t", "variables": []}', LockedExternalTask),
        (b"{}", CountResult),
        (b'{"count": null}', CountResult),
        (b'{"count": "5"}', CountResult),
        (b"5", CountResult),
        (b"[1, 2]", tuple[str, ...]),
        (b'{"a": "b"}', tuple[str, ...]),
        (b"[]", Version),
    ],
)
def test_json_of_another_shape_is_no_answer(content: bytes, kind: type[Any]) -> None:
    """
    Another application's JSON never passes for an engine's.
    """
    with pytest.raises(ValueError, match="JSON of the wrong shape"):
        decode(content, kind)


def test_an_odd_variable_does_not_break_its_page() -> None:
    """
    A fetched task is locked already: what is odd in it is for whoever looks at it.
    """
    odd = {
        "id": "t",
        "variables": {"none": None, "bare": 5, "info": {"type": "File", "valueInfo": "x"}},
        "extensionProperties": {"k": None, "n": 5},
    }
    task = decode(json.dumps(odd).encode(), LockedExternalTask)

    assert task.variables.typed("none") == VariableValue()
    assert task.variables.typed("bare") == VariableValue(value=5)
    assert task.variables["info"] == File()
    assert dict[str, object](task.extension_properties) == {"k": None, "n": 5}


@pytest.mark.parametrize(
    ("make", "error"),
    [
        (lambda: Topic("", lock_duration=1000), ValueError),
        (lambda: Topic("t", lock_duration=0), ValueError),
        (lambda: Topic("t", lock_duration=timedelta(0)), ValueError),
        (lambda: Topic("t", lock_duration=-1), ValueError),
        (lambda: Topic("t", lock_duration=1000.5), TypeError),  # type: ignore[arg-type]
        (lambda: Topic("t", lock_duration=True), TypeError),
        (lambda: Topic("t", lock_duration=2**63 - 1), ValueError),
        (lambda: Topic("t", lock_duration=1000, tenant_id_in=[]), ValueError),
        (lambda: Topic("t", lock_duration=1000, tenant_id_in="a"), TypeError),
        (lambda: Topic("t", lock_duration=1000, variables="a"), TypeError),
        (lambda: Topic("t", lock_duration=1000, variables=[1]), TypeError),  # type: ignore[list-item]
        (
            lambda: Topic("t", lock_duration=1000, tenant_id_in=["a"], without_tenant_id=True),
            ValueError,
        ),
        (lambda: Topic("t", lock_duration=1000, process_variables={}), ValueError),
        (lambda: Topic("t", lock_duration=1000, process_variables={"a": [1]}), TypeError),  # type: ignore[dict-item]
        (lambda: Topic("t", lock_duration=1000, process_variables={"a": AT}), TypeError),  # type: ignore[dict-item]
        (lambda: Topic("t", lock_duration=1000, local_variables="yes"), TypeError),  # type: ignore[arg-type]
        (lambda: fetch(worker_id=""), ValueError),
        (lambda: fetch(worker_id="w" * 256), ValueError),
        (lambda: fetch(max_tasks=0), ValueError),
        (lambda: fetch(max_tasks=2**31), ValueError),
        (lambda: fetch(async_response_timeout=1_800_001), ValueError),
        (lambda: fetch(async_response_timeout=0), ValueError),
        (lambda: fetch(topics=[]), ValueError),
        (lambda: fetch(topics=["t"]), TypeError),
        (
            lambda: fetch(topics=[Topic("t", lock_duration=1000), Topic("t", lock_duration=2000)]),
            ValueError,
        ),
        (lambda: fetch(sorting=[Sorting("id")]), ValueError),
        (lambda: Sorting("createTime", "DESC"), ValueError),  # type: ignore[arg-type]
        (lambda: ExternalTaskFailure(worker_id="w", retries=-1), ValueError),
        (lambda: ExternalTaskFailure(worker_id="w", retries=None), TypeError),  # type: ignore[arg-type]
        (lambda: ExternalTaskFailure(worker_id="w", retries=1, retry_timeout=-1), ValueError),
        (lambda: ExternalTaskFailure(worker_id="w", retries=1, error_message=5), TypeError),
        (lambda: ExternalTaskBpmnError(worker_id="w", error_code=" "), ValueError),
        (
            lambda: ExternalTaskBpmnError(worker_id="w", error_code="E", error_message=""),
            ValueError,
        ),
        (lambda: Priority(priority=2**63), ValueError),
        (lambda: Priority(priority=None), TypeError),  # type: ignore[arg-type]
        (lambda: Retries(retries=2**31), ValueError),
        (lambda: CompleteExternalTask(worker_id="w", variables=[1]), TypeError),  # type: ignore[arg-type]
        (lambda: LockExternalTask(worker_id=None, lock_duration=1000), TypeError),  # type: ignore[arg-type]
        (lambda: SetRetriesForExternalTasks(retries=1, external_task_ids=[]), ValueError),
        (lambda: SetRetriesForExternalTasks(retries=1, external_task_ids="abc"), TypeError),
        (lambda: SetRetriesForExternalTasks(retries=1, external_task_ids=["a", ""]), ValueError),
        (
            lambda: SetRetriesForExternalTasks(retries=1, process_instance_query="x"),  # type: ignore[arg-type]
            TypeError,
        ),
        (lambda: fetch(topics=Topic("t", lock_duration=1000)), TypeError),
        (lambda: fetch(sorting=["createTime"]), TypeError),
        (lambda: fetch(sorting="createTime"), TypeError),
        (lambda: Sorting("createTime", parameters=5), TypeError),  # type: ignore[arg-type]
    ],
)
def test_what_the_engine_would_get_wrong_is_refused(
    make: Callable[[], object], error: type[Exception]
) -> None:
    """
    An empty list, a lock of no length, a topic given twice: each is an error at the call.
    """
    with pytest.raises(error):
        make()


def fetch(**changed: Any) -> FetchExternalTasks:
    """
    Make a right request but for what is *changed*.
    """
    given: dict[str, Any] = {
        "worker_id": "w",
        "max_tasks": 1,
        "topics": [Topic("t", lock_duration=1000)],
    }
    return FetchExternalTasks(**{**given, **changed})


@pytest.mark.parametrize(
    ("duration", "milliseconds"),
    [
        (timedelta(milliseconds=1), 1),
        (timedelta(microseconds=1), 1),
        (timedelta(days=365), 31_536_000_000),
        (7000, 7000),
    ],
)
def test_a_duration_is_whole_milliseconds(duration: int | timedelta, milliseconds: int) -> None:
    """
    A part of a millisecond counts as one, so that no lock is shorter than asked for.
    """
    assert LockExternalTask(worker_id="w", lock_duration=duration).lock_duration == milliseconds


# -------------------------------------------------------------------- the reference, field by field

#: Fields of the published OpenAPI documents, of 7.13, 7.14 and 7.24 together.
REFERENCE: dict[type[Any], str] = {
    ExternalTask: """activityId activityInstanceId errorMessage executionId id lockExpirationTime
        createTime processDefinitionId processDefinitionKey processDefinitionVersionTag
        processInstanceId retries suspended workerId topicName tenantId priority businessKey""",
    LockedExternalTask: """activityId activityInstanceId errorMessage errorDetails executionId id
        lockExpirationTime createTime processDefinitionId processDefinitionKey
        processDefinitionVersionTag processInstanceId tenantId retries suspended workerId priority
        topicName businessKey variables extensionProperties""",
    ExternalTaskQuery: """externalTaskId externalTaskIdIn topicName workerId locked notLocked
        withRetriesLeft noRetriesLeft lockExpirationAfter lockExpirationBefore activityId
        activityIdIn executionId processInstanceId processInstanceIdIn processDefinitionId
        processDefinitionKey processDefinitionKeyIn processDefinitionName processDefinitionNameLike
        tenantIdIn active suspended priorityHigherThanOrEquals priorityLowerThanOrEquals
        variableNamesIgnoreCase variableValuesIgnoreCase processVariables sorting""",
    Sorting: "sortBy sortOrder parameters",
    FetchExternalTasks: """workerId maxTasks usePriority asyncResponseTimeout topics sorting
        includeExtensionProperties""",
    Topic: """topicName lockDuration variables localVariables businessKey processDefinitionId
        processDefinitionIdIn processDefinitionKey processDefinitionKeyIn
        processDefinitionVersionTag withoutTenantId tenantIdIn processVariables deserializeValues
        includeExtensionProperties""",
    CompleteExternalTask: "workerId variables localVariables",
    ExternalTaskFailure: """workerId errorMessage errorDetails retries retryTimeout variables
        localVariables""",
    ExternalTaskBpmnError: "workerId errorCode errorMessage variables",
    LockExternalTask: "workerId lockDuration",
    ExtendLockOnExternalTask: "workerId newDuration",
    Priority: "priority",
    Retries: "retries",
    SetRetriesForExternalTasks: """retries externalTaskIds externalTaskQuery processInstanceIds
        processInstanceQuery historicProcessInstanceQuery""",
    Batch: """id type totalJobs jobsCreated batchJobsPerSeed invocationsPerBatchJob
        seedJobDefinitionId monitorJobDefinitionId batchJobDefinitionId suspended tenantId
        createUserId startTime executionStartTime""",
    BatchStatistics: """id type totalJobs jobsCreated batchJobsPerSeed invocationsPerBatchJob
        seedJobDefinitionId monitorJobDefinitionId batchJobDefinitionId suspended tenantId
        createUserId startTime executionStartTime remainingJobs completedJobs failedJobs""",
    CountResult: "count",
    VariableValue: "value type valueInfo",
    VariableQueryParameter: "name operator value",
    HistoricExternalTaskLog: """id timestamp removalTime externalTaskId topicName workerId priority
        retries errorMessage activityId activityInstanceId executionId processInstanceId
        processDefinitionId processDefinitionKey tenantId rootProcessInstanceId creationLog
        failureLog successLog deletionLog""",
    errors.MissingAuthorization: "permissionName resourceName resourceId",
    errors.Problem: "message line column mainElementId elementIds",
}


@pytest.mark.parametrize("kind", REFERENCE, ids=lambda kind: kind.__name__)
def test_every_field_of_the_reference_has_its_attribute(kind: type[Any]) -> None:
    """
    And none has one that the reference does not know.
    """
    assert {wire_name(field.name) for field in attrs.fields(kind)} == set(REFERENCE[kind].split())


@pytest.mark.parametrize(
    "kind",
    [one for one in vars(dto).values() if isinstance(one, type) and attrs.has(one)],
    ids=lambda kind: kind.__name__,
)
def test_values_are_frozen(kind: type[Any]) -> None:
    """
    What was said once stays said: every value can be shared.
    """
    made = object.__new__(kind)
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        setattr(made, attrs.fields(kind)[0].name, None)


def test_tasks_can_be_kept_in_sets() -> None:
    """
    A task is a value like any other, variables or not.
    """
    assert len({ExternalTask(id="a"), ExternalTask(id="a"), LockedExternalTask(id="a")}) == 2
    assert hash(typed.short(1)) == hash(typed.short(1))
    assert hash(CompleteExternalTask(worker_id="w", variables={"a": []}))


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("a" * 667, "a" * 666),
        ("a" + "\U0001f600" * 333, "a" + "\U0001f600" * 332),
        ("\U0001f600" * 333 + "b", "\U0001f600" * 333),
        ("a" * 665 + "\ud83d" + "b", "a" * 665 + "\ud83d"),  # half of one, as it was given
        ("a" * 665 + "\U0001f600", "a" * 665),
        ("\U0001f600" * 333, "\U0001f600" * 333),
    ],
)
def test_a_message_is_cut_between_characters(said: str, kept: str) -> None:
    """
    After 666 units of UTF-16, or one earlier.
    """
    assert ExternalTaskFailure(worker_id="w", retries=0, error_message=said).error_message == kept


@pytest.mark.parametrize(
    "lock",
    [
        lambda duration: Topic("t", lock_duration=duration),
        lambda duration: LockExternalTask(worker_id="w", lock_duration=duration),
        lambda duration: ExtendLockOnExternalTask(worker_id="w", new_duration=duration),
    ],
    ids=["Topic", "LockExternalTask", "ExtendLockOnExternalTask"],
)
def test_a_lock_of_under_a_second_is_warned_of(lock: Callable[[int | timedelta], object]) -> None:
    """
    Milliseconds were meant as seconds; a `timedelta` says which it is, and a second may be meant.
    """
    with pytest.warns(UserWarning, match=r"\A30 as the duration of a lock is 30 milliseconds: "):
        lock(30)
    with pytest.warns(UserWarning, match="999_000") as caught:
        lock(999)
    assert [one.filename for one in caught] == [__file__]
    lock(1000)
    lock(timedelta(milliseconds=30))
