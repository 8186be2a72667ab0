"""
Cases 1 to 42: what queries find, and in which order.
"""

from __future__ import annotations

from datetime import timedelta, timezone

import attrs
import pytest

from camunda_ext import (
    BadRequest,
    ExternalTask,
    ExternalTaskQuery,
    NotFound,
    SortBy,
    TaskNotFound,
)
from camunda_ext.client import Via
from camunda_ext.dto import SortOrder
from tests.conformance.live import (
    Live,
    Told,
    about,
    answer,
    assert_container_refuses,
    ids,
    refusal,
    seconds_left,
)

BOTH_WAYS = pytest.mark.parametrize("via", ["GET", "POST"])
#: What older engines ignore, the client warns of.
OLD_ENGINES_TOO = pytest.mark.filterwarnings("ignore:this engine, .*, ignores the filter")


@BOTH_WAYS
def test_001_tasks_come_by_id(live: Live, via: Via) -> None:
    """
    A query without sorting gives all tasks by ascending id.
    """
    started = live.tasks(3)

    found = ids(live.client.list(via=via))

    assert set(started) <= set(found)
    assert found == sorted(found)


@BOTH_WAYS
def test_002_locked_finds_what_is_locked(live: Live, via: Via) -> None:
    """
    The filter for locked tasks finds a task from the moment of its lock.
    """
    task = live.task()
    before = live.client.list(live.own.locked(), via=via)
    live.fetch()
    after = live.client.list(live.own.locked(), via=via)

    assert (before, ids(after)) == ((), [task.id])


def test_004_a_flag_on_get_is_lower_case(live: Live) -> None:
    """
    A boolean on GET must be ``true`` or ``false``.
    """
    assert answer(live.raw("GET", "/external-task?locked=True")) == live.dialect.error(
        400,
        "InvalidRequestException",
        "Cannot set query parameter 'locked' to value 'True': "
        "Cannot convert value True to java type java.lang.Boolean",
    )


def test_005_a_false_flag_is_none(live: Live) -> None:
    """
    ``locked=false`` is as if it were not there, and not the opposite.
    """
    task = live.locked()

    response = live.raw("GET", f"/external-task?topicName={live.topic_a}&locked=false")

    assert (response.status_code, [one["id"] for one in response.json()]) == (200, [task.id])


def test_006_locked_and_not_locked_is_nothing(live: Live) -> None:
    """
    No task is both locked and not locked.
    """
    live.locked()
    live.task()

    assert live.client.list(live.own.locked().not_locked()) == ()


def test_007_suspended_overrules_active(live: Live) -> None:
    """
    A query for active and suspended tasks is one for suspended tasks.
    """
    active, suspended = live.task(), live.task()
    live.suspend(suspended.process_instance_id)

    assert ids(live.client.list(live.own.active())) == [active.id]
    assert ids(live.client.list(live.own.active().suspended())) == [suspended.id]


def test_008_no_retries_yet_are_retries_left(live: Live) -> None:
    """
    A task whose retries are null has retries left.
    """
    live.task()

    assert live.client.count(live.own.with_retries_left()) == 1
    assert live.client.count(live.own.no_retries_left()) == 0


@BOTH_WAYS
def test_009_several_ids(live: Live, via: Via) -> None:
    """
    A list of ids finds each of the tasks; an engine that does not know it gives all.
    """
    one, two, three = live.tasks(3)

    found = ids(live.client.list(live.own.external_task_id_in(one, two), via=via))

    assert found == ([one, two] if live.dialect.id_lists else [one, two, three])


def test_010_a_repeated_key_counts_once(live: Live) -> None:
    """
    Of a query parameter that is given twice the engine keeps the first value.
    """
    one, two = live.tasks(2)

    response = live.raw(
        "GET",
        f"/external-task?topicName={live.topic_a}&externalTaskIdIn={one}&externalTaskIdIn={two}",
    )

    found = [task["id"] for task in response.json()]
    assert found == ([one] if live.dialect.id_lists else [one, two])


def test_011_an_empty_list_is_no_filter(live: Live) -> None:
    """
    The engine takes an empty list of ids for none at all, so the client refuses it.
    """
    started = live.tasks(2)

    status, found = answer(live.raw("POST", "/external-task", json={"externalTaskIdIn": []}))

    assert status == 200
    assert set(started) <= {task["id"] for task in found}
    with pytest.raises(ValueError, match="empty"):
        ExternalTaskQuery().external_task_id_in()


