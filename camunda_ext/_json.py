"""
Bytes to Python and back, strictly; dates in the server's own format.

This is the one module that knows whether :pypi:`orjson` is there. What it reads is always what the
standard library would have read: where the two differ, the standard library decides. Only integers
beyond 64 bits are floats, with both, where the caller says that they do not matter.
"""

from __future__ import annotations

import json
import math
import re
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from itertools import accumulate
from typing import Any, Final, NoReturn

import attrs

_ALL_DIGITS_ALIKE: Final = bytes.maketrans(b"123456789", b"000000000")
# As many digits as no integer of 64 bits has, and as one below zero may have; longer ones become
# floats in orjson, without a word.
_LONG_NUMBERS: Final = (b"0" * 20, b"-" + b"0" * 19)

#: What is read of so many bytes is in the processor's cache still when objects are made of it.
_PIECE: Final = 32 * 1024
_LONGEST_NAME: Final = 100

#: What is longer is left to the standard library: orjson takes 16 times as much memory meanwhile.
_LONGEST_FAST: Final = 2 * 1024 * 1024

#: How deep a document may be nested; orjson goes no deeper either.
_MOST_LEVELS: Final = 1024
_ALL_BUT_STRUCTURE: Final = bytes(set(range(256)) - set(b'"[]{}'))
_LEVELS: Final[Mapping[int, int]] = {ord("["): 1, ord("{"): 1, ord("]"): -1, ord("}"): -1}


def loads(content: bytes, *, has_long_numbers: bool = True) -> Any:
    """
    Read one JSON document.

    Args:
        has_long_numbers:
            Whether there may be integers beyond 64 bits. To look for them takes a while; they
            become floats otherwise.

    Raises:
        ValueError: It is not JSON in UTF-8: a bare ``NaN`` and a number beyond the floats are not
            JSON either, nor is nesting of more than 1,024 levels, or than Python can follow.
    """
    reads_fast = fast_reader() if len(content) <= _LONGEST_FAST else None
    if reads_fast is not None and not (has_long_numbers and _may_have_long_numbers(content)):
        try:
            return reads_fast(content)
        except ValueError:
            pass  # It refuses lone surrogates, which engines do store; the reader below takes them.
    if _is_deep(content):
        raise ValueError("JSON nested too deeply")
    try:
        return json.loads(
            content.decode("utf-8"),
            parse_constant=_refuse_constant,
            parse_float=_finite,
            parse_int=int if has_long_numbers else _in_64_bits,
        )
    except RecursionError:
        raise ValueError("JSON nested too deeply") from None


def _may_have_long_numbers(content: bytes) -> bool:
    alike = content.translate(_ALL_DIGITS_ALIKE)
    return any(number in alike for number in _LONG_NUMBERS)


def pieces(content: bytes) -> Iterator[bytes]:
    """
    Part a long array of objects that begin alike into shorter arrays.

    If each of them is JSON, so is the whole, and has the same objects; if one is not, nothing is
    said of the whole.
    """
    end_of_name = content.find(b":", 0, _LONGEST_NAME)
    between = b"}," + content[1 : end_of_name + 1]
    start = 0
    if content.startswith(b"[{") and end_of_name >= 0:
        while (end := content.find(between, start + _PIECE)) >= 0:
            yield b"[%b]" % content[start or 1 : end + 1]
            start = end + 2
    yield b"[" + content[start:] if start else content


@lru_cache(maxsize=1)
def fast_reader() -> Callable[[bytes], Any] | None:
    """
    Give what reads JSON fast, where it is installed; loaded with the first answer, not before.
    """
    try:
        from orjson import loads as read
    except ImportError:  # an optional extra
        return None
    return read


#: Made once, for `json.dumps` makes one for each value that it is to write in another way.
_encode: Final = json.JSONEncoder(allow_nan=False, separators=(",", ":")).encode


def dumps(value: object) -> str:
    """
    Write *value* as JSON text in ASCII, so that even a lone surrogate arrives.

    Raises:
        ValueError: It holds NaN or an infinity.
        TypeError: It holds something that JSON has no form for.
    """
    return _encode(value)


def _is_deep(content: bytes) -> bool:
    """
    Tell whether a document may have more levels of nesting than are read.

    How deep Python itself can follow differs between its versions.
    """
    if content.count(b"[") + content.count(b"{") <= _MOST_LEVELS:
        return False
    if b"\\" in content:
        content = re.sub(rb"\\.", b"", content, flags=re.DOTALL)
    # Two quotes that meet are a text without brackets, or part one from the next: without them
    # each bracket is within a text, or not, as before.
    kept = content.translate(None, _ALL_BUT_STRUCTURE).replace(b'""', b"")
    kept = re.sub(rb'"[^"]*"?', b"", kept)
    levels = accumulate(map(_LEVELS.__getitem__, kept))
    return any(map(_MOST_LEVELS.__lt__, levels))


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError(f"the number {text[:40]} is beyond the floats")
    return number


