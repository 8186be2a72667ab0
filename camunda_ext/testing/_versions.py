"""
The differences between versions of the engine, each as an attribute of `Version`.
"""

from __future__ import annotations

from typing import Final

import attrs

#: The version of an engine by default.
LATEST: Final = "7.24"

_OLDEST: Final = (7, 13)
_NEWEST: Final = (7, 24)


class _Since:
    """
    An attribute that is `True` for version 7.*minor* and later ones.
    """

    def __init__(self, minor: int) -> None:
        self._minor = minor

    def __get__(self, version: Version, owner: type[Version]) -> bool:
        return version.number >= (7, self._minor)


@attrs.frozen
class Version:
    """
    A version of Camunda, and which features it has.
    """

    #: Major and minor number, such as ``(7, 24)``.
    number: tuple[int, int]

    @classmethod
    def of(cls, text: str) -> Version:
        """
        The version from a text such as ``7.18`` or ``7.18.0``.

        Raises:
            ValueError: The text is no version, or not one from 7.13 to 7.24.
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

    #: Fetched tasks have extension properties; older versions ignore a topic's request for them.
    extension_properties = _Since(14)
    #: Queried tasks have the definition's version tag; before, only fetched tasks have it.
    version_tag_everywhere = _Since(14)
    #: A failure can set variables; older versions ignore them.
    failure_variables = _Since(15)
    #: There is an operation that locks one task.
    lock = _Since(16)
    #: Errors have a ``code``.
    error_code = _Since(18)
    #: Batches have a start time, incidents an annotation.
    batch_times = _Since(18)
    #: A date in a URL may not have double quotes of its own.
    refuses_quoted_dates = _Since(18)
    #: A process must say how long its history is kept.
    time_to_live_required = _Since(20)
    #: Fetched tasks have a ``createTime``, and fetches and queries can be sorted by it.
    create_time = _Since(21)
    #: Process instances have a ``definitionKey``.
    definition_key_of_instances = _Since(22)
    #: Queried tasks have a ``createTime``, too.
    create_time_everywhere = _Since(24)
    #: Queries filter by the definition's key and name and by process variables; older versions
    #: ignore these filters.
    newer_filters = _Since(24)
    #: JSON is limited in its nesting depth and in the length of numbers, and nothing may follow it.
    json_limits = _Since(24)

    @property
    def persistence_error(self) -> str:
        """
        The Java class of errors of the database.
        """
        is_new = self.number >= (7, 19)
        return "ProcessEnginePersistenceException" if is_new else "ProcessEngineException"
