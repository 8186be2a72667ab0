"""
What only a running engine can show, beyond the cases of the conformance suite.
"""

from __future__ import annotations

import enum
import math
import re
import time
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from itertools import product
from typing import Any, Final
from uuid import UUID

import attrs
import pytest

from camunda_ext import (
    BadRequest,
    BatchStatistics,
    ExternalTaskClient,
    ExternalTaskQuery,
    File,
    HistoricExternalTaskLogQuery,
    NotFound,
    NotTheEngine,
    OutcomeUnknown,
    Topic,
    typed,
)
from tests.conformance.live import Live, live_on
from tests.engines import launch
from tests.engines.catalog import CATALOG
from tests.engines.wanted import available

UTC = timezone.utc


class Colour(enum.Enum):
    RED = "red"


@attrs.frozen
class Order:
    number: int
    total: Decimal
    key: UUID
    day: date
    colour: Colour


VALUES: dict[str, Any] = {
    "nothing": None,
    "yes": True,
    "small": -(2**31),
    "large": 2**53 + 1,
    "largest": 2**63 - 1,
    "half": 0.5,
    "infinite": -math.inf,
    "text": "Müller & Söhne \U0001f600",
    "half_an_emoji": "a\ud83d",
    "bytes": bytes(range(256)),
    "moment": datetime(2026, 11, 22, 8, 15, 30, 250000, UTC),
    "snake_case": [1, {"a_b": None, "é": [True, 2.5]}],
    "empty": {},
}


def test_a_variable_of_every_type_comes_back(live: Live) -> None:
    """
    What is completed with is what the next worker is given.
    """
    if not live.dialect.json_variables:
        pytest.skip("an engine without its plugin for Json has not every type")
    if not live.dialect.is_like_java:
        pytest.skip("such a database does not take all of them")
    task = live.locked("S")
    expected = {
        **VALUES,
        "short": -7,
        "xml": "<a/>",
        "object": ["p", "q"],
        "file": File(filename="a.txt", mime_type="text/html", encoding="utf-8"),
        "nan": math.nan,
    }
    live.client.complete(
        task.id,
        "w1",
        {
            **VALUES,
            "short": typed.short(-7),
            "xml": typed.xml("<a/>"),
            "object": typed.object('["p","q"]', type_name="java.util.ArrayList<java.lang.String>"),
            "file": typed.file(b"<html>\xff", "a.txt", mime_type="text/html", encoding="utf-8"),
            "gone": typed.transient("never stored"),
            "nan": math.nan,
        },
    )

    [following] = live.fetch()
    read = dict(following.variables)
    assert math.isnan(read.pop("nan"))
    assert math.isnan(expected.pop("nan"))
    assert read == expected
    assert {name: type(value) for name, value in read.items()} == {
        name: type(value) for name, value in expected.items()
    }
    for scope in (following, following.process_instance_id, following.execution_id):
        assert live.client.variable_file(scope, "file") == b"<html>\xff"
        assert live.client.variable_file(scope, "bytes") == VALUES["bytes"]
    for missing in (
        (following.process_instance_id, "no such variable"),
        ("no such instance", "file"),
    ):
        with pytest.raises(NotFound):
            live.client.variable_file(*missing)


#: What a file may be called, from what all headers can say to what none can.
_NAMES: Final = ("a.txt", "Übersicht.pdf", "Report — final.txt", "日本.pdf", "😀", 'a"b;c.txt')


