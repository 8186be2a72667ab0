"""
Bulk writes over a query that cannot hit the wrong tasks, and that can be killed and resumed.

All tasks are listed first, each once, and then touched by id. So what the query means is settled
before anything is changed, and a task that begins to match meanwhile is not touched.
"""

from __future__ import annotations

import os
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from types import NoneType
from typing import TYPE_CHECKING, Any, Final

import attrs

from camunda_ext import errors
from camunda_ext._display.progress import Progress, check, telling
from camunda_ext._many import proof
from camunda_ext._many.journal import Journal, Target, TargetState
from camunda_ext._many.summary import BulkProblem, BulkSummary
from camunda_ext._wire import checks
from camunda_ext.batch_run import BatchRun
from camunda_ext.dto import ExternalTask
from camunda_ext.query import ExternalTaskQuery

if TYPE_CHECKING:
    from camunda_ext.client import ExternalTaskClient

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


@attrs.frozen(kw_only=True, eq=False, repr=False)
class Caution:
    """
    What a user has said of how careful to be.
    """

    #: Whether a query without a filter really means everything.
    everything: bool = False

    #: Whether to tell only what would be done.
    dry_run: bool = False

    #: How many tasks may match; ``None`` for any number.
    at_most: int | None = None

    #: The file of the journal; ``None`` for none.
    journal: str | os.PathLike[str] | None = None

    #: Whom to tell how far it is.
    progress: Progress = False

    def __attrs_post_init__(self) -> None:
        checks.flag("everything", self.everything)
        checks.flag("dry_run", self.dry_run)
        if self.at_most is not None:
            checks.integer("at_most", self.at_most, low=0)
        if not isinstance(self.journal, (str, os.PathLike, NoneType)):
            raise TypeError(f"journal must be the path of a file, not {self.journal!r:.80}")
        check(self.progress)


@attrs.frozen(kw_only=True, eq=False, repr=False)
class Write:
    """
    One kind of change.
    """

    #: Name of the method.
    operation: str

    #: What is set; ``None`` where nothing is.
    value: int | None = None

    #: How many tasks go into one request, all of them or none changed.
    size: int = 1

    #: Touches tasks, and tells what became of them.
    send: Callable[[Sequence[Target]], TargetState]

    #: What to do instead, task by task, where the engine lacks the operation for many; ``None`` for
    #: an operation that every engine has.
    singly: Write | None = None

    def __str__(self) -> str:
        return _call(self.operation, self.value)


def _call(operation: str, value: int | None) -> str:
    return f"{operation}({'' if value is None else value})"


def set_retries(client: ExternalTaskClient, retries: int) -> Write:
    """
    Set the retries left of the tasks of a chunk by one request, or, where engines before 7.8 have
    no such request, of one task after the other.
    """

    def send(chunk: Sequence[Target]) -> TargetState:
        client.set_retries_of(retries, external_task_ids=[target.id for target in chunk])
        return TargetState.DONE

    def send_one(chunk: Sequence[Target]) -> TargetState:
        for target in chunk:
            client.set_retries(target.id, retries)
        return TargetState.DONE

    checked = checks.integer("retries", retries, low=0, high=checks.INT32)
    single = Write(operation="set_retries", value=checked, send=send_one)
    return Write(operation="set_retries", value=checked, size=_IN_A_CHUNK, send=send, singly=single)


def set_priority(client: ExternalTaskClient, priority: int) -> Write:
    """
    Set the priority of one task after the other.
    """

    def send(chunk: Sequence[Target]) -> TargetState:
        for target in chunk:
            client.set_priority(target.id, priority)
        return TargetState.DONE

    checked = checks.integer("priority", priority)
    return Write(operation="set_priority", value=checked, send=send)


def unlock(client: ExternalTaskClient) -> Write:
    """
    Take away the lock that each task had when it was listed, and no other.
    """

    def send(chunk: Sequence[Target]) -> TargetState:
        for target in chunk:
            # The engine does not ask whose lock it is. A look shortly before leaves milliseconds in
            # which a worker could get the task; since the listing it may have been hours.
            task = client.get(target.id)
            if task.worker_id is None and task.lock_expiration_time is None:
                return TargetState.DONE
            if Target.of(task) != target:
                return TargetState.CHANGED
            client.unlock(task.id, worker_id=task.worker_id or None)
        return TargetState.DONE

    return Write(operation="unlock", send=send)


