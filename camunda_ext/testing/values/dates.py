"""
Dates in the engine's format, ``yyyy-MM-dd'T'HH:mm:ss.SSSZ``.

Camunda's parser accepts more, such as a thirteenth month or the name of a zone. These are refused
here, as the client refuses them. Days before 15 October 1582 are those of the Gregorian calendar.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from functools import lru_cache
from typing import Final

_FORM: Final = re.compile(
    r"(\d{4,6})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)\.(\d{1,9})([+-])([01]\d|2[0-3])([0-5]\d)",
    re.ASCII,
)
_YEAR_2000: Final = datetime(2000, 1, 1, tzinfo=timezone.utc)
#: The beginning of the year 2000, in seconds since 1970.
_AT_2000: Final = 946_684_800
#: The calendar repeats after so many seconds, which are 400 years; Python's dates end in 9999.
_CYCLE: Final = 146_097 * 86_400


def parse(text: str) -> int:
    """
    The moment of a date, in milliseconds since 1970.

    As in Camunda, the digits after the point are a number of milliseconds, so that ``.123456`` adds
    two minutes.

    Raises:
        ValueError: The text is no date.
    """
    match = _FORM.fullmatch(text)
    if match is None:
        raise ValueError(f"Unparseable date: {text!r}")
    year, month, day, hour, minute, second, milliseconds = map(int, match.groups()[:7])
    if (1582, 10, 5) <= (year, month, day) <= (1582, 10, 14):
        raise ValueError(f"The engine's calendar has no such day: {text!r}")
    cycles, year_of_cycle = divmod(year, 400)
    local = datetime(2000 + year_of_cycle, month, day, hour, minute, second, tzinfo=timezone.utc)
    sign, hours, minutes = match.groups()[7:]
    offset = timedelta(hours=int(hours), minutes=int(minutes))
    moment = local + offset if sign == "-" else local - offset
    seconds = (moment - _YEAR_2000) // timedelta(seconds=1) + _AT_2000 + (cycles - 5) * _CYCLE
    return seconds * 1000 + milliseconds


def format(millis: int) -> str:  # noqa: A001 - the module is always named in calls
    """
    The date of *millis*, in milliseconds since 1970, as the engine writes it in UTC.
    """
    seconds, fraction = divmod(millis, 1000)
    return f"{_second(seconds)}.{fraction:03}+0000"


@lru_cache(maxsize=4096)
def _second(seconds: int) -> str:
    cycles, rest = divmod(seconds - _AT_2000, _CYCLE)
    moment = _YEAR_2000 + timedelta(seconds=rest)
    year = moment.year + 400 * cycles
    # For years before Christ, Java writes the number without the era.
    return f"{year if year > 0 else 1 - year:04}{moment:-%m-%dT%H:%M:%S}"
