"""
Before a bulk write changes anything, the engine shows that it honours the filters.
"""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import attrs
import pytest

from camunda_ext import (
    ExternalTaskClient,
    ExternalTaskQuery,
    HistoricExternalTaskLogQuery,
    NoAnswer,
    Selection,
)
from camunda_ext._many.proof import FilterProof
from camunda_ext.testing import Engine
from tests.stub import Stub, json_answer, raw_answer

_ZERO: Final = json_answer(200, {"count": 0})
_WRONG_TYPE: Final = json_answer(400, {"type": "InvalidRequestException", "message": ""})

#: A query with each filter that some engine since 7.6 ignores, and the version that brought it.
NEWER: Final[Mapping[str, tuple[ExternalTaskQuery, str]]] = {
    "externalTaskIdIn": (ExternalTaskQuery().external_task_id_in("t1", "t2"), "7.13"),
    "activityIdIn": (ExternalTaskQuery().activity_id_in("a"), "7.13"),
    "processInstanceIdIn": (ExternalTaskQuery().process_instance_id_in("i1"), "7.13"),
    "processDefinitionKey": (ExternalTaskQuery().process_definition_key("k"), "7.24"),
    "processDefinitionKeyIn": (ExternalTaskQuery().process_definition_key_in("k"), "7.24"),
    "processDefinitionName": (ExternalTaskQuery().process_definition_name("n"), "7.24"),
    "processDefinitionNameLike": (ExternalTaskQuery().process_definition_name_like("%"), "7.24"),
    "variableNamesIgnoreCase": (ExternalTaskQuery().variable_names_ignore_case(), "7.24"),
    "variableValuesIgnoreCase": (ExternalTaskQuery().variable_values_ignore_case(), "7.24"),
    "processVariables": (ExternalTaskQuery().process_variable("v", "gt", 1), "7.24"),
}


def proof_of(
    client: ExternalTaskClient,
    *,
    version: str | None = None,
    bodies: list[Mapping[str, Any]] | None = None,
) -> FilterProof:
    """
    A client's proof of filters, of an engine that says this version; the bodies of its counts are
    kept.
    """
    proof = client._proof(ExternalTaskQuery())

    def count(body: Mapping[str, object]) -> int:
        if bodies is not None:
            bodies.append(body)
        return proof.count(body)

    return attrs.evolve(proof, count=count, version=lambda: version)


def test_the_table_has_all_newer_filters() -> None:
    """
    A filter that engines from 7.6 on may ignore has a line above.
    """
    fields = {
        name
        for query, _ in NEWER.values()
        for name, since in query.filters().items()
        if since != "7.5"
    }

    assert fields == set(NEWER)
    assert {name: query.filters()[name] for name, (query, _) in NEWER.items()} == {
        name: since for name, (_, since) in NEWER.items()
    }


@pytest.mark.parametrize("name", NEWER)
def test_a_modern_engine_honours_every_filter(name: str) -> None:
    """
    Whatever tasks there are, none passes a filter with a value that no task has.
    """
    query, _ = NEWER[name]
    with Engine() as engine:
        engine.create_task("a", variables={"v": 2})
        proof = proof_of(engine.client())
        proof.prove_known(query)
        proof.prove_effective(query)

    assert proof.facts.proven == {("tasks", name)}


@pytest.mark.parametrize("has_tasks", [True, False])
@pytest.mark.parametrize("name", [name for name, (_, since) in NEWER.items() if since == "7.24"])
def test_an_old_engine_is_found_out(name: str, has_tasks: bool) -> None:
    """
    An engine that ignores a filter takes a value of the wrong type for it, also without tasks.
    """
    query, since = NEWER[name]
    with Engine(version="7.14") as engine:
        if has_tasks:
            engine.create_task("a")
        proof = proof_of(engine.client(), version="7.14.0")
        with pytest.raises(ValueError, match="Nothing was changed") as caught:
            proof.prove_known(query)

    assert str(caught.value) == (
        f"this engine, 7.14.0, ignores the filter {name}, which came with {since}: "
        "more tasks would match than the query says. Nothing was changed"
    )
    assert proof.facts.proven == set()