@attrs.frozen(kw_only=True, eq=False, repr=False)
class Selected:
    """
    The tasks to be touched.
    """

    #: Of which engine.
    client: ExternalTaskClient

    #: The query.
    query: ExternalTaskQuery

    #: Gives all that match, each once.
    tasks: Callable[[], Iterable[ExternalTask]]

    #: Counts them.
    count: Callable[[], int]

    #: What they are besides those of the query, for the journal to know them again.
    part: Mapping[str, Any] = {}


def run(write: Write, selected: Selected, caution: Caution) -> BulkSummary:
    """
    Touch each task once, and tell what became of them all.

    Raises:
        ValueError: The query has no filter, or one that the engine ignores; or more tasks match
            than may; or the journal is of something else. Nothing was changed.
    """
    if caution.dry_run:
        return _dry(write.operation, write.value, selected, caution)
    exact = _Exact(selected.query)
    with (
        _listed(write.operation, write.value, selected, caution, exact) as journal,
        telling(caution.progress, str(write)) as tell,
    ):
        return attrs.evolve(_Run(write, journal, tell).run(), unlike=exact.unlike)


def run_async(retries: int, selected: Selected, caution: Caution) -> BatchRun | BulkSummary:
    """
    Let the engine touch each task once, in the background.

    Raises:
        ValueError: As for `run()`; or no task matches.
    """
    checks.integer("retries", retries, low=0, high=checks.INT32)
    client, operation = selected.client, "set_retries_async"
    if caution.dry_run:
        return _dry(operation, retries, selected, caution)
    with _listed(operation, retries, selected, caution, _Exact(selected.query)) as journal:
        targets = journal.targets or ()
        if journal.batch_id is not None:
            return BatchRun(client, journal.batch_id)
        if not targets:
            raise ValueError("no task matches: there is nothing to make a batch of")
        _refuse_doubt(journal)
        journal.note(TargetState.BEGUN, targets)
        try:
            run = client.set_retries_async(
                retries, external_task_ids=[target.id for target in targets]
            )
        except errors.OutcomeUnknown as error:
            journal.note(TargetState.UNKNOWN, targets, error=_said(error))
            raise
        except errors.CamundaError as error:
            journal.note(TargetState.FAILED, targets, error=_said(error))
            raise
        try:
            journal.note(TargetState.DONE, targets, batch=run.id)
        except OSError as error:
            warnings.warn(
                f"the journal could not be written, and does not know batch {run.id}: {error}",
                stacklevel=3,
            )
        return run


def _refuse_doubt(journal: Journal) -> None:
    """
    Make no second batch where there may be one.
    """
    if {TargetState.BEGUN, TargetState.UNKNOWN} & set(journal.fates.values()):
        raise ValueError(
            "an earlier run with this journal asked for a batch and did not see the answer: look "
            "in the engine for a batch of type set-external-task-retries, and follow() it; if "
            "there is none, start with a new journal"
        )


# -------------------------------------------------------------------------- before anything changes


def _dry(operation: str, value: int | None, selected: Selected, caution: Caution) -> BulkSummary:
    _refuse_everything(selected, caution)
    call = _call(operation, value)
    header = _header(operation, value, selected)
    with Journal(caution.journal, header, look=True) as journal:
        if journal.targets is not None:
            matched = len(journal.targets)
            _refuse_more(matched, caution)
            left = len(journal.left())
            return BulkSummary(call=call, matched=matched, skipped=matched - left, dry_run=True)
    _prove(selected)
    matched = selected.count()
    _refuse_more(matched, caution)
    first = tuple(islice(_Exact(selected.query).of(selected.tasks()), _FIRST))
    return BulkSummary(call=call, matched=matched, dry_run=True, first=first)