def _in_64_bits(text: str) -> int | float:
    number = int(text)
    return number if -(2**63) <= number < 2**64 else _finite(text)


_MODERN_DATE: Final = re.compile(
    r"(\d{4,})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:[.,](\d{1,9}))?"
    r"(?:(Z)|([+-])(\d\d):?(\d\d)(?::?(\d\d))?)?",
    re.ASCII,
)
#: What nearly all dates look like: 2026-11-22T13:14:15.000+0000.
_USUAL_DATE: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d{4}", re.ASCII)
#: The same, with any year; seldom needed, and compiled then.
_EXACT_DATE: Final = (
    r"([0-9]{4,6})-([0-9]{2})-([0-9]{2})T([0-9]{2}):([0-9]{2}):([0-9]{2})\.[0-9]{3}"
    r"[+-]([0-9]{2})([0-9]{2})"
)
#: The usual date with one digit and one sign for all, for to compare many is quicker than to match
#: them.
_USUAL_FORM: Final = "0000-00-00T00:00:00.000-0000"
_TO_FORM: Final = str.maketrans("123456789+", "000000000-")
_LAST_MOMENT: Final = datetime.max.replace(tzinfo=timezone.utc)


def aware_date(text: str) -> datetime:
    """
    Read a date that names its zone, and that Python can hold.

    Raises:
        ValueError: It is no such date.
    """
    found = _MODERN_DATE.fullmatch(text)
    if found is None or len(found[1]) > 4 or not (found[8] or found[9]):
        raise ValueError(f"{text!r:.60} is no date with a zone")
    return MODERN.parse(text)


