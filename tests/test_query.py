"""
What a query compiles to, what it refuses, and how it comes back.
"""

from __future__ import annotations

import copy
import datetime
import enum
import inspect
import json
import pickle
from collections.abc import Callable
from typing import Any, get_args
from zoneinfo import ZoneInfo

import attrs
import pytest
from hypothesis import given, strategies as st
from rich.pretty import pretty_repr

from camunda_ext import ExternalTaskQuery, HistoricExternalTaskLogQuery, LogSortBy, SortBy
from camunda_ext.dto import Operator


class Words(str, enum.Enum):
    INVOICE = "invoice"


class Numbers(int, enum.Enum):
    HIGH = 50


UTC = datetime.timezone.utc
MOMENT = datetime.datetime(2026, 1, 2, 3, 4, 5, 123456, tzinfo=UTC)
Q = ExternalTaskQuery
L = HistoricExternalTaskLogQuery

#: A query with one filter, its POST body, and its GET parameters.
FILTERS: list[tuple[Any, dict[str, Any], dict[str, str]]] = [
    (Q().external_task_id("t"), {"externalTaskId": "t"}, {"externalTaskId": "t"}),
    (
        Q().external_task_id_in("a", "b"),
        {"externalTaskIdIn": ["a", "b"]},
        {"externalTaskIdIn": "a,b"},
    ),
    (Q().topic("invoice"), {"topicName": "invoice"}, {"topicName": "invoice"}),
    (Q().worker_id("w"), {"workerId": "w"}, {"workerId": "w"}),
    (Q().locked(), {"locked": True}, {"locked": "true"}),
    (Q().not_locked(), {"notLocked": True}, {"notLocked": "true"}),
    (Q().with_retries_left(), {"withRetriesLeft": True}, {"withRetriesLeft": "true"}),
    (Q().no_retries_left(), {"noRetriesLeft": True}, {"noRetriesLeft": "true"}),
    (
        Q().lock_expiration_after(MOMENT),
        {"lockExpirationAfter": "2026-01-02T03:04:05.123+0000"},
        {"lockExpirationAfter": "2026-01-02T03:04:05.123+0000"},
    ),
    (
        Q().lock_expiration_before(MOMENT),
        {"lockExpirationBefore": "2026-01-02T03:04:05.123+0000"},
        {"lockExpirationBefore": "2026-01-02T03:04:05.123+0000"},
    ),
    (Q().activity_id("x"), {"activityId": "x"}, {"activityId": "x"}),
    (Q().activity_id_in("x", "y"), {"activityIdIn": ["x", "y"]}, {"activityIdIn": "x,y"}),
    (Q().execution_id("e"), {"executionId": "e"}, {"executionId": "e"}),
    (Q().process_instance_id("p"), {"processInstanceId": "p"}, {"processInstanceId": "p"}),
    (
        Q().process_instance_id_in("p", "q"),
        {"processInstanceIdIn": ["p", "q"]},
        {"processInstanceIdIn": "p,q"},
    ),
    (Q().process_definition_id("d"), {"processDefinitionId": "d"}, {"processDefinitionId": "d"}),
    (Q().process_definition_key("k"), {"processDefinitionKey": "k"}, {"processDefinitionKey": "k"}),
    (
        Q().process_definition_key_in("k", "l"),
        {"processDefinitionKeyIn": ["k", "l"]},
        {"processDefinitionKeyIn": "k,l"},
    ),
    (
        Q().process_definition_name("My process"),
        {"processDefinitionName": "My process"},
        {"processDefinitionName": "My process"},
    ),
    (
        Q().process_definition_name_like("My%"),
        {"processDefinitionNameLike": "My%"},
        {"processDefinitionNameLike": "My%"},
    ),
    (Q().tenant_id_in("north"), {"tenantIdIn": ["north"]}, {"tenantIdIn": "north"}),
    (Q().active(), {"active": True}, {"active": "true"}),
    (Q().suspended(), {"suspended": True}, {"suspended": "true"}),
    (
        Q().priority_higher_than_or_equals(-(2**63)),
        {"priorityHigherThanOrEquals": -9223372036854775808},
        {"priorityHigherThanOrEquals": "-9223372036854775808"},
    ),
    (
        Q().priority_lower_than_or_equals(0),
        {"priorityLowerThanOrEquals": 0},
        {"priorityLowerThanOrEquals": "0"},
    ),
    (
        Q().variable_names_ignore_case(),
        {"variableNamesIgnoreCase": True},
        {"variableNamesIgnoreCase": "true"},
    ),
    (
        Q().variable_values_ignore_case(),
        {"variableValuesIgnoreCase": True},
        {"variableValuesIgnoreCase": "true"},
    ),
    (
        Q().process_variable("region", "eq", "EU").process_variable("name", "like", "M%"),
        {
            "processVariables": [
                {"name": "region", "operator": "eq", "value": "EU"},
                {"name": "name", "operator": "like", "value": "M%"},
            ]
        },
        {"processVariables": "region_eq_EU,name_like_M%"},
    ),
    (
        Q().sort_by(SortBy.TASK_PRIORITY, "desc"),
        {"sorting": [{"sortBy": "taskPriority", "sortOrder": "desc"}]},
        {"sortBy": "taskPriority", "sortOrder": "desc"},
    ),
    (Q(), {}, {}),
    (L().log_id("l"), {"logId": "l"}, {"logId": "l"}),
    (L().external_task_id("t"), {"externalTaskId": "t"}, {"externalTaskId": "t"}),
    (L().topic("invoice"), {"topicName": "invoice"}, {"topicName": "invoice"}),
    (L().worker_id("w"), {"workerId": "w"}, {"workerId": "w"}),
    (L().error_message("m, n"), {"errorMessage": "m, n"}, {"errorMessage": "m, n"}),
    (L().activity_id_in("x", "y"), {"activityIdIn": ["x", "y"]}, {"activityIdIn": "x,y"}),
    (
        L().activity_instance_id_in("x:1"),
        {"activityInstanceIdIn": ["x:1"]},
        {"activityInstanceIdIn": "x:1"},
    ),
    (L().execution_id_in("e", "f"), {"executionIdIn": ["e", "f"]}, {"executionIdIn": "e,f"}),
    (L().process_instance_id("p"), {"processInstanceId": "p"}, {"processInstanceId": "p"}),
    (L().process_definition_id("d"), {"processDefinitionId": "d"}, {"processDefinitionId": "d"}),
    (L().process_definition_key("k"), {"processDefinitionKey": "k"}, {"processDefinitionKey": "k"}),
    (
        L().priority_higher_than_or_equals(5),
        {"priorityHigherThanOrEquals": 5},
        {"priorityHigherThanOrEquals": "5"},
    ),
    (
        L().priority_lower_than_or_equals(5),
        {"priorityLowerThanOrEquals": 5},
        {"priorityLowerThanOrEquals": "5"},
    ),
    (
        L().tenant_id_in("north", "south"),
        {"tenantIdIn": ["north", "south"]},
        {"tenantIdIn": "north,south"},
    ),
    (L().without_tenant_id(), {"withoutTenantId": True}, {"withoutTenantId": "true"}),
    (L().creation_log(), {"creationLog": True}, {"creationLog": "true"}),
    (L().failure_log(), {"failureLog": True}, {"failureLog": "true"}),
    (L().success_log(), {"successLog": True}, {"successLog": "true"}),
    (L().deletion_log(), {"deletionLog": True}, {"deletionLog": "true"}),
    (
        L().sort_by(LogSortBy.PRIORITY),
        {"sorting": [{"sortBy": "priority", "sortOrder": "asc"}]},
        {"sortBy": "priority", "sortOrder": "asc"},
    ),
]


