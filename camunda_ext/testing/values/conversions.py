"""
How the engine makes numbers, dates and bytes of text, and text of anything.

It puts quotes around the text and reads it as JSON. So escapes count, what follows a quote of the
text's own is not read, and blanks at the ends do not matter. Every function raises `ValueError`
for what the engine does not take.
"""

from __future__ import annotations

import base64
import json
import math
import re
from decimal import Decimal
from typing import Final

from camunda_ext.testing.values import dates

#: What java.lang.Integer.parseInt takes: digits of any script, unless they need two UTF-16 units.
_WHOLE: Final = re.compile(r"[+-]?(?:(?![\U00010000-\U0010ffff])\d)+")
_ASCII_WHOLE: Final = re.compile(r"[+-]?[0-9]+")
_DECIMAL: Final = re.compile(r"[+-]?(?:[0-9]*\.?[0-9]+(?:[eE][+-]?[0-9]+)?|[0-9]+\.)")
_NOT_FINITE: Final = {
    "NaN": math.nan,
    "Infinity": math.inf,
    "INF": math.inf,
    "-Infinity": -math.inf,
    "-INF": -math.inf,
}
_LONGEST_NUMBER: Final = 1000

_PLAIN: Final = re.compile(r'[^\x00-\x1f"\\]*')
_STRICT: Final = json.JSONDecoder(strict=True)
_LENIENT: Final = json.JSONDecoder(strict=False)
#: What Java's ``trim()`` takes off.
BLANKS: Final = "".join(map(chr, range(0x21)))
_BLANK: Final = re.compile(r"[\x00- ]+")
_BASE64: Final = re.compile(r"[A-Za-z0-9+/]+={0,2}")
_LENIENT_ALPHABET: Final = re.compile(rb"[^A-Za-z0-9+/]")


def unquoted(text: str) -> str:
    """
    What is left of *text* when it is put between quotes and read as JSON.
    """
    if _PLAIN.fullmatch(text):
        return text
    return _string(text, _STRICT)


def boolean(text: str, *, upper_case: bool = True) -> bool | None:
    """
    Read a boolean; blank text and the word ``null`` are none.
    """
    word = _word(text)
    if word is None:
        return None
    if word in ("true", "True") or (upper_case and word == "TRUE"):
        return True
    if word in ("false", "False") or (upper_case and word == "FALSE"):
        return False
    raise ValueError(word)


def whole(text: str, bits: int) -> int | None:
    """
    Read an integer of so many bits.
    """
    word = _word(text)
    if word is None:
        return None
    if len(word) > _LONGEST_NUMBER or not _WHOLE.fullmatch(word):
        raise ValueError(word)
    number = int(word)
    bound = 1 << (bits - 1)
    if not -bound <= number < bound:
        raise ValueError(word)
    return number


def decimal(text: str) -> float | None:
    """
    Read a number with a fraction.
    """
    # These words alone may have no blanks around them.
    endless = _NOT_FINITE.get(unquoted(text))
    return _decimal(_word(text)) if endless is None else endless


def number(text: str) -> float | None:
    """
    Read a number of whichever kind.
    """
    word = _word(text)
    if word is None or word in _NOT_FINITE:
        return None if word is None else _NOT_FINITE[word]
    return whole(text, 64) if _ASCII_WHOLE.fullmatch(word) else _decimal(word)


def date(text: str) -> int | None:
    """
    Read a date as milliseconds since the epoch.
    """
    word = _word(text)
    return None if word is None else dates.parse(word)


def base64_bytes(text: str) -> bytes:
    """
    Read base64 as strictly as the engine does for bytes: blanks only between groups of four.
    """
    # Not strict, as the engine's reader of base64 lets control characters pass.
    characters = _string(text, _LENIENT)
    found = []
    for piece in _BLANK.split(characters):
        end = 0
        while end < len(piece):
            groups = _BASE64.match(piece, end)
            if groups is None or len(groups.group()) % 4:
                raise ValueError(text)
            found.append(base64.b64decode(groups.group()))
            end = groups.end()
    return b"".join(found)


def lenient_base64_bytes(text: str) -> bytes:
    """
    Read base64 as leniently as the engine does for files: what it does not know, it skips.
    """
    known = text.replace("-", "+").replace("_", "/").encode("utf-8", "surrogatepass")
    digits = _LENIENT_ALPHABET.sub(b"", known.split(b"=")[0])
    if len(digits) % 4 == 1:
        # Six bits are no byte.
        digits = digits[:-1]
    return base64.b64decode(digits + b"=" * (-len(digits) % 4))


def java_text(value: object) -> str:
    """
    What Java's ``String.valueOf()`` makes of a JSON value.
    """
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return _java_float(value)
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}={java_text(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(java_text, value)) + "]"
    return str(value)


def utf16_length(text: str) -> int:
    """
    The length of *text* as Java and the database count it.
    """
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def without_lone_surrogates(text: str) -> str:
    """
    The text as it comes back from UTF-8, which Java writes with question marks.
    """
    pairs = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")
    return pairs.encode("utf-8", "replace").decode()


def _decimal(word: str | None) -> float | None:
    if word is None:
        return None
    if len(word) > _LONGEST_NUMBER or not _DECIMAL.fullmatch(word):
        raise ValueError(word)
    return float(word)


def _string(text: str, decoder: json.JSONDecoder) -> str:
    found, _ = decoder.raw_decode(f'"{text}"')
    return str(found)


def _word(text: str) -> str | None:
    word = unquoted(text).strip(BLANKS)
    return None if word in ("", "null") else word


def _java_float(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    if value == 0 or 1e-3 <= abs(value) < 1e7:
        return repr(value)
    sign, digits, exponent = Decimal(repr(value)).normalize().as_tuple()
    first, *rest = map(str, digits)
    power = int(exponent) + len(rest)
    return f"{'-' * sign}{first}.{''.join(rest) or '0'}E{power}"
