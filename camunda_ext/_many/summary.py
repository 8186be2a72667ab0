"""
The summary of a bulk write.
"""

from collections import Counter
from collections.abc import Iterator
from typing import Final

import attrs

from camunda_ext._wire.text import printable
from camunda_ext._wire.value import Record, Value, exported
from camunda_ext.dto import ExternalTask

#: How many problems, or tasks of a dry run, are shown as text.
_SHOWN: Final = 5


@exported
@attrs.frozen(eq=False, repr=False)
class BulkProblem(Value):
    """
    A task that was not changed, or of which it is unknown whether it was changed.
    """

    #: The id of the task.
    task_id: str

    #: Class and message of the error.
    error: str


@exported
@attrs.frozen(kw_only=True, eq=False, repr=False)
class BulkSummary(Record):
    """
    How many tasks a bulk write has changed, and which ones it has not; or what a dry run would
    change. ``str()`` makes a few lines of it.

    Each task that matched is counted once, in `done`, `skipped`, `gone`, `changed`, `failed`,
    `unknown` or `left`.
    """

    #: The call of the bulk write, such as ``set_retries(3)``.
    call: str

    #: How many tasks matched when they were listed.
    matched: int

    #: How many tasks this run has changed.
    done: int = 0

    #: How many of the tasks in `done` an earlier run may have changed already, as it was killed
    #: during the request, or got no answer.
    repeated: int = 0

    #: How many tasks were skipped, as an earlier run with the same journal has settled them.
    skipped: int = 0

    #: How many tasks no longer existed, as they were completed or cancelled after the listing.
    gone: int = 0

    #: How many tasks were not changed, as their lock had changed since the listing.
    changed: int = 0

    #: How many tasks were not changed, as only the engine's database takes their topic or worker
    #: for that of the query: some databases ignore case, or blanks at the end. They are not counted
    #: in `matched`, except by a dry run, where the engine counts.
    unlike: int = 0

    #: Whether all locks ended at whole seconds, as on MySQL and MariaDB. There,
    #: `Selection.unlock()` does not notice if a worker has renewed a lock within a second.
    whole_seconds: bool = False

    #: The tasks whose change was refused; they are as they were.
    failed: tuple[BulkProblem, ...] = ()

    #: The tasks whose request got no answer, so that they may have been changed. A later run with
    #: the same journal changes them again.
    unknown: tuple[BulkProblem, ...] = ()

    #: How many tasks were not processed, as the run stopped before; see `stopped`.
    left: int = 0

    #: Why the run stopped before the end; ``None`` if it did not.
    stopped: str | None = None

    #: Whether this was a dry run, which changes nothing.
    dry_run: bool = False

    #: The first tasks that a dry run has found; empty for other runs.
    first: tuple[ExternalTask, ...] = ()

    def raise_for_failures(self) -> None:
        """
        Raise an error if there are tasks in `failed`, `unknown` or `left`.

        Raises:
            BulkFailed: There are such tasks.
        """
        if self.failed or self.unknown or self.left:
            raise BulkFailed(self)

    def __str__(self) -> str:
        return "\n".join(self._lines())

    def __repr__(self) -> str:
        # On one line and without the problems, as there may be thousands.
        return f"<BulkSummary {'; '.join(line.strip() for line in self._counts())}>"

    def _lines(self) -> Iterator[str]:
        yield from self._counts()
        for task in self.first[:_SHOWN]:
            yield printable(f"  {_line(task)}")
        if len(self.first[:_SHOWN]) < self.matched - self.skipped and self.first:
            yield "  ..."
        for state, problems in (("failed", self.failed), ("unknown", self.unknown)):
            numbers = Counter(problem.error for problem in problems)
            for error, number in numbers.most_common(_SHOWN):
                example = next(problem.task_id for problem in problems if problem.error == error)
                others = f" and {number - 1} more" if number > 1 else ""
                yield printable(f"  {state}: {example}{others}: {error}")

    def _counts(self) -> Iterator[str]:
        if self.dry_run:
            left = self.matched - self.skipped
            yield f"dry run of {self.call}: would touch {_tasks(left)}"
        else:
            yield f"{self.call}: {self.done} of {_tasks(self.matched)} done"
        for number, meaning in (
            (self.repeated, "of these again, for an earlier run did not see the answer"),
            (self.skipped, "settled by an earlier run"),
            (self.gone, "gone"),
            (self.changed, "locked anew meanwhile, left alone"),
            (len(self.failed), "failed, unchanged"),
            (len(self.unknown), "unknown, maybe changed"),
            (self.left, "left"),
            (self.unlike, "left alone, whose topic or worker is only to the database the same"),
        ):
            if number:
                yield f"  {number} {meaning}"
        if self.whole_seconds:
            yield "  locks end at whole seconds here: one renewed within a second looked unchanged"
        if self.matched and self.skipped == self.matched:
            yield "  that run was at its end; for tasks that match since then, take a new journal"
        if self.stopped is not None:
            yield f"  stopped: {self.stopped}"


@exported
class BulkFailed(Exception):
    """
    A bulk write did not change all tasks.
    """

    #: The summary of the bulk write, with the tasks that were not changed.
    summary: BulkSummary

    def __init__(self, summary: BulkSummary) -> None:
        super().__init__(summary)
        self.summary = summary


def _line(task: ExternalTask) -> str:
    words = [task.id, task.topic_name]
    if task.retries is not None:
        words.append(f"retries={task.retries}")
    if task.priority:
        words.append(f"priority={task.priority}")
    if task.lock_expiration_time is not None:
        until = task.lock_expiration_time.isoformat(timespec="seconds")
        words.append(f"locked by {task.worker_id} until {until}")
    return " ".join(words)


def _tasks(number: int) -> str:
    return "1 task" if number == 1 else f"{number} tasks"