@pytest.mark.parametrize(("query", "body", "params"), FILTERS, ids=lambda value: repr(value)[:60])
def test_each_filter_compiles_to_body_and_parameters(
    query: Any, body: dict[str, Any], params: dict[str, str]
) -> None:
    """
    GET parameters say what the POST body says, in the one form that the engine reads.
    """
    assert (query.body(), query.params()) == (body, params)


@pytest.mark.parametrize("query", [row[0] for row in FILTERS], ids=lambda query: repr(query)[:60])
def test_a_query_comes_back_from_its_body_and_its_repr(query: Any) -> None:
    """
    A query can be stored as JSON, as a pickle and as text; what comes back is equal.
    """
    stored = json.loads(json.dumps(query.body()))

    for same in (
        type(query).from_body(stored),
        eval(repr(query)),  # noqa: S307  # that it can be evaluated is what is promised
        pickle.loads(pickle.dumps(query)),  # noqa: S301  # made on the spot
        copy.deepcopy(query),
    ):
        assert (same, hash(same), repr(same)) == (query, hash(query), repr(query))


@pytest.mark.parametrize("kind", [ExternalTaskQuery, HistoricExternalTaskLogQuery])
def test_each_filter_has_a_row_above(kind: type[Any]) -> None:
    """
    No filter goes untested, and every method that is one has its sentence.
    """
    not_filters = {
        "body",
        "explain",
        "filters",
        "from_body",
        "has_filter",
        "params",
        "sorting",
        "unsorted",
    }
    methods = {name for name in vars(kind) | vars(kind.__base__) if name[0] != "_"} - not_filters
    tested = {
        repr(row[0]).split(".")[1].split("(")[0]
        for row in FILTERS
        if "." in repr(row[0]) and type(row[0]) is kind
    }

    assert methods == tested
    assert all(inspect.getdoc(getattr(kind, name)) for name in methods)


