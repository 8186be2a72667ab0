"""
The directive ``filter-table``: the filters of a query as the fields of its class declare them.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from importlib import import_module
from typing import Any, Final

import attrs
from _rules import row
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from camunda_ext._wire.names import wire_name, without_none
from camunda_ext.dto import VariableQueryParameter

#: What a filter takes, by the type of its field.
_TAKES: Final[dict[Any, str]] = {
    str: "a text",
    tuple[str, ...]: "texts",
    bool: "nothing",
    datetime: "an aware datetime",
    int: "an integer",
    tuple[VariableQueryParameter, ...]: "name, operator, value",
}


class FilterTable(SphinxDirective):
    """
    ``.. filter-table:: module.Query``
    """

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """
        Give the table.
        """
        module, _, name = self.arguments[0].rpartition(".")
        query = getattr(import_module(module), name)
        return self.parse_text_to_nodes("\n".join(_table(query)))


def _table(query: type[Any]) -> Iterator[str]:
    yield from (".. list-table::", "   :header-rows: 1", "")
    yield from row("Method", "Filter of the engine", "Takes", "Since")
    for field in attrs.fields(query):
        if "since" in field.metadata:
            method = field.metadata.get("method", field.name.lstrip("_"))
            yield from row(
                f"`~camunda_ext.{query.__name__}.{method}()`",
                f"``{wire_name(field.name)}``",
                _TAKES[without_none(field.type)],
                field.metadata["since"],
            )


def setup(app: Sphinx) -> dict[str, bool]:
    """
    Add the directive to Sphinx.
    """
    app.add_directive("filter-table", FilterTable)
    return {"parallel_read_safe": True}
