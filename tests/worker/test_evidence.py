"""
What breaks a promise of the worker, and what does not, in the eyes of an endurance run.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.faults.kinds import Answer
from tests.faults.proxy import Message
from tests.worker.evidence import Evidence, Failed, Lock, Run, Story, Unlocked, Watch, read


def _lock(station: str, at: float) -> Lock:
    """
    A lock of ten seconds on the task "t".
    """
    return Lock("t", f"{station}:1#1", at, at + 10)


def _run(station: str, began: float, ended: float | None = None, **more: object) -> Run:
    """
    A run of the task "t"; if it has ended, it was completed, unless *more* says otherwise.
    """
    done = (
        {} if ended is None else {"outcome": "Completed", "report": "Completed", "result": "done"}
    )
    return Run(
        station=station,
        task_id="t",
        worker_id=f"{station}:1#1",
        began=began,
        ended=ended,
        **{**done, **more},  # type: ignore[arg-type]  # of fields of several types
    )


def _evidence(
    given: Sequence[Lock] = (),
    runs: Sequence[Run] = (),
    *,
    extended: Sequence[Lock] = (),
    unlocked: Sequence[Unlocked] = (),
    failures: Sequence[Failed] = (),
    died: dict[str, float] | None = None,
    stopped: tuple[int, tuple[str, ...]] | None = None,
) -> Evidence:
    return Evidence(
        given=given,
        extended=extended,
        unlocked=unlocked,
        failures=failures,
        stories=[
            Story(name, [run for run in runs if run.station == name], Counter(), stopped)
            for name in ("a", "b")
        ],
        died=died or {},
    )


_FAILED = {"outcome": "Failure", "report": "Failure", "retry_timeout": 3.0}


@pytest.mark.parametrize(
    ("evidence", "reason"),
    [
        (_evidence([_lock("a", 0)], [_run("a", 0, 1)]), None),
        (
            _evidence(
                [_lock("a", 0), _lock("b", 4)],
                [_run("a", 0, 1, **_FAILED), _run("b", 4, 5)],
                failures=[Failed("t", "a:1#1", 1)],
            ),
            "a failure was reported",
        ),
        (
            _evidence(
                [_lock("a", 0), _lock("b", 1)],
                [_run("b", 1, 2)],
                unlocked=[Unlocked("t", 0.9, 0.95)],
            ),
            "it was unlocked",
        ),
        (
            _evidence(
                [_lock("a", 0), _lock("b", 2)],
                [_run("a", 0, 1, outcome="Abandoned", report="Abandoned"), _run("b", 2, 3)],
                unlocked=[Unlocked("t", 1, 1.1)],
            ),
            "it was unlocked",
        ),
        (
            _evidence(
                [_lock("a", 0), _lock("b", 10)], [_run("a", 0), _run("b", 10, 11)], died={"a": 5}
            ),
            "its worker was killed",
        ),
        (
            _evidence([_lock("a", 0), _lock("b", 10)], [_run("b", 10, 11)]),
            "it was lost, and its lock ran out",
        ),
        (
            _evidence(
                [_lock("a", 0), _lock("b", 10)],
                [_run("a", 0, 1, result="left"), _run("b", 10, 11)],
            ),
            "its report was left",
        ),
    ],
)
def test_what_workers_may_do(evidence: Evidence, reason: str | None) -> None:
    """
    A task is given out again for good reasons.
    """
    counts: Counter[str] = Counter()

    assert list(evidence.breaches(counts)) == []
    assert [name for name in counts if name.startswith("given")] == (
        [] if reason is None else [f"given out again: {reason}"]
    )


_LATER = _run("b", 20, 21)


@pytest.mark.parametrize(
    ("evidence", "expected"),
    [
        (
            _evidence([_lock("a", 0)], [_run("a", 0, 1), _run("a", 2, 3)]),
            "t was begun 2 times by a:1#1, and given out to it 1 times",
        ),
        (
            _evidence(
                [_lock("a", 0), _lock("b", 2)],
                [_run("a", 0, 1, **_FAILED), _run("b", 2, 5)],
                failures=[Failed("t", "a:1#1", 1)],
            ),
            "the retry of t was given out 2.000 s early",
        ),
        (
            _evidence(
                [_lock("a", 0), _lock("b", 2)],
                [_run("a", 0, 1), _run("b", 2, 5)],
                unlocked=[Unlocked("t", 1, 1.5)],
            ),
            "t was unlocked though a:1#1 had begun it",
        ),
        (
            _evidence(
                [_lock("a", 0), _lock("b", 20)],
                [first := _run("a", 0, 15), _LATER],
                extended=[_lock("a", 5)],
            ),
            (
                "t was given out again 5.000 s after the end of its lock, though its worker was "
                f"alive: {first}"
            ),
        ),
        (
            _evidence(
                [_lock("a", 0), _lock("b", 20)],
                [first := _run("a", 0, 25, result="left"), _LATER],
            ),
            f"t ran twice at a time: {first} and {_LATER}",
        ),
    ],
)
def test_what_breaks_a_promise(evidence: Evidence, expected: str) -> None:
    """
    Each is told in a sentence.
    """
    assert list(evidence.breaches(Counter())) == [expected]


@pytest.mark.parametrize(
    ("evidence", "expected"),
    [
        (_evidence(), ["a has stopped, and t is locked for it"]),
        (_evidence(runs=[_run("a", 0, 1)]), ["a has stopped, and t is locked for it"]),
        (
            _evidence(runs=[_run("a", 5, 6)], failures=[Failed("t", "a:1#1", 1)]),
            ["a has stopped, and t is locked for it"],
        ),
        (_evidence(runs=[_run("a", 0, 1, **_FAILED)], failures=[Failed("t", "a:1#1", 1)]), []),
        (_evidence(stopped=(1, ("t",))), []),
    ],
)
def test_what_may_be_locked_after_a_stop(evidence: Evidence, expected: list[str]) -> None:
    """
    What waits for its retry, and what the worker itself has told.
    """
    assert list(evidence.left_locked("a", "t")) == expected


def test_the_history_has_the_last_word() -> None:
    """
    A worker that was told "done" has completed the task, and one that was told "taken" has not.
    """
    evidence = _evidence(runs=[_run("a", 0, 1), _run("b", 2, 3, result="taken")])

    assert evidence.contradictions(["t"], [("t", "a:1#1")]) == []
    assert evidence.contradictions(["t"], [("t", "b:1#1")]) == [
        "t by b: it said REFUSED, and was done",
        "t by a: it returned, and was not done",
    ]


def _message(path: str, body: bytes) -> Message:
    return Message("POST", f"/engine-rest/external-task/{path}", (), body, is_last=False)


def test_what_the_engine_says_about_locks_is_written_down() -> None:
    """
    Of answers that it gave, whatever became of them on their way.
    """
    watch = Watch(10.0)
    done = Answer(204, "No Content", (), b"")
    fetched = b'[{"id":"t","workerId":"a:1#1","lockExpirationTime":"1970-01-01T00:00:10.500+0000"}]'
    watch(_message("fetchAndLock", b"{}"), Answer(200, "OK", (), fetched), 0.4, 0.6)
    watch(_message("t/extendLock", b'{"workerId":"a:1#1","newDuration":7000}'), done, 1.0, 1.5)
    watch(_message("t/lock", b'{"workerId":"a:1#1","lockDuration":9000}'), done, 2.0, 2.5)
    watch(_message("t/unlock", b""), done, 3.0, 3.5)
    watch(_message("t/unlock", b""), Answer(500, "Internal Server Error", (), b"{}"), 4.0, 4.5)

    assert watch.given == [Lock("t", "a:1#1", 0.5, 10.5)]
    assert watch.extended == [Lock("t", "a:1#1", 1.0, 8.5), Lock("t", "a:1#1", 2.0, 11.5)]
    assert watch.unlocked == [Unlocked("t", 3.0, 3.5)]


def test_a_journal_is_read(tmp_path: Path) -> None:
    """
    Each run with its end and its report; what has not begun is counted alone.
    """
    journal = tmp_path / "a"
    journal.write_text(
        "1.0\trunning\t\t\t\n"
        "2.0\tbegan\tt\ta:1#1\t\n"
        "3.0\tended\tt\ta:1#1\tFailure\n"
        "4.0\treported\tt\ta:1#1\tFailure done 2 3000\n"
        "5.0\treported\tu\ta:1#1\tAbandoned left\n"
        "6.0\tbegan\tt\ta:1#1\t\n"
        "7.0\tstopped\t\t\t1 u t\n"
        "8.0\tover\t\t\t1 5\n"
    )

    assert read("a", journal) == Story(
        "a",
        [_run("a", 2, 3, **_FAILED, result="done"), _run("a", 6)],
        Counter(
            {
                "running": 1,
                "began": 2,
                "ended": 1,
                "reported": 2,
                "reported Failure: done": 1,
                "reported Abandoned: left": 1,
                "stopped": 1,
                "stopped with 1": 1,
                "over": 1,
            }
        ),
        (1, ("u", "t")),
        (1, 5),
    )