def test_012_a_list_is_no_string(live: Live) -> None:
    """
    A list filter in a body must be a list, even for one value.
    """
    response = live.raw("POST", "/external-task", json={"tenantIdIn": "one"})

    assert response.status_code == 400


def test_013_a_value_with_a_comma_needs_post(live: Live) -> None:
    """
    A comma in a value parts it in two on GET, however it is written; the client refuses it there.
    """
    task = live.task(tenant_id="a,b")
    query = live.own.tenant_id_in("a,b")

    assert ids(live.client.list(query)) == [task.id]
    parted = f"/external-task?topicName={live.topic_a}&tenantIdIn=a%2Cb"
    assert answer(live.raw("GET", parted)) == (200, [])
    with pytest.raises(ValueError, match="POST"):
        live.client.list(query, via="GET")


@BOTH_WAYS
def test_014_a_date_with_its_offset(live: Live, via: Via) -> None:
    """
    The moment that a date with an offset names parts the locks before it from those after it.
    """
    task = live.locked()
    assert task.lock_expiration_time is not None
    east = timezone(timedelta(hours=2))
    before = (task.lock_expiration_time - timedelta(seconds=5)).astimezone(east)
    after = (task.lock_expiration_time + timedelta(seconds=5)).astimezone(east)

    assert ids(live.client.list(live.own.lock_expiration_before(after), via=via)) == [task.id]
    assert live.client.list(live.own.lock_expiration_before(before), via=via) == ()


def test_015_a_bare_plus_is_a_space(live: Live) -> None:
    """
    A plus in a URL that is not escaped makes the date a wrong one, where the offset is read at all.
    """
    response = live.raw(
        "GET", "/external-task?lockExpirationBefore=2013-01-23T14:42:45.000+0200&maxResults=0"
    )

    value = "2013-01-23T14:42:45.000 0200"
    refused = live.dialect.error(
        400,
        "InvalidRequestException",
        f"Cannot set query parameter 'lockExpirationBefore' to value '{value}': "
        f'Cannot convert value "{value}" to java type java.util.Date',
    )
    assert answer(response) == ((200, []) if live.dialect.date_options else refused)


def test_016_a_date_that_is_none(live: Live) -> None:
    """
    Text that is no date is refused with the name of the parameter.
    """
    path = "/external-task?lockExpirationBefore=anInvalidDate"
    assert answer(live.raw("GET", path)) == live.dialect.error(
        400,
        "InvalidRequestException",
        "Cannot set query parameter 'lockExpirationBefore' to value 'anInvalidDate': "
        'Cannot convert value "anInvalidDate" to java type java.util.Date',
    )


HALF_A_SORTING = "Only a single sorting parameter specified. sortBy and sortOrder required"


def test_019_a_criterion_needs_an_order(live: Live) -> None:
    """
    Sorting on GET must name an order; the client always does.
    """
    refused = live.dialect.error(400, "InvalidRequestException", HALF_A_SORTING)

    assert answer(live.raw("GET", "/external-task?sortBy=processInstanceId")) == refused
    with pytest.raises(ValueError, match="sort_order"):
        ExternalTaskQuery().sort_by(
            "processInstanceId",
            "",  # type: ignore[arg-type]  # no order is what is refused
        )


def test_020_an_order_needs_a_criterion(live: Live) -> None:
    """
    Sorting on GET must name what to sort by.
    """
    refused = live.dialect.error(400, "InvalidRequestException", HALF_A_SORTING)

    assert answer(live.raw("GET", "/external-task?sortOrder=asc")) == refused


def test_021_the_criterion_is_task_priority(live: Live) -> None:
    """
    Tasks are sorted by ``taskPriority``, not by ``priority``.
    """
    path = "/external-task?sortBy=priority&sortOrder=asc"
    assert answer(live.raw("GET", path)) == live.dialect.error(
        400,
        "InvalidRequestException",
        "Cannot set query parameter 'sortBy' to value 'priority'",
    )
    with pytest.raises(ValueError, match="taskPriority"):
        ExternalTaskQuery().sort_by("priority")