@pytest.mark.parametrize("mime_type", [None, "text/plain", "text/html", "application/json"])
def test_a_file_is_read_whatever_it_is_called(live: Live, mime_type: str | None) -> None:
    """
    In the scope of the process instance, and in that of the task alone.
    """
    task, content, read = live.locked(), b"<html>\xff", []
    instance_id = str(task.process_instance_id)
    refused = live.dialect.refused_characters
    names = [name for name in _NAMES if not set(name) & set(refused)]
    for filename, encoding in product(names, (None, "UTF-8")):
        file = typed.file(content, filename, mime_type=mime_type, encoding=encoding)
        body = {"type": "File", "value": file.value, "valueInfo": dict(file.value_info)}
        live.done("PUT", f"/process-instance/{instance_id}/variables/file", json=body)
        live.done("PUT", f"/execution/{task.execution_id}/localVariables/own", json=body)
        read += [
            live.client.variable_file(task, "file"),
            live.client.variable_file(task, "own"),
            live.client.variable_file(instance_id, "file"),
        ]

    assert read == [content] * 3 * 2 * len(names)
    with pytest.raises(NotFound, match=re.escape("variable_file(task, name)")):
        live.client.variable_file(instance_id, "own")


@pytest.mark.parametrize(
    ("mime_type", "shown"),
    [
        ('text/plain;a="b\r\nX-Odd: c"', 'text/plain;a="bX-Odd: c"'),
        ('text/plain;a="b\rc\nd"', 'text/plain;a="bc d"'),
        ('text/plain;a="b\x00c\x0bd\x1be"', 'text/plain;a="b c d e"'),
        ('text/plain;a="ü"', 'text/plain;a="ü"'),
        ('text/plain;a="日本"', None),
    ],
)
def test_no_media_type_splits_an_answer(live: Live, mime_type: str, shown: str | None) -> None:
    """
    Whatever a process has put there: the contents come, and no header that nobody has sent.
    """
    if not live.dialect.json_variables:
        pytest.skip("an engine that keeps no media type like these")
    refused = set(mime_type) & set(live.dialect.refused_characters)
    task = live.locked()
    path = f"/process-instance/{task.process_instance_id}/variables/file"
    info = {"filename": "a.txt", "mimeType": mime_type}
    put = live.raw("PUT", path, json={"type": "File", "value": "YQ==", "valueInfo": info})
    if not live.is_real:
        assert put.status_code == 400  # The embedded engine keeps none like these.
        return
    if refused:
        assert put.status_code == 500
        return
    assert put.status_code == 204

    got = live.raw("GET", f"{path}/data")

    kind = got.headers.get("Content-Type")
    assert (got.status_code, got.content, "X-Odd" in got.headers) == (200, b"a", False)
    # Older servers write a blank, and question marks for what they cannot encode.
    told = None if kind is None else kind.replace("; ", ";")
    assert told == shown or (shown is None and told == 'text/plain;a="??"')
    if shown is not None:
        assert live.client.variable_file(str(task.process_instance_id), "file") == b"a"


def test_an_attrs_instance_goes_through_the_engine(live: Live) -> None:
    """
    A class of the user's own stands for the variables of a task, in both directions.
    """
    order = Order(17, Decimal("119.50"), UUID(int=7), date(2026, 12, 24), Colour.RED)
    task = live.locked("S")
    live.client.complete(task.id, "w1", order)

    [following] = live.fetch()
    assert following.variables.into(Order) == order


@pytest.mark.parametrize("page_size", [2, 7, 100])
def test_all_tasks_come_once_though_they_are_completed(live: Live, page_size: int) -> None:
    """
    The consumer completes each task that it is given, and none is skipped.
    """
    ids = live.tasks(25)
    given = []
    for task in live.client.iterate(live.own, page_size=page_size):
        given.append(task.id)
        live.fetch(max_tasks=100)
        live.client.complete(task.id, "w1")

    assert given == ids
    assert live.client.count(live.own) == 0


def test_all_tasks_come_once_in_an_order_of_the_users_own(live: Live) -> None:
    """
    A key that does not change keeps the promise, whatever is completed.
    """
    ids = live.tasks(12)
    query = live.own.sort_by("processInstanceId", "desc").sort_by("id")
    given = []
    for task in live.client.iterate(query, page_size=5):
        given.append(task.process_instance_id)
        live.client.unlock(task.id)

    assert len(given) == len(ids)
    assert given == sorted(given, reverse=True)