@attrs.frozen
class DateFormat:
    """
    How one server writes and reads dates.

    The default is what every server since 7.8 speaks: ``yyyy-MM-dd'T'HH:mm:ss.SSSZ``, three digits
    of milliseconds, no colon in the offset. Older ones write no zone and ignore the one they are
    sent; they need a *pattern* and a *zone*.
    """

    #: A `strptime` pattern whose ``%f`` means milliseconds; ``None`` for the modern format.
    pattern: str | None = None

    #: The zone of dates that name none; ``None`` if the server was not said to have one.
    # Some zones of other packages cannot be hashed.
    zone: tzinfo | None = attrs.field(default=None, hash=False)

    def __attrs_post_init__(self) -> None:
        if self.zone is not None and not isinstance(self.zone, tzinfo):
            raise TypeError(f"date_zone must be a tzinfo or a name, not {self.zone!r:.60}")
        if self.pattern is None:
            if self.zone is not None:
                raise ValueError(
                    "date_zone needs a date_format: without one, dates name their zone"
                )
            return
        if not isinstance(self.pattern, str):
            raise TypeError(f"date_format must be a str, not {self.pattern!r:.60}")
        if "%z" not in self.pattern and self.zone is None:
            raise ValueError(
                f"date_format {self.pattern!r} writes no zone (%z): pass date_zone= as well, "
                "the zone that the server's clock runs in"
            )
        moment = datetime(2026, 11, 22, 13, 14, 15, tzinfo=timezone.utc)
        if self.parse(self.format(moment)) != moment:
            raise ValueError(f"date_format {self.pattern!r} does not hold the whole of a date")

    def format(self, value: datetime) -> str:
        """
        Write an aware *value*, cut to whole milliseconds.

        Raises:
            ValueError: It is naive, or a day that the engine's calendar does not have.
        """
        offset = value.utcoffset()
        if offset is None:
            raise ValueError(
                f"{value!r} is naive: the engine would guess its zone. Pass an aware datetime, "
                "such as datetime.now(timezone.utc)"
            )
        if self.pattern is not None:
            return self._format_by_pattern(value)
        value, offset = in_whole_minutes(value, offset)
        _refuse_missing_day(value)
        minutes = round(offset.total_seconds()) // 60
        sign = "-" if minutes < 0 else "+"
        hours, minutes = divmod(abs(minutes), 60)
        return (
            f"{value.year:04}-{value.month:02}-{value.day:02}"
            f"T{value.hour:02}:{value.minute:02}:{value.second:02}"
            f".{value.microsecond // 1000:03}{sign}{hours:02}{minutes:02}"
        )

    def parse(self, text: str) -> datetime:
        """
        Read a date; one beyond the year 9999 is `datetime.max` in UTC.

        Raises:
            ValueError: It is no date.
        """
        if _USUAL_DATE.fullmatch(text):
            try:
                return _from_usual(text)
            except ValueError:
                pass  # It is no date at all, or a rare one.
        found = _MODERN_DATE.fullmatch(text)
        if found is None:
            return self._parse_by_pattern(text)
        year, month, day, hour, minute, second, fraction, utc, *offset = found.groups()
        if len(year) > 4:
            # A lock of 10^15 ms ends in the year 33715; such a task must not break its page.
            return _LAST_MOMENT
        zone = timezone.utc if utc else _zone(*offset)
        return datetime(
            int(year),
            int(month),
            int(day),
            int(hour),
            int(minute),
            int(second),
            int((fraction or "0").ljust(6, "0")[:6]),
            tzinfo=zone or self._own_zone(),
        )

    def is_exact(self, text: str) -> bool:
        """
        Tell whether the server reads *text* as the moment that it names.

        It takes a month 13 for January, and six digits behind the second for that many thousands.
        """
        try:
            if self.pattern is not None:
                return self.format(self.parse(text)) == text
            found = re.fullmatch(_EXACT_DATE, text)
            if found is None:
                return False
            year, *fields, offset_hours, offset_minutes = map(int, found.groups())
            # Years repeat after 400 of them, and Python has none beyond 9999.
            _refuse_missing_day(datetime(year if year < 10_000 else 2000 + year % 400, *fields))  # type: ignore[arg-type]  # five numbers, and no zone
        except ValueError:
            return False
        return offset_hours < 24 and offset_minutes < 60

    def parse_all(self, texts: Sequence[str]) -> list[datetime]:
        """
        Read many dates, as `parse()` reads each.
        """
        if ",".join(texts).translate(_TO_FORM) == ",".join([_USUAL_FORM] * len(texts)):
            return [*map(_from_usual, texts)]
        return [*map(self.parse, texts)]

    def _own_zone(self) -> tzinfo:
        if self.zone is None:
            warnings.warn(
                "the server sends dates without a zone, as those before 7.8 do; they are taken "
                "for UTC. Pass date_format= and date_zone= to ExternalTaskClient",
                stacklevel=2,
            )
        return self.zone or timezone.utc

    def _format_by_pattern(self, value: datetime) -> str:
        assert self.pattern is not None  # noqa: S101  # the only caller asked
        if self.zone is not None:
            value = value.astimezone(self.zone)
        _refuse_missing_day(value)
        # strftime has no milliseconds, and does not pad years before 1000 on every system.
        own = {"%f": f"{value.microsecond // 1000:03}", "%Y": f"{value.year:04}", "%%": "%%"}
        pattern = re.sub("%[fY%]", lambda found: own[found[0]], self.pattern)
        return value.strftime(pattern)

    def _parse_by_pattern(self, text: str) -> datetime:
        if self.pattern is None:
            raise ValueError(f"{text!r} is not a date as servers since 7.8 write it")
        value = datetime.strptime(text, self.pattern)
        return value if value.tzinfo is not None else value.replace(tzinfo=self._own_zone())


if sys.version_info >= (3, 11):
    _from_usual = datetime.fromisoformat
else:

    def _from_usual(text: str) -> datetime:
        return datetime.fromisoformat(f"{text[:26]}:{text[26:]}")


#: What every server since 7.8 speaks, unless configured otherwise.
MODERN: Final = DateFormat()


def in_whole_minutes(value: datetime, offset: timedelta) -> tuple[datetime, timedelta]:
    """
    Give a moment and its offset, in UTC if there is no wire form of the offset it has.
    """
    if offset.microseconds or offset.seconds % 60:
        return value.astimezone(timezone.utc), timedelta(0)
    return value, offset


def _zone(sign: str | None, hours: str, minutes: str, seconds: str | None) -> timezone | None:
    if sign is None:
        return None
    offset = timedelta(hours=int(hours), minutes=int(minutes), seconds=int(seconds or 0))
    return timezone(-offset if sign == "-" else offset)


def _refuse_missing_day(value: datetime) -> None:
    # Java's calendar goes from 1582-10-04 to 1582-10-15 and moves what lies between by ten days.
    if (1582, 10, 5) <= (value.year, value.month, value.day) <= (1582, 10, 14):
        raise ValueError(f"{value!r} is a day that the engine's calendar does not have")
