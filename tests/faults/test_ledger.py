"""
What contradicts the history of an engine, and what does not.
"""

from __future__ import annotations

import pytest

from tests.faults.ledger import Ledger, Said, Success

Note = tuple[str, int, Said]

_DONE = [Success("a", "w1"), Success("b", "w1")]


def found(notes: list[Note], history: list[Success]) -> list[str]:
    """
    Give the contradictions of what two workers were told about two tasks.
    """
    ledger = Ledger(["a", "b"], ["w1", "w2"])
    for task_id, worker, said in notes:
        ledger.note(task_id, worker, said)
    return ledger.contradictions(history)


@pytest.mark.parametrize(
    "notes",
    [
        [],
        [("a", 0, Said.RETURNED), ("b", 0, Said.RETURNED)],
        [("a", 0, Said.UNKNOWN), ("a", 0, Said.REFUSED)],
        [("a", 0, Said.NOT_SENT), ("a", 0, Said.REFUSED), ("a", 0, Said.RETURNED)],
        [("a", 1, Said.REFUSED), ("a", 0, Said.RETURNED), ("a", 1, Said.NOT_SENT)],
        [("a", 0, Said.RETURNED), ("a", 1, Said.UNKNOWN)],
    ],
)
def test_what_may_be_said_of_tasks_that_the_first_worker_completed(notes: list[Note]) -> None:
    """
    Doubt is never wrong, and the last word of several is not the only one.
    """
    assert found(notes, _DONE) == []


@pytest.mark.parametrize(
    ("notes", "history", "expected"),
    [
        ([], _DONE[:1], ["b was completed 0 times"]),
        ([], [*_DONE, _DONE[1]], ["b was completed 2 times"]),
        ([], [*_DONE, Success("c", "w1")], ["w1 completed c: one of them is not known"]),
        ([], [*_DONE[:1], Success("b", "x")], [
            "x completed b: one of them is not known", "b was completed 0 times"
        ]),
        ([("c", 0, Said.REFUSED)], _DONE, ["c is none of the tasks"]),
        (
            [("b", 1, Said.RETURNED)],
            _DONE,
            ["b by w2: it returned, and was not done"],
        ),
        (
            [("b", 1, Said.RETURNED), ("b", 0, Said.UNKNOWN)],
            _DONE,
            ["b by w2: it returned, and was not done"],
        ),
        (
            [("a", 0, Said.REFUSED), ("a", 0, Said.NOT_SENT), ("a", 1, Said.UNKNOWN)],
            _DONE,
            ["a by w1: it said REFUSED, NOT_SENT, and was done"],
        ),
        (
            [("a", 0, Said.RETURNED), ("a", 0, Said.RETURNED)],
            _DONE,
            ["a by w1: it returned twice"],
        ),
    ],
)  # fmt: skip
def test_what_contradicts_the_history(
    notes: list[Note], history: list[Success], expected: list[str]
) -> None:
    """
    Each finding names the task, and the worker if it was told something wrong.
    """
    assert found(notes, history) == expected


def test_task_is_settled_once() -> None:
    """
    Whoever finds out.
    """
    ledger = Ledger(["a", "b"], ["w1", "w2"])
    ledger.note("a", 0, Said.REFUSED, gone=True)
    ledger.note("a", 1, Said.REFUSED, gone=True)
    ledger.note("b", 1, Said.UNKNOWN)

    assert (ledger.settled, ledger.is_complete) == (1, False)
    assert (ledger.wait_for(1, 0), ledger.wait_for(2, 0)) == (True, False)

    ledger.note("b", 1, Said.RETURNED, gone=True)

    assert (ledger.settled, ledger.is_complete, ledger.wait_for(2, 0)) == (2, True, True)
