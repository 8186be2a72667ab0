"""
What the calls of a marathon said, and whether the engine's history agrees with it.
"""

from __future__ import annotations

import enum
import threading
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence

import attrs


class Said(enum.IntFlag):
    """
    What the calls of one worker to complete one task said, all of them together.
    """

    RETURNED = 1
    UNKNOWN = 2
    REFUSED = 4
    NOT_SENT = 8


@attrs.frozen
class Success:
    """
    What the engine's history says of a task that was completed.
    """

    task_id: str
    worker_id: str


class Ledger:
    """
    What was said about each of the tasks, in memory that does not grow.

    Args:
        task_ids: The tasks, in ascending order.

        worker_ids: The workers, at most 255.
    """

    def __init__(self, task_ids: Sequence[str], worker_ids: Sequence[str]) -> None:
        self._task_ids = task_ids
        self._worker_ids = worker_ids
        self._said = bytearray(len(task_ids))
        # The worker of what was said last, from 1.
        self._worker = bytearray(len(task_ids))
        # What other workers were told before: a task changes hands seldom.
        self._earlier: dict[tuple[int, int], int] = {}
        self._is_settled = bytearray(len(task_ids))
        self._settled = 0
        self._changed = threading.Condition()
        self._contradictions: list[str] = []

    @property
    def settled(self) -> int:
        """
        How many tasks are known to be gone.
        """
        return self._settled

    @property
    def is_complete(self) -> bool:
        """
        Whether all tasks are known to be gone.
        """
        return self._settled == len(self._task_ids)

    def wait_for(self, settled: int, seconds: float) -> bool:
        """
        Tell whether so many tasks are gone, or are so within some seconds.
        """
        with self._changed:
            return self._changed.wait_for(lambda: self._settled >= settled, seconds)

    def note(self, task_id: str, worker: int, said: Said, *, gone: bool = False) -> None:
        """
        Remember what a call said.

        Args:
            worker: The place of the worker among all.

            gone: Whether the task is known to be gone.
        """
        place = self._place(task_id)
        if place is None:
            with self._changed:
                self._contradictions.append(f"{task_id} is none of the tasks")
            return
        with self._changed:
            before = self._worker[place]
            if before not in (0, worker + 1):
                self._earlier[place, before] = self._said[place]
                self._said[place] = self._earlier.pop((place, worker + 1), 0)
            self._worker[place] = worker + 1
            if said & self._said[place] & Said.RETURNED:
                self._contradictions.append(
                    f"{task_id} by {self._worker_ids[worker]}: it returned twice"
                )
            self._said[place] |= said
            if gone and not self._is_settled[place]:
                self._is_settled[place] = 1
                self._settled += 1
                self._changed.notify_all()

    def contradictions(self, history: Iterable[Success]) -> list[str]:
        """
        Give a sentence for each thing that was said and is not so, or was done too often.

        Args:
            history: All entries of the engine that a task was completed.
        """
        found = list(self._contradictions)
        successes = array("L", bytes(array("L").itemsize * len(self._task_ids)))
        by = bytearray(len(self._task_ids))
        for success in history:
            place = self._place(success.task_id)
            if place is None or success.worker_id not in self._worker_ids:
                found.append(
                    f"{success.worker_id} completed {success.task_id}: one of them is not known"
                )
                continue
            successes[place] += 1
            by[place] = self._worker_ids.index(success.worker_id) + 1
        for task_id, times in zip(self._task_ids, successes, strict=True):
            if times != 1:
                found.append(f"{task_id} was completed {times} times")
        for place, worker, said in self._sayings():
            told = f"{self._task_ids[place]} by {self._worker_ids[worker - 1]}"
            if said & Said.RETURNED and by[place] != worker:
                found.append(f"{told}: it returned, and was not done")
            if not said & (Said.RETURNED | Said.UNKNOWN) and by[place] == worker:
                names = ", ".join(str(one.name) for one in Said if one & said)
                found.append(f"{told}: it said {names}, and was done")
        return found

    def _sayings(self) -> Iterator[tuple[int, int, int]]:
        for place, (worker, said) in enumerate(zip(self._worker, self._said, strict=True)):
            if worker:
                yield place, worker, said
        for (place, worker), said in self._earlier.items():
            yield place, worker, said

    def _place(self, task_id: str) -> int | None:
        place = bisect_left(self._task_ids, task_id)
        found = place < len(self._task_ids) and self._task_ids[place] == task_id
        return place if found else None