def test_022_the_order_is_lower_case(live: Live) -> None:
    """
    The order is ``asc`` or ``desc``, and nothing else in capitals.
    """
    path = "/external-task?sortBy=id&sortOrder=ASC"
    assert answer(live.raw("GET", path)) == live.dialect.error(
        400,
        "InvalidRequestException",
        "Cannot set query parameter 'sortOrder' to value 'ASC'",
    )


#: What each criterion compares.
COMPARED = {
    SortBy.ID: "id",
    SortBy.LOCK_EXPIRATION_TIME: "lock_expiration_time",
    SortBy.PROCESS_INSTANCE_ID: "process_instance_id",
    SortBy.PROCESS_DEFINITION_ID: "process_definition_id",
    SortBy.PROCESS_DEFINITION_KEY: "process_definition_key",
    SortBy.TASK_PRIORITY: "priority",
    SortBy.TENANT_ID: "tenant_id",
    SortBy.CREATE_TIME: "create_time",
}

#: Each order, and whether the greatest comes first.
ORDERS: tuple[tuple[SortOrder, bool], ...] = (("asc", False), ("desc", True))


@pytest.mark.parametrize("criterion", SortBy)
def test_023_each_criterion_sorts_both_ways(live: Live, criterion: SortBy) -> None:
    """
    Each criterion sorts both ways on GET; an engine that does not know it refuses it.
    """
    # R comes after P by its key, but before it by everything else that the test can choose.
    for number, (process, tenant_id) in enumerate([("R", "t1"), ("P", "t2")], start=1):
        task = live.locked(process, tenant_id=tenant_id, lock_duration=number * 30_000)
        live.client.set_priority(task.id, number)
        live.next_time()

    for order, reverse in ORDERS:
        query = live.own.sort_by(criterion, order)
        if criterion is SortBy.CREATE_TIME and not live.dialect.create_time:
            assert refusal(live.client.list, query, via="GET") == Told(
                BadRequest,
                400,
                "InvalidRequestException",
                "Cannot set query parameter 'sortBy' to value 'createTime'",
            )
        else:
            found = live.client.list(query, via="GET")
            compared = [getattr(task, COMPARED[criterion]) for task in found]
            assert len(set(compared)) == 2
            assert compared == sorted(compared, reverse=reverse)


def test_024_criteria_are_a_hierarchy(live: Live) -> None:
    """
    The second criterion sorts what the first one leaves alike.
    """
    p_late = live.locked("P", lock_duration=60_000)
    r_late = live.locked("R", lock_duration=60_000)
    p_early = live.locked("P", lock_duration=30_000)
    r_early = live.locked("R", lock_duration=30_000)

    query = live.own.sort_by("processDefinitionKey", "desc").sort_by("lockExpirationTime", "asc")

    found = ids(live.client.list(query))
    assert found == [r_early.id, r_late.id, p_early.id, p_late.id]


def test_025_an_unknown_criterion_with_an_order(live: Live) -> None:
    """
    The engine says of an unknown criterion that there is none.
    """
    body = {"sorting": [{"sortBy": "nope", "sortOrder": "asc"}]}
    assert answer(live.raw("POST", "/external-task", json=body)) == live.dialect.error(
        live.dialect.not_valid,
        "NotValidException",
        "You should call any of the orderBy methods first before specifying a direction: "
        "currentOrderingProperty is null",
        code=0,
    )


def test_026_a_criterion_without_an_order(live: Live) -> None:
    """
    The engine does not assume an order.
    """
    body = {"sorting": [{"sortBy": "id"}]}
    assert answer(live.raw("POST", "/external-task", json=body)) == live.dialect.error(
        live.dialect.not_valid,
        "NotValidException",
        "Invalid query: call asc() or desc() after using orderByXX(): direction is null",
        code=0,
    )


def test_027_an_unknown_criterion_without_an_order(live: Live) -> None:
    """
    The engine ignores an unknown criterion that has no order.
    """
    task = live.task()
    body = {"topicName": live.topic_a, "sorting": [{"sortBy": "nope"}]}

    status, found = answer(live.raw("POST", "/external-task", json=body))

    assert (status, [one["id"] for one in found]) == (200, [task.id])


