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
class BulkFailed(Exception):
    """
    A bulk write has not changed all tasks.
    """

    #: What became of the tasks.
    summary: "BulkSummary"

    def __init__(self, summary: "BulkSummary") -> None:
        super().__init__(summary)
        self.summary = summary


@exported
@attrs.frozen(eq=False, repr=False)
class BulkProblem(Value):
    """
    A task that was not changed, or of which nobody knows whether it was.
    """

    #: Names the task.
    task_id: str

    #: Why.
    error: str


@exported
@attrs.frozen(kw_only=True, eq=False, repr=False)
class BulkSummary(Record):
    """
    What became of the tasks of a bulk write, or of its dry run; as text, a few lines.

    Each task that matched is counted once, in `done`, `skipped`, `gone`, `changed`, `failed`,
    `unknown` or `left`.
    """

    #: The bulk write, as a call.
    call: str

    #: How many tasks matched when they were listed.
    matched: int

    #: Tasks that this run has changed.
    done: int = 0

    #: Those of them that an earlier run was at when it was killed, or got no answer for: they may
    #: have been touched twice.
    repeated: int = 0

    #: Tasks that an earlier run with the same journal has settled.
    skipped: int = 0

    #: Tasks that were completed or cancelled before their turn came.
    gone: int = 0

    #: Tasks whose lock was another one when their turn came; they were left as they are.
    changed: int = 0

    #: Tasks that match for the database alone, which takes topics or workers for equal that differ
    #: in case or in blanks at their end. They are left as they are, and not counted in `matched`,
    #: but by a dry run, where the engine counts.
    unlike: int = 0

    #: Whether the ends of all locks were whole seconds, as on MySQL and MariaDB. There,
    #: `Selection.unlock()` cannot see that a worker has renewed a lock within the second in which
    #: it began.
    whole_seconds: bool = False

    #: Tasks that were refused: they are as they were.
    failed: tuple[BulkProblem, ...] = ()

    #: Tasks of which no answer came: they may have been touched. A run that goes on by the journal
    #: touches them again.
    unknown: tuple[BulkProblem, ...] = ()

    #: Tasks that the run did not come to, because of what `stopped` says.
    left: int = 0

    #: Why the run stopped before the end; ``None`` if it did not.
    stopped: str | None = None

    #: Whether nothing was changed, because nothing was to be.
    dry_run: bool = False

    #: Of a dry run: the first tasks.
    first: tuple[ExternalTask, ...] = ()

    def raise_for_failures(self) -> None:
        """
        Return if no task failed, is unknown, or is left.

        Raises:
            BulkFailed: There is one.
        """
        if self.failed or self.unknown or self.left:
            raise BulkFailed(self)

    def __str__(self) -> str:
        return "\n".join(self._lines())

    def __repr__(self) -> str:
        # A REPL shows it, and there may be thousands of problems.
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
