"""
What the engine would take without a word and get wrong, refused at the call.

Each function gives back the value that it was asked about, in the form in which it is kept, or
raises `TypeError` or `ValueError` with a sentence that names it and says what to pass instead.
"""

from __future__ import annotations

import enum
import json
import math
import re
import sys
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta, timezone
from operator import index
from threading import TIMEOUT_MAX
from typing import Any, Final, TypeVar, get_args

from camunda_ext._wire.dates import MODERN, in_whole_minutes

INT32: Final = 2**31 - 1
INT64: Final = 2**63 - 1
# The engine adds durations to its clock without looking: past int64 the lock is over at once.
_LONGEST: Final = 2**62
_LONGEST_NAME: Final = 255
_MILLISECOND: Final = timedelta(milliseconds=1)

E = TypeVar("E", bound=enum.Enum)


def text(name: str, value: object) -> str:
    """
    Give back *value* if it is a string.
    """
    if type(value) is str:
        return value
    if not isinstance(value, str):
        raise TypeError(f"{name} must be a str, not {_said(value)}")
    return str.__str__(value)  # plain, of an enum's member too


def filled(name: str, value: object) -> str:
    """
    Give back *value* if it is a string with something in it, be it blank.
    """
    if type(value) is str and value:
        return value
    checked = text(name, value)
    if not checked:
        raise ValueError(f"{name} must not be empty: does it come of a variable that is not set?")
    return checked


def comparable(name: str, value: object) -> str:
    """
    Give back *value* if it is a string that the engine compares variables with as it is.

    It puts quotes around the text and reads that as a date in JSON; if it can, it compares with
    what it has read (VariableQueryParameterDto.java). So escapes count, all behind a quote in the
    text is ignored, and what is left may be blank, or the word ``null``, or begin with a date.
    """
    checked = text(name, value)
    try:
        read, _ = _JSON.raw_decode(f'"{checked}"')
    except ValueError:
        return checked
    read = read.strip(BLANKS)
    if read in ("", "null"):
        raise ValueError(
            f"{name} {checked!r:.80} is null to the engine: pass None if that is meant. A String "
            "of this text cannot be asked for"
        )
    if re.match(_LIKE_A_DATE, read):
        raise ValueError(
            f"{name} {checked!r:.80} is a date to the engine: pass an aware datetime if that is "
            "meant. A String of this text cannot be asked for"
        )
    return checked


_JSON: Final = json.JSONDecoder()
#: What Java's ``trim()`` takes off.
BLANKS: Final = "".join(map(chr, range(0x21)))
#: A number as java.text.DecimalFormat reads one.
_NUMBER: Final = r"[ \t]*-?(?:\d+(?:E-?\d+)?|NaN|\u221e)"
#: What SimpleDateFormat takes for a date, and little else: which names of zones it knows depends on
#: the server's language.
_LIKE_A_DATE: Final = (
    "-".join([_NUMBER] * 3)
    + "T"
    + ":".join([_NUMBER] * 3)
    + rf"\.{_NUMBER}[ \t]*(?:[+-](?:[01][0-9]|2[0-3])[0-5][0-9]|[^\W\d_]{{2}})"
)


def pattern(name: str, value: object) -> str:
    """
    Give back *value* if it is a pattern of ``like`` that means the same to all databases.
    """
    checked = text(name, value)
    if re.search(_ODD_ESCAPE, checked):
        raise ValueError(
            rf"{name} {checked!r:.80}: in a pattern a backslash stands before %, _ or another "
            "backslash, which then mean themselves"
        )
    return checked


_ODD_ESCAPE: Final = r"(?<!\\)(?:\\\\)*\\(?![%_\\])"


def worker_id(name: str, value: object) -> str:
    """
    Give back *value* if it can name a worker: the engine locks for ``""`` as well.
    """
    if not text(name, value):
        raise ValueError(f"{name} must not be empty: it is all that tells whose lock it is")
    return named(name, value)


