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
from camunda_ext._many.journal import Journal, Target, TargetState
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


@attrs.frozen(eq=False, repr=False)
class BulkOptions:
    """
    The options of a bulk write, in the order of its arguments.
    """

    #: Whether a query without any filter is allowed, which changes every task of the engine.
    everything: bool = False

    #: Whether to change nothing, and return what would be changed.
    dry_run: bool = False

    #: How many tasks may be changed at most; ``None`` for any number.
    at_most: int | None = None

    #: The path of the journal; ``None`` for none.
    journal: str | os.PathLike[str] | None = None

    #: Whether to show the progress on standard error, or the function to call with it.
    progress: Progress = False

    def __attrs_post_init__(self) -> None:
        checks.flag("everything", self.everything)
        checks.flag("dry_run", self.dry_run)
        if self.at_most is not None:
            checks.integer("at_most", self.at_most, low=0)
        if not isinstance(self.journal, (str, os.PathLike, NoneType)):
            raise TypeError(f"journal must be the path of a file, not {self.journal!r:.80}")
        check_progress(self.progress)


@attrs.frozen(kw_only=True, eq=False, repr=False)
class TaskSource:
    """
    The tasks of a bulk write, and the client that changes them.
    """

    #: The client of their engine.
    client: TaskClient

    #: Proves the filters of the query.
    proof: FilterProof

    #: The query.
    query: ExternalTaskQuery

    #: Returns an iterable of all tasks that match, each once.
    tasks: Callable[[], Iterable[ExternalTask]]

    #: Returns the number of tasks that match.
    count: Callable[[], int]

    #: The part of the query's results, such as a slice, to be written to the journal's header.
    part: Mapping[str, Any] = {}


# ------------------------------------------------------------------------------ kinds of changes


@attrs.frozen(kw_only=True, eq=False, repr=False)
class Change:
    """
    The change to make to each task.
    """

    #: The name of the method of `Selection`.
    operation: str

    #: The value to set; ``None`` for operations that set none.
    value: int | None = None

    #: How many tasks one request changes. The engine changes all of them or none.
    size: int = 1

    #: Changes the tasks of a chunk, and returns ``None``, or their state if they were not changed.
    send: Callable[[Sequence[Target]], TargetState | None]

    #: Changes one task, for engines that lack the operation for several; ``None`` if every engine
    #: has the operation of `send`.
    send_one: Callable[[Target], None] | None = None

    def __str__(self) -> str:
        return _call(self.operation, self.value)


def _call(operation: str, value: int | None) -> str:
    return f"{operation}({'' if value is None else value})"


def _set_retries(client: TaskClient, retries: int) -> Change:
    """
    The change that sets the retries left: of a chunk of tasks by one request, or of one task after
    the other on engines before 7.8, which lack that request.
    """
    checked = _checked_retries(retries)
    return Change(
        operation="set_retries",
        value=checked,
        size=_IN_A_CHUNK,
        send=lambda chunk: client.set_retries_of(
            checked, external_task_ids=[target.id for target in chunk]
        ),
        send_one=lambda target: client.set_retries(target.id, checked),
    )


def _checked_retries(retries: int) -> int:
    return checks.integer("retries", retries, low=0, high=checks.INT32)


def _set_priority(client: TaskClient, priority: int) -> Change:
    checked = checks.integer("priority", priority)
    return Change(
        operation="set_priority",
        value=checked,
        send=lambda chunk: client.set_priority(chunk[0].id, checked),
    )


def _unlock(client: TaskClient) -> Change:
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

    return Change(operation="unlock", send=send)


CHANGES: Final[Mapping[str, Callable[..., Change]]] = {
    "set_retries": _set_retries,
    "set_priority": _set_priority,
    "unlock": _unlock,
}


# --------------------------------------------------------------------------------- a whole run