def test_the_body_holds_every_filter_at_once() -> None:
    """
    All filters together give the body that the reference shows.
    """
    query = (
        Q()
        .external_task_id("0f1b")
        .external_task_id_in("0f1b", "0f2b")
        .topic("invoice.send")
        .activity_id_in("SendInvoice", "a,b")
        .process_variable("total", "gteq", 100)
        .process_variable("paid", "neq", True)
        .sort_by("taskPriority", "desc")
        .sort_by(SortBy.CREATE_TIME)
        .sort_by(SortBy.ID, "asc")
    )

    assert query.body() == {
        "externalTaskId": "0f1b",
        "externalTaskIdIn": ["0f1b", "0f2b"],
        "topicName": "invoice.send",
        "activityIdIn": ["SendInvoice", "a,b"],
        "processVariables": [
            {"name": "total", "operator": "gteq", "value": 100},
            {"name": "paid", "operator": "neq", "value": True},
        ],
        "sorting": [
            {"sortBy": "taskPriority", "sortOrder": "desc"},
            {"sortBy": "createTime", "sortOrder": "asc"},
            {"sortBy": "id", "sortOrder": "asc"},
        ],
    }


def test_a_query_never_changes() -> None:
    """
    Each method gives a new query, and leaves the old one as it was.
    """
    base = Q().topic("a")
    base.locked().sort_by("id")

    assert base == Q().topic("a")
    with pytest.raises(AttributeError):
        base._topic_name = "b"  # type: ignore[misc]  # that is what is tried


def test_a_query_survives_a_pickle_and_a_copy() -> None:
    """
    It can be handed to another process, and is no key of anything else.
    """
    query = Q().topic("invoice").activity_id_in("a", "b").sort_by("id")

    for same in (pickle.loads(pickle.dumps(query)), copy.deepcopy(query)):  # noqa: S301
        assert (same, hash(same), repr(same)) == (query, hash(query), repr(query))
    assert query.unsorted() == Q().topic("invoice").activity_id_in("a", "b")
    assert query.unsorted() != query
    assert Q() != L()


def test_lists_add_up_and_scalars_are_replaced() -> None:
    """
    A list filter that is called again gets more values, any other takes the last one.
    """
    assert Q().activity_id_in("a").activity_id_in("b") == Q().activity_id_in("a", "b")
    assert Q().topic("a").topic("b") == Q().topic("b")
    assert Q().sort_by("id").unsorted() == Q()


def test_queries_that_differ_in_the_type_of_a_value_differ() -> None:
    """
    True, 1 and 1.0 are equal to Python, and not to the engine.
    """
    queries = {Q().process_variable("v", "eq", value) for value in (True, 1, 1.0, "1")}

    assert len(queries) == 4


