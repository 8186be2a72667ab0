"""
That the benchmarks run and compare like with like; how quick anything is, is not looked at.
"""

from __future__ import annotations

import json
import math
import runpy
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from functools import partial
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import parse_qs

import pytest
import requests

from camunda_ext import ExternalTaskClient
from tests import benchmarks
from tests.benchmarks import answers, decoding, pages, queries, stub, worker
from tests.benchmarks.__main__ import BENCHMARKS, main
from tests.benchmarks._rounds import Effort, Took, side_by_side
from tests.benchmarks._table import Row, print_table

_ONCE = Effort(rounds=1, turn=0)

_BY_HAND = "orjson and construction by hand"
_MEMORY = "nothing: MiB of memory grown"
_PLAIN = "plain requests.Session"
_LOOP = "a bare loop of complete(), 200 in hand"
_ROWS = {
    "calls": [
        ("get", _PLAIN, "wall", 0.5),
        ("complete", _PLAIN, "wall", 0.5),
        ("get, own session=", _PLAIN, "wall", 0.5),
        ("complete, own session=", _PLAIN, "wall", 0.5),
    ],
    "decoding": [
        ("decode 1,000 tasks", _BY_HAND, "cpu", 1.0),
        ("decode 10,000 tasks", _BY_HAND, "cpu", 1.0),
        ("decode 1,000 tasks without orjson", _BY_HAND, "cpu", 1.4),
        ("decode 10,000 tasks without orjson", _BY_HAND, "cpu", 1.4),
        ("refuse a MiB of lists", "json.loads", "cpu", 10),
        ("refuse a MiB of objects", "json.loads", "cpu", 10),
        ("refuse a MiB of tasks, and a number", "json.loads", "cpu", 10),
        ("decode locked tasks, 2 of 10 variables", "all 10 variables read", "cpu", 0.7),
    ],
    "importing": [
        ("import camunda_ext", "import requests", "cpu", 1.42),
        ("from camunda_ext import ExternalTaskClient", "import requests", "cpu", 1.42),
    ],
    "pages": [
        ("iterate 2,500 tasks", "http.client, orjson, by hand", "cpu", 1.25),
        ("iterate 2,500 tasks, prefetch=0", _MEMORY, "wall", 6),
        ("iterate 2,500 tasks, prefetch=4", _MEMORY, "wall", 20),
        ("iterate with latency, prefetch=4", "one after the other, by hand", "wall", 0.45),
    ],
    "queries": [
        ("query of six filters, GET", "dict literal and urlencode", "cpu", 2.0),
        ("query of six filters, POST", "dict literal and json.dumps", "cpu", 3.2),
    ],
    "threads": [
        ("get by 32 threads, one client", "32 plain requests.Sessions", "cpu", 0.55),
        (
            "get by a new thread, 20 ms latency",
            "one shared plain requests.Session",
            "wall",
            1.05,
        ),
    ],
    "worker": [
        ("60 tasks by 32 slots", _LOOP, "wall", 1.18),
        ("60 tasks by 32 slots", _LOOP, "cpu", 1.15),
        ("requests for each task of a backlog", "nothing: the number itself", "wall", 1.05),
        ("a fetch of 1,000 topics: more ms of CPU", "nothing: beside one topic", "cpu", 2.0),
    ],
}


#: What is run here: all tasks of the pages would take a minute.
_BENCHMARKS: Mapping[str, Callable[[Effort], Iterator[Row]]] = {
    **BENCHMARKS,
    "pages": partial(pages.rows, tasks=2_500),
    "worker": partial(worker.rows, tasks=60, beside_javascript=False),
}


def _row(what: str, ratio: float) -> Row:
    return Row(what=what, against="a", ratios=Took(ratio, 9), judged="wall", bound=0.5)


def test_every_benchmark_is_looked_at() -> None:
    """
    A new benchmark is added here as well.
    """
    assert set(BENCHMARKS) == set(_ROWS)


@pytest.mark.parametrize("name", _ROWS)
def test_a_benchmark_gives_its_rows(name: str) -> None:
    """
    Each row has its bound, and ratios that are some; what has no other side is a single figure.
    """
    rows = list(_BENCHMARKS[name](_ONCE))
    ratios = [
        ratio
        for row in rows
        for ratio in (row.ratios.wall, row.ratios.cpu)
        if not (row.against.startswith("nothing") and math.isnan(ratio))
    ]

    assert [(row.what, row.against, row.judged, row.bound) for row in rows] == _ROWS[name]
    assert all(0 < ratio < math.inf for ratio in ratios)


def test_both_ways_read_the_same_tasks() -> None:
    """
    What is written by hand does the same work.
    """
    content = answers.tasks(20)

    assert decoding.tasks(content) == decoding.by_hand(content)
    assert len(decoding.by_hand(content)) == 20


def test_two_variables_are_read_of_ten() -> None:
    """
    Both ways read tasks of ten variables, of which the first asks for two.
    """
    content = answers.locked_tasks(1)
    ((customer, due),) = decoding.read_two(content)
    (variables,) = decoding.read_all(content)

    assert (customer, due.isoformat()) == ("Müller & Söhne 0", "2026-11-23T08:15:30+00:00")
    assert len(variables) == 10


