"""
Checks of arguments that the engine would silently misunderstand.

Each function returns the checked value, normalized where the docstring says so, or raises a
`TypeError` or `ValueError` whose message has the *name* of the argument and says what to pass.
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
# The engine adds durations to its clock unchecked: if the sum exceeds int64, the lock has expired.
_LONGEST: Final = 2**62
_LONGEST_NAME: Final = 255
_MILLISECOND: Final = timedelta(milliseconds=1)

E = TypeVar("E", bound=enum.Enum)


def text(name: str, value: object) -> str:
    """
    Check that *value* is a string, and return it as a plain `str`.
    """
    if type(value) is str:
        return value
    if not isinstance(value, str):
        raise TypeError(f"{name} must be a str, not {_described(value)}")
    return str.__str__(value)  # removes subclasses, such as the members of an enum


def filled(name: str, value: object) -> str:
    """
    Check that *value* is a string that is not empty; it may be blank.
    """
    if type(value) is str and value:
        return value
    checked = text(name, value)
    if not checked:
        raise ValueError(f"{name} must not be empty: is it from a variable that is not set?")
    return checked


def comparable(name: str, value: object) -> str:
    """
    Check that the engine compares variables with a text as it is, and not as null or a date.

    The engine puts quotes around the text and tries to read the result as a date in JSON; if that
    succeeds, it compares with the date (VariableQueryParameterDto.java). So it decodes escapes and
    ignores everything after a quote in the text; a text that then is blank, ``null``, or begins
    with a date is misunderstood.
    """
    checked = text(name, value)
    try:
        decoded, _ = _JSON.raw_decode(f'"{checked}"')
    except ValueError:
        return checked
    decoded = decoded.strip(BLANKS)
    if decoded in ("", "null"):
        raise ValueError(
            f"{name} {checked!r:.80} is null to the engine: pass None if that is meant. A String "
            "of this text cannot be asked for"
        )
    if re.match(_LIKE_A_DATE, decoded):
        raise ValueError(
            f"{name} {checked!r:.80} is a date to the engine: pass an aware datetime if that is "
            "meant. A String of this text cannot be asked for"
        )
    return checked


_JSON: Final = json.JSONDecoder()
#: The characters that Java's ``trim()`` removes.
BLANKS: Final = "".join(map(chr, range(0x21)))
#: A number, as java.text.DecimalFormat reads it.
_NUMBER: Final = r"[ \t]*-?(?:\d+(?:E-?\d+)?|NaN|\u221e)"
#: All texts that SimpleDateFormat reads as a date, and a few more: the names of zones that it knows
#: depend on the server's language.
_LIKE_A_DATE: Final = (
    "-".join([_NUMBER] * 3)
    + "T"
    + ":".join([_NUMBER] * 3)
    + rf"\.{_NUMBER}[ \t]*(?:[+-](?:[01][0-9]|2[0-3])[0-5][0-9]|[^\W\d_]{{2}})"
)


def pattern(name: str, value: object) -> str:
    """
    Check that *value* is a pattern for ``like`` that all databases read in the same way.
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
    Check that *value* can be a worker id; the engine would also lock for ``""``.
    """
    if not text(name, value):
        raise ValueError(f"{name} must not be empty: the engine tells workers apart by it")
    return named(name, value)


def named(name: str, value: object) -> str:
    """
    Check that *value* is a string that fits into 255 characters, the size of the engine's columns.
    """
    checked = text(name, value)
    if utf16_units(checked) > _LONGEST_NAME:
        raise ValueError(f"{name} has more than {_LONGEST_NAME} characters: {checked[:40]!r}...")
    return checked


def not_blank(name: str, value: object) -> str:
    """
    Check that *value* is a string that is neither empty nor blank.
    """
    if not text(name, value).strip():
        raise ValueError(f"{name} must not be empty: the engine refuses a blank one")
    return text(name, value)


def texts(name: str, values: object) -> tuple[str, ...]:
    """
    Check that *values* is an iterable of strings, but no string itself, and return it as a tuple.
    """
    if type(values) is not tuple:
        if isinstance(values, (str, bytes)) or not isinstance(values, Iterable):
            raise TypeError(f"{name} must be an iterable of str, not {_described(values)}")
        values = tuple(values)
    if {str}.issuperset(map(type, values)):
        return values
    return tuple(text(f"each of {name}", value) for value in values)


def ids(name: str, values: object) -> tuple[str, ...]:
    """
    Check *values* like `some_texts`, and that none of them is empty or blank.
    """
    return tuple(not_blank(f"each of {name}", value) for value in some_texts(name, values))


def filters(name: str, values: object) -> tuple[str, ...]:
    """
    Check *values* like `some_texts`, and that none of them is empty.
    """
    return tuple(filled(f"each of {name}", value) for value in some_texts(name, values))


def some_texts(name: str, values: object) -> tuple[str, ...]:
    """
    Check *values* like `texts`, and that there is at least one.
    """
    checked = texts(name, values)
    if not checked:
        # ExternalTaskQueryDto.java sets a list filter only where the list is not empty.
        raise ValueError(f"{name} is empty: the engine ignores an empty list and takes everything")
    return checked


def mapping(name: str, value: object) -> Mapping[str, object]:
    """
    Check that *value* is a mapping.
    """
    if not isinstance(value, Mapping):
        raise TypeError(f"{name} must be a mapping, not {_described(value)}")
    return value


def flag(name: str, value: object) -> bool:
    """
    Check that *value* is a `bool`.
    """
    if not isinstance(value, bool):
        raise TypeError(f"{name} must be True or False, not {_described(value)}")
    return value


def integer(name: str, value: object, *, low: int = -INT64 - 1, high: int = INT64) -> int:
    """
    Check that *value* is an `int` from *low* to *high* (default: 64 bits), and return it as a plain
    `int`.
    """
    if type(value) is int and low <= value <= high:
        return value
    try:
        if isinstance(value, bool):
            raise TypeError
        number = index(value)  # type: ignore[arg-type]  # of an enum's member or NumPy's, too
    except TypeError:
        raise TypeError(f"{name} must be an int, not {_described(value)}") from None
    if not low <= number <= high:
        raise ValueError(f"{name} must be from {low} to {high}, not {number}")
    return number


def milliseconds(name: str, value: object, *, low: int = 1, high: int = _LONGEST) -> int:
    """
    Check a duration, an `int` of milliseconds or a `timedelta`, and return it in milliseconds.
    """
    if not isinstance(value, timedelta) and (isinstance(value, bool) or not isinstance(value, int)):
        raise TypeError(
            f"{name} must be milliseconds as int, or a timedelta, not {_described(value)}"
        )
    return integer(f"{name} (milliseconds)", to_milliseconds(value), low=low, high=high)


def to_milliseconds(value: int | timedelta) -> int:
    """
    Convert a `timedelta` to milliseconds, rounded up; return an `int` as it is.
    """
    value = native("a duration", value)
    return math.ceil(value / _MILLISECOND) if isinstance(value, timedelta) else value


def seconds(name: str, value: object, *, may_be_zero: bool = False) -> float:
    """
    Check a duration, a number of seconds or a `timedelta`, and return it in seconds.
    """
    number: object = to_seconds(value)  # type: ignore[arg-type]  # its type is checked below
    if isinstance(number, bool) or not isinstance(number, (int, float)):
        raise TypeError(f"{name} must be seconds as a number, or a timedelta, not {value!r:.80}")
    if not 0 <= number <= TIMEOUT_MAX or (number == 0 and not may_be_zero):
        raise ValueError(f"{name} must be a number of seconds to wait, not {value}")
    return number


def to_seconds(value: float | timedelta) -> float:
    """
    Convert a `timedelta` to seconds; return anything else as it is.
    """
    return value.total_seconds() if isinstance(value, timedelta) else value


def aware(name: str, value: object) -> datetime:
    """
    Check that *value* is an aware datetime, and return it in milliseconds with a fixed offset.

    The engine's format has no more than that. So a query that was stored and read again is equal to
    the original.
    """
    if not isinstance(value, datetime):
        raise TypeError(f"{name} must be an aware datetime, not {_described(value)}")
    if value != value:  # pandas' NaT is a datetime
        raise ValueError(f"{name} is NaT, which is no moment: pass None for null")
    offset = value.utcoffset()
    if offset is None:
        raise ValueError(
            f"{name} must be an aware datetime, such as datetime.now(timezone.utc): "
            f"of {value!r} the engine would have to guess the zone"
        )
    value, offset = in_whole_minutes(value, offset)
    # Also converts subclasses such as pandas' Timestamp.
    moment = datetime.combine(value.date(), value.time(), timezone(offset))
    moment = moment.replace(microsecond=moment.microsecond // 1000 * 1000, fold=0)
    MODERN.format(moment)  # raises for days that the engine's calendar lacks
    return moment


def native(name: str, value: Any) -> Any:
    """
    Convert a scalar of NumPy to Python's own type; return anything else as it is.

    NumPy is not imported: if it is not loaded, *value* is not one of its scalars.
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
    The member of an enum: *value* is the member itself, or its text.
    """
    try:
        return kind(value)
    except ValueError:
        known = ", ".join(repr(member.value) for member in kind)
        raise ValueError(f"{name} must be one of {known}, not {value!r}") from None


def literal(name: str, value: object, kind: object) -> None:
    """
    Check that *value* is one of those that the `Literal` *kind* lists.
    """
    if value not in get_args(kind):
        known = ", ".join(map(repr, get_args(kind)))
        raise ValueError(f"{name} must be one of {known}, not {value!r}")


def utf16_units(value: str) -> int:
    """
    The length of a string in UTF-16 units, as Java counts: an emoji has two.
    """
    if value.isascii():
        return len(value)
    return len(value) + sum(character > "\uffff" for character in value)


def _described(value: object) -> str:
    return f"{type(value).__name__} {value!r:.80}"


def check_header(name: object, value: object) -> None:
    """
    Check that the name and value of an HTTP header are valid.
    """
    if not isinstance(name, str) or not isinstance(value, str):
        raise TypeError("names and values of headers must be str")
    if not re.fullmatch(_HEADER_NAME, name):
        raise ValueError(f"{name!r} is no name of a header")
    if not (value.isascii() and value.isprintable() and value == value.strip()):
        raise ValueError(f"the header {name!r} must be printable ASCII, without spaces around it")


# `re` compiles it at the first use, so that the import stays quick.
_HEADER_NAME: Final = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
