"""
What an answer may repeat of what it was sent, taken out before anybody is shown it.

A wrong URL may lead to a server that answers with the request, and so with credentials: as they
are, or escaped for a URL, for HTML or for JSON, or twice.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Iterator, Mapping
from html.entities import html5
from typing import Any, Final
from urllib.parse import parse_qsl, unquote, urlsplit

_HIDDEN: Final = b"***"
#: What is shorter may stand in any text by chance.
_SHORTEST: Final = 6
#: Headers that say nothing of who asks.
_PLAIN: Final = frozenset(
    {
        "accept",
        "accept-encoding",
        "connection",
        "content-length",
        "content-type",
        "host",
        "user-agent",
    }
)
#: What no escape touches.
_UNTOUCHED: Final = re.compile(rb"[A-Za-z0-9_.~-]+")


def of_headers(headers: Mapping[str, Any]) -> Iterator[str]:
    """
    Give what headers hold that nobody else is to see: whole values, and their parts.
    """
    for name, value in headers.items():
        if str(name).lower() in _PLAIN or value is None:
            continue
        text = value.decode("latin-1") if isinstance(value, bytes) else str(value)
        yield text
        scheme, _, rest = text.partition(" ")
        yield rest
        if scheme.lower() == "basic":
            yield from _of_basic(rest)
        if str(name).lower() == "cookie":
            yield from (one.partition("=")[2] for one in text.split("; "))


def _of_basic(encoded: str) -> Iterator[str]:
    try:
        both = base64.b64decode(encoded).decode("utf-8", "replace")
    except ValueError:
        return
    yield both
    yield both.partition(":")[2]


def of_url(sent: str, given: str) -> Iterator[str]:
    """
    Give what a URL holds besides what it was given: what a session or an auth object has added.
    """
    known = parse_qsl(urlsplit(given).query)
    yield from (
        value for one in parse_qsl(urlsplit(sent).query) if one not in known for value in one[1:]
    )


def of_proxy(url: str | None) -> Iterator[str]:
    """
    Give the credentials in the URL of a proxy, as they are and as a header has them.
    """
    if url is None or "@" not in url:
        return
    quoted = url.rpartition("://")[2].rpartition("@")[0]
    for both in (quoted, unquote(quoted)):
        yield both
        yield both.partition(":")[2]
        yield base64.b64encode(both.encode("utf-8", "replace")).decode()


def without(content: bytes, secrets: Iterable[str]) -> bytes:
    """
    Give a text without any of the *secrets*, however they are escaped.
    """
    for secret in sorted(set(secrets), key=len, reverse=True):
        encoded = {secret.encode("utf-8", "replace"), secret.encode("latin-1", "replace")}
        for raw in encoded if len(secret.strip()) >= _SHORTEST else ():
            # Most answers repeat nothing, and to see that takes no time.
            if max(_UNTOUCHED.findall(raw), key=len, default=b"") in content:
                content = re.sub(b"".join(map(_escaped, secret.strip())), _HIDDEN, content)
    return content


def _escaped(character: str) -> bytes:
    """
    Give the pattern of a character as it is, or as it is escaped, maybe twice.
    """
    raw = character.encode("utf-8", "replace")
    if _UNTOUCHED.fullmatch(raw):
        return re.escape(raw)
    number = ord(character)
    percent = b"".join(b"%%(?:25)*%02X" % byte for byte in raw)
    names = [name.encode() for name, text in html5.items() if text == character and name[-1] == ";"]
    entities = [b"#0*%d;" % number, b"#x0*%X;" % number, *names]
    forms = [
        rb"\\*" + re.escape(raw),
        re.escape(character.encode("latin-1", "replace")),
        rb"\\+u%04X" % number,
        percent,
        *(b"&(?:amp;)*" + one for one in entities),
    ]
    if character == " ":
        forms.append(rb"\+")
    return b"(?i:" + b"|".join(forms) + b")"