@pytest.mark.parametrize(
    ("query", "told"),
    [
        (Q().sort_by("id").sort_by("tenantId"), "one criterion"),
        (Q().activity_id_in("a,b"), "commas"),
        (Q().activity_id_in(" \t"), "blank"),
        (Q().process_variable("n", "eq", 5), "text only"),
        (Q().process_variable("n", "eq", None), "text only"),
        (Q().process_variable("a_b", "eq", "x"), "at each '_'"),
        (Q().process_variable("a", "eq", "x_y"), "at each '_'"),
        (Q().process_variable("a", "eq", "x,y"), "commas"),
        (Q().topic("a\ud83d"), "half of an emoji"),
        (Q().external_task_id_in(*["0" * 36] * 250), "8000 bytes"),
    ],
)
def test_what_get_cannot_say_is_refused(query: Q, told: str) -> None:
    """
    The error says why, and that POST can say it; POST does.
    """
    with pytest.raises(ValueError, match=told) as refused:
        query.params()

    assert str(refused.value).endswith("send it with POST")
    assert query.body()


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda: Q().topic(5), TypeError),  # type: ignore[arg-type]
        (lambda: Q().topic(None), TypeError),  # type: ignore[arg-type]
        (lambda: Q().activity_id_in(), ValueError),
        (lambda: Q().activity_id_in(["a", "b"]), TypeError),  # type: ignore[arg-type]
        (lambda: Q().activity_id_in("a", None), TypeError),  # type: ignore[arg-type]
        (lambda: L().tenant_id_in(), ValueError),
        (lambda: Q().lock_expiration_after(datetime.datetime(2026, 1, 1)), ValueError),
        (lambda: Q().lock_expiration_before("2026-01-01"), TypeError),  # type: ignore[arg-type]
        (lambda: Q().lock_expiration_before(datetime.date(2026, 1, 1)), TypeError),  # type: ignore[arg-type]
        (lambda: Q().priority_higher_than_or_equals("5"), TypeError),  # type: ignore[arg-type]
        (lambda: Q().priority_higher_than_or_equals(True), TypeError),
        (lambda: Q().priority_lower_than_or_equals(2**63), ValueError),
        (lambda: Q().sort_by("priority"), ValueError),
        (lambda: Q().sort_by("nope"), ValueError),
        (lambda: Q().sort_by("id", "DESC"), ValueError),  # type: ignore[arg-type]
        (lambda: L().sort_by("taskPriority"), ValueError),
        (lambda: Q().process_variable("v", "EQ", "x"), ValueError),  # type: ignore[arg-type]
        (lambda: Q().process_variable("v", "gt", True), TypeError),
        (lambda: Q().process_variable("v", "lteq", None), TypeError),
        (lambda: Q().process_variable("v", "like", 5), TypeError),
        (lambda: Q().process_variable("v", "eq", [1]), TypeError),  # type: ignore[arg-type]
        (lambda: Q().process_variable("v", "eq", float("nan")), TypeError),
        (lambda: Q().process_variable("v", "eq", 2**63), ValueError),
        (lambda: Q().process_variable("v", "eq", datetime.datetime(2026, 1, 1)), ValueError),
        (lambda: Q().process_variable("v", "eq", ""), ValueError),
        (lambda: Q().process_variable("v", "like", "a\\b"), ValueError),
        (lambda: Q().topic(""), ValueError),
        (lambda: Q().activity_id_in("a", ""), ValueError),
        (lambda: Q().process_definition_name_like("a\\b"), ValueError),
        (lambda: L().error_message(""), ValueError),
        (
            lambda: Q().lock_expiration_after(datetime.datetime(1582, 10, 10, tzinfo=UTC)),
            ValueError,
        ),
        (lambda: Q(topic_name="x"), TypeError),  # type: ignore[call-arg]
        (lambda: Q().locked(False), TypeError),  # type: ignore[call-arg]
    ],
)
def test_wrong_use_is_refused_at_the_call(
    call: Callable[[], object], error: type[Exception]
) -> None:
    """
    What the engine would ignore, guess or refuse later is an error before there is a query.
    """
    with pytest.raises(error):
        call()