@pytest.mark.parametrize("name", [name for name, (_, since) in NEWER.items() if since == "7.24"])
def test_a_filter_that_leaves_nothing_out_is_found_out(name: str) -> None:
    """
    That is the second proof: where there are tasks, an impossible value still finds them.
    """
    query, since = NEWER[name]
    with Engine(version="7.14") as engine:
        engine.create_task("a")
        with pytest.raises(ValueError, match=f"{name}, which came with {re.escape(since)}"):
            proof_of(engine.client()).prove_effective(query)


def test_impossible_values_have_the_form_of_the_real_ones() -> None:
    """
    A flag goes with a condition, for without one it means nothing; and no value has a wildcard.
    """
    query = (
        ExternalTaskQuery()
        .topic("a")
        .external_task_id_in("t1", "t2")
        .process_definition_name_like("%")
        .variable_names_ignore_case()
        .process_variable("v", "neq", True)
    )
    counted: list[Mapping[str, Any]] = []
    with Engine() as engine:
        proof_of(engine.client(), bodies=counted).prove_effective(query)
    bodies = json.dumps(counted)

    found = re.findall(r"no-such-value-[0-9a-f]{32}", bodies)
    for value in found:
        bodies = bodies.replace(value, "X")
    assert json.loads(bodies) == [
        {"externalTaskIdIn": ["X"]},
        {"processDefinitionNameLike": "X"},
        {
            "variableNamesIgnoreCase": True,
            "processVariables": [{"name": "X", "operator": "eq", "value": "X"}],
        },
        {"processVariables": [{"name": "X", "operator": "eq", "value": "X"}]},
    ]


def test_old_filters_need_no_proof() -> None:
    """
    What every engine knows is not asked for.
    """
    query = ExternalTaskQuery().topic("a").activity_id("b").suspended()
    with Stub() as stub, ExternalTaskClient(stub.url) as client:
        proof_of(client).prove_known(query)
        proof_of(client).prove_effective(query)

        assert stub.seen == []


def test_a_gateway_that_refuses_odd_values_proves_nothing() -> None:
    """
    What refuses unknown properties would refuse those of filters as well, known or not.
    """
    query = ExternalTaskQuery().process_definition_key("k")
    with Stub(_WRONG_TYPE) as stub, ExternalTaskClient(stub.url) as client:
        with pytest.raises(Exception, match="400"):
            proof_of(client).prove_known(query)

        assert len(stub.seen) == 1


def test_no_answer_is_no_proof() -> None:
    """
    A page of a gateway in between ends it.
    """
    query = ExternalTaskQuery().process_definition_key("k")
    page = raw_answer("502 Bad Gateway")
    with (
        Stub(_ZERO, page) as stub,
        ExternalTaskClient(stub.url, retry=False) as client,
        pytest.raises(NoAnswer),
    ):
        proof_of(client).prove_known(query)


def test_nothing_is_changed_by_a_proof() -> None:
    """
    It counts, and does nothing else.
    """
    query = ExternalTaskQuery().process_definition_key("k").external_task_id_in("t")
    answers = (_ZERO, _WRONG_TYPE, _WRONG_TYPE, _ZERO)
    with Stub(*answers) as stub, ExternalTaskClient(stub.url) as client:
        proof_of(client).prove_known(query)
        proof_of(client).prove_effective(query)

        assert {(one.method, one.target) for one in stub.seen} == {
            ("POST", "/engine-rest/external-task/count")
        }


# ------------------------------------------------------------------------------- before one reads

_NEWEST: Final = ExternalTaskQuery().topic("a").process_variable("v", "eq", 1)


@pytest.fixture
def old() -> Iterator[Engine]:
    """
    An engine that ignores the condition of `_NEWEST`, with a task that does not match.
    """
    with Engine(version="7.14") as engine:
        engine.create_task("a")
        yield engine


