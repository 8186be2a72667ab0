"""
Dates in the formats of engines.
"""

from __future__ import annotations

import re
import sys
from datetime import datetime, timedelta, timezone, tzinfo
from typing import Final

import attrs

from camunda_ext._wire.warn import warn_caller

_MODERN_DATE: Final = re.compile(
    r"(\d{4,})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:[.,](\d{1,9}))?"
    r"(?:(Z)|([+-])(\d\d):?(\d\d)(?::?(\d\d))?)?",
    re.ASCII,
)

#: Nearly all dates: 2026-11-22T13:14:15.000+0000. `fromisoformat()` checks the digits before the
#: dot; a pattern for them as well would take twice as long.
_USUAL_DATE: Final = re.compile(r"[\d:-]{10}T[\d:]{8}\.\d{3}[+-]\d{4}", re.ASCII)

#: The only form of a date that the engine reads exactly as written.
_EXACT_DATE: Final = (
    r"([0-9]{4,6})-([0-9]{2})-([0-9]{2})T([0-9]{2}):([0-9]{2}):([0-9]{2})\.[0-9]{3}"
    r"[+-]([0-9]{2})([0-9]{2})"
)

_LAST_MOMENT: Final = datetime.max.replace(tzinfo=timezone.utc)


def aware_date(text: str) -> datetime:
    """
    The aware datetime for a text with a zone and a year of four digits.

    Raises:
        ValueError: The text is no such date.
    """
    match = _MODERN_DATE.fullmatch(text)
    if match is None or len(match[1]) > 4 or not (match[8] or match[9]):
        raise ValueError(f"{text!r:.60} is no date with a zone")
    return MODERN.parse(text)


@attrs.frozen
class DateFormat:
    """
    The format in which an engine writes and reads dates.

    The default is the format of all engines since 7.8: ``yyyy-MM-dd'T'HH:mm:ss.SSSZ``, with three
    digits of milliseconds and no colon in the offset. Older engines write no zone, and ignore it in
    requests; they need a *pattern* and a *zone*.
    """

    #: A `strptime` pattern whose ``%f`` means milliseconds; ``None`` for the default format.
    pattern: str | None = None

    #: The zone of dates without a zone; ``None`` if it is unknown.
    # Not hashed: zones of some other packages are unhashable.
    zone: tzinfo | None = attrs.field(default=None, hash=False)

    def __attrs_post_init__(self) -> None:
        if self.zone is not None and not isinstance(self.zone, tzinfo):
            raise TypeError(f"date_zone must be a tzinfo or a name, not {self.zone!r:.60}")
        if self.pattern is None:
            if self.zone is not None:
                raise ValueError(
                    "date_zone needs a date_format: dates of the default format have a zone"
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
            raise ValueError(f"date_format {self.pattern!r} loses a part of the date")

    def format(self, value: datetime) -> str:
        """
        The text for an aware datetime, cut to whole milliseconds.

        Raises:
            ValueError: *value* is naive, or a day that the engine's calendar does not have.
        """
        offset = value.utcoffset()
        if offset is None:
            raise ValueError(
                f"{value!r} is naive: the engine would guess its zone. Pass an aware datetime, "
                "such as datetime.now(timezone.utc)"
            )
        if self.pattern is not None:
            return self._format_by_pattern(value)
        value, _ = in_whole_minutes(value, offset)
        _refuse_missing_day(value)
        text = value.isoformat(timespec="milliseconds")
        return text[:-3] + text[-2:]  # without the colon in the offset

    def parse(self, text: str) -> datetime:
        """
        The datetime for a text of the engine; `datetime.max` in UTC for a year beyond 9999.

        Raises:
            ValueError: The text is no date.
        """
        if _USUAL_DATE.fullmatch(text):
            try:
                return _from_usual(text)
            except ValueError:
                pass  # The more tolerant pattern below decides.
        match = _MODERN_DATE.fullmatch(text)
        if match is None:
            return self._parse_by_pattern(text)
        *whole, fraction, utc, sign, hours, minutes, seconds = match.groups()
        if len(whole[0]) > 4:
            # A lock of 10^15 ms ends in the year 33715; such a task must not break its page.
            return _LAST_MOMENT
        zone: tzinfo | None = timezone.utc if utc else None
        if sign is not None:
            offset = timedelta(hours=int(hours), minutes=int(minutes), seconds=int(seconds or 0))
            zone = timezone(-offset if sign == "-" else offset)
        microsecond = (fraction or "0").ljust(6, "0")[:6]
        value = datetime(*map(int, (*whole, microsecond)))  # type: ignore[arg-type]  # seven numbers
        return value.replace(tzinfo=zone or self._own_zone())

    def is_exact(self, text: str) -> bool:
        """
        Whether the engine reads exactly the date that *text* states.

        The engine accepts other texts as well, but misreads them: month 13 is read as January, and
        six digits after the second as so many milliseconds.
        """
        try:
            if self.pattern is not None:
                return self.format(self.parse(text)) == text
            match = re.fullmatch(_EXACT_DATE, text)
            if match is None:
                return False
            year, *fields, offset_hours, offset_minutes = map(int, match.groups())
            # The calendar repeats every 400 years, and Python has no year beyond 9999.
            _refuse_missing_day(datetime(year if year < 10_000 else 2000 + year % 400, *fields))  # type: ignore[arg-type]  # five numbers, and no zone
        except ValueError:
            return False
        return offset_hours < 24 and offset_minutes < 60

    def _own_zone(self) -> tzinfo:
        """
        The zone of dates without a zone: UTC, with a warning, if it is not configured.
        """
        if self.zone is None:
            warn_caller(
                "the server sends dates without a zone, as those before 7.8 do; they are taken "
                "for UTC. Pass date_format= and date_zone= to ExternalTaskClient",
            )
        return self.zone or timezone.utc

    def _format_by_pattern(self, value: datetime) -> str:
        assert self.pattern is not None  # noqa: S101  # the only caller has checked it
        if self.zone is not None:
            value = value.astimezone(self.zone)
        _refuse_missing_day(value)
        # strftime has no milliseconds, and does not pad years before 1000 on every system.
        replaced = {"%f": f"{value.microsecond // 1000:03}", "%Y": f"{value.year:04}", "%%": "%%"}
        pattern = re.sub("%[fY%]", lambda match: replaced[match[0]], self.pattern)
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


#: The default format of all engines since 7.8.
MODERN: Final = DateFormat()


def in_whole_minutes(value: datetime, offset: timedelta) -> tuple[datetime, timedelta]:
    """
    A datetime and its offset, converted to UTC if the offset has seconds, which the engine's format
    lacks.
    """
    if offset.microseconds or offset.seconds % 60:
        return value.astimezone(timezone.utc), timedelta(0)
    return value, offset


def _refuse_missing_day(value: datetime) -> None:
    # Java's calendar skips from 1582-10-04 to 1582-10-15, and moves the days between by ten.
    if (1582, 10, 5) <= (value.year, value.month, value.day) <= (1582, 10, 14):
        raise ValueError(f"{value!r} is a day that the engine's calendar does not have")
