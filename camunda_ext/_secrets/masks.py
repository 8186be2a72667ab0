"""
Removes secrets of the request from text that a server has sent, before it is shown.

A wrong URL may lead to a server that answers with the request, and so with its credentials: as they
are, or escaped for a URL, for HTML or for JSON, or escaped twice.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Iterator, Mapping
from html.entities import html5
from typing import Any, Final
from urllib.parse import parse_qsl, unquote, urlsplit

_HIDDEN: Final = "***"
#: Fewest characters of a secret that is removed: a shorter text may occur by chance.
_SHORTEST: Final = 6
#: Headers without secrets, in lower case.
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


def of_headers(headers: Mapping[str, Any]) -> Iterator[str]:
    """
    The secrets in headers: whole values, and parts of them such as a password.
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
            yield from (cookie.partition("=")[2] for cookie in text.split("; "))


def _of_basic(encoded: str) -> Iterator[str]:
    try:
        both = base64.b64decode(encoded).decode("utf-8", "replace")
    except ValueError:
        return
    yield both
    yield both.partition(":")[2]


def of_url(sent: str, asked: str) -> Iterator[str]:
    """
    The values in the query of a URL that a session or an auth object has added.

    Args:
        sent: The URL that the request was sent to.

        asked: The URL before they added anything.
    """
    known = parse_qsl(urlsplit(asked).query)
    yield from (pair[1] for pair in parse_qsl(urlsplit(sent).query) if pair not in known)


def of_proxy(url: str | None) -> Iterator[str]:
    """
    The credentials in the URL of a proxy, as they are and as in a header of Basic auth.
    """
    if url is None or "@" not in url:
        return
    quoted = url.rpartition("://")[2].rpartition("@")[0]
    for both in (quoted, unquote(quoted)):
        yield both
        yield both.partition(":")[2]
        yield base64.b64encode(both.encode("utf-8", "replace")).decode()


def may_be_in(content: bytes, secrets: Iterable[str]) -> bool:
    """
    Whether an answer may repeat one of the *secrets*: a quick check, before `without()` is called.
    """
    return any(_longest_run(secret).encode() in content for secret in _long_ones(secrets))


def without(text: str, secrets: Iterable[str]) -> str:
    """
    A short text with each of the *secrets* replaced by asterisks, in whatever way it is escaped.
    """
    for secret in sorted(_long_ones(secrets), key=len, reverse=True):
        if _longest_run(secret) in text:
            # Once a character has matched in one of its forms, no other is tried: to try all forms
            # of all characters would take exponential time. So a lookahead matches it, and a
            # reference to that consumes it.
            pattern = "".join(
                part if len(part) == 1 else f"(?=(?P<c{place}>{part}))(?P=c{place})"
                for place, part in enumerate(map(_escaped, secret))
            )
            text = re.sub(pattern, _HIDDEN, text)
    return text


def _long_ones(secrets: Iterable[str]) -> set[str]:
    return {secret.strip() for secret in secrets if len(secret.strip()) >= _SHORTEST}


def _longest_run(secret: str) -> str:
    """
    The longest part of a secret that is the same in each escaped form.
    """
    return max(re.findall("[A-Za-z0-9]+", secret), key=len, default="")


def _escaped(character: str) -> str:
    """
    The pattern for a character as it is, or escaped, or escaped twice.
    """
    if character.isascii() and character.isalnum():
        return character
    number, raw = ord(character), character.encode("utf-8", "replace")
    units = character.encode("utf-16-be", "surrogatepass")
    pairs = [units[at : at + 2].hex() for at in range(0, len(units), 2)]
    names = [name for name, text in html5.items() if text == character]
    # The longest come first, as the first that matches is taken.
    forms = [
        "".join(rf"\\{{1,4}}u{pair}" for pair in pairs),
        "(?:%(?:25){0,2}5C){0,2}" + "".join(rf"%(?:25){{0,2}}{byte:02X}" for byte in raw),
        rf"\\{{0,4}}&(?:amp;){{0,2}}(?:#0{{0,4}}{number}|#x0{{0,4}}{number:X});?",
        *(
            rf"\\{{0,4}}&(?:amp;){{0,2}}{re.escape(name)}"
            for name in sorted(names, key=len, reverse=True)
        ),
    ]
    if number < 256:
        forms += [rf"\\{{1,4}}x{number:02X}", rf"\\{{1,4}}{number:03o}"]
    if character == " ":
        forms.append(r"\+")
    forms.append(r"\\{0,4}" + re.escape(character))
    return f"(?i:{'|'.join(forms)})"
