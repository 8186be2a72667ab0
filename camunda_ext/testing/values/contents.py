"""
The answers that hold the contents of Bytes and File variables.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from camunda_ext.testing._errors import failure, invalid_request

if TYPE_CHECKING:
    from camunda_ext.testing.values.typed_values import Value

_OCTETS: Final = "application/octet-stream"
_WORD: Final = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_MEDIA_TYPE: Final = re.compile(rf"\s*({_WORD})/({_WORD})\s*((?:;.*)?)", re.DOTALL | re.ASCII)
_PARAMETER: Final = re.compile(
    rf'\s*;\s*(?:({_WORD})=(?:({_WORD})|"((?:[^"\\]|\\.)*)")\s*)?', re.DOTALL | re.ASCII
)
#: Of all that Java knows, those that one may meet.
_CHARSETS: Final = frozenset(
    (
        *("ascii", "us-ascii", "utf8", "utf-8", "utf-16", "utf-16be", "utf-16le", "utf-32"),
        *("latin1", "big5", "euc-jp", "euc-kr", "gb18030", "gb2312", "gbk", "iso-2022-jp"),
        *("koi8-r", "koi8-u", "shift_jis", "ibm850", "cp850", "cp1252"),
        *(f"iso-8859-{part}" for part in (*range(1, 10), 13, 15, 16)),
        *(f"windows-{page}" for page in range(1250, 1259)),
    )
)
#: What would end a header, and is dropped from a media type.
_LINE_BREAK: Final = re.compile("\r\n?")
#: What the server makes blanks of.
_CONTROL: Final = re.compile("[\x00-\x08\x0a-\x1f\x7f]")


def file_answer(value: Value, resource_id: str) -> tuple[bytes, list[tuple[str, str]]]:
    """
    The contents of a variable, with the headers that describe them.

    Args:
        resource_id:
            The process instance or execution that the variable was asked of; the engine's
            refusal calls it the variable's id.

    Raises:
        EngineError: It is no Bytes and no File, or a File with a type that is none.
    """
    if value.type == "Bytes":
        return value.data or b"", [("Content-Type", _OCTETS)]
    if value.type != "File":
        raise invalid_request(f"Value of variable with id {resource_id} is not a binary value.")
    headers = []
    media_type = _LINE_BREAK.sub("", _content_type(value))
    if _is_latin_1(media_type):
        headers.append(("Content-Type", _CONTROL.sub(" ", media_type)))
    name = value.text or ""
    if not _is_latin_1(name):
        return value.data or b"", headers
    encoded = quote(name, safe="*").replace("~", "%7E")
    plain = _CONTROL.sub(" ", name)
    disposition = f"attachment; filename=\"{plain}\"; filename*=UTF-8''{encoded}"
    return value.data or b"", [*headers, ("Content-Disposition", disposition)]


def _is_latin_1(text: str) -> bool:
    """
    Tell whether the server can encode a header; it leaves out one that it cannot.
    """
    return all(character <= "\xff" for character in text)


def _content_type(value: Value) -> str:
    text = str(value.info.get("mimeType") or _OCTETS)
    encoding = value.info.get("encoding")
    if encoding is not None:
        text += f"; charset={encoding}"
    media_type = _MEDIA_TYPE.fullmatch(text)
    if media_type is None:
        raise _no_media_type(text)
    kind, subtype, rest = media_type.groups()
    parameters: dict[str, str] = {}
    end = 0
    while end < len(rest):
        parameter = _PARAMETER.match(rest, end)
        if parameter is None:
            raise _no_media_type(text)
        name, word, quoted = parameter.groups()
        if name is not None:
            parameters[name.lower()] = word or _unquoted(quoted)
        end = parameter.end()
    # The server puts the charset last, and leaves out one that it does not know.
    charset = parameters.pop("charset", "")
    if charset.lower() in _CHARSETS:
        parameters["charset"] = charset
    return f"{kind}/{subtype}" + "".join(f";{key}={each}" for key, each in parameters.items())


def _unquoted(text: str) -> str:
    return text if re.fullmatch(rf"(?:{_WORD})?", text) else f'"{text}"'


def _no_media_type(text: str) -> Exception:
    message = f"Error parsing media type '{text}'"
    return failure("IllegalArgumentException", message, code=None)