def _header(operation: str, value: int | None, selected: Selected) -> dict[str, Any]:
    """
    Give what a journal belongs to.
    """
    # For the engine the ids of a list have no order, and those of a set have another each time.
    query = {
        name: sorted(one) if isinstance(one, list) and isinstance(one[0], str) else one
        for name, one in selected.query.body().items()
    }
    return {
        "operation": operation,
        "value": value,
        "query": query,
        "engine": selected.client.url,
        **selected.part,
    }


@contextmanager
def _listed(
    operation: str, value: int | None, selected: Selected, caution: Caution, exact: _Exact
) -> Iterator[Journal]:
    """
    Give a journal that has all tasks in it: those of an earlier run, or those that match now.
    """
    _refuse_everything(selected, caution)
    with Journal(caution.journal, _header(operation, value, selected)) as journal:
        if journal.targets is not None:
            _refuse_more(len(journal.targets), caution)
            yield journal
            return
        _prove(selected)
        if caution.at_most is not None:
            _refuse_more(selected.count(), caution)
        most = None if caution.at_most is None else caution.at_most + 1
        found = tuple(map(Target.of, islice(exact.of(selected.tasks()), most)))
        _refuse_more(len(found), caution)
        journal.list(found)
        yield journal


class _Exact:
    """
    Those of the tasks whose topic and worker are the query's own in Python, too: some databases
    take texts for equal that differ in case, or in blanks at their end.
    """

    def __init__(self, query: ExternalTaskQuery) -> None:
        body = query.body()
        self._topic, self._worker = body.get("topicName"), body.get("workerId")
        #: How many were left out.
        self.unlike = 0

    def of(self, tasks: Iterable[ExternalTask]) -> Iterator[ExternalTask]:
        """
        Give these tasks, and count the others.
        """
        for task in tasks:
            is_same = self._topic in (None, task.topic_name) and self._worker in (
                None,
                task.worker_id,
            )
            if is_same:
                yield task
            else:
                self.unlike += 1


def _prove(selected: Selected) -> None:
    client, query = selected.client, selected.query
    client.check(query)
    proof.prove_effective(client._probe, query, client._told_version)


def _refuse_everything(selected: Selected, caution: Caution) -> None:
    if not (caution.everything or selected.query.has_filter()):
        raise ValueError(
            "the query has no filter and would change every task; pass everything=True if that is "
            "meant"
        )


def _refuse_more(found: int, caution: Caution) -> None:
    if caution.at_most is not None and found > caution.at_most:
        # That one more is there ends the listing.
        number = f"{'at least ' if found == caution.at_most + 1 else ''}{found} tasks"
        raise ValueError(
            f"{number} are to be touched, and at_most={caution.at_most} may be. "
            "Nothing was changed now"
        )


# ---------------------------------------------------------------------------------- task by task