def test_a_bulk_command_proves_that_the_engine_knows_its_filters(live: Live) -> None:
    """
    An engine that ignores one would change more tasks than were meant; then nothing is changed.
    """
    one, other = live.task(), live.task()
    query = live.own.external_task_id_in(one.id)
    if not live.dialect.bulk_retries:
        with pytest.raises(ValueError, match="ignores the filter externalTaskIdIn"):
            live.client.set_retries_of(5, external_task_query=query)
        return
    live.client.set_retries_of(5, external_task_query=query)
    young = query.process_definition_key(live.key("P"))
    if live.dialect.young_filters:
        live.client.set_retries_of(6, external_task_query=young)
    else:
        with pytest.raises(ValueError, match="ignores the filter processDefinitionKey"):
            live.client.set_retries_of(6, external_task_query=young)

    assert live.client.get(one.id).retries == (6 if live.dialect.young_filters else 5)
    assert live.client.get(other.id).retries is None


def test_engines_fail_on_variables_in_a_bulk_command(live: Live) -> None:
    """
    They never prepare such a condition for it; nothing is changed, and the ids of a list work.
    """
    if not live.dialect.young_filters:
        pytest.skip("an engine that ignores the filter is asked first, as above")
    task = live.task(variables={"v": {"value": 1, "type": "Integer"}})
    query = live.own.process_variable("v", "eq", 1)
    with pytest.raises(OutcomeUnknown) as caught:
        live.client.set_retries_of(3, external_task_query=query)

    # The engine says the same of a commit that failed.
    assert caught.value.type == "ProcessEnginePersistenceException"

    assert live.client.get(task.id).retries is None
    live.client.set_retries_of(3, external_task_ids=[one.id for one in live.client.list(query)])
    assert live.client.get(task.id).retries == 3


def test_a_bulk_command_of_nothing_is_refused(live: Live) -> None:
    """
    Its error says that no task was selected.
    """
    lacks = pytest.raises(NotTheEngine)
    empty = pytest.raises(BadRequest, match="No task was selected")
    with empty if live.dialect.bulk_retries else lacks:
        live.client.set_retries_of(3, external_task_query=ExternalTaskQuery().topic("nobody's"))


def test_a_batch_can_be_looked_at_stopped_and_deleted(live: Live) -> None:
    """
    All that can be done with a batch, from its start to its end.
    """
    client, ids = live.client, live.tasks(3)
    if not live.dialect.bulk_retries:
        with pytest.raises(NotTheEngine):
            client.set_retries_async(4, external_task_ids=ids)
        return
    batch = client.set_retries_async(4, external_task_ids=[*ids, "no such task"])
    statistics = live.wait_for(lambda: settled(client, batch.id))
    assert statistics is not None

    assert (statistics.total_jobs, statistics.completed_jobs, statistics.failed_jobs) == (4, 3, 1)
    assert client.batch(batch.id).type == "set-external-task-retries"
    client.suspend_batch(batch.id)
    assert client.batch(batch.id).suspended is True
    client.activate_batch(batch.id)
    assert client.batch(batch.id).suspended is False
    client.delete_batch(batch.id, cascade=True)
    assert client.batch_statistics(batch.id) is None
    for command in (client.batch, client.suspend_batch, client.delete_batch):
        with pytest.raises(NotFound):
            command(batch.id)
    assert [client.get(one).retries for one in ids] == [4, 4, 4]


def settled(client: ExternalTaskClient, batch_id: str) -> BatchStatistics | None:
    """
    Give the statistics of a batch whose one wrong job was given up, and all others are done.
    """
    statistics = client.batch_statistics(batch_id)
    if statistics is None or statistics.failed_jobs == 0 or statistics.remaining_jobs > 1:
        return None
    return statistics


