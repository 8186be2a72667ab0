"""
The directive ``rule-table``: what the client does after an attempt that failed, as its rules say.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from camunda_ext._call.rules import RULES, Resend, rule_of
from camunda_ext._http.messages import FailureKind

#: The head of the column for what came.
_CAME: Final = {
    FailureKind.NOT_SENT: "Never left",
    FailureKind.NOT_NOW: "Not now",
    FailureKind.ROLLED_BACK: "Rolled back",
    FailureKind.DATABASE: "Database",
    FailureKind.FAILED: "Failed",
    FailureKind.NO_ANSWER: "No answer",
    FailureKind.TIMED_OUT: "Timed out",
    FailureKind.TOO_LARGE: "Too large",
}

_NEXT: Final = {
    Resend.AGAIN: "again",
    Resend.LOOK: "look",
    Resend.LAST_LOOK: "look, **raise**",
    Resend.STOP: "**raise**",
}

#: What has no rule of its own.
_READS: Final = "what only reads"


class RuleTable(SphinxDirective):
    """
    ``.. rule-table::``
    """

    def run(self) -> list[nodes.Node]:
        """
        Give the table.
        """
        return self.parse_text_to_nodes("\n".join(_table()))


def _table() -> Iterator[str]:
    like: dict[tuple[Resend, ...], list[str]] = {}
    for operation in (_READS, *RULES):
        after = rule_of(operation).after
        like.setdefault(tuple(after[came] for came in FailureKind), []).append(_said(operation))
    yield from (".. list-table::", "   :header-rows: 1", "   :stub-columns: 1", "")
    yield from _row("", *(_CAME[came] for came in FailureKind))
    for steps, operations in like.items():
        yield from _row(", ".join(operations), *(_NEXT[step] for step in steps))


def _said(operation: str) -> str:
    if operation == _READS:
        return operation
    method, _, by = operation.partition(" by ")
    called = f"`~camunda_ext.ExternalTaskClient.{method}()`"
    if by:
        return f"{called} by a {by}"
    return f"{called} by ids" if f"{operation} by query" in RULES else called


def _row(*cells: str) -> Iterator[str]:
    for number, cell in enumerate(cells):
        yield f"   {' ' if number else '*'} - {cell}"


def setup(app: Sphinx) -> dict[str, bool]:
    """
    Add the directive to Sphinx.
    """
    app.add_directive("rule-table", RuleTable)
    return {"parallel_read_safe": True}
