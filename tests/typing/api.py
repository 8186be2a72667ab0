"""
One use of each public call, checked by mypy in strict mode and never run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Literal

import attrs
import requests
from requests.auth import HTTPDigestAuth
from typing_extensions import assert_type

from camunda_ext import (
    Basic,
    Batch,
    BatchResult,
    BatchRun,
    BatchStatistics,
    Bearer,
    BulkSummary,
    CamundaError,
    Explanation,
    ExternalTask,
    ExternalTaskClient,
    ExternalTaskQuery,
    FetchedTasks,
    HistoricExternalTaskLog,
    HistoricExternalTaskLogQuery,
    LockLost,
    LogSelection,
    LogSortBy,
    OAuth2ClientCredentials,
    Retry,
    Selection,
    SortBy,
    Sorting,
    Timeout,
    Topic,
    Variables,
    VariableValue,
    typed,
)
from camunda_ext.hooks import Ended, Failed, Outgoing


@attrs.frozen
class Invoice:
    """
    What a user's own class for variables may look like.
    """

    number: int
    total: Decimal


class Never:
    """
    A policy of one's own.
    """

    def wait(self, failed: Failed) -> float | None:
        """
        Make no further attempt.
        """
        assert_type(failed.error, CamundaError)
        return None


def watch(outgoing: Outgoing) -> Callable[[Ended], None]:
    """
    See each attempt, and its end.
    """
    assert_type(outgoing.attempt, int)

    def end(ended: Ended) -> None:
        assert_type(ended.status, int | None)

    return end


def clients() -> None:
    """
    Each way to make a client.
    """
    ExternalTaskClient("http://localhost:8080/engine-rest")
    ExternalTaskClient("http://localhost:8080/engine-rest", auth=("demo", "demo"), engine="default")
    ExternalTaskClient("https://engine/rest", auth=Bearer("token"), timeout=5, verify="ca.pem")
    ExternalTaskClient("https://engine/rest", auth=Bearer(lambda: "token"), cert=("c.pem", "k.pem"))
    ExternalTaskClient(
        "https://engine/rest", auth=Basic("demo", "demo"), headers={"X-Api-Key": "k"}
    )
    ExternalTaskClient("https://engine/rest", auth=HTTPDigestAuth("demo", "demo"), proxies={})
    ExternalTaskClient(
        "https://engine/rest", session=requests.Session(), timeout=Timeout(read=None)
    )
    ExternalTaskClient("https://engine/rest", date_format="%Y-%m-%dT%H:%M:%S", date_zone="UTC")
    login = OAuth2ClientCredentials("https://login/token", "id", "secret", scope="engine")
    ExternalTaskClient("https://engine/rest", auth=login, max_answer=1_000_000, log_bodies=True)
    ExternalTaskClient("https://engine/rest", retry=Retry(attempts=3, longest_delay=1))
    ExternalTaskClient("https://engine/rest", retry=Never(), hooks=[watch])
    with ExternalTaskClient("https://engine/rest", headers=None) as client:
        assert_type(client.with_options(timeout=5, retry=False), ExternalTaskClient)
        assert_type(client, ExternalTaskClient)
    client.close()


def queries(client: ExternalTaskClient, moment: datetime) -> None:
    """
    Each filter, and each call that takes a query.
    """
    query = (
        ExternalTaskQuery()
        .external_task_id("t")
        .external_task_id_in("t", "u")
        .topic("invoice")
        .worker_id("w")
        .locked()
        .not_locked()
        .with_retries_left()
        .no_retries_left()
        .lock_expiration_after(moment)
        .lock_expiration_before(moment)
        .activity_id("a")
        .activity_id_in("a")
        .execution_id("e")
        .process_instance_id("p")
        .process_instance_id_in("p")
        .process_definition_id("d")
        .process_definition_key("k")
        .process_definition_key_in("k")
        .process_definition_name("n")
        .process_definition_name_like("n%")
        .tenant_id_in("t")
        .active()
        .suspended()
        .priority_higher_than_or_equals(1)
        .priority_lower_than_or_equals(2)
        .variable_names_ignore_case()
        .variable_values_ignore_case()
        .process_variable("v", "eq", 1.5)
        .sort_by(SortBy.CREATE_TIME, "desc")
        .sort_by("id")
    )
    assert_type(query, ExternalTaskQuery)
    assert_type(query.body(), dict[str, Any])
    assert_type(query.params(), dict[str, str])
    assert_type(query.filters(), dict[str, str])
    assert_type(query.sorting, tuple[Sorting, ...])
    assert_type(ExternalTaskQuery.from_body({}), ExternalTaskQuery)
    assert_type(client.list(query, first_result=0, max_results=5), tuple[ExternalTask, ...])
    assert_type(client.list(query.unsorted(), via="GET"), tuple[ExternalTask, ...])
    assert_type(client.count(query, via="GET"), int)
    assert_type(client.iterate(query, page_size=100), Iterator[ExternalTask])
    assert_type(client.get("t").lock_expiration_time, datetime | None)
    assert_type(client.error_details("t"), str | None)
    assert_type(client.topic_names(with_retries_left=True), tuple[str, ...])
    assert_type(client.variable_file("p", "pdf"), bytes)
    assert_type(client.version(), str | None)


def commands(client: ExternalTaskClient) -> None:
    """
    Each command.
    """
    topic = Topic("invoice", lock_duration=timedelta(minutes=1), variables=["amount"])
    tasks = client.fetch_and_lock(
        "w",
        [topic, Topic("other", lock_duration=60_000, process_variables={"a": 1})],
        max_tasks=5,
        use_priority=True,
        async_response_timeout=timedelta(seconds=20),
        sorting=[Sorting("createTime", "desc")],
    )
    assert_type(tasks, FetchedTasks)
    for task in tasks:
        assert_type(task.id, str)
        assert_type(task.variables, Variables)
        assert_type(task.variables.into(Invoice), Invoice)
        assert_type(task.variables.typed("amount"), VariableValue)
        client.complete(task.id, "w", {"paid": True, "file": typed.file(b"", "a.txt")})
        client.complete(task.id, "w", variables=Invoice(1, Decimal(2)), local_variables={})
        client.failure(task.id, "w", retries=2, retry_timeout=timedelta(minutes=1))
        client.bpmn_error(task.id, "w", "E1", error_message="m", variables={"v": typed.short(1)})
        client.lock(task.id, "w", 60_000)
        client.extend_lock(task.id, "w", timedelta(minutes=1))
        client.unlock(task.id)
        client.unlock(task.id, worker_id="w")
        client.set_priority(task.id, 7)
        client.set_retries(task.id, 3)
    recovered = client.recover("w", known=["t"], async_response_timeout=timedelta(seconds=20))
    assert_type(recovered, tuple[ExternalTask, ...])
    client.set_retries_of(3, external_task_ids=[task.id for task in tasks])
    client.set_retries_of(3, external_task_query=ExternalTaskQuery(), everything=True)
    batch = client.set_retries_async(3, process_instance_query={"processDefinitionKey": "invoice"})
    assert_type(batch, BatchRun)


def selections(client: ExternalTaskClient) -> None:
    """
    Each use of a selection.
    """
    stuck = client.select(ExternalTaskQuery().topic("invoice").no_retries_left(), prefetch=4)
    assert_type(stuck, Selection)
    assert_type(stuck[:50], Selection)
    assert_type(stuck[0], ExternalTask)
    assert_type(stuck.first(), ExternalTask | None)
    assert_type(stuck.one(), ExternalTask)
    assert_type(stuck.count(), int)
    assert_type(stuck.exists(), bool)
    assert_type(list(stuck), list[ExternalTask])
    assert_type(list(stuck.ids()), list[str])
    assert_type(stuck.to_jsonl("stuck.jsonl", progress=True), int)
    assert_type(stuck.set_retries(3, dry_run=True), BulkSummary)
    assert_type(stuck.set_retries_async(3), BatchRun)
    assert_type(stuck.set_retries_async(3, dry_run=True), BulkSummary)
    assert_type(stuck.unlock(at_most=100, journal="unlock.jsonl"), BulkSummary)
    assert_type(stuck.set_priority(50), BulkSummary)
    assert_type(client.follow("b").wait(timeout=60), BatchResult)


def history_and_batches(client: ExternalTaskClient) -> None:
    """
    Each call beside the external tasks.
    """
    query = HistoricExternalTaskLogQuery().failure_log().sort_by(LogSortBy.TIMESTAMP, "desc")
    assert_type(query, HistoricExternalTaskLogQuery)
    assert_type(client.log_list(query, max_results=5), tuple[HistoricExternalTaskLog, ...])
    assert_type(client.log_count(query), int)
    log = client.select(query, page_size=100)
    assert_type(log, LogSelection)
    assert_type(log[:5], LogSelection)
    assert_type(log[0], HistoricExternalTaskLog)
    assert_type(log.first(), HistoricExternalTaskLog | None)
    assert_type(list(log), list[HistoricExternalTaskLog])
    assert_type(log[0].event, Literal["creation", "failure", "success", "deletion"] | None)
    assert_type(log[0].to_dict(), dict[str, Any])
    assert_type(log.explain(), Explanation)
    log.set_retries(3)  # type: ignore[attr-defined]  # nothing in it can be changed
    assert_type(client.log_get("l"), HistoricExternalTaskLog)
    assert_type(client.log_error_details("l"), str | None)
    assert_type(client.batch("b"), Batch)
    assert_type(client.batch_statistics("b"), BatchStatistics | None)
    client.activate_batch("b")
    client.delete_batch("b", cascade=True)


def errors(client: ExternalTaskClient) -> None:
    """
    What an error tells.
    """
    try:
        client.unlock("t")
    except LockLost as error:
        assert_type(error.worker_id, str | None)
    except CamundaError as error:
        assert_type(error.status, int | None)
        assert_type(error.hint, str)
