"""
Whether an engine honours the filters of a query.

An engine ignores a filter that is younger than itself, without a word, and takes more tasks than
were meant. Versions do not prove anything: each vendor counts its own. So the engine is asked, by
counts that change nothing. Where a single question is all that there is time for, the version is
looked at, and a filter is warned of that is surely too young.
"""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import attrs

from camunda_ext import errors
from camunda_ext._wire.text import visible
from camunda_ext.query import OLDEST, ExternalTaskQuery

#: Counts the external tasks for a body as it is.
Count = Callable[[Mapping[str, object]], int]

#: What every engine ignores: what refuses it is something on the way.
_UNKNOWN: Final = {"noSuchFilter": {}, "noSuchFilters": "not a list"}


@attrs.define(eq=False)
class Known:
    """
    What a client has found out about its engine, so that it asks once.
    """

    #: Names of the filters that the engine honours.
    proven: set[str] = attrs.field(factory=set)

    #: Names of the filters that were warned of.
    warned: set[str] = attrs.field(factory=set)

    #: What the engine says of its version; ``None`` if it was asked and does not say.
    version: str | None = None

    #: Whether it was asked for its version.
    has_answered: bool = False

    def ask(self, version: Callable[[], str | None]) -> str | None:
        """
        Give the engine's version, if it can be had.
        """
        if not self.has_answered:
            try:
                self.version = version()
            except errors.Refused:
                pass  # It came with 7.8, and a gateway may hide it.
            except Exception:  # noqa: BLE001  # what goes wrong here is met by the next request too
                return None
            self.has_answered = True
        return self.version


def warn_of_young(
    filters: Iterable[tuple[str, str]],
    known: Known,
    version: Callable[[], str | None],
    stacklevel: int,
) -> None:
    """
    Warn of each filter that the engine is too old for, once.

    Args:
        filters: Names of filters, each with the version that brought it.

        version: Gives the engine's version, if it can be had.
    """
    young = [
        (name, since)
        for name, since in filters
        if since != OLDEST and name not in known.proven and name not in known.warned
    ]
    if not young or (said := version()) is None:
        return
    for name, since in young:
        if _is_before(said, since):
            known.warned.add(name)
            warnings.warn(_too_young(name, since, said), stacklevel=stacklevel + 1)


def _is_before(version: str, since: str) -> bool:
    """
    Tell whether a version of Camunda is older than another one; the forks, which count from 1, are
    younger than all.
    """
    numbers = re.match(r"(\d+)\.(\d+)", version)
    if numbers is None:
        return False
    major, minor = map(int, numbers.groups())
    return major == 7 and minor < int(since.partition(".")[2])


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
            raise ValueError(f"{_too_young(name, since, version())}. Nothing was changed")


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
            raise ValueError(f"{_too_young(name, since, version())}. Nothing was changed")


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


def _too_young(name: str, since: str, version: str | None) -> str:
    engine = "this engine" if version is None else f"this engine, {visible(version):.40},"
    return (
        f"{engine} ignores the filter {name}, which came with {since}: more tasks would match than "
        "the query says"
    )
