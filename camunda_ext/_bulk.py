"""
Bulk writes over a query that cannot hit the wrong tasks, and that can be killed and resumed.

All tasks are listed first, each once, and then touched by id. So what the query means is settled
before anything is changed, and a task that begins to match meanwhile is not touched.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from types import NoneType
from typing import TYPE_CHECKING, Any, Final

import attrs

from camunda_ext import _check, _proof, errors
from camunda_ext._journal import Fate, Journal, Target
from camunda_ext._progress import to_progress
from camunda_ext._summary import BulkProblem, BulkSummary
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
#: What needs no second touch in a later run.
_SETTLED: Final = (Fate.DONE, Fate.GONE, Fate.CHANGED)


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
    progress: bool | Callable[[int, int], object] = False

    def __attrs_post_init__(self) -> None:
        _check.flag("everything", self.everything)
        _check.flag("dry_run", self.dry_run)
        if self.at_most is not None:
            _check.integer("at_most", self.at_most, low=0)
        if not isinstance(self.journal, (str, os.PathLike, NoneType)):
            raise TypeError(f"journal must be the path of a file, not {self.journal!r:.80}")
        to_progress(self.progress, "")


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
    send: Callable[[Sequence[Target]], Fate]

    def __str__(self) -> str:
        return f"{self.operation}({'' if self.value is None else self.value})"


def set_retries(client: ExternalTaskClient, retries: int) -> Write:
    """
    Set the retries left of the tasks of a chunk by one request.
    """

    def send(chunk: Sequence[Target]) -> Fate:
        client.set_retries_of(retries, external_task_ids=[target.id for target in chunk])
        return Fate.DONE

    checked = _check.integer("retries", retries, low=0, high=_check.INT32)
    return Write(operation="set_retries", value=checked, size=_IN_A_CHUNK, send=send)


def set_priority(client: ExternalTaskClient, priority: int) -> Write:
    """
    Set the priority of one task after the other.
    """

    def send(chunk: Sequence[Target]) -> Fate:
        for target in chunk:
            client.set_priority(target.id, priority)
        return Fate.DONE

    checked = _check.integer("priority", priority)
    return Write(operation="set_priority", value=checked, send=send)


def unlock(client: ExternalTaskClient) -> Write:
    """
    Take away the lock that each task had when it was listed, and no other.
    """

    def send(chunk: Sequence[Target]) -> Fate:
        for target in chunk:
            # The engine does not ask whose lock it is. A look shortly before leaves milliseconds in
            # which a worker could get the task; since the listing it may have been hours.
            task = client.get(target.id)
            if task.worker_id is None and task.lock_expiration_time is None:
                return Fate.DONE
            if Target.of(task) != target:
                return Fate.CHANGED
            client.unlock(task.id, worker_id=task.worker_id or None)
        return Fate.DONE

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
        return _dry(str(write), selected, caution)
    with _listed(write.operation, write.value, selected, caution) as journal:
        return _Run(write, journal, to_progress(caution.progress, str(write))).run()


def run_async(retries: int, selected: Selected, caution: Caution) -> BatchRun | BulkSummary:
    """
    Let the engine touch each task once, in the background.

    Raises:
        ValueError: As for `run()`; or no task matches.
    """
    _check.integer("retries", retries, low=0, high=_check.INT32)
    client, operation = selected.client, "set_retries_async"
    if caution.dry_run:
        return _dry(f"{operation}({retries})", selected, caution)
    with _listed(operation, retries, selected, caution) as journal:
        targets = journal.targets or ()
        if journal.batch_id is not None:
            return BatchRun(client, journal.batch_id)
        if not targets:
            raise ValueError("no task matches: there is nothing to make a batch of")
        _refuse_doubt(journal)
        journal.note(Fate.BEGUN, targets)
        try:
            batch = client.set_retries_async(
                retries, external_task_ids=[target.id for target in targets]
            )
        except errors.OutcomeUnknown as error:
            journal.note(Fate.UNKNOWN, targets, error=_said(error))
            raise
        except errors.CamundaError as error:
            journal.note(Fate.FAILED, targets, error=_said(error))
            raise
        journal.note(Fate.DONE, targets, batch=batch.id)
        return BatchRun(client, batch)


def _refuse_doubt(journal: Journal) -> None:
    """
    Make no second batch where there may be one.
    """
    if {Fate.BEGUN, Fate.UNKNOWN} & set(journal.fates.values()):
        raise ValueError(
            "an earlier run with this journal asked for a batch and did not see the answer: look "
            "in the engine for a batch of type set-external-task-retries, and follow() it; if "
            "there is none, start with a new journal"
        )


# -------------------------------------------------------------------------- before anything changes


def _dry(call: str, selected: Selected, caution: Caution) -> BulkSummary:
    _prove(selected, caution)
    matched = selected.count()
    _refuse_more(matched, caution)
    first = tuple(islice(selected.tasks(), _FIRST))
    return BulkSummary(call=call, matched=matched, dry_run=True, first=first)


@contextmanager
def _listed(
    operation: str, value: int | None, selected: Selected, caution: Caution
) -> Iterator[Journal]:
    """
    Give a journal that has all tasks in it: those of an earlier run, or those that match now.
    """
    _refuse_everything(selected, caution)
    header = {
        "operation": operation,
        "value": value,
        "query": selected.query.body(),
        "engine": selected.client._sender.base,
        **selected.part,
    }
    with Journal(caution.journal, header) as journal:
        if journal.targets is None:
            _prove(selected, caution)
            if caution.at_most is not None:
                _refuse_more(selected.count(), caution)
            most = None if caution.at_most is None else caution.at_most + 1
            found = tuple(map(Target.of, islice(selected.tasks(), most)))
            _refuse_more(len(found), caution)
            journal.list(found)
        else:
            _refuse_more(len(journal.targets), caution)
        yield journal


def _prove(selected: Selected, caution: Caution) -> None:
    _refuse_everything(selected, caution)
    client, query = selected.client, selected.query

    def version() -> str | None:
        try:
            return client.version()
        except errors.CamundaError:
            return None

    _proof.prove_known(client._probe, query, client._honoured, version)
    _proof.prove_effective(client._probe, query, version)


def _refuse_everything(selected: Selected, caution: Caution) -> None:
    if not (caution.everything or selected.query.narrows()):
        raise ValueError(
            "the query has no filter and would change every task; pass everything=True if that is "
            "meant"
        )


def _refuse_more(found: int, caution: Caution) -> None:
    if caution.at_most is not None and found > caution.at_most:
        raise ValueError(
            f"{found} tasks match, or more, and at_most={caution.at_most} may be touched. "
            "Nothing was changed"
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
        self._fates: dict[str, Fate] = {}
        self._problems: dict[Fate, list[BulkProblem]] = {Fate.FAILED: [], Fate.UNKNOWN: []}
        self._without_answer = 0
        self._stopped: str | None = None
        todo = [target for target in self._targets if not self._is_settled(target)]
        self._left = len(todo)
        self._chunks = deque(
            todo[start : start + write.size] for start in range(0, len(todo), write.size)
        )

    def _is_settled(self, target: Target) -> bool:
        # What may have been done is not done again blindly, but told again.
        return self._earlier.get(target.id) in (*_SETTLED, Fate.UNKNOWN)

    def run(self) -> BulkSummary:
        """
        Touch all that is not settled.
        """
        self._tell(len(self._targets) - self._left, len(self._targets))
        while self._chunks and self._stopped is None:
            chunk = self._chunks.popleft()
            self._journal.note(Fate.BEGUN, chunk)
            try:
                fate = self._write.send(chunk)
            except errors.CamundaError as error:
                self._take_error(error, chunk)
            else:
                self._without_answer = 0
                self._note(fate, chunk)
        return self._summary()

    def _note(self, fate: Fate, chunk: Sequence[Target], error: str | None = None) -> None:
        self._journal.note(fate, chunk, **({} if error is None else {"error": error}))
        self._fates.update((target.id, fate) for target in chunk)
        if error is not None:
            self._problems[fate].extend(BulkProblem(target.id, error) for target in chunk)
        self._left -= len(chunk)
        self._tell(len(self._targets) - self._left, len(self._targets))

    def _take_error(self, error: errors.CamundaError, chunk: Sequence[Target]) -> None:
        """
        Tell from an error what became of a chunk, or try it in parts.
        """
        no_answer = isinstance(error, errors.NoAnswer)
        self._without_answer = self._without_answer + 1 if no_answer else 0
        if self._without_answer == _MOST_WITHOUT_ANSWER:
            self._stopped = str(error)
        if isinstance(error, errors.TaskNotFound):
            self._without(_missing(error, chunk), chunk)
        elif isinstance(error, errors.OutcomeUnknown):
            self._note(Fate.UNKNOWN, chunk, _said(error))
        elif isinstance(error, _MET_BY_ALL):
            # In the journal it is refused, and so tried again; here it is left.
            self._journal.note(Fate.FAILED, chunk, error=_said(error))
            self._stopped = str(error)
        elif len(chunk) > 1:
            # One task that cannot be changed keeps all others from it.
            self._halve(chunk)
        else:
            self._note(Fate.FAILED, chunk, _said(error))

    def _without(self, missing: Target | None, chunk: Sequence[Target]) -> None:
        """
        Note that a task is gone, and send the others again: nothing was done to them.
        """
        if missing is None:
            self._halve(chunk)
            return
        self._note(Fate.GONE, [missing])
        others = [target for target in chunk if target is not missing]
        if others:
            self._chunks.appendleft(others)

    def _halve(self, chunk: Sequence[Target]) -> None:
        half = len(chunk) // 2
        self._chunks.extendleft([list(chunk[half:]), list(chunk[:half])])

    def _summary(self) -> BulkSummary:
        unknown = [
            BulkProblem(target.id, self._journal.errors[target.id])
            for target in self._targets
            if self._earlier.get(target.id) is Fate.UNKNOWN
        ]
        fates = list(self._fates.values())
        return BulkSummary(
            call=str(self._write),
            matched=len(self._targets),
            done=fates.count(Fate.DONE),
            repeated=sum(
                fate is Fate.DONE and self._earlier.get(task_id) is Fate.BEGUN
                for task_id, fate in self._fates.items()
            ),
            skipped=sum(self._earlier.get(target.id) in _SETTLED for target in self._targets),
            gone=fates.count(Fate.GONE),
            changed=fates.count(Fate.CHANGED),
            failed=tuple(self._problems[Fate.FAILED]),
            unknown=(*unknown, *self._problems[Fate.UNKNOWN]),
            left=self._left,
            stopped=self._stopped,
        )


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
