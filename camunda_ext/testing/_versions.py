"""
What an engine of an older version lacks or ignores: one line per fact.
"""

from __future__ import annotations

from typing import Final

import attrs

#: The version that an engine has unless another one is named.
LATEST: Final = "7.24"

_OLDEST: Final = (7, 13)
_NEWEST: Final = (7, 24)


class _Since:
    """
    An attribute of a version: whether it is 7.*minor* or later.
    """

    def __init__(self, minor: int) -> None:
        self._minor = minor

    def __get__(self, version: Version, owner: type[Version]) -> bool:
        return version.number >= (7, self._minor)


@attrs.frozen
class Version:
    """
    A version of Camunda, and what comes with it.
    """

    number: tuple[int, int]

    @classmethod
    def of(cls, text: str) -> Version:
        """
        The version that is written as ``7.18`` or ``7.18.0``.

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

    #: Fetched tasks have extension properties; a topic that asks for them is ignored otherwise.
    extension_properties = _Since(14)
    #: Queried tasks have the definition's version tag, not only fetched ones.
    version_tag_everywhere = _Since(14)
    #: A failure brings variables along; ignored otherwise.
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
    #: Queries know the definition's key and name, and process variables; ignored otherwise.
    young_filters = _Since(24)
    #: JSON is limited in depth and in the length of numbers, and nothing may come after it.
    json_limits = _Since(24)

    @property
    def persistence_error(self) -> str:
        """
        The Java class of an error of the database.
        """
        is_new = self.number >= (7, 19)
        return "ProcessEnginePersistenceException" if is_new else "ProcessEngineException"