#: What can be done with a selection, but for its bulk writes.
_USES: Final[Mapping[str, Callable[[Selection], Any]]] = {
    "count": lambda selection: selection.count(),
    "exists": lambda selection: selection.exists(),
    "first": lambda selection: selection.first(),
    "one": lambda selection: selection.one(),
    "index": lambda selection: selection[3],
    "slice": lambda selection: list(selection[1:3]),
    "count of a slice": lambda selection: selection[1:].count(),
    "list": list,
    "ids": lambda selection: list(selection.ids()),
    "chunks": lambda selection: list(selection.chunks(2)),
    "to_dicts": lambda selection: list(selection.to_dicts()),
    "table": lambda selection: selection.table(),
}


@pytest.mark.parametrize("use", _USES)
def test_a_selection_is_proven_before_it_is_used(use: str, old: Engine) -> None:
    """
    Whoever completes what they are given does harm by reading, too.
    """
    selection = old.client().select(_NEWEST)
    with pytest.raises(ValueError, match=r"7\.14\.0, ignores the filter processVariables"):
        _USES[use](selection)


@pytest.mark.parametrize("prefetch", [0, 4])
def test_an_iteration_is_proven_before_it_begins(prefetch: int, old: Engine) -> None:
    """
    To begin with, nothing is sent.
    """
    client = old.client()
    tasks = iter(client.select(_NEWEST, prefetch=prefetch))
    same = client.iterate(_NEWEST)
    for one in (tasks, same):
        with pytest.raises(ValueError, match="ignores the filter processVariables"):
            next(one)


def test_a_selection_that_is_looked_at_says_why_it_shows_nothing(old: Engine) -> None:
    """
    A prompt must not end in a traceback.
    """
    shown = old.client().select(_NEWEST)._repr_mimebundle_()["text/plain"]

    assert "ValueError: this engine, 7.14.0, ignores the filter processVariables" in shown


def test_a_client_proves_each_filter_once() -> None:
    """
    Also for those with other options, which share what it knows.
    """
    one = json_answer(200, {"count": 1})
    with Stub(_ZERO, _WRONG_TYPE, one) as stub, ExternalTaskClient(stub.url) as client:
        client.check(_NEWEST)
        asked = len(stub.seen)
        client.check(_NEWEST)
        client.with_options(timeout=5).select(_NEWEST).count()
        client.count(_NEWEST)
        counted = len(stub.seen) - asked

    assert (asked, counted) == (2, 2)


def test_only_a_query_is_checked() -> None:
    """
    Anything else is a mistake.
    """
    client = ExternalTaskClient("http://engine.invalid/engine-rest")
    with pytest.raises(TypeError, match="ExternalTaskQuery"):
        client.check({"processVariables": []})  # type: ignore[arg-type]


def _versioned(version: str | None) -> tuple[bytes, ...]:
    """
    The answers to a request for the version and to a count.
    """
    return json_answer(200, {"version": version}), json_answer(200, {"count": 1})


@pytest.mark.parametrize("version", ["7.14.0", "7.23.1-ee", "7.8.0-SNAPSHOT"])
def test_a_filter_that_is_newer_than_the_engine_is_warned_of_once(version: str) -> None:
    """
    To count and to list prove nothing, but they know the version of the engine.
    """
    with (
        Stub(*_versioned(version)) as stub,
        ExternalTaskClient(stub.url) as client,
        warnings.catch_warnings(record=True) as caught,
    ):
        warnings.simplefilter("always")
        for _ in range(2):
            assert client.count(_NEWEST) == 1
            assert client.count(_NEWEST, via="POST") == 1
        assert client.with_options(timeout=5).count(_NEWEST.process_definition_key("k")) == 1

    assert [str(one.message).partition(",")[2][:60] for one in caught] == [
        f" {version}, ignores the filter processVariables, which came with "[:60],
        f" {version}, ignores the filter processDefinitionKey, which came with "[:60],
    ]
    assert {(one.category, one.filename) for one in caught} == {(UserWarning, __file__)}
    assert [one.target for one in stub.seen].count("/engine-rest/version") == 1