@pytest.mark.parametrize(
    "body",
    [
        {"topicname": "x"},
        {"topic_name": "x"},
        {"_topicName": "x"},
        {"unknown": None},
        {"activityIdIn": []},
        {"activityIdIn": "a"[:0]},
        {"sorting": []},
        {"sorting": [{"sortBy": "id"}]},
        {"sorting": [{"sortBy": "nope", "sortOrder": "asc"}]},
        {"processVariables": [{"name": "a"}]},
        {"processVariables": [{"name": "a", "operator": "gt"}]},
        {"processVariables": [{"name": "a", "operator": "eq", "values": 1}]},
        {"processVariables": [{"name": "a", "operator": "eq", "value": "null"}]},
        {"lockExpirationAfter": "yesterday"},
        {"lockExpirationAfter": "2013-01-23T14:42:45"},
        {"lockExpirationAfter": "12013-01-23T14:42:45.000+0000"},
        {"locked": "true"},
        {"locked": 1},
        {"topicName": True},
        {"topicName": False},
        ["topicName"],
        None,
    ],
)
def test_a_body_that_would_mean_something_else_is_refused(body: dict[str, Any]) -> None:
    """
    Nothing that was stored is dropped without a word, for that would match more tasks.
    """
    with pytest.raises((ValueError, TypeError)):
        Q.from_body(body)


def test_null_and_false_in_a_body_are_not_given() -> None:
    """
    The engine takes both for the absence of the filter.
    """
    assert Q.from_body({"locked": False, "topicName": None, "active": True}) == Q().active()


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (
            datetime.datetime(2026, 1, 2, 3, 4, 5, 123999, tzinfo=UTC),
            "2026-01-02T03:04:05.123+0000",
        ),
        (
            datetime.datetime(
                2026,
                1,
                2,
                3,
                4,
                5,
                tzinfo=datetime.timezone(datetime.timedelta(hours=5, minutes=30)),
            ),
            "2026-01-02T03:04:05.000+0530",
        ),
        (
            datetime.datetime(
                1, 2, 3, tzinfo=datetime.timezone(-datetime.timedelta(hours=3, minutes=30))
            ),
            "0001-02-03T00:00:00.000-0330",
        ),
        (
            datetime.datetime(2026, 7, 1, tzinfo=ZoneInfo("Europe/Berlin")),
            "2026-07-01T00:00:00.000+0200",
        ),
        (
            # Berlin's local mean time, 53 minutes and 28 seconds ahead.
            datetime.datetime(1890, 1, 1, tzinfo=ZoneInfo("Europe/Berlin")),
            "1889-12-31T23:06:32.000+0000",
        ),
    ],
)
def test_a_date_goes_out_with_three_digits_and_no_colon(
    moment: datetime.datetime, text: str
) -> None:
    """
    More digits would move the time, a colon or a ``Z`` would be refused.
    """
    assert Q().lock_expiration_after(moment).body() == {"lockExpirationAfter": text}


@pytest.mark.parametrize(
    ("text", "is_taken_for"),
    [
        *((text, "null") for text in ("", " ", "null", " null ", 'null"x', '"a', "\\n", "\\u0020")),
        ("2026-01-02T03:04:05.123+0000", "a date"),
        (" 2026-01-02T03:04:05.123+0000 and more", "a date"),
        ("\\t2026-1-2T3:4:5.6UTC", "a date"),
        ("2026-13-42T25:61:61.123456+2359", "a date"),
        ("\u0662\u0660-1-2T3:4:5.6 Central European Time", "a date"),
        ("NaN-1E1--5T\u221e: 0:0.0gmt", "a date"),
    ],
)
@pytest.mark.parametrize("operator", ["eq", "gt", "notLike"])
def test_a_text_that_is_something_else_to_the_engine_is_refused(
    text: str, is_taken_for: str, operator: Any
) -> None:
    """
    It would compare with that, and find other tasks than those of the text.
    """
    if operator == "notLike" and "\\" in text:
        is_taken_for = "backslash"
    with pytest.raises(ValueError, match=is_taken_for):
        Q().process_variable("v", operator, text)