def run(change: Change, source: TaskSource, options: BulkOptions) -> BulkSummary:
    """
    Make the change to each task once.

    Returns:
        The summary: how many tasks were changed, and which were not.

    Raises:
        ValueError: The query has no filter, or one that the engine ignores; or more than `at_most`
            tasks match; or the journal is that of another bulk write. Nothing was changed.
    """
    listing = _Listing(change.operation, change.value, source, options)
    if options.dry_run:
        return listing.dry_run()
    with listing.journal() as journal, show_progress(options.progress, str(change)) as report:
        return attrs.evolve(_Run(change, journal, report).run(), unlike=listing.unlike)


def run_async(retries: int, source: TaskSource, options: BulkOptions) -> BatchRun | BulkSummary:
    """
    Create a batch, by which the engine sets the retries left of each task in the background.

    Returns:
        The batch; for a dry run, a summary of what would be changed.

    Raises:
        ValueError: As for `run()`; or no task matches.
    """
    listing = _Listing("set_retries_async", _checked_retries(retries), source, options)
    if options.dry_run:
        return listing.dry_run()
    client = source.client
    with listing.journal() as journal:
        targets = journal.targets or ()
        if journal.batch_id is not None:
            return BatchRun(client, journal.batch_id)
        if not targets:
            raise ValueError("no task matches: there is nothing to make a batch of")
        _refuse_second_batch(journal)
        journal.note(TargetState.BEGUN, targets)
        try:
            run = client.set_retries_async(
                retries, external_task_ids=[target.id for target in targets]
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


def _refuse_second_batch(journal: Journal) -> None:
    if {TargetState.BEGUN, TargetState.UNKNOWN} & set(journal.states.values()):
        raise ValueError(
            "an earlier run with this journal asked for a batch and did not see the answer: look "
            "in the engine for a batch of type set-external-task-retries, and follow() it; if "
            "there is none, start with a new journal"
        )


# -------------------------------------------------------------------------- before anything changes


class _Listing:
    """
    The steps before the first change: refuse wrong queries, prove the filters, list the tasks.
    """

    def __init__(
        self, operation: str, value: int | None, source: TaskSource, options: BulkOptions
    ) -> None:
        self._call = _call(operation, value)
        self._source = source
        self._options = options
        body = source.query.body()
        self._topic, self._worker = body.get("topicName"), body.get("workerId")
        #: Identifies the bulk write in its journal. Lists are sorted, as their order means nothing
        #: to the engine, and a list made from a set has another order in each process.
        self._header = {
            "operation": operation,
            "value": value,
            "query": {name: _sorted(item) for name, item in body.items()},
            "engine": source.client.url,
            **source.part,
        }
        #: How many tasks were left out, as only the database takes their topic or worker for that
        #: of the query.
        self.unlike = 0

    def dry_run(self) -> BulkSummary:
        """
        The summary of what would be changed. With the journal of an earlier run, it counts the
        tasks that are left.
        """
        self._refuse_everything()
        with closing(Journal(self._options.journal, self._header, look=True)) as journal:
            if journal.targets is not None:
                matched = len(journal.targets)
                self._refuse_more(matched)
                skipped = matched - len(journal.left())
                return BulkSummary(call=self._call, matched=matched, skipped=skipped, dry_run=True)
        self._prove()
        matched = self._source.count()
        self._refuse_more(matched)
        first = tuple(islice(self._tasks(), _FIRST))
        return BulkSummary(call=self._call, matched=matched, dry_run=True, first=first)

    @contextmanager
    def journal(self) -> Iterator[Journal]:
        """
        The journal, with the tasks of an earlier run, or with those that match now.
        """
        self._refuse_everything()
        at_most = self._options.at_most
        with closing(Journal(self._options.journal, self._header)) as journal:
            if journal.targets is not None:
                self._refuse_more(len(journal.targets))
                yield journal
                return
            self._prove()
            if at_most is not None:
                self._refuse_more(self._source.count())
            most = None if at_most is None else at_most + 1
            targets = tuple(map(Target.of, islice(self._tasks(), most)))
            self._refuse_more(len(targets))
            journal.list(targets)
            yield journal

    def _tasks(self) -> Iterator[ExternalTask]:
        """
        The tasks that match, without those whose topic or worker differs from the query's. Some
        databases ignore case and blanks at the end, so that the engine returns such tasks as well.
        """
        for task in self._source.tasks():
            if self._topic in (None, task.topic_name) and self._worker in (None, task.worker_id):
                yield task
            else:
                self.unlike += 1

    def _prove(self) -> None:
        self._source.proof.prove_known(self._source.query)
        self._source.proof.prove_effective(self._source.query)

    def _refuse_everything(self) -> None:
        if not (self._options.everything or self._source.query.has_filter()):
            raise ValueError(
                "the query has no filter and would change every task; pass everything=True if "
                "that is meant"
            )

    def _refuse_more(self, matched: int) -> None:
        at_most = self._options.at_most
        if at_most is not None and matched > at_most:
            # Listing stops at `at_most + 1`, so the exact number is unknown.
            number = f"{'at least ' if matched == at_most + 1 else ''}{matched} tasks"
            raise ValueError(
                f"{number} are to be touched, and at_most={at_most} may be. Nothing was changed now"
            )


def _sorted(value: Any) -> Any:
    return sorted(value) if isinstance(value, list) and isinstance(value[0], str) else value


# ---------------------------------------------------------------------------------- task by task


class _Run:
    """
    The run of a bulk write: sends the requests, and notes the state of each task.
    """

    def __init__(
        self, change: Change, journal: Journal, report: Callable[[int, int], object]
    ) -> None:
        self._change = change
        self._journal = journal
        self._report = report
        self._targets = journal.targets or ()
        self._earlier = dict(journal.states)
        #: The state of each task that this run has processed, and its error if it has one, by id.
        self._outcomes: dict[str, tuple[TargetState, str | None]] = {}
        self._without_answer = 0
        self._stopped: str | None = None
        left = journal.left()
        self._skipped = len(self._targets) - len(left)
        self._chunks = deque(_in_chunks(left, change.size))

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
                self._note(state or TargetState.DONE, chunk)
        return self._summary()

    def _write_to_journal(
        self, state: TargetState, chunk: Sequence[Target], error: str | None = None
    ) -> bool:
        try:
            self._journal.note(state, chunk, **({} if error is None else {"error": error}))
        except OSError as problem:
            self._stopped = f"the journal cannot be written: {problem.strerror or problem}"
            return False
        return True

    def _note(self, state: TargetState, chunk: Sequence[Target], error: str | None = None) -> None:
        self._outcomes.update((target.id, (state, error)) for target in chunk)
        self._write_to_journal(state, chunk, error)
        self._show_progress()

    def _show_progress(self) -> None:
        self._report(self._skipped + len(self._outcomes), len(self._targets))

    def _take_error(self, error: errors.CamundaError, chunk: Sequence[Target]) -> None:
        """
        Note the state of a chunk whose request has failed, or divide it to try again.
        """
        no_answer = isinstance(error, errors.NoAnswer)
        self._without_answer = self._without_answer + 1 if no_answer else 0
        if self._without_answer == _MOST_WITHOUT_ANSWER:
            self._stopped = str(error)
        if (send_one := self._change.send_one) is not None and _lacks_operation(error):
            self._write_to_journal(TargetState.FAILED, chunk, _in_short(error))
            self._change = attrs.evolve(
                self._change, send=lambda chunk: send_one(chunk[0]), send_one=None
            )
            left = [target for part in (chunk, *self._chunks) for target in part]
            self._chunks = deque(_in_chunks(left, 1))
        elif isinstance(error, errors.TaskNotFound):
            self._drop_missing(_missing(error, chunk), _in_short(error), chunk)
        elif isinstance(error, errors.OutcomeUnknown):
            self._note(TargetState.UNKNOWN, chunk, _in_short(error))
        elif isinstance(error, _MET_BY_ALL):
            # For the journal, these tasks are refused, so that a later run tries them again; the
            # summary counts them as left.
            self._write_to_journal(TargetState.FAILED, chunk, _in_short(error))
            self._stopped = str(error)
        else:
            self._refuse(_in_short(error), chunk)

    def _refuse(self, error: str, chunk: Sequence[Target]) -> None:
        """
        Note that the change of a task was refused. A larger chunk is divided and tried again, as a
        single task that cannot be changed makes the engine refuse the whole chunk.
        """
        if len(chunk) == 1:
            self._note(TargetState.FAILED, chunk, error)
        else:
            self._again(error, chunk, chunk[: len(chunk) // 2], chunk[len(chunk) // 2 :])

    def _drop_missing(self, missing: Target | None, error: str, chunk: Sequence[Target]) -> None:
        """
        Note that a task no longer exists, and try the others again.
        """
        if missing is None:
            self._refuse(error, chunk)
            return
        others = [target for target in chunk if target is not missing]
        if others:
            self._again(error, others, others)
        self._note(TargetState.GONE, [missing])

    def _again(self, error: str, refused: Sequence[Target], *parts: Sequence[Target]) -> None:
        """
        Put refused tasks back into the queue, in parts. None of them was changed.
        """
        self._write_to_journal(TargetState.FAILED, refused, error)
        for part in reversed(parts):
            self._chunks.appendleft(part)

    def _summary(self) -> BulkSummary:
        ids: dict[TargetState, list[str]] = {state: [] for state in TargetState}
        for task_id, (state, _) in self._outcomes.items():
            ids[state].append(task_id)
        problems = {
            state: tuple(BulkProblem(id_, self._outcomes[id_][1] or "") for id_ in ids_of_state)
            for state, ids_of_state in ids.items()
        }
        earlier = map(self._earlier.get, ids[TargetState.DONE])
        return BulkSummary(
            call=str(self._change),
            matched=len(self._targets),
            done=len(ids[TargetState.DONE]),
            repeated=sum(state in (TargetState.BEGUN, TargetState.UNKNOWN) for state in earlier),
            skipped=self._skipped,
            gone=len(ids[TargetState.GONE]),
            changed=len(ids[TargetState.CHANGED]),
            failed=problems[TargetState.FAILED],
            unknown=problems[TargetState.UNKNOWN],
            left=len(self._targets) - self._skipped - len(self._outcomes),
            stopped=self._stopped,
            whole_seconds=self._change.operation == "unlock" and _in_whole_seconds(self._targets),
        )


def _in_whole_seconds(targets: Sequence[Target]) -> bool:
    ends = [target.lock_expiration_time for target in targets]
    return any(ends) and not any(end.microsecond for end in ends if end is not None)


def _in_chunks(targets: Sequence[Target], size: int) -> Iterator[Sequence[Target]]:
    return (targets[start : start + size] for start in range(0, len(targets), size))


def _lacks_operation(error: errors.CamundaError) -> bool:
    """
    Whether an error means that the engine, or the container it runs in, lacks the operation.
    """
    is_unknown = isinstance(error, (errors.NotFound, errors.NotTheEngine))
    return is_unknown and error.status in (404, 405) and not isinstance(error, errors.TaskNotFound)


def _missing(error: errors.TaskNotFound, chunk: Sequence[Target]) -> Target | None:
    """
    The task that does not exist, by the error's message; ``None`` if it names none of the chunk.
    """
    if len(chunk) == 1:
        return chunk[0]
    message = error.message or ""
    named = [target for target in chunk if f"with id {target.id}: " in message]
    return named[0] if len(named) == 1 else None


def _in_short(error: errors.CamundaError) -> str:
    return f"{type(error).__name__}: {error.in_short()}"
