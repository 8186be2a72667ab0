"""
Reads and writes JSON, strictly.

This is the one module that knows whether :pypi:`orjson` is there. What it reads is always what the
standard library would have read: where the two differ, the standard library decides. Only integers
beyond 64 bits are floats, with both, where the caller says that they do not matter.
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
# As many digits as no integer of 64 bits has, and as one below zero may have; longer ones become
# floats in orjson, without a word.
_LONG_NUMBERS: Final = (b"0" * 20, b"-" + b"0" * 19)

#: What is longer, in bytes, is left to the standard library: orjson takes up to nine times as much
#: memory besides, while it reads.
_LONGEST_FAST: Final = 8 * 1024 * 1024

#: How deep a document may be nested; orjson goes no deeper either.
_MOST_LEVELS: Final = 1024
_ALL_BUT_STRUCTURE: Final = bytes(set(range(256)) - set(b'"[]{}'))
_LEVELS: Final[Mapping[int, int]] = {ord("["): 1, ord("{"): 1, ord("]"): -1, ord("}"): -1}


def loads(content: bytes, *, has_long_numbers: bool = True) -> Any:
    """
    The value of one JSON document.

    Args:
        has_long_numbers:
            Whether to keep integers beyond 64 bits exact, which takes a while; they become floats
            otherwise.

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


@lru_cache(maxsize=1)
def fast_reader() -> Callable[[bytes], Any] | None:
    """
    The reader of :pypi:`orjson`, if that is installed; it is loaded with the first answer.
    """
    try:
        from orjson import loads as read
    except ImportError:  # an optional extra
        return None
    return read


#: `json.dumps` would make an encoder for each call, because of the arguments.
_encode: Final = json.JSONEncoder(allow_nan=False, separators=(",", ":")).encode


def dumps(value: object) -> str:
    """
    *value* as JSON text in ASCII, so that even a lone surrogate arrives.

    Raises:
        ValueError: It holds NaN or an infinity.
        TypeError: It holds something that JSON has no form for.
    """
    return _encode(value)


def _is_deep(content: bytes) -> bool:
    """
    Whether a document may have more levels of nesting than are read.

    How deep Python itself can follow differs between its versions.
    """
    if content.count(b"[") + content.count(b"{") <= _MOST_LEVELS:
        return False
    if b"\\" in content:
        content = re.sub(rb"\\.", b"", content, flags=re.DOTALL)
    # Two quotes that meet are a text without brackets, or part one from the next: without them
    # each bracket is within a text, or not, as before.
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