def named(name: str, value: object) -> str:
    """
    Give back *value* if it fits the 255 characters of the engine's columns.
    """
    checked = text(name, value)
    if utf16_units(checked) > _LONGEST_NAME:
        raise ValueError(f"{name} has more than {_LONGEST_NAME} characters: {checked[:40]!r}...")
    return checked


def not_blank(name: str, value: object) -> str:
    """
    Give back *value* if it is a string with something in it.
    """
    if not text(name, value).strip():
        raise ValueError(f"{name} must not be empty: the engine refuses a blank one")
    return text(name, value)


def texts(name: str, values: object) -> tuple[str, ...]:
    """
    Give back *values*, any iterable of strings but a string itself, as a tuple.
    """
    if type(values) is not tuple:
        if isinstance(values, (str, bytes)) or not isinstance(values, Iterable):
            raise TypeError(f"{name} must be an iterable of str, not {_said(values)}")
        values = tuple(values)
    if {str}.issuperset(map(type, values)):
        return values
    return tuple(text(f"each of {name}", value) for value in values)


def ids(name: str, values: object) -> tuple[str, ...]:
    """
    Give back *values* like `some_texts`, but refuse an empty one among them.
    """
    return tuple(not_blank(f"each of {name}", value) for value in some_texts(name, values))


def filters(name: str, values: object) -> tuple[str, ...]:
    """
    Give back *values* like `some_texts`, but refuse an empty one among them.
    """
    return tuple(filled(f"each of {name}", value) for value in some_texts(name, values))


def some_texts(name: str, values: object) -> tuple[str, ...]:
    """
    Give back *values* like `texts`, but refuse none at all.
    """
    checked = texts(name, values)
    if not checked:
        # ExternalTaskQueryDto.java sets a list filter only where the list is not empty.
        raise ValueError(f"{name} is empty: the engine ignores an empty list and takes everything")
    return checked


def mapping(name: str, value: object) -> Mapping[str, object]:
    """
    Give back *value* if it is a mapping.
    """
    if not isinstance(value, Mapping):
        raise TypeError(f"{name} must be a mapping, not {_said(value)}")
    return value


def flag(name: str, value: object) -> bool:
    """
    Give back *value* if it is a `bool`.
    """
    if not isinstance(value, bool):
        raise TypeError(f"{name} must be True or False, not {_said(value)}")
    return value


def integer(name: str, value: object, *, low: int = -INT64 - 1, high: int = INT64) -> int:
    """
    Give back *value* if it is an `int` from *low* to *high*, by default those of 64 bits.
    """
    if type(value) is int and low <= value <= high:
        return value
    try:
        if isinstance(value, bool):
            raise TypeError
        number = index(value)  # type: ignore[arg-type]  # plain, of an enum's member or NumPy's
    except TypeError:
        raise TypeError(f"{name} must be an int, not {_said(value)}") from None
    if not low <= number <= high:
        raise ValueError(f"{name} must be from {low} to {high}, not {number}")
    return number


def milliseconds(name: str, value: object, *, low: int = 1, high: int = _LONGEST) -> int:
    """
    Give back a duration in whole milliseconds, from an `int` or a `timedelta`.
    """
    if not isinstance(value, timedelta) and (isinstance(value, bool) or not isinstance(value, int)):
        raise TypeError(f"{name} must be milliseconds as int, or a timedelta, not {_said(value)}")
    return integer(f"{name} (milliseconds)", to_milliseconds(value), low=low, high=high)


def to_milliseconds(value: int | timedelta) -> int:
    """
    Give a `timedelta` in milliseconds, a part of one counted as a whole; an `int` as it is.
    """
    value = native("a duration", value)
    return math.ceil(value / _MILLISECOND) if isinstance(value, timedelta) else value


