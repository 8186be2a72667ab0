"""
Bulk writes over a query that cannot hit the wrong tasks, and that can be killed and resumed.

All tasks are listed first, each once, and then touched by id. So what the query means is settled
before anything is changed, and a task that begins to match meanwhile is not touched.
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
from camunda_ext._display.progress import Progress, check_progress, telling
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
#: How many tasks a dry run shows.
_FIRST: Final = 5
#: After so many requests in a row without an answer, the engine is taken for gone.
_MOST_WITHOUT_ANSWER: Final = 3
#: What one task meets that all others would meet as well.
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

    #: Whether a query without a filter really means everything.
    everything: bool = False

    #: Whether to say only what would be done.
    dry_run: bool = False

    #: How many tasks may match; ``None`` for any number.
    at_most: int | None = None

    #: The file of the journal; ``None`` for none.
    journal: str | os.PathLike[str] | None = None

    #: Whether to show how far it is, or the function that does.
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
    The tasks of a bulk write: where they come from, and who changes them.
    """

    #: The client of their engine.
    client: TaskClient

    #: Proves the filters of the query.
    proof: FilterProof

    #: The query.
    query: ExternalTaskQuery

    #: Iterates over all that match, each once.
    tasks: Callable[[], Iterable[ExternalTask]]

    #: Counts them.
    count: Callable[[], int]

    #: Which part of the query's results they are, for the journal to know them again.
    part: Mapping[str, Any] = {}


# ------------------------------------------------------------------------------ kinds of changes


@attrs.frozen(kw_only=True, eq=False, repr=False)
class Change:
    """
    One kind of change.
    """

    #: Name of the method.
    operation: str

    #: What is set; ``None`` where nothing is.
    value: int | None = None

    #: How many tasks go into one request, all of them or none changed.
    size: int = 1

    #: Changes the tasks of a chunk; returns their state if they were left alone.
    send: Callable[[Sequence[Target]], TargetState | None]

    #: Changes one task, where the engine lacks the operation for many; ``None`` for an operation
    #: that every engine has.
    send_one: Callable[[Target], None] | None = None

    def __str__(self) -> str:
        return _call(self.operation, self.value)


def _call(operation: str, value: int | None) -> str:
    return f"{operation}({'' if value is None else value})"


def _set_retries(client: TaskClient, retries: int) -> Change:
    """
    Set the retries left of the tasks of a chunk by one request, or, where engines before 7.8 have
    no such request, of one task after the other.
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
    Take away the lock that each task had when it was listed, and no other.
    """

    def send(chunk: Sequence[Target]) -> TargetState | None:
        # The engine does not ask whose lock it is. A look shortly before leaves milliseconds in
        # which a worker could get the task; since the listing it may have been hours.
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
    Touch each task once.

    Returns:
        What became of the tasks.

    Raises:
        ValueError: The query has no filter, or one that the engine ignores; or more tasks match
            than may; or the journal is of something else. Nothing was changed.
    """
    listing = _Listing(change.operation, change.value, source, options)
    if options.dry_run:
        return listing.dry_run()
    with listing.journal() as journal, telling(options.progress, str(change)) as tell:
        return attrs.evolve(_Run(change, journal, tell).run(), unlike=listing.unlike)


def run_async(retries: int, source: TaskSource, options: BulkOptions) -> BatchRun | BulkSummary:
    """
    Let the engine touch each task once, in the background.

    Returns:
        The batch; of a dry run, what would be touched.

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
    What comes before the first change: refusals, proofs, and the list of the tasks.
    """

    def __init__(
        self, operation: str, value: int | None, source: TaskSource, options: BulkOptions
    ) -> None:
        self._call = _call(operation, value)
        self._source = source
        self._options = options
        body = source.query.body()
        self._topic, self._worker = body.get("topicName"), body.get("workerId")
        #: What a journal belongs to. For the engine the ids of a list have no order, and those of a
        #: set have another each time.
        self._header = {
            "operation": operation,
            "value": value,
            "query": {name: _in_order(item) for name, item in body.items()},
            "engine": source.client.url,
            **source.part,
        }
        #: How many tasks were left out, for the database alone takes them for ones of the query.
        self.unlike = 0

    def dry_run(self) -> BulkSummary:
        """
        What would be touched; by the journal of an earlier run, how many are left.
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
        A journal that has all tasks in it: those of an earlier run, or those that match now.
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
        The tasks whose topic and worker are the query's own in Python, too: some databases take
        texts for equal that differ in case, or in blanks at their end.
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