class _Run:
    """
    One run: requests, and what is noted of each.
    """

    def __init__(self, write: Write, journal: Journal, tell: Callable[[int, int], object]) -> None:
        self._write = write
        self._journal = journal
        self._tell = tell
        self._targets = journal.targets or ()
        self._earlier = dict(journal.fates)
        self._fates: dict[str, TargetState] = {}
        self._problems: dict[TargetState, list[BulkProblem]] = {
            TargetState.FAILED: [],
            TargetState.UNKNOWN: [],
        }
        self._without_answer = 0
        self._stopped: str | None = None
        todo = journal.left()
        self._todo = self._left = len(todo)
        self._chunks = deque(_in_chunks(todo, write.size))

    def run(self) -> BulkSummary:
        """
        Touch all that is not settled.
        """
        self._tell(len(self._targets) - self._left, len(self._targets))
        while self._chunks and self._stopped is None:
            chunk = self._chunks.popleft()
            if not self._write_down(TargetState.BEGUN, chunk):
                break  # nothing is touched that no journal would know of
            try:
                fate = self._write.send(chunk)
            except errors.CamundaError as error:
                self._take_error(error, chunk)
            except ValueError as error:
                # An engine may have ids that can be no part of a URL.
                self._refuse(f"{type(error).__name__}: {error}", chunk)
            else:
                self._without_answer = 0
                self._note(fate, chunk)
        return self._summary()

    def _write_down(
        self, fate: TargetState, chunk: Sequence[Target], error: str | None = None
    ) -> bool:
        try:
            self._journal.note(fate, chunk, **({} if error is None else {"error": error}))
        except OSError as problem:
            self._stopped = f"the journal cannot be written: {problem.strerror or problem}"
            return False
        return True

    def _note(self, fate: TargetState, chunk: Sequence[Target], error: str | None = None) -> None:
        self._fates.update((target.id, fate) for target in chunk)
        if error is not None:
            self._problems[fate].extend(BulkProblem(target.id, error) for target in chunk)
        self._left -= len(chunk)
        self._write_down(fate, chunk, error)
        self._tell(len(self._targets) - self._left, len(self._targets))

    def _take_error(self, error: errors.CamundaError, chunk: Sequence[Target]) -> None:
        """
        Tell from an error what became of a chunk, or try it in parts.
        """
        no_answer = isinstance(error, errors.NoAnswer)
        self._without_answer = self._without_answer + 1 if no_answer else 0
        if self._without_answer == _MOST_WITHOUT_ANSWER:
            self._stopped = str(error)
        if self._write.singly is not None and _lacks_operation(error):
            self._write_down(TargetState.FAILED, chunk, _said(error))
            self._write = self._write.singly
            left = [target for one in (chunk, *self._chunks) for target in one]
            self._chunks = deque(_in_chunks(left, self._write.size))
        elif isinstance(error, errors.TaskNotFound):
            self._without(_missing(error, chunk), _said(error), chunk)
        elif isinstance(error, errors.OutcomeUnknown):
            self._note(TargetState.UNKNOWN, chunk, _said(error))
        elif isinstance(error, _MET_BY_ALL):
            # In the journal it is refused, and so tried again; here it is left.
            self._write_down(TargetState.FAILED, chunk, _said(error))
            self._stopped = str(error)
        else:
            self._refuse(_said(error), chunk)

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
        self._write_down(TargetState.FAILED, refused, error)
        for part in reversed(parts):
            self._chunks.appendleft(part)

    def _summary(self) -> BulkSummary:
        fates = list(self._fates.values())
        return BulkSummary(
            call=str(self._write),
            matched=len(self._targets),
            done=fates.count(TargetState.DONE),
            repeated=sum(
                fate is TargetState.DONE
                and self._earlier.get(task_id) in (TargetState.BEGUN, TargetState.UNKNOWN)
                for task_id, fate in self._fates.items()
            ),
            skipped=len(self._targets) - self._todo,
            gone=fates.count(TargetState.GONE),
            changed=fates.count(TargetState.CHANGED),
            failed=tuple(self._problems[TargetState.FAILED]),
            unknown=tuple(self._problems[TargetState.UNKNOWN]),
            left=self._left,
            stopped=self._stopped,
            whole_seconds=self._write.operation == "unlock" and _in_whole_seconds(self._targets),
        )


def _in_whole_seconds(targets: Sequence[Target]) -> bool:
    ends = [one.lock_expiration_time for one in targets if one.lock_expiration_time is not None]
    return bool(ends) and not any(end.microsecond for end in ends)


def _in_chunks(targets: Sequence[Target], size: int) -> Iterator[Sequence[Target]]:
    return (targets[start : start + size] for start in range(0, len(targets), size))


def _lacks_operation(error: errors.CamundaError) -> bool:
    """
    Tell whether an engine, or the container that it runs in, does not know an operation.
    """
    is_unknown = isinstance(error, (errors.NotFound, errors.NotTheEngine))
    return is_unknown and error.status in (404, 405) and not isinstance(error, errors.TaskNotFound)


def _missing(error: errors.TaskNotFound, chunk: Sequence[Target]) -> Target | None:
    """
    Give the task that an error names; ``None`` if that cannot be told.
    """
    if len(chunk) == 1:
        return chunk[0]
    named = [one for one in chunk if f"with id {one.id}: " in (error.message or "")]
    return named[0] if len(named) == 1 else None


def _said(error: errors.CamundaError) -> str:
    return f"{type(error).__name__}: {error.in_short()}"