@BOTH_WAYS
def test_028_a_page(live: Live, via: Via) -> None:
    """
    A page has as many tasks as were asked for, from the place that was asked for.
    """
    _, second, _ = live.tasks(3)

    found = live.client.list(live.own, first_result=1, max_results=1, via=via)

    assert ids(found) == [second]


def test_029_half_a_page(live: Live) -> None:
    """
    A page without a length goes to the end, one without a start starts at the first.
    """
    one, two, three = live.tasks(3)

    to_the_end = ids(live.client.list(live.own, first_result=1))
    if live.dialect.sorts_before_it_cuts:
        assert to_the_end == [two, three]
    else:
        assert len(set(to_the_end)) == 2
        assert set(to_the_end) < {one, two, three}
    assert ids(live.client.list(live.own, max_results=2)) == [one, two]


@pytest.mark.parametrize("page", ["maxResults=0", "maxResults=-1", "firstResult=-1"])
def test_030_a_page_of_nothing(live: Live, page: str) -> None:
    """
    No result is asked for by 0, and by -1 too; the client refuses the latter.
    """
    live.task()

    path = f"/external-task?topicName={live.topic_a}&{page}"
    assert answer(live.raw("GET", path)) == (200, [])
    with pytest.raises(ValueError, match="must be from 0"):
        live.client.list(live.own, first_result=-1)


def test_031_a_page_is_counted_in_numbers(live: Live) -> None:
    """
    The container says 404 where a number was due.
    """
    response = live.raw("GET", "/external-task?maxResults=abc")

    assert_container_refuses(live, response, 404, "QueryParamException", "HTTP 404 Not Found")


def test_032_an_unknown_parameter_is_ignored(live: Live) -> None:
    """
    A filter that the engine does not know leaves nothing out.
    """
    started = live.tasks(2)

    status, found = answer(live.raw("GET", "/external-task?doesNotExist=1"))

    assert status == 200
    assert set(started) <= {task["id"] for task in found}


@BOTH_WAYS
def test_033_a_count(live: Live, via: Via) -> None:
    """
    A count is the number of tasks that the query finds.
    """
    live.tasks(3)

    assert live.client.count(live.own, via=via) == 3


def test_034_priorities_that_exclude_each_other(live: Live) -> None:
    """
    No priority is at least 5 and at most 3.
    """
    task = live.task()
    live.client.set_priority(task.id, 4)
    query = live.own.priority_higher_than_or_equals(5).priority_lower_than_or_equals(3)

    assert live.client.list(query) == ()
    assert live.client.count(query) == 0


@OLD_ENGINES_TOO
def test_035_a_text_variable(live: Live) -> None:
    """
    Text is compared exactly, unless the query says otherwise.
    """
    with_x = live.task(variables={"v": {"value": "x", "type": "String"}}).id
    everything = sorted([with_x, live.task().id])
    small = live.own.process_variable("v", "eq", "x")
    large = live.own.process_variable("v", "eq", "X")

    found = [
        ids(live.client.list(query))
        for query in (small, large, large.variable_values_ignore_case())
    ]

    young = live.dialect.young_filters
    assert found == ([[with_x], [], [with_x]] if young else [everything] * 3)


@OLD_ENGINES_TOO
def test_036_a_text_variable_on_get(live: Live) -> None:
    """
    A condition on GET has three parts.
    """
    with_x = live.task(variables={"v": {"value": "x", "type": "String"}}).id
    everything = sorted([with_x, live.task().id])

    found = live.client.list(live.own.process_variable("v", "eq", "x"), via="GET")
    two_parts = live.raw("GET", "/external-task?processVariables=v_x&maxResults=0")

    if live.dialect.young_filters:
        assert ids(found) == [with_x]
        assert answer(two_parts) == live.dialect.error(
            400,
            "InvalidRequestException",
            "Cannot set query parameter 'processVariables' to value 'v_x': "
            "variable query parameter has to have format KEY_OPERATOR_VALUE.",
        )
    else:
        assert ids(found) == everything
        assert answer(two_parts) == (200, [])


