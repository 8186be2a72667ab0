"""
The directive ``rule-table``: a table of what the client does after each kind of failure.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from camunda_ext._call.rules import RULES, Resend, rule_of
from camunda_ext._http.messages import FailureKind

#: The title of the column of each kind of failure.
_TITLES: Final = {
    FailureKind.NOT_SENT: "Never left",
    FailureKind.NOT_NOW: "Not now",
    FailureKind.ROLLED_BACK: "Rolled back",
    FailureKind.DATABASE: "Database",
    FailureKind.FAILED: "Failed",
    FailureKind.NO_ANSWER: "No answer",
    FailureKind.TIMED_OUT: "Timed out",
    FailureKind.TOO_LARGE: "Too large",
}

#: The text of a cell: what the client does next.
_CELLS: Final = {
    Resend.AGAIN: "again",
    Resend.LOOK: "look",
    Resend.LAST_LOOK: "look, **raise**",
    Resend.STOP: "**raise**",
}

#: The row of all operations that have no rule of their own.
_READS: Final = "what only reads"


class RuleTable(SphinxDirective):
    """
    ``.. rule-table::``
    """

    def run(self) -> list[nodes.Node]:
        """
        The table, for docutils.
        """
        return self.parse_text_to_nodes("\n".join(_table()))


def _table() -> Iterator[str]:
    alike: dict[tuple[Resend, ...], list[str]] = {}
    for operation in (_READS, *RULES):
        after = rule_of(operation).after
        alike.setdefault(tuple(after[kind] for kind in FailureKind), []).append(_to_text(operation))
    yield from (".. list-table::", "   :header-rows: 1", "   :stub-columns: 1", "")
    yield from row("", *(_TITLES[kind] for kind in FailureKind))
    for resends, operations in alike.items():
        yield from row(", ".join(operations), *(_CELLS[resend] for resend in resends))


def _to_text(operation: str) -> str:
    """
    The operation as a cell of the first column: a link to its method.
    """
    if operation == _READS:
        return operation
    method, _, by = operation.partition(" by ")
    link = f"`~camunda_ext.ExternalTaskClient.{method}()`"
    if by:
        return f"{link} by a {by}"
    return f"{link} by ids" if f"{operation} by query" in RULES else link


def row(*cells: str) -> Iterator[str]:
    """
    A row of a ``list-table``.
    """
    for number, cell in enumerate(cells):
        yield f"   {' ' if number else '*'} - {cell}"


def setup(app: Sphinx) -> dict[str, bool]:
    """
    Add the directive to Sphinx.
    """
    app.add_directive("rule-table", RuleTable)
    return {"parallel_read_safe": True}