@pytest.mark.parametrize(
    "text",
    [
        *(
            "nullx",
            "NULL",
            'a"',
            "'",
            "\\",
            "\\x",
            "a\\n",
            "\n",
            "\x7f",
            "\u00a0",
            "[1]",
            "5",
            "true",
        ),
        *("2026-01-02", "2026-01-02T03:04:05", "2026-01-02T03:04:05.123", "2026-01-02T03:04:05Z"),
        *(
            "2026-01-02T03:04:05.123Z",
            "2026-01-02T03:04:05.123+00:00",
            "x2026-01-02T03:04:05.1+0000",
        ),
        *("2026-01-02T03:04:05.123+2400", "1e3-01-02T03:04:05.123+0000"),
    ],
)
def test_a_text_that_is_just_that_to_the_engine_can_be_asked_for(text: str) -> None:
    """
    Though it looks much like the others.
    """
    conditions = Q().process_variable("v", "eq", text).body()["processVariables"]

    assert conditions == [{"name": "v", "operator": "eq", "value": text}]


def test_a_pattern_has_its_wildcards_escaped_by_a_backslash() -> None:
    """
    Before anything else it means one thing to some databases, and another to others.
    """
    for pattern in ("a\\%", "\\_", "\\\\", "a\\\\%", "%\\\\\\%"):
        query = Q().process_variable("v", "like", pattern).process_definition_name_like(pattern)
        assert query.body()["processDefinitionNameLike"] == pattern
    for pattern in ("a\\", "\\a", "\\\\\\", "a\\\\\\b", "\\%\\"):
        with pytest.raises(ValueError, match="backslash"):
            Q().process_variable("v", "notLike", pattern)
        with pytest.raises(ValueError, match="backslash"):
            Q().process_definition_name_like(pattern)


def test_attrs_can_evolve_a_query_and_show_its_fields() -> None:
    """
    Those that are not set are None, also to rich, which looks at all of them.
    """
    query: Any = Q().topic("a").locked().tenant_id_in("t").sort_by("id")

    conditions = Q().process_variable("v", "eq", None).process_variable("w", "gt", MOMENT)

    assert attrs.evolve(query) == query
    assert attrs.evolve(conditions) == conditions
    changed = attrs.evolve(query, topic_name="b", locked=None)
    assert changed == Q().topic("b").tenant_id_in("t").sort_by("id")
    assert attrs.evolve(L().topic("a").failure_log()) == L().topic("a").failure_log()
    with pytest.raises(ValueError, match="must not be empty"):
        attrs.evolve(query, topic_name="")
    for wrong in ({"topic": "b"}, {"excludes_tasks": True}):
        with pytest.raises(TypeError):
            attrs.evolve(query, **wrong)
    shown = attrs.asdict(query, filter=lambda _, value: value is not None)
    assert shown == {
        "_sorting": ({"sort_by": "id", "sort_order": "asc"},),
        "_topic_name": "a",
        "_locked": True,
        "_tenant_id_in": ("t",),
    }
    assert pretty_repr(Q().topic("a").locked()) == "ExternalTaskQuery(topic='a', locked=True)"
    assert not hasattr(query, "topicname")


def test_a_condition_that_was_stored_means_what_it_meant() -> None:
    """
    In a body a date is text, and null is left out.
    """
    for value in (MOMENT, None, True, 1.0, "2026-01-02T03:04:05Z"):
        query = Q().process_variable("v", "neq", value)
        assert Q.from_body(json.loads(json.dumps(query.body()))) == query

    assert Q().process_variable("v", "eq", "2026-01-02T03:04:05Z").body() == {
        "processVariables": [{"name": "v", "operator": "eq", "value": "2026-01-02T03:04:05Z"}]
    }


def test_members_of_enums_are_what_they_stand_for() -> None:
    """
    A user's own constants go out, and come back, as the plain values.
    """
    query = Q().topic(Words.INVOICE).priority_higher_than_or_equals(Numbers.HIGH)

    assert repr(query) == (
        "ExternalTaskQuery().topic('invoice').priority_higher_than_or_equals(50)"
    )
    assert query.params() == {"topicName": "invoice", "priorityHigherThanOrEquals": "50"}
    assert Q().process_variable("v", "eq", Words.INVOICE) == Q().process_variable(
        "v", "eq", "invoice"
    )


