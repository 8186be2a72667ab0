"""
Readers of JSON values by the engine's rules: which JSON it accepts for a number, a boolean, a date.
"""

from __future__ import annotations

import json
import re
import sys
import threading
from collections.abc import Callable, Mapping
from typing import Any, Final, NoReturn

from camunda_ext.testing._errors import failure, not_readable, null_pointer
from camunda_ext.testing._versions import Version
from camunda_ext.testing.values import dates

#: The characters that Java's ``trim()`` removes.
BLANKS: Final = "".join(map(chr, range(0x21)))

_DEEPEST: Final = 1000
_LONGEST_NUMBER: Final = 1000

INT32: Final = (-(2**31), 2**31 - 1)
INT64: Final = (-(2**63), 2**63 - 1)

Reader = Callable[[Any], Any]

#: A text in JSON. One without a closing quote extends to the end of the body; otherwise the search
#: would begin anew at each quote in it, and take quadratic time.
_TEXT: Final = re.compile(rb'"(?:[^"\\]|\\.)*(?:"|\\?\Z)', re.DOTALL)
_LONG_NUMBER: Final = re.compile(rb"\d{%d,}" % (_LONGEST_NUMBER + 1))
_DEPTH_AT_EASE: Final = 100
_recursion: Final = threading.Lock()


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


_DECODER: Final = json.JSONDecoder(parse_constant=_refuse_constant, strict=True)


def document(content: bytes, version: Version) -> Any:
    """
    The decoded JSON of a body; an empty body counts as an empty object.

    Raises:
        EngineError: The body is no JSON, or exceeds the limits of the engine's JSON reader.
    """
    if not content:
        return {}
    if not content.strip():
        raise null_pointer()
    if version.json_limits and len(content) > _LONGEST_NUMBER:
        _hold_to_limits(content)
    try:
        text = content.decode(json.detect_encoding(content), "surrogatepass").lstrip(
            " \t\r\n\ufeff"
        )
        body, end = _decode(text, content)
    except (ValueError, RecursionError):
        raise not_readable() from None
    if version.json_limits and text[end:].strip(" \t\r\n"):
        raise not_readable()
    if body is None:
        raise null_pointer()
    return body


def _decode(text: str, content: bytes) -> tuple[Any, int]:
    depth = content.count(b"[") + content.count(b"{")
    if depth < _DEPTH_AT_EASE:
        return _DECODER.raw_decode(text)
    # The engine accepts deeper nesting than Python's recursion limit allows.
    with _recursion:
        limit = sys.getrecursionlimit()
        sys.setrecursionlimit(limit + 3 * _DEEPEST)
        try:
            return _DECODER.raw_decode(text)
        finally:
            sys.setrecursionlimit(limit)


def _hold_to_limits(content: bytes) -> None:
    too_much = _LONG_NUMBER.search(content) and _LONG_NUMBER.search(_TEXT.sub(b"", content))
    if too_much:
        raise failure(
            "StreamConstraintsException",
            f"Number value length ({len(too_much[0])}) exceeds the maximum allowed "
            f"({_LONGEST_NUMBER}, from `StreamReadConstraints.getMaxNumberLength()`)",
            code=None,
        )
    if content.count(b"[") + content.count(b"{") > _DEEPEST:
        depth = 0
        for mark in re.findall(rb"[\[\]{}]", _TEXT.sub(b"", content)):
            depth += 1 if mark in b"[{" else -1
            if depth > _DEEPEST:
                raise failure(
                    "StreamConstraintsException",
                    f"Document nesting depth ({depth}) exceeds the maximum allowed ({_DEEPEST}, "
                    "from `StreamReadConstraints.getMaxNestingDepth()`)",
                    code=None,
                )


# ----------------------------------------------------------------------------------- single values


def text(value: Any) -> str | None:
    """
    The text; for a number or boolean, its JSON.
    """
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, (dict, list)):
        raise not_readable()
    return json.dumps(value)


def boolean(value: Any) -> bool | None:
    """
    The boolean, which may be given as a text or an integer.
    """
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return value != 0
    if isinstance(value, str):
        word = value.strip()
        if word in ("", "null"):
            return None
        if word in ("true", "True", "TRUE"):
            return True
        if word in ("false", "False", "FALSE"):
            return False
    raise not_readable()


def flag(value: Any) -> bool:
    """
    The boolean; ``False`` if it is absent.
    """
    return boolean(value) or False


def _whole_number(value: Any, limits: tuple[int, int]) -> int | None:
    if isinstance(value, str):
        word = value.strip()
        if word in ("", "null"):
            return None
        if not re.fullmatch(r"[+-]?[0-9]{1,40}", word):
            raise not_readable()
        value = int(word)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise not_readable()
    lowest, highest = limits
    if not lowest <= value <= highest:
        raise not_readable()
    return int(value)


def int32(value: Any) -> int | None:
    """
    The integer of 32 bits, which may be given as a text; decimals are cut off.
    """
    return _whole_number(value, INT32)


def int64(value: Any) -> int | None:
    """
    The integer of 64 bits, which may be given as a text; decimals are cut off.
    """
    return _whole_number(value, INT64)


def count32(value: Any) -> int:
    """
    The integer of 32 bits; 0 if it is absent.
    """
    return int32(value) or 0


def count64(value: Any) -> int:
    """
    The integer of 64 bits; 0 if it is absent.
    """
    return int64(value) or 0


def date(value: Any) -> int | None:
    """
    The moment of a date, in milliseconds since 1970.
    """
    if value is None:
        return None
    try:
        return dates.parse(value)
    except (TypeError, ValueError):
        raise not_readable() from None


def texts(value: Any) -> list[str | None] | None:
    """
    The list of texts, any of which may be null.
    """
    if value is None:
        return None
    if not isinstance(value, list):
        raise not_readable()
    return [text(each) for each in value]


def mapping(value: Any) -> dict[str, Any] | None:
    """
    The JSON object.
    """
    if value is None or isinstance(value, dict):
        return value
    raise not_readable()


def variable(value: Any) -> dict[str, Any] | None:
    """
    The JSON object of a typed variable. Whether its value fits its type is not checked.
    """
    parts = mapping(value)
    if parts is not None:
        text(parts.get("type"))
        mapping(parts.get("valueInfo"))
    return parts


def variables(value: Any) -> dict[str, Any] | None:
    """
    The JSON objects of typed variables by name, any of which may be null.
    """
    by_name = mapping(value)
    for each in (by_name or {}).values():
        variable(each)
    return by_name


def anything(value: Any) -> Any:
    """
    The value, which may have any type.
    """
    return value


def each(value: Any, readers: Mapping[str, Reader]) -> list[dict[str, Any] | None] | None:
    """
    The properties that have a reader, for each object of a list, any of which may be null.
    """
    if value is None:
        return None
    if not isinstance(value, list):
        raise not_readable()
    return [None if element is None else fields(element, readers) for element in value]


def fields(body: Any, readers: Mapping[str, Reader]) -> dict[str, Any]:
    """
    The properties of an object that have a reader, each as its reader returns it. All others are
    ignored.
    """
    if not isinstance(body, dict):
        raise not_readable()
    return {name: reader(body.get(name)) for name, reader in readers.items()}