@OLD_ENGINES_TOO
def test_037_unequal_is_something(live: Live) -> None:
    """
    A variable that is not there is not unequal to a value.
    """
    with_n = live.task(variables={"n": {"value": 5, "type": "Integer"}}).id
    everything = sorted([with_n, live.task().id])

    found = ids(live.client.list(live.own.process_variable("n", "neq", 6)))

    assert found == ([with_n] if live.dialect.young_filters else everything)


@OLD_ENGINES_TOO
def test_038_a_name_like_another(live: Live) -> None:
    """
    The caller supplies the wildcards of a pattern.
    """
    task = live.task()
    exact = live.own.process_definition_name_like("My")
    pattern = live.own.process_definition_name_like("My%")

    assert ids(live.client.list(exact)) == ([] if live.dialect.young_filters else [task.id])
    assert ids(live.client.list(pattern)) == [task.id]


#: What an engine answers that takes ``topic-names`` for the id of a task.
NO_TOPIC_NAMES = Told(
    NotFound, 404, "RestException", "External task with id topic-names does not exist"
)


def test_039_topic_names(live: Live) -> None:
    """
    Each topic that has tasks is named once.
    """
    live.start("Q")
    live.start("P")

    if live.dialect.topic_names:
        names = live.client.topic_names()
        assert {live.topic_a, live.topic_b} <= set(names)
        assert len(set(names)) == len(names)
    else:
        assert refusal(live.client.topic_names) == NO_TOPIC_NAMES


def test_040_no_topic_is_locked_and_unlocked(live: Live) -> None:
    """
    Topics with locked and with unlocked tasks are none, though there are both.
    """
    live.locked()
    live.task()

    if live.dialect.topic_names:
        assert live.topic_a in live.client.topic_names(with_locked_tasks=True)
        assert live.topic_a in live.client.topic_names(with_unlocked_tasks=True)
        both = live.client.topic_names(with_locked_tasks=True, with_unlocked_tasks=True)
        assert both == ()
    else:
        assert (
            refusal(live.client.topic_names, with_locked_tasks=True, with_unlocked_tasks=True)
            == NO_TOPIC_NAMES
        )


def test_041_a_task_is_given_whole(live: Live) -> None:
    """
    A task that nobody has touched has null where there is nothing to say.
    """
    instance = live.start(business_key="b1")
    [started] = live.client.list(live.own)
    [activity] = live.done("GET", f"/process-instance/{instance}/activity-instances")[
        "childActivityInstances"
    ]
    definition = live.done("GET", f"/process-instance/{instance}")["definitionId"]

    task = live.client.get(started.id)

    if live.dialect.create_time:
        assert seconds_left(task.create_time) == about(0)
    else:
        assert task.create_time is None
    assert attrs.evolve(task, create_time=None) == ExternalTask(
        id=started.id,
        topic_name=live.topic_a,
        worker_id=None,
        lock_expiration_time=None,
        create_time=None,
        retries=None,
        error_message=None,
        priority=0,
        suspended=False,
        activity_id="work",
        activity_instance_id=activity["id"],
        execution_id=activity["executionIds"][0],
        process_instance_id=instance,
        process_definition_id=definition,
        process_definition_key=live.key("P"),
        process_definition_version_tag=None,
        tenant_id=None,
        business_key="b1" if live.dialect.business_key else None,
    )
    assert set(live.done("GET", f"/external-task/{started.id}")) == fields_of(live)


def fields_of(live: Live) -> set[str]:
    """
    The fields that an engine writes of a task, null or not.
    """
    written = {
        "id",
        "topicName",
        "workerId",
        "lockExpirationTime",
        "retries",
        "errorMessage",
        "priority",
        "suspended",
        "activityId",
        "activityInstanceId",
        "executionId",
        "processInstanceId",
        "processDefinitionId",
        "processDefinitionKey",
        "tenantId",
    }
    written |= {"createTime"} if live.dialect.create_time else set()
    if live.dialect.business_key:
        return written | {"businessKey", "processDefinitionVersionTag"}
    return written | {"errorDetails"}


def test_042_an_unknown_task(live: Live) -> None:
    """
    There is no task with an unknown id.
    """
    message = "External task with id unknown does not exist"

    assert refusal(live.client.get, "unknown") == Told(TaskNotFound, 404, "RestException", message)
    assert answer(live.raw("GET", "/external-task/unknown")) == live.dialect.error(
        404, "RestException", message
    )