def test_filters_know_the_version_that_brought_them() -> None:
    """
    That is what a bulk command has to look at before it trusts an engine with them.
    """
    query = Q().topic("a").external_task_id_in("b").process_definition_key("c").sort_by("id")

    assert query.filters() == {
        "externalTaskIdIn": "7.13",
        "topicName": "7.5",
        "processDefinitionKey": "7.24",
    }


@pytest.mark.parametrize(
    ("query", "excludes_tasks"),
    [
        (Q(), False),
        (Q().sort_by("id"), False),
        (Q().variable_names_ignore_case().variable_values_ignore_case(), False),
        (Q().locked(), True),
    ],
)
def test_a_query_knows_whether_it_leaves_anything_out(query: Q, excludes_tasks: bool) -> None:
    """
    Sorting, and how variables would be compared, leave every task in.
    """
    assert query.has_filter() is excludes_tasks


# ------------------------------------------------------------------- GET and POST mean the same

TEXT = st.text("aZ0,_ é\U0001f600\x00%&+='", min_size=1, max_size=6)
SCALARS: dict[str, st.SearchStrategy[Any]] = {
    "topic": TEXT,
    "worker_id": TEXT,
    "activity_id_in": st.lists(TEXT, min_size=1, max_size=3),
    "tenant_id_in": st.lists(TEXT, min_size=1, max_size=3),
    "locked": st.just(True),
    "suspended": st.just(True),
    "priority_higher_than_or_equals": st.integers(-(2**63), 2**63 - 1),
    "lock_expiration_after": st.datetimes(
        min_value=datetime.datetime(1600, 1, 1),  # hypothesis wants naive bounds
        timezones=st.just(UTC),
    ),
    "process_variable": st.tuples(
        TEXT, st.sampled_from(get_args(Operator)), TEXT.map(lambda text: f"x{text}")
    ),
    "sort_by": st.tuples(st.sampled_from(list(SortBy)), st.sampled_from(["asc", "desc"])),
}


@st.composite
def queries(draw: st.DrawFn) -> Q:
    """
    Draw any query.
    """
    query = Q()
    for name in draw(st.lists(st.sampled_from(sorted(SCALARS)), max_size=6)):
        value = draw(SCALARS[name])
        method = getattr(query, name)
        if value is True:
            query = method()
        else:
            query = method(*value) if isinstance(value, (list, tuple)) else method(value)
    return query


def read_as_the_engine_does(params: dict[str, str]) -> dict[str, Any]:
    """
    Read GET parameters by the rules of the engine, not by those of the client.
    """
    body: dict[str, Any] = {}
    for name, text in params.items():
        if name in ("activityIdIn", "tenantIdIn"):
            # A blank one is none.
            body |= {name: text.split(",")} if text.strip(" \x00") else {}
        elif name == "processVariables":
            parts = [one.split("_") for one in text.split(",")]
            body[name] = [
                dict(zip(("name", "operator", "value"), one, strict=True)) for one in parts
            ]
        elif name in ("locked", "suspended"):
            body[name] = {"true": True}[text]
        elif name == "priorityHigherThanOrEquals":
            body[name] = int(text)
        elif name not in ("sortBy", "sortOrder"):
            body[name] = text
    if "sortBy" in params:
        body["sorting"] = [{"sortBy": params["sortBy"], "sortOrder": params["sortOrder"]}]
    return body


@given(queries())
def test_get_means_what_post_means_or_is_refused(query: Q) -> None:
    """
    The engine reads from the URL what it would read from the body.
    """
    try:
        params = query.params()
    except ValueError as refused:
        assert str(refused).endswith("send it with POST")  # noqa: PT017  # either is right
        return
    assert read_as_the_engine_does(params) == query.body()


@given(queries())
def test_any_query_can_be_stored(query: Q) -> None:
    """
    Body and repr lose nothing.
    """
    assert Q.from_body(json.loads(json.dumps(query.body()))) == query
    assert eval(repr(query)) == query  # noqa: S307  # that it can be evaluated is what is promised