def seconds(name: str, value: object, *, may_be_zero: bool = False) -> float:
    """
    A duration in seconds, from a number or a `timedelta`.
    """
    number = to_seconds(value)
    if isinstance(number, bool) or not isinstance(number, (int, float)):
        raise TypeError(f"{name} must be seconds as a number, or a timedelta, not {value!r:.80}")
    if not 0 <= number <= TIMEOUT_MAX or (number == 0 and not may_be_zero):
        raise ValueError(f"{name} must be a number of seconds to wait, not {value}")
    return number


def to_seconds(value: Any) -> Any:
    """
    A `timedelta` in seconds; anything else as it is.
    """
    return value.total_seconds() if isinstance(value, timedelta) else value


def aware(name: str, value: object) -> datetime:
    """
    Give back *value*, an aware datetime, cut to milliseconds and with a fixed offset.

    That is all of it that the engine gets to see; so a query read back equals the one written.
    """
    if not isinstance(value, datetime):
        raise TypeError(f"{name} must be an aware datetime, not {_said(value)}")
    if value != value:  # pandas' NaT is one
        raise ValueError(f"{name} is NaT, which is no moment: pass None for null")
    offset = value.utcoffset()
    if offset is None:
        raise ValueError(
            f"{name} must be an aware datetime, such as datetime.now(timezone.utc): "
            f"of {value!r} the engine would have to guess the zone"
        )
    value, offset = in_whole_minutes(value, offset)
    # A datetime of Python's own, of pandas' Timestamp too.
    kept = datetime(
        value.year,
        value.month,
        value.day,
        value.hour,
        value.minute,
        value.second,
        value.microsecond // 1000 * 1000,
        timezone(offset),
    )
    MODERN.format(kept)  # which refuses days that the engine's calendar lacks
    return kept


def native(name: str, value: Any) -> Any:
    """
    Give back a scalar of NumPy as Python's own, and anything else as it is.

    If one was given, its library is loaded; otherwise it need not be there.
    """
    numpy: Any = sys.modules.get("numpy")
    if isinstance(value, getattr(numpy, "datetime64", ())):
        raise ValueError(
            f"{name} is NaT, which is no moment: pass None for null"
            if numpy.isnat(value)
            else f"{name} is a datetime64, which names no zone: pass an aware datetime"
        )
    generic: Any = getattr(numpy, "generic", ())
    if not isinstance(value, generic):
        return value
    plain: Any = value.item()
    if plain is None:  # a timedelta64 that is NaT
        raise ValueError(f"{name} is NaT, which is no time: pass None for null")
    return plain


def choice(name: str, value: object, kind: type[E]) -> E:
    """
    Give back the member of *kind* that *value* is, or is the text of.
    """
    try:
        return kind(value)
    except ValueError:
        known = ", ".join(repr(member.value) for member in kind)
        raise ValueError(f"{name} must be one of {known}, not {value!r}") from None


def literal(name: str, value: object, kind: object) -> None:
    """
    Refuse a *value* that is none of those that the `Literal` *kind* lists.
    """
    if value not in get_args(kind):
        known = ", ".join(map(repr, get_args(kind)))
        raise ValueError(f"{name} must be one of {known}, not {value!r}")


def utf16_units(value: str) -> int:
    """
    Count *value* as Java does, where an emoji has length two.
    """
    if value.isascii():
        return len(value)
    return len(value) + sum(character > "\uffff" for character in value)


def _said(value: object) -> str:
    return f"{type(value).__name__} {value!r:.80}"


def check_header(name: object, value: object) -> None:
    """
    Refuse a header that a request cannot have.
    """
    if not isinstance(name, str) or not isinstance(value, str):
        raise TypeError("names and values of headers must be str")
    if not _HEADER_NAME.fullmatch(name):
        raise ValueError(f"{name!r} is no name of a header")
    if not (value.isascii() and value.isprintable() and value == value.strip()):
        raise ValueError(f"the header {name!r} must be printable ASCII, without spaces around it")


_HEADER_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