def _in_order(value: Any) -> Any:
    return sorted(value) if isinstance(value, list) and isinstance(value[0], str) else value


# ---------------------------------------------------------------------------------- task by task


class _Run:
    """
    One run: requests, and what is noted of each.
    """

    def __init__(
        self, change: Change, journal: Journal, tell: Callable[[int, int], object]
    ) -> None:
        self._change = change
        self._journal = journal
        self._tell = tell
        self._targets = journal.targets or ()
        self._earlier = dict(journal.states)
        #: By the id of a task its state, and the error that led to it.
        self._outcomes: dict[str, tuple[TargetState, str | None]] = {}
        self._without_answer = 0
        self._stopped: str | None = None
        left = journal.left()
        self._skipped = len(self._targets) - len(left)
        self._chunks = deque(_in_chunks(left, change.size))

    def run(self) -> BulkSummary:
        """
        Touch all that is not settled.
        """
        self._show_progress()
        while self._chunks and self._stopped is None:
            chunk = self._chunks.popleft()
            if not self._write_to_journal(TargetState.BEGUN, chunk):
                break  # nothing is touched that no journal would know of
            try:
                state = self._change.send(chunk)
            except errors.CamundaError as error:
                self._take_error(error, chunk)
            except ValueError as error:
                # An engine may have ids that can be no part of a URL.
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
        self._tell(self._skipped + len(self._outcomes), len(self._targets))

    def _take_error(self, error: errors.CamundaError, chunk: Sequence[Target]) -> None:
        """
        Note what became of a chunk by its error, or try it in parts.
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
            self._without(_missing(error, chunk), _in_short(error), chunk)
        elif isinstance(error, errors.OutcomeUnknown):
            self._note(TargetState.UNKNOWN, chunk, _in_short(error))
        elif isinstance(error, _MET_BY_ALL):
            # In the journal it is refused, and so tried again; here it is left.
            self._write_to_journal(TargetState.FAILED, chunk, _in_short(error))
            self._stopped = str(error)
        else:
            self._refuse(_in_short(error), chunk)

    def _refuse(self, error: str, chunk: Sequence[Target]) -> None:
        """
        Note that tasks were refused; one that cannot be changed keeps all others from it.
        """
        if len(chunk) == 1:
            self._note(TargetState.FAILED, chunk, error)
        else:
            self._again(error, chunk, chunk[: len(chunk) // 2], chunk[len(chunk) // 2 :])

    def _without(self, missing: Target | None, error: str, chunk: Sequence[Target]) -> None:
        """
        Note that a task is gone, and send the others again.
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
        Send what was refused again, in parts: nothing was done to it.
        """
        self._write_to_journal(TargetState.FAILED, refused, error)
        for part in reversed(parts):
            self._chunks.appendleft(part)

    def _summary(self) -> BulkSummary:
        ids: dict[TargetState, list[str]] = {state: [] for state in TargetState}
        for task_id, (state, _) in self._outcomes.items():
            ids[state].append(task_id)
        problems = {
            state: tuple(BulkProblem(task_id, self._outcomes[task_id][1] or "") for task_id in some)
            for state, some in ids.items()
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
    Whether an engine, or the container that it runs in, does not know an operation.
    """
    is_unknown = isinstance(error, (errors.NotFound, errors.NotTheEngine))
    return is_unknown and error.status in (404, 405) and not isinstance(error, errors.TaskNotFound)


def _missing(error: errors.TaskNotFound, chunk: Sequence[Target]) -> Target | None:
    """
    The task that an error names; ``None`` if that cannot be told.
    """
    if len(chunk) == 1:
        return chunk[0]
    message = error.message or ""
    named = [target for target in chunk if f"with id {target.id}: " in message]
    return named[0] if len(named) == 1 else None


def _in_short(error: errors.CamundaError) -> str:
    return f"{type(error).__name__}: {error.in_short()}"
