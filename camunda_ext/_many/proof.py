"""
Whether an engine honours the filters of a query.

An engine silently ignores a filter that is newer than itself, and returns more tasks than the query
describes. Version numbers prove nothing, as each vendor has its own. So the engine is tested with
counts, which change nothing. Where more requests would take too long, only the version is compared,
and there is a warning for each filter that is certainly newer.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

import attrs

from camunda_ext import errors
from camunda_ext._many.facts import EngineFacts
from camunda_ext._wire.text import visible
from camunda_ext._wire.warn import warn_caller
from camunda_ext.query import Query, newer_filters

#: A body that every engine ignores. If it is refused, something in front of the engine did that.
_UNKNOWN: Final = {"noSuchFilter": {}, "noSuchFilters": "not a list"}


@attrs.frozen(kw_only=True, eq=False, repr=False)
class FilterProof:
    """
    Proves that an engine honours the filters of a query, or warns of those that are newer.
    """

    #: What the filters select, in the plural, such as ``tasks``.
    noun: str

    #: What is known about the engine; updated by each proof.
    facts: EngineFacts

    #: Returns the number of results for a body, which is sent as it is.
    count: Callable[[Mapping[str, object]], int]

    #: Asks the engine for its version.
    version: Callable[[], str | None]

    def warn_of_newer(self, query: Query) -> None:
        """
        Warn, once for each filter, of those that are newer than the version of the engine.
        """
        newer = self._newer(query, self.facts.proven | self.facts.warned)
        if not newer or (version := self._version()) is None:
            return
        for name, since in newer.items():
            if _is_before(version, since):
                self.facts.warned.add((self.noun, name))
                warn_caller(self._ignored(name, since))

    def prove_known(self, query: Query) -> None:
        """
        Prove that the engine knows each filter; that needs no tasks.

        A value of the wrong type is an error for a property that the engine knows, and is ignored
        with the property if it does not.

        Raises:
            ValueError: The engine does not know one of the filters.
        """
        unproven = self._newer(query, self.facts.proven)
        if not unproven:
            return
        # If something in front of the engine refused such values, the counts would prove nothing.
        self.count(_UNKNOWN)
        body = query.body()
        for name, since in unproven.items():
            try:
                self.count({name: "not a list" if isinstance(body[name], list) else {}})
            except errors.BadRequest:
                self.facts.proven.add((self.noun, name))
            else:
                raise ValueError(f"{self._ignored(name, since)}. Nothing was changed")

    def prove_effective(self, query: Query) -> None:
        """
        Prove that each filter excludes tasks, by a count with a value that no task has.

        If there are no tasks at all, it proves nothing; but then no task can be changed either.

        Raises:
            ValueError: One of the filters excludes no task.
        """
        body = query.body()
        for name, since in newer_filters(query).items():
            if self.count(_impossible(name, body[name])) != 0:
                raise ValueError(f"{self._ignored(name, since)}. Nothing was changed")

    def _newer(self, query: Query, settled: set[tuple[str, str]]) -> dict[str, str]:
        """
        The filters of a query that need a proof, but for those that are *settled*.
        """
        newer = newer_filters(query).items()
        return {name: since for name, since in newer if (self.noun, name) not in settled}

    def _version(self) -> str | None:
        """
        The engine's version; ``None`` if it does not tell, or could not be asked.
        """
        facts = self.facts
        if not facts.has_answered:
            try:
                facts.version = self.version()
            except errors.Refused:
                pass  # Engines before 7.8 have no such operation, and a gateway may hide it.
            except Exception:  # noqa: BLE001  # the request that follows will raise it as well
                return None
            facts.has_answered = True
        return facts.version

    def _ignored(self, name: str, since: str) -> str:
        """
        The message that the engine ignores a filter.
        """
        version = self._version()
        engine = "this engine" if version is None else f"this engine, {visible(version):.40},"
        return (
            f"{engine} ignores the filter {name}, which came with {since}: more {self.noun} would "
            "match than the query says"
        )


def _is_before(version: str, since: str) -> bool:
    """
    Whether a version of Camunda is older than the version *since*. Forks count from 1, and are
    newer than every version of Camunda.
    """
    numbers = re.match(r"(\d+)\.(\d+)", version)
    if numbers is None:
        return False
    major, minor = map(int, numbers.groups())
    return major == 7 and minor < int(since.partition(".")[2])


def _impossible(name: str, value: Any) -> dict[str, object]:
    """
    A body with the filter *name* that no task matches, with a value of the same form as *value*.
    """
    # It has no wildcards, and is random, so that no task has it.
    text = f"no-such-value-{os.urandom(16).hex()}"
    condition = {"name": text, "operator": "eq", "value": text}
    if value is True:
        # Such a flag sets how variables are compared, and needs a condition to have any effect.
        return {name: True, "processVariables": [condition]}
    if isinstance(value, list):
        return {name: [condition if isinstance(value[0], Mapping) else text]}
    return {name: text}
