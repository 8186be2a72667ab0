"""
Whether an engine honours the filters of a query.

An engine ignores a filter that is younger than itself, without a word, and finds more than was
meant. Versions do not prove anything: each vendor counts its own. So the engine is asked, by counts
that change nothing. Where a single question is all that there is time for, the version is looked
at, and a filter is warned of that is surely too young.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

import attrs

from camunda_ext import errors
from camunda_ext._wire.text import visible
from camunda_ext._wire.warn import warn_caller
from camunda_ext.query import Query

#: What every engine ignores: what refuses it is something on the way.
_UNKNOWN: Final = {"noSuchFilter": {}, "noSuchFilters": "not a list"}


@attrs.define(eq=False)
class EngineFacts:
    """
    What a client has found out about its engine, so that it asks once.
    """

    #: The filters that the engine honours: what they filter, and their names.
    proven: set[tuple[str, str]] = attrs.field(factory=set)

    #: The filters that were warned of.
    warned: set[tuple[str, str]] = attrs.field(factory=set)

    #: What the engine says of its version; ``None`` if it was asked and does not say.
    version: str | None = None

    #: Whether it has answered the question for its version.
    has_answered: bool = False


@attrs.frozen(kw_only=True, eq=False)
class FilterProof:
    """
    Proves that an engine honours the filters of a query, or warns of those that it is too old for.
    """

    #: What the filters are of, in the plural.
    noun: str

    #: The version whose filters need no proof: every engine that can be asked has them.
    oldest: str

    #: What is known of the engine, and what is found out.
    facts: EngineFacts

    #: Counts by a body as it is.
    count: Callable[[Mapping[str, object]], int]

    #: Asks the engine for its version.
    version: Callable[[], str | None]

    def warn_of_young(self, query: Query) -> None:
        """
        Warn of each filter that the engine is too old for by its version, once.
        """
        young = {
            name: since
            for name, since in self._unproven(query).items()
            if (self.noun, name) not in self.facts.warned
        }
        if not young or (version := self._version()) is None:
            return
        for name, since in young.items():
            if _is_before(version, since):
                self.facts.warned.add((self.noun, name))
                warn_caller(self._too_young(name, since))

    def prove_known(self, query: Query) -> None:
        """
        Prove that the engine knows each filter; it needs no tasks to tell.

        A value of the wrong type is an error for a property that the engine knows, and is ignored
        with the property if it does not.

        Raises:
            ValueError: It does not know one.
        """
        unproven = self._unproven(query)
        if not unproven:
            return
        # Nothing on the way may refuse such values by itself, or the proof would be none.
        self.count(_UNKNOWN)
        body = query.body()
        for name, since in unproven.items():
            try:
                self.count({name: "not a list" if isinstance(body[name], list) else {}})
            except errors.BadRequest:
                self.facts.proven.add((self.noun, name))
            else:
                raise ValueError(f"{self._too_young(name, since)}. Nothing was changed")

    def prove_effective(self, query: Query) -> None:
        """
        Prove that each filter leaves something out: by a value that no task has, each in turn.

        It tells most where there are tasks; where there are none, none can be changed.

        Raises:
            ValueError: One leaves nothing out.
        """
        body = query.body()
        for name, since in self._young(query).items():
            if self.count(_impossible(name, body[name])) != 0:
                raise ValueError(f"{self._too_young(name, since)}. Nothing was changed")

    def _young(self, query: Query) -> dict[str, str]:
        return {name: since for name, since in query.filters().items() if since != self.oldest}

    def _unproven(self, query: Query) -> dict[str, str]:
        return {
            name: since
            for name, since in self._young(query).items()
            if (self.noun, name) not in self.facts.proven
        }

    def _version(self) -> str | None:
        """
        The engine's version; ``None`` if it cannot be had.
        """
        facts = self.facts
        if not facts.has_answered:
            try:
                facts.version = self.version()
            except errors.Refused:
                pass  # It came with 7.8, and a gateway may hide it.
            except Exception:  # noqa: BLE001  # what goes wrong here is met by the next request too
                return None
            facts.has_answered = True
        return facts.version

    def _too_young(self, name: str, since: str) -> str:
        version = self._version()
        engine = "this engine" if version is None else f"this engine, {visible(version):.40},"
        return (
            f"{engine} ignores the filter {name}, which came with {since}: more {self.noun} would "
            "match than the query says"
        )


def _is_before(version: str, since: str) -> bool:
    """
    Whether a version of Camunda is older than another one; the forks, which count from 1, are
    younger than all.
    """
    numbers = re.match(r"(\d+)\.(\d+)", version)
    if numbers is None:
        return False
    major, minor = map(int, numbers.groups())
    return major == 7 and minor < int(since.partition(".")[2])


def _impossible(name: str, value: Any) -> dict[str, object]:
    """
    A body with a filter that no task passes, of the same form as *value*.
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
