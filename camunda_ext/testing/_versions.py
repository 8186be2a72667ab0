"""
What an engine of an older version lacks or ignores: one row per fact.
"""

from __future__ import annotations

from typing import Final

import attrs

#: The version that an engine has unless it is told otherwise.
LATEST: Final = "7.24"

_OLDEST: Final = (7, 13)
_NEWEST: Final = (7, 24)


@attrs.frozen
class Version:
    """
    A version of Camunda, and what comes with it.
    """

    number: tuple[int, int]

    @classmethod
    def of(cls, text: str) -> Version:
        """
        Read a version such as ``7.18`` or ``7.18.0``.

        Raises:
            ValueError: It is no version, or not one between 7.13 and 7.24.
        """
        parts = text.split(".")
        if not all(part.isdecimal() for part in parts) or len(parts) not in (2, 3):
            raise ValueError(f"version must look like '7.24', not {text!r}")
        number = (int(parts[0]), int(parts[1]))
        if not _OLDEST <= number <= _NEWEST:
            raise ValueError(f"version must be between 7.13 and 7.24, not {text!r}")
        return cls(number)

    def __str__(self) -> str:
        return f"{self.number[0]}.{self.number[1]}.0"

    def _since(self, minor: int) -> bool:
        return self.number >= (7, minor)

    @property
    def extension_properties(self) -> bool:
        """
        Fetched tasks have extension properties; a topic's wish for them is ignored otherwise.
        """
        return self._since(14)

    @property
    def version_tag_everywhere(self) -> bool:
        """
        Queried tasks have the definition's version tag, not only fetched ones.
        """
        return self._since(14)

    @property
    def failure_variables(self) -> bool:
        """
        A failure brings variables along; ignored otherwise.
        """
        return self._since(15)

    @property
    def lock(self) -> bool:
        """
        There is an operation that locks one task.
        """
        return self._since(16)

    @property
    def error_code(self) -> bool:
        """
        Errors have a ``code``.
        """
        return self._since(18)

    @property
    def batch_times(self) -> bool:
        """
        Batches have a start time, incidents an annotation.
        """
        return self._since(18)

    @property
    def quoted_dates(self) -> bool:
        """
        A date in a URL may have double quotes of its own.
        """
        return not self._since(18)

    @property
    def create_time(self) -> bool:
        """
        Fetched tasks have a ``createTime``, and fetches and queries can be sorted by it.
        """
        return self._since(21)

    @property
    def create_time_everywhere(self) -> bool:
        """
        Queried tasks have a ``createTime``, too.
        """
        return self._since(24)

    @property
    def time_to_live_required(self) -> bool:
        """
        A process must say how long its history is kept.
        """
        return self._since(20)

    @property
    def definition_key_of_instances(self) -> bool:
        """
        Process instances have a ``definitionKey``.
        """
        return self._since(22)

    @property
    def young_filters(self) -> bool:
        """
        Queries know the definition's key and name, and process variables; ignored otherwise.
        """
        return self._since(24)

    @property
    def json_limits(self) -> bool:
        """
        JSON is limited in depth and in the length of numbers, and nothing may come after it.
        """
        return self._since(24)

    @property
    def persistence_error(self) -> str:
        """
        The class of an error of the database.
        """
        return "ProcessEnginePersistenceException" if self._since(19) else "ProcessEngineException"