@pytest.mark.parametrize(
    "answers",
    [
        _versioned("7.24.0"),
        _versioned("8.0.0"),
        _versioned("1.0.0"),  # Operaton
        _versioned("2.1.0"),  # CIB seven
        _versioned(None),
        _versioned("unknown"),
        (raw_answer("404 Not Found"), json_answer(200, {"count": 1})),
        (raw_answer("401 Unauthorized"), json_answer(200, {"count": 1})),
        (raw_answer("503 Service Unavailable"), json_answer(200, {"count": 1})),
    ],
)
def test_where_the_version_says_nothing_nothing_is_warned_of(answers: tuple[bytes, ...]) -> None:
    """
    Forks count from 1, and some servers do not tell.
    """
    with Stub(*answers) as stub, ExternalTaskClient(stub.url) as client:
        assert client.count(_NEWEST) == 1

    assert len(stub.seen) == 2


def test_filters_of_all_engines_need_no_version() -> None:
    """
    Most queries are one request.
    """
    with Stub(json_answer(200, {"count": 1})) as stub, ExternalTaskClient(stub.url) as client:
        client.count(ExternalTaskQuery().topic("a").locked())
        client.count()

    assert len(stub.seen) == 2


def test_an_old_engine_is_warned_of(old: Engine) -> None:
    """
    By the function that the user has called.
    """
    client = old.client()
    with pytest.warns(UserWarning, match=r"7\.14\.0, ignores the filter") as caught:
        assert len(client.list(_NEWEST)) == 1
    assert client.count(_NEWEST) == 1
    assert caught[0].filename == __file__


# ---------------------------------------------------------------------------------------- the log

_OF_THE_LOG: Final = HistoricExternalTaskLogQuery().topic("a").without_tenant_id()


def test_a_newer_filter_of_the_log_is_proven() -> None:
    """
    Engines from 7.7 to 7.11 have the log, and ignore this filter.
    """
    answers = (_ZERO, _ZERO, json_answer(200, {"version": "7.11.0"}))
    with Stub(*answers) as stub, ExternalTaskClient(stub.url) as client:
        with pytest.raises(ValueError, match="Nothing was changed") as caught:
            client.select(_OF_THE_LOG).first()
        seen = [(one.target, one.body) for one in stub.seen]

    assert str(caught.value) == (
        "this engine, 7.11.0, ignores the filter withoutTenantId, which came with 7.12: "
        "more entries would match than the query says. Nothing was changed"
    )
    assert seen == [
        (
            "/engine-rest/history/external-task-log/count",
            b'{"noSuchFilter":{},"noSuchFilters":"not a list"}',
        ),
        ("/engine-rest/history/external-task-log/count", b'{"withoutTenantId":{}}'),
        ("/engine-rest/version", b""),
    ]


@pytest.mark.parametrize("use", ["check", "select"])
def test_a_modern_engine_honours_the_filters_of_the_log(use: str) -> None:
    """
    By what it answers to a flag that is none.
    """
    with Engine() as engine:
        engine.create_task("a")
        client = engine.client()
        if use == "check":
            client.check(_OF_THE_LOG)
        else:
            assert client.select(_OF_THE_LOG).count() == 1


def test_the_filters_that_the_log_began_with_need_no_proof() -> None:
    """
    And no filter of tasks is proven by one of the log that has its name.
    """
    of_log = HistoricExternalTaskLogQuery().process_definition_key("k")
    of_tasks = ExternalTaskQuery().process_definition_key("k")
    answers = (json_answer(200, []), _ZERO, _WRONG_TYPE)
    with Stub(*answers) as stub, ExternalTaskClient(stub.url) as client:
        assert client.select(of_log).first() is None
        assert len(stub.seen) == 1
        client.check(of_tasks)

        assert len(stub.seen) == 3


def test_a_newer_filter_of_the_log_is_warned_of() -> None:
    """
    Where one request is all that there is time for.
    """
    answers = (json_answer(200, {"version": "7.11.0"}), json_answer(200, []), _ZERO)
    with Stub(*answers) as stub, ExternalTaskClient(stub.url) as client:
        with pytest.warns(UserWarning, match="more entries would match") as caught:
            assert client.log_list(_OF_THE_LOG) == ()
        assert client.log_count(_OF_THE_LOG) == 0

    assert [one.filename for one in caught] == [__file__]
