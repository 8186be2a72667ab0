"""
Bulk writes over the tasks of a query, which change no other task, and can be killed and resumed.

All tasks are listed first, each once, and then changed by id. So it is settled before the first
change which tasks match, and a task that begins to match later is not changed.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from itertools import islice
from types import NoneType
from typing import Any, Final

import attrs

from camunda_ext import errors
from camunda_ext._display.progress import Progress, check_progress, show_progress
from camunda_ext._many.journal import Journal, Target, TargetState, in_parts
from camunda_ext._many.port import TaskClient
from camunda_ext._many.proof import FilterProof
from camunda_ext._many.summary import BulkProblem, BulkSummary
from camunda_ext._wire import checks
from camunda_ext._wire.warn import warn_caller
from camunda_ext.batch_run import BatchRun
from camunda_ext.dto import ExternalTask
from camunda_ext.query import ExternalTaskQuery

#: How many tasks one transaction changes: the more, the more likely is a conflict with a worker.
_IN_A_CHUNK: Final = 100
#: How many tasks a dry run returns.
_FIRST: Final = 5
#: After so many requests in a row without an answer, the run stops.
_MOST_WITHOUT_ANSWER: Final = 3
#: Errors that every further task would meet as well, so that the run stops.
_MET_BY_ALL: Final = (
    errors.NotSent,
    errors.NotFound,
    errors.Unauthorized,
    errors.EngineBusy,
    errors.NotTheEngine,
)


@attrs.define(eq=False, repr=False)
class BulkWrite:
    """
    A bulk write: the tasks, the change, and the options, which mean what the arguments of
    `Selection.set_retries()` mean.

    Raises:
        TypeError, ValueError: An option is invalid.

        ValueError: The query has no filter, and *everything* is `False`.
    """

    client: TaskClient
    proof: FilterProof
    query: ExternalTaskQuery

    #: Return all tasks that match, each once, and the number of them.
    tasks: Callable[[], Iterable[ExternalTask]]
    count: Callable[[], int]

    #: The part of the query's results, such as a slice, to be written to the journal's header.
    part: Mapping[str, Any]

    #: The name of the method of `Selection`.
    operation: str

    #: The value to set, as the client's method takes it; ``None`` for operations that set none.
    value: Any

    everything: bool
    dry_run: bool
    at_most: int | None
    journal: str | os.PathLike[str] | None
    progress: Progress = False

    #: How many tasks were left out, as only the database takes their topic or worker for that of
    #: the query.
    unlike: int = attrs.field(init=False, default=0)

    def __attrs_post_init__(self) -> None:
        checks.flag("everything", self.everything)
        checks.flag("dry_run", self.dry_run)
        if self.at_most is not None:
            checks.integer("at_most", self.at_most, low=0)
        if not isinstance(self.journal, (str, os.PathLike, NoneType)):
            raise TypeError(f"journal must be the path of a file, not {self.journal!r:.80}")
        check_progress(self.progress)
        if not (self.everything or self.query.has_filter()):
            raise ValueError(
                "the query has no filter and would change every task; pass everything=True if "
                "that is meant"
            )

    def __str__(self) -> str:
        return f"{self.operation}({'' if self.value is None else self.value})"

    def run(self) -> BulkSummary:
        """
        Make the change to each task once.

        Returns:
            The summary: how many tasks were changed, and which were not.

        Raises:
            ValueError: The engine ignores a filter of the query; or more than `at_most` tasks
                match; or the journal is that of another bulk write. Nothing was changed.
        """
        if self.dry_run:
            return self._preview()
        with self._listing() as journal, show_progress(self.progress, str(self)) as report:
            return _Run(self, journal, report).run()

    def run_async(self) -> BatchRun | BulkSummary:
        """
        Create a batch, by which the engine sets the retries left of each task in the background.

        Returns:
            The batch; for a dry run, a summary of what would be changed.

        Raises:
            ValueError: As for `run()`; or no task matches.
        """
        if self.dry_run:
            return self._preview()
        with self._listing() as journal:
            if journal.batch_id is not None:
                return BatchRun(self.client, journal.batch_id)
            return self._create_batch(journal)

    def _create_batch(self, journal: Journal) -> BatchRun:
        targets = journal.targets or ()
        if not targets:
            raise ValueError("no task matches: there is nothing to make a batch of")
        if {TargetState.BEGUN, TargetState.UNKNOWN} & set(journal.states.values()):
            raise ValueError(
                "an earlier run with this journal asked for a batch and did not see the answer: "
                "look in the engine for a batch of type set-external-task-retries, and follow() "
                "it; if there is none, start with a new journal"
            )
        journal.note(TargetState.BEGUN, targets)
        try:
            run = self.client.set_retries_async(
                self.value, external_task_ids=[target.id for target in targets]
            )
        except errors.CamundaError as error:
            is_unknown = isinstance(error, errors.OutcomeUnknown)
            state = TargetState.UNKNOWN if is_unknown else TargetState.FAILED
            journal.note(state, targets, error=_in_short(error))
            raise
        try:
            journal.note(TargetState.DONE, targets, batch=run.id)
        except OSError as error:
            warn_caller(
                f"the journal could not be written, and does not know batch {run.id}: {error}"
            )
        return run

    # ------------------------------------------------------------------- before anything changes

    def _preview(self) -> BulkSummary:
        """
        The summary of what would be changed. With the journal of an earlier run, it counts the
        tasks that are left.
        """
        with closing(Journal(self.journal, self._header(), look=True)) as journal:
            if journal.targets is not None:
                matched = len(journal.targets)
                self._refuse_more(matched)
                skipped = matched - len(journal.left())
                return BulkSummary(call=str(self), matched=matched, skipped=skipped, dry_run=True)
        self._prove()
        matched = self.count()
        self._refuse_more(matched)
        first = tuple(islice(self._alike(), _FIRST))
        return BulkSummary(call=str(self), matched=matched, dry_run=True, first=first)

    @contextmanager
    def _listing(self) -> Iterator[Journal]:
        """
        The journal, with the tasks of an earlier run, or with those that match now.
        """
        with closing(Journal(self.journal, self._header())) as journal:
            if journal.targets is not None:
                self._refuse_more(len(journal.targets))
            else:
                self._prove()
                most = None
                if self.at_most is not None:
                    self._refuse_more(self.count())
                    most = self.at_most + 1
                targets = tuple(map(Target.of, islice(self._alike(), most)))
                self._refuse_more(len(targets))
                journal.list(targets)
            yield journal

    def _header(self) -> dict[str, Any]:
        """
        What identifies the bulk write in its journal. Lists are sorted, as their order means
        nothing to the engine, and a list made from a set has another order in each process.
        """
        body = self.query.body()
        return {
            "operation": self.operation,
            "value": self.value,
            "query": {name: _sorted(item) for name, item in body.items()},
            "engine": self.client.url,
            **self.part,
        }

    def _alike(self) -> Iterator[ExternalTask]:
        """
        The tasks that match, without those whose topic or worker differs from the query's. Some
        databases ignore case and blanks at the end, so that the engine returns such tasks as well.
        """
        body = self.query.body()
        topic, worker = body.get("topicName"), body.get("workerId")
        for task in self.tasks():
            if topic in (None, task.topic_name) and worker in (None, task.worker_id):
                yield task
            else:
                self.unlike += 1

    def _prove(self) -> None:
        self.proof.prove_known(self.query)
        self.proof.prove_effective(self.query)

    def _refuse_more(self, matched: int) -> None:
        at_most = self.at_most
        if at_most is not None and matched > at_most:
            # Listing stops at `at_most + 1`, so the exact number is unknown.
            number = f"{'at least ' if matched == at_most + 1 else ''}{matched} tasks"
            raise ValueError(
                f"{number} are to be touched, and at_most={at_most} may be. Nothing was changed now"
            )


def _sorted(value: Any) -> Any:
    return sorted(value) if isinstance(value, list) and isinstance(value[0], str) else value


# ------------------------------------------------------------------------------ kinds of changes


@attrs.frozen(eq=False, repr=False)
class _Change:
    """
    The change to make to each task.
    """

    #: Changes the tasks of a chunk, and returns ``None``, or their state if they were not changed.
    send: Callable[[Sequence[Target]], TargetState | None]

    #: How many tasks are in a chunk. The engine changes all of them or none.
    size: int = 1

    #: The same change by a request for each task, for engines that lack the operation for several;
    #: ``None`` if every engine has the operation of `send`.
    one_by_one: _Change | None = None


def _set_retries(client: TaskClient, retries: int) -> _Change:
    """
    The change that sets the retries left: of a chunk of tasks by one request, or of one task after
    the other on engines before 7.8, which lack that request.
    """
    return _Change(
        lambda chunk: client.set_retries_of(
            retries, external_task_ids=[target.id for target in chunk]
        ),
        size=_IN_A_CHUNK,
        one_by_one=_Change(lambda chunk: client.set_retries(chunk[0].id, retries)),
    )


def _set_priority(client: TaskClient, priority: int) -> _Change:
    return _Change(lambda chunk: client.set_priority(chunk[0].id, priority))


def _unlock(client: TaskClient, _: None) -> _Change:
    """
    The change that removes the lock that each task had when it was listed, and no other lock.
    """

    def send(chunk: Sequence[Target]) -> TargetState | None:
        # The engine removes any lock. So the task is read just before: only in the milliseconds in
        # between could another worker lock it, while the listing may be hours ago.
        task = client.get(chunk[0].id)
        if task.worker_id is None and task.lock_expiration_time is None:
            return None
        if Target.of(task) != chunk[0]:
            return TargetState.CHANGED
        client.unlock(task.id, worker_id=task.worker_id or None)
        return None

    return _Change(send)


_CHANGES: Final[Mapping[str, Callable[[TaskClient, Any], _Change]]] = {
    "set_retries": _set_retries,
    "set_priority": _set_priority,
    "unlock": _unlock,
}


# ---------------------------------------------------------------------------------- task by task


class _Run:
    """
    The run of a bulk write: sends the requests, and notes the state of each task.
    """

    def __init__(
        self, write: BulkWrite, journal: Journal, report: Callable[[int, int], object]
    ) -> None:
        self._write = write
        self._change = _CHANGES[write.operation](write.client, write.value)
        self._journal = journal
        self._report = report
        self._targets = journal.targets or ()
        #: The state of each task that this run has processed, and its error if it has one, by id.
        self._outcomes: dict[str, tuple[TargetState, str]] = {}
        self._without_answer = 0
        self._stopped: str | None = None
        left = journal.left()
        self._skipped = len(self._targets) - len(left)
        self._chunks = deque(in_parts(left, self._change.size))

    def run(self) -> BulkSummary:
        """
        Change all tasks that are not settled, and return the summary.
        """
        self._show_progress()
        while self._chunks and self._stopped is None:
            chunk = self._chunks.popleft()
            if not self._write_to_journal(TargetState.BEGUN, chunk):
                break  # change no task without a line in the journal
            try:
                state = self._change.send(chunk)
            except errors.CamundaError as error:
                self._take_error(error, chunk)
            except ValueError as error:
                # An engine may have ids that the client cannot put into a URL.
                self._refuse(f"{type(error).__name__}: {error}", chunk)
            else:
                self._without_answer = 0
                self._settle(state or TargetState.DONE, chunk)
        return self._summary()

    def _take_error(self, error: errors.CamundaError, chunk: Sequence[Target]) -> None:
        """
        Note the state of a chunk whose request has failed, or divide it to try again.
        """
        no_answer = isinstance(error, errors.NoAnswer)
        self._without_answer = self._without_answer + 1 if no_answer else 0
        if self._without_answer == _MOST_WITHOUT_ANSWER:
            self._stopped = str(error)
        text = _in_short(error)
        if self._change.one_by_one is not None and _lacks_operation(error):
            self._change = self._change.one_by_one
            left = [target for part in (chunk, *self._chunks) for target in part]
            self._chunks.clear()
            self._try_again(text, chunk, *in_parts(left, 1))
        elif missing := _missing(error, chunk):
            if others := [target for target in chunk if target is not missing]:
                self._try_again(text, others, others)
            self._settle(TargetState.GONE, [missing])
        elif isinstance(error, errors.OutcomeUnknown):
            self._settle(TargetState.UNKNOWN, chunk, text)
        elif isinstance(error, _MET_BY_ALL) and not isinstance(error, errors.TaskNotFound):
            # For the journal, these tasks are refused, so that a later run tries them again; the
            # summary counts them as left.
            self._try_again(text, chunk, chunk)
            self._stopped = str(error)
        else:
            self._refuse(text, chunk)

    def _refuse(self, error: str, chunk: Sequence[Target]) -> None:
        """
        Note that the change of a task was refused. A larger chunk is divided and tried again, as a
        single task that cannot be changed makes the engine refuse the whole chunk.
        """
        if len(chunk) == 1:
            self._settle(TargetState.FAILED, chunk, error)
        else:
            half = len(chunk) // 2
            self._try_again(error, chunk, chunk[:half], chunk[half:])

    def _try_again(self, error: str, chunk: Sequence[Target], *parts: Sequence[Target]) -> None:
        """
        Put tasks that were refused together back to the begin of the queue, in parts.
        """
        self._write_to_journal(TargetState.FAILED, chunk, error)
        self._chunks.extendleft(reversed(parts))

    def _settle(self, state: TargetState, chunk: Sequence[Target], error: str = "") -> None:
        self._outcomes.update((target.id, (state, error)) for target in chunk)
        self._write_to_journal(state, chunk, error)
        self._show_progress()

    def _write_to_journal(
        self, state: TargetState, chunk: Sequence[Target], error: str = ""
    ) -> bool:
        try:
            self._journal.note(state, chunk, **({"error": error} if error else {}))
        except OSError as problem:
            self._stopped = f"the journal cannot be written: {problem.strerror or problem}"
            return False
        return True

    def _show_progress(self) -> None:
        self._report(self._skipped + len(self._outcomes), len(self._targets))

    def _summary(self) -> BulkSummary:
        found: dict[TargetState, list[BulkProblem]] = {state: [] for state in TargetState}
        for task_id, (state, error) in self._outcomes.items():
            found[state].append(BulkProblem(task_id, error))
        earlier = [self._journal.states.get(done.task_id) for done in found[TargetState.DONE]]
        return BulkSummary(
            call=str(self._write),
            matched=len(self._targets),
            done=len(earlier),
            repeated=sum(state in (TargetState.BEGUN, TargetState.UNKNOWN) for state in earlier),
            skipped=self._skipped,
            gone=len(found[TargetState.GONE]),
            changed=len(found[TargetState.CHANGED]),
            unlike=self._write.unlike,
            failed=tuple(found[TargetState.FAILED]),
            unknown=tuple(found[TargetState.UNKNOWN]),
            left=len(self._targets) - self._skipped - len(self._outcomes),
            stopped=self._stopped,
            whole_seconds=self._write.operation == "unlock" and _in_whole_seconds(self._targets),
        )


def _in_whole_seconds(targets: Sequence[Target]) -> bool:
    ends = [target.lock_expiration_time for target in targets]
    return any(ends) and not any(end.microsecond for end in ends if end is not None)


def _lacks_operation(error: errors.CamundaError) -> bool:
    """
    Whether an error means that the engine, or the container it runs in, lacks the operation.
    """
    is_unknown = isinstance(error, (errors.NotFound, errors.NotTheEngine))
    return is_unknown and error.status in (404, 405) and not isinstance(error, errors.TaskNotFound)


def _missing(error: errors.CamundaError, chunk: Sequence[Target]) -> Target | None:
    """
    The task that does not exist, by the error's message; ``None`` if it names none of the chunk.
    """
    if not isinstance(error, errors.TaskNotFound):
        return None
    named = [target for target in chunk if f"with id {target.id}: " in (error.message or "")]
    return chunk[0] if len(chunk) == 1 else named[0] if len(named) == 1 else None


def _in_short(error: errors.CamundaError) -> str:
    return f"{type(error).__name__}: {error.in_short()}"
