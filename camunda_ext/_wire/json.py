"""
Reads and writes JSON, strictly.

It uses :pypi:`orjson` if that is installed, but only where its result is that of the standard
library. The one exception are integers beyond 64 bits: both read them as floats if the caller does
not need them to be exact.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from itertools import accumulate
from typing import Any, Final, NoReturn

_ALL_DIGITS_ALIKE: Final = bytes.maketrans(b"123456789", b"000000000")
# Each number beyond 64 bits, which orjson silently reads as a float, contains one of these once all
# its digits are replaced by 0: at least 20 digits, or 19 after a minus.
_LONG_NUMBERS: Final = (b"0" * 20, b"-" + b"0" * 19)

#: Longest document for orjson, in bytes; it needs up to nine times the memory of the document.
_LONGEST_FAST: Final = 8 * 1024 * 1024

#: Most levels of nesting in a document; the limit of orjson.
_MOST_LEVELS: Final = 1024
_ALL_BUT_STRUCTURE: Final = bytes(set(range(256)) - set(b'"[]{}'))
_LEVELS: Final[Mapping[int, int]] = {ord("["): 1, ord("{"): 1, ord("]"): -1, ord("}"): -1}


def loads(content: bytes, *, has_long_numbers: bool = True) -> Any:
    """
    The value of one JSON document.

    Args:
        has_long_numbers:
            Whether integers beyond 64 bits must be exact, which is slower; otherwise they become
            floats.

    Raises:
        ValueError: It is not JSON in UTF-8. A bare ``NaN`` and a number beyond the range of floats
            are errors, too, as are more than 1,024 levels of nesting or more than Python can read.
    """
    reads_fast = fast_reader() if len(content) <= _LONGEST_FAST else None
    if reads_fast is not None and not (has_long_numbers and _may_have_long_numbers(content)):
        try:
            return reads_fast(content)
        except ValueError:
            pass  # orjson refuses lone surrogates, which engines do store; json accepts them.
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


@lru_cache(maxsize=1)
def fast_reader() -> Callable[[bytes], Any] | None:
    """
    The function ``loads`` of :pypi:`orjson`; ``None`` if that is not installed.
    """
    try:
        from orjson import loads as read
    except ImportError:  # an optional extra
        return None
    return read


#: Kept, as `json.dumps` creates an encoder for each call with such arguments.
_encode: Final = json.JSONEncoder(allow_nan=False, separators=(",", ":")).encode


def dumps(value: object) -> str:
    """
    The JSON text for *value*, in ASCII, so that even a lone surrogate can be sent.

    Raises:
        ValueError: *value* contains NaN or an infinity.

        TypeError: *value* contains an object of a type that JSON lacks.
    """
    return _encode(value)


def _is_deep(content: bytes) -> bool:
    """
    Whether a document has more than 1,024 levels of nesting; each version of Python has a limit of
    its own.
    """
    if content.count(b"[") + content.count(b"{") <= _MOST_LEVELS:
        return False
    if b"\\" in content:
        content = re.sub(rb"\\.", b"", content, flags=re.DOTALL)
    # An adjacent pair of quotes is an empty text, or the end of one and the begin of the next.
    # Removing it does not change which brackets are inside of a text.
    structure = content.translate(None, _ALL_BUT_STRUCTURE).replace(b'""', b"")
    brackets = re.sub(rb'"[^"]*"?', b"", structure)
    levels = accumulate(map(_LEVELS.__getitem__, brackets))
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
