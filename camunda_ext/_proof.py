"""
Proof that an engine honours the filters of a query, before something is changed by it.

An engine ignores a filter that is younger than itself, without a word, and takes more tasks than
were meant. Versions do not tell: each vendor counts its own. So the engine is asked, by counts that
change nothing.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any, Final

from camunda_ext import errors
from camunda_ext._value import visible
from camunda_ext.query import OLDEST, ExternalTaskQuery

#: Counts the external tasks for a body as it is.
Count = Callable[[Mapping[str, object]], int]

#: What every engine ignores: what refuses it is something on the way.
_UNKNOWN: Final = {"noSuchFilter": {}, "noSuchFilters": "not a list"}


def prove_known(
    count: Count,
    query: ExternalTaskQuery,
    proven: set[str],
    version: Callable[[], str | None] = lambda: None,
) -> None:
    """
    Raise `ValueError` if the engine does not know a filter; it needs no tasks to tell.

    A value of the wrong type is an error for a property that the engine knows, and is ignored with
    the property if it does not.

    Args:
        proven: Names of the filters that are proven already; those that it proves are added.

        version: Gives the engine's version, for the text of the error.
    """
    unproven = {name: since for name, since in _young(query).items() if name not in proven}
    if not unproven:
        return
    # Nothing on the way may refuse such values by itself, or the proof would be none.
    count(_UNKNOWN)
    body = query.body()
    for name, since in unproven.items():
        try:
            count({name: "not a list" if isinstance(body[name], list) else {}})
        except errors.BadRequest:
            proven.add(name)
        else:
            raise _ignored(name, since, version())


def prove_effective(
    count: Count, query: ExternalTaskQuery, version: Callable[[], str | None] = lambda: None
) -> None:
    """
    Raise `ValueError` if a filter leaves nothing out: by a value that no task has, each in turn.

    It tells most where there are tasks; where there are none, none can be changed.
    """
    body = query.body()
    for name, since in _young(query).items():
        if count(_impossible(name, body[name])) != 0:
            raise _ignored(name, since, version())


def _young(query: ExternalTaskQuery) -> dict[str, str]:
    return {name: since for name, since in query.filters().items() if since != OLDEST}


def _impossible(name: str, value: Any) -> dict[str, object]:
    """
    Give a body with a filter that no task passes, of the same form as *value*.
    """
    # No wildcard is in it, and nobody can have guessed it.
    text = f"no-such-value-{os.urandom(16).hex()}"
    condition = {"name": text, "operator": "eq", "value": text}
    if value is True:
        # Such a flag says how the conditions are compared, and means nothing without them.
        return {name: True, "processVariables": [condition]}
    if isinstance(value, list):
        return {name: [condition if isinstance(value[0], Mapping) else text]}
    return {name: text}


def _ignored(name: str, since: str, version: str | None) -> ValueError:
    engine = "this engine" if version is None else f"this engine, {visible(version):.40},"
    return ValueError(
        f"{engine} ignores the filter {name}, which came with {since}: more tasks would match than "
        "the query says. Nothing was changed"
    )
