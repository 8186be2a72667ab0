"""
The directive ``worker-rules``: tables of what a worker does after each answer of the engine.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from _rules import row
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from camunda_ext import errors
from camunda_ext.worker.rules import (
    FETCH_RULES,
    REPORT_RULES,
    Report,
    after_extension,
    after_fetch,
    after_report,
)

#: The worker id of the examples that is the worker's own.
_OWN: Final = "own"


class WorkerRules(SphinxDirective):
    """
    ``.. worker-rules:: fetch``, ``extension`` or ``report``
    """

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """
        The table, for docutils.
        """
        return self.parse_text_to_nodes("\n".join(_table(_TABLES[self.arguments[0]]())))


def _table(rows: Iterator[tuple[str, ...]]) -> Iterator[str]:
    """
    A table whose first row is its head; rows whose cells are alike but for the first become one.
    """
    head = next(rows)
    alike: dict[tuple[str, ...], list[str]] = {}
    for first, *rest in rows:
        alike.setdefault(tuple(rest), []).append(first)
    yield from (".. list-table::", "   :header-rows: 1", "   :stub-columns: 1", "")
    yield from row(*head)
    for cells, firsts in alike.items():
        yield from row(", ".join(firsts), *cells)


def _fetch() -> Iterator[tuple[str, ...]]:
    yield "The fetch fails with", "Then"
    for kind, status, then in FETCH_RULES:
        label = f"{_link(kind)} with status {status}" if status else _link(kind)
        error = kind(status=status)
        if after_fetch(error, deserializes=False) is not after_fetch(error, deserializes=True):
            label += " where values are deserialized"
        yield label, then.value


def _extension() -> Iterator[tuple[str, ...]]:
    yield "The answer", "To an extension", "To a new lock"
    for label, error in _cases((errors.TaskNotFound, errors.LockLost, errors.Suspended)):
        yield label, *(_extended(error, locking=locking) for locking in (False, True))
    old = errors.NotFound()
    yield (
        f"{_link(type(old))}: an engine before 7.15",
        "does not happen",
        _extended(old, locking=True),
    )
    other = errors.CamundaError()
    yield _link(type(other)), *(_extended(other, locking=locking) for locking in (False, True))


def _extended(error: Exception, *, locking: bool) -> str:
    return after_extension(error, locking=locking, is_own=_OWN.__eq__).value


def _report() -> Iterator[tuple[str, ...]]:
    yield "The report fails with", "A result or a BPMN error", "A failure"
    kinds = dict.fromkeys(kind for _, kinds, _ in REPORT_RULES for kind in kinds)
    reports = (Report.COMPLETE, Report.FAILURE)
    for label, error in _cases(tuple(kinds)):
        yield label, *(_reported(report, error, in_doubt=False) for report in reports)
        if isinstance(error, errors.TaskNotFound):
            cells = (_reported(report, error, in_doubt=True) for report in reports)
            yield f"{label} after an attempt without an answer", *cells


def _reported(report: Report, error: Exception, *, in_doubt: bool) -> str:
    return after_report(report, error, in_doubt=in_doubt, is_own=_OWN.__eq__).value


def _cases(kinds: tuple[type[Exception], ...]) -> Iterator[tuple[str, Exception]]:
    """
    An error of each class, and its name; of `LockLost` one for each state of the lock.
    """
    for kind in kinds:
        if kind is errors.LockLost:
            for holder, words in (("other", "another worker has it"), (None, "nobody has it")):
                error = errors.LockLost()
                error.worker_id = holder
                yield f"{_link(kind)}: {words}", error
        else:
            yield _link(kind), kind()


def _link(kind: type[Exception]) -> str:
    if kind in (errors.CamundaError, Exception):
        return "anything else"
    module = "camunda_ext." if issubclass(kind, errors.CamundaError) else ""
    return f"`~{module}{kind.__name__}`"


_TABLES: Final[dict[str, Callable[[], Iterator[tuple[str, ...]]]]] = {
    "fetch": _fetch,
    "extension": _extension,
    "report": _report,
}


def setup(app: Sphinx) -> dict[str, bool]:
    """
    Add the directive to Sphinx.
    """
    app.add_directive("worker-rules", WorkerRules)
    return {"parallel_read_safe": True}
