"""
Dates as Java's SimpleDateFormat reads and writes them with yyyy-MM-dd'T'HH:mm:ss.SSSZ.

The engine's parser is lenient, and its calendar is Julian before 15 October 1582. Both show in
what a client gets back, so both are kept.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from functools import lru_cache
from typing import Final

_DAY: Final = 86_400_000

#: 15 October 1582, the first day of the Gregorian calendar, in days and milliseconds of the epoch.
_CUTOVER_DAY: Final = -141_427
_CUTOVER: Final = _CUTOVER_DAY * _DAY

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=timezone.utc)
_YEAR_10000: Final = 253_402_300_800_000

#: As java.text.DecimalFormat reads a whole number: any script's digits, and an exponent.
_DIGITS: Final = r"(?:(?![\U00010000-\U0010ffff])\d)+"
_NUMBER: Final = re.compile(rf"[ \t]*(-?)(?:({_DIGITS})(?:E(-?{_DIGITS}))?|(NaN)|∞)")

#: Rather more than a double holds.
_ENDLESS: Final = 10**400
_SPACES: Final = re.compile(r"[ \t]*")
_OFFSET: Final = re.compile(r"([+-])([0-9]{2})([0-9]{2})")
_OFFSET_OF_GMT: Final = re.compile(r"([+-])([0-9]{1,2}):([0-9]{2})")

#: Minutes east of UTC. Java knows some hundred more; these are the ones that people write.
_ZONES: Final = {
    "UTC": 0,
    "GMT": 0,
    "WET": 0,
    "WEST": 60,
    "BST": 60,
    "CET": 60,
    "CEST": 120,
    "EET": 120,
    "EEST": 180,
    "MSK": 180,
    "IST": 120,
    "SGT": 480,
    "HKT": 480,
    "JST": 540,
    "KST": 540,
    "AEST": 600,
    "AEDT": 660,
    "NZST": 720,
    "NZDT": 780,
    "AST": -240,
    "ADT": -180,
    "EST": -300,
    "EDT": -240,
    "CST": -360,
    "CDT": -300,
    "MST": -420,
    "MDT": -360,
    "PST": -480,
    "PDT": -420,
    "AKST": -540,
    "AKDT": -480,
    "HST": -600,
}


def parse(text: str) -> int:
    """
    The milliseconds since the epoch that the engine understands *text* as.

    Raises:
        ValueError: The engine does not take *text* for a date.
    """
    numbers = []
    position = 0
    for delimiter in ("-", "-", "T", ":", ":", ".", ""):
        number, position = _number(text, position)
        if not text.startswith(delimiter, position):
            raise _no_date(text)
        numbers.append(number)
        position += len(delimiter)
    year, month, day, hour, minute, second, millisecond = numbers
    time = ((hour * 60 + minute) * 60 + second) * 1000 + millisecond
    carried, time = divmod(time, _DAY)
    days = _days(year, _int32(month - 1), day - 1 + carried)
    return _int64(days * _DAY + time - _zone(text, position) * 60_000)


def format(millis: int) -> str:  # noqa: A001 - the module is always named in calls
    """
    How the engine writes the moment *millis*, in UTC.
    """
    seconds, fraction = divmod(millis, 1000)
    return f"{_second(seconds)}.{fraction:03}+0000"


def in_words(millis: int) -> str:
    """
    What Java's ``Date.toString()`` makes of the moment *millis*, in UTC.
    """
    year, month, day = _date(millis // _DAY)
    second = millis // 1000 % 86_400
    # The epoch was a Thursday.
    weekday = _WEEKDAYS[(millis // _DAY + 3) % 7]
    time = f"{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}"
    return f"{weekday} {_MONTHS[month - 1]} {day:02} {time} UTC {year}"


_WEEKDAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS: Final = (
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"
)  # fmt: skip


@lru_cache(maxsize=4096)
def _second(seconds: int) -> str:
    millis = seconds * 1000
    if _CUTOVER <= millis < _YEAR_10000:
        moment = _EPOCH + timedelta(seconds=seconds)
        return moment.replace(tzinfo=None).isoformat()
    days, second = divmod(seconds, 86_400)
    year, month, day = _date(days)
    # Java writes the year of its era, and leaves out that the era is before Christ.
    year = year if year > 0 else 1 - year
    minute, second = divmod(second, 60)
    hour, minute = divmod(minute, 60)
    return f"{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}"


def _number(text: str, position: int) -> tuple[int, int]:
    match = _NUMBER.match(text, position)
    if match is None:
        raise _no_date(text)
    sign, digits, exponent, nan = match.groups()
    if nan is not None:
        # A minus sign is no part of it, so "-NaN" is nothing.
        if sign:
            raise _no_date(text)
        return 0, match.end()
    size = _ENDLESS if digits is None else _scaled(digits, exponent or "0")
    number = -size if sign else size
    # Java takes the low half of a long, and the nearest int of a double.
    if -(2**63) <= number < 2**63:
        return _int32(number), match.end()
    return max(-(2**31), min(number, 2**31 - 1)), match.end()


def _scaled(digits: str, exponent: str) -> int:
    if len(digits) > 1000:
        return _ENDLESS
    number = int(digits)
    if len(exponent) > 4:
        return 0 if exponent.startswith("-") else number * _ENDLESS
    power = int(exponent)
    scale: int = 10 ** abs(power)
    return number // scale if power < 0 else number * scale


def _zone(text: str, position: int) -> int:
    match = _OFFSET.match(text, position)
    if match is None and text[position : position + 3].upper() == "GMT":
        position += 3
        if text[position : position + 1] not in ("+", "-"):
            return 0
        match = _OFFSET_OF_GMT.match(text, position)
        if match is None:
            raise _no_date(text)
    if match is None:
        spaces = _SPACES.match(text, position)
        position = spaces.end() if spaces else position
        match = _OFFSET.match(text, position)
    if match is None:
        return _named_zone(text, position)
    sign, hours, minutes = match.groups()
    if int(hours) > 23 or int(minutes) > 59:
        raise _no_date(text)
    offset = int(hours) * 60 + int(minutes)
    return -offset if sign == "-" else offset


def _named_zone(text: str, position: int) -> int:
    rest = text[position : position + 4].upper()
    for name, offset in _ZONES.items():
        if rest.startswith(name):
            return offset
    raise _no_date(text)


def _days(year: int, month: int, day: int) -> int:
    """
    Days since the epoch of a date whose *month* and *day* count from 0 and may be anything.
    """
    years, month_of_year = divmod(month, 12)
    civil_year = _int32(year + years)
    julian = _days_of_julian(civil_year, month_of_year + 1) + day
    # The year decides as it was written, before months are carried over
    # (GregorianCalendar.computeTime).
    if year < 1582:
        return julian
    gregorian = _days_of_gregorian(civil_year, month_of_year + 1) + day
    return gregorian if gregorian >= _CUTOVER_DAY else julian


def _days_of_gregorian(year: int, month: int) -> int:
    year -= month <= 2
    leaps = year // 4 - year // 100 + year // 400
    return 365 * year + leaps + _day_of_year(month) - 719_468


def _days_of_julian(year: int, month: int) -> int:
    year -= month <= 2
    return 365 * year + year // 4 + _day_of_year(month) - 719_470


def _day_of_year(month: int) -> int:
    """
    The first day of *month* in a year that begins with March, where leap days come last.
    """
    return (153 * ((month + 9) % 12) + 2) // 5


def _date(days: int) -> tuple[int, int, int]:
    if days >= _CUTOVER_DAY:
        century, rest = divmod(4 * (days + 719_468) + 3, 146_097)
        year, rest = divmod(rest // 4 * 4 + 3, 1461)
        year += 100 * century
    else:
        year, rest = divmod(4 * (days + 719_470) + 3, 1461)
    month, day = divmod(5 * (rest // 4) + 2, 153)
    month = month + 3 if month < 10 else month - 9
    return year + (month <= 2), month, day // 5 + 1


def _int32(number: int) -> int:
    return (number + 2**31) % 2**32 - 2**31


def _int64(number: int) -> int:
    return (number + 2**63) % 2**64 - 2**63


def _no_date(text: str) -> ValueError:
    return ValueError(f"Unparseable date: {text!r}")