def test_both_ways_say_the_same_query() -> None:
    """
    The dict literals hold the filters that the builder is given, in whatever order.
    """
    assert parse_qs(queries.get()) == parse_qs(queries.get_by_hand())
    assert json.loads(queries.post()) == json.loads(queries.post_by_hand())


@pytest.mark.parametrize("delay", [0, 0.001])
def test_the_stub_answers_as_an_engine_does(delay: float) -> None:
    """
    A task for a GET, 204 for a POST, on a connection that stays; and nobody there afterwards.
    """
    with stub.running(delay) as url, requests.Session() as session:
        found = session.get(f"{url}/external-task/1")
        done = session.post(f"{url}/external-task/1/complete", json={"workerId": "worker"})

    assert (found.status_code, found.json()["topicName"]) == (200, "invoice.send")
    assert (done.status_code, done.content) == (204, b"")
    with pytest.raises(requests.ConnectionError):
        requests.get(url, timeout=10)


@pytest.mark.parametrize("delay", [0, 0.001])
@pytest.mark.parametrize(
    ("page", "ids"),
    [
        ("firstResult=0&maxResults=2", ["00000002", "00000006"]),
        ("firstResult=1&maxResults=2", ["00000006", "0000000a"]),
        ("firstResult=3&maxResults=2", ["0000000e"]),
        ("firstResult=4&maxResults=2", []),
        ("firstResult=9&maxResults=2", []),
        ("maxResults=9", ["00000002", "00000006", "0000000a", "0000000e"]),
    ],
)
def test_the_stub_gives_the_page_that_is_asked_for(page: str, ids: list[str], delay: float) -> None:
    """
    It may begin anywhere, as the pages of a selection overlap.
    """
    with stub.running(delay, answers.each_task(4)) as url:
        found = requests.post(f"{url}/external-task?{page}", json={}, timeout=10)

    assert [task["id"] for task in found.json()] == [
        f"{number}-c76c-11f0-a0c1-0242ac110002" for number in ids
    ]


def test_both_ways_give_all_tasks() -> None:
    """
    Those of a list of as many, in its order; what is too large for a socket at once arrives, too.
    """
    expected = decoding.by_hand(answers.tasks(3_000))
    with (
        stub.running(tasks=answers.each_task(3_000)) as url,
        closing(HTTPConnection(url.split("/")[2])) as connection,
        ExternalTaskClient(url) as client,
    ):
        assert tuple(pages.by_hand(connection, "/engine-rest")) == expected
        assert tuple(client.select(page_size=1_000)) == expected
        assert tuple(client.select(page_size=1_000, prefetch=4)) == expected
        assert client.list(max_results=3_000) == expected


def test_the_figure_is_the_median_of_the_rounds() -> None:
    """
    Ratios are made within a round: one that is disturbed changes nothing.
    """
    ours = iter([Took(1, 2), Took(90, 90), Took(2, 4)])
    theirs = iter([Took(2, 2), Took(3, 3), Took(8, 8)])

    assert side_by_side(lambda: next(ours), lambda: next(theirs), rounds=3) == Took(0.5, 1)


def test_one_row_beyond_its_bound_is_too_many() -> None:
    """
    The judged ratio counts, the other one does not; a row at its bound holds.
    """
    lines: list[str] = []

    assert print_table([_row("quick", 0.5)], lines.append)
    assert not print_table([_row("slow", 0.51), _row("quick", 0.5)], lines.append)
    assert [line.split() for line in lines if line[:5] in ("quick", "slow ")] == [
        ["quick", "a", "0.50*", "9.00", "0.50", "yes"],
        ["slow", "a", "0.51*", "9.00", "0.50", "NO"],
        ["quick", "a", "0.50*", "9.00", "0.50", "yes"],
    ]


@pytest.mark.parametrize(("measured", "status"), [(0.5, 0), (0.51, 1), (math.nan, 1)])
def test_the_command_ends_with_whether_all_bounds_hold(
    measured: float, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    A release stops at it, so that what cannot be measured does not hold either.
    """
    monkeypatch.setattr(queries, "rows", lambda _: iter([_row("quick", 0.5), _row("q", measured)]))
    monkeypatch.setattr(sys, "argv", ["tests.benchmarks", "queries"])

    # As a file: where pytest has imported a module in its own way, runpy cannot run it by name.
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(Path(benchmarks.__path__[0]) / "__main__.py"), run_name="__main__")

    assert ended.value.code == status


@pytest.mark.parametrize(
    ("arguments", "told"),
    [(["decode"], "no such benchmark: decode"), (["--rounds", "0"], "no rounds at all")],
)
def test_a_mistyped_command_measures_nothing(
    arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """
    It would otherwise look as if all bounds held.
    """
    with pytest.raises(SystemExit):
        main(arguments)

    assert told in capsys.readouterr().err