def test_the_log_tells_the_life_of_a_task(live: Live) -> None:
    """
    Creation, failure and success, by POST and by GET, with the details of the failure.
    """
    task = live.locked()
    if not live.dialect.bulk_retries:
        # As old an engine has no log either.
        with pytest.raises(NotTheEngine):
            live.client.log_list()
        return
    live.client.failure(
        task.id, "w1", retries=1, retry_timeout=60_000, error_message="m", error_details="ä€"
    )
    live.client.complete(task.id, "w1")
    # By the ids of entries: what happens within a millisecond is in no order of time.
    query = HistoricExternalTaskLogQuery().external_task_id(task.id)
    entries = live.client.log_list(query)
    [failed], [created] = (
        [one for one in entries if getattr(one, name)] for name in ("failure_log", "creation_log")
    )

    assert sorted((one.creation_log, one.failure_log, one.success_log) for one in entries) == [
        (False, False, True),
        (False, True, False),
        (True, False, False),
    ]
    assert live.client.log_list(query, via="GET") == entries
    assert live.client.log_list(query, first_result=1, max_results=1) == entries[1:2]
    assert live.client.log_count(query) == live.client.log_count(query, via="GET") == 3
    assert live.client.log_get(failed.id) == failed
    assert live.client.log_error_details(failed.id) == "ä€"
    assert live.client.log_error_details(created.id) is None
    for ask in (live.client.log_get, live.client.log_error_details):
        with pytest.raises(NotFound):
            ask("no such entry")


def test_dates_mean_the_same_on_both_sides(live: Live) -> None:
    """
    A lock that is to last an hour expires in an hour, by this machine's clock.
    """
    look_at_dates(live)


def test_dates_mean_the_same_to_an_old_engine_of_another_zone() -> None:
    """
    Before 7.8, dates have no zone on the wire; the client is told in which the server lives.
    """
    zone = "America/New_York"
    old = CATALOG[available("camunda-7.6")]
    with launch.start(old, time_zone=zone) as engine, live_on(engine) as live:
        options: dict[str, Any] = {**live.dialect.date_options, "date_zone": zone}
        with ExternalTaskClient(engine.url, **options) as client:
            look_at_dates(attrs.evolve(live, client=client))


def look_at_dates(live: Live) -> None:
    """
    Compare dates of locks, of filters and of variables with the clock of this machine.
    """
    before = datetime.now(UTC)
    task = live.locked(lock_duration=3_600_000)
    after = datetime.now(UTC)

    assert task.lock_expiration_time is not None
    hour, second = timedelta(hours=1), timedelta(seconds=1)
    assert before + hour - second <= task.lock_expiration_time <= after + hour + second
    soon = live.own.lock_expiration_after(before + hour - timedelta(minutes=1))
    assert live.client.count(soon) == 1
    assert live.client.count(soon, via="GET") == 1
    assert live.client.count(live.own.lock_expiration_after(after + 2 * hour)) == 0
    moment = datetime(2026, 7, 1, 12, 0, tzinfo=UTC)
    live.client.complete(task.id, "w1", {"at": moment})
    typed_value = live.variables(task.process_instance_id)["at"]
    assert typed_value["type"] == "Date"
    assert live.client._sender.dates.parse(typed_value["value"]) == moment


def test_a_long_poll_is_not_cut_off_by_the_read_timeout(live: Live) -> None:
    """
    The client waits for as long as it has asked the engine to wait, and its own time besides.
    """
    timeout, poll = (1.0, 1.5) if live.is_real else (0.4, 0.6)
    started = time.monotonic()
    with ExternalTaskClient(live.url, timeout=timeout) as client:
        tasks = client.fetch_and_lock(
            "w1",
            [Topic(live.topic_a, lock_duration=1000)],
            max_tasks=1,
            async_response_timeout=timedelta(seconds=poll),
        )

    assert tasks == ()
    if live.dialect.long_polling:
        assert time.monotonic() - started >= poll
