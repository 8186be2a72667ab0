"""
The parts of a request's URL.
"""

from __future__ import annotations

import re
from ipaddress import ip_address
from typing import Final
from urllib.parse import parse_qsl, unquote_to_bytes

#: The path of the REST API.
BASE: Final = "/engine-rest"

#: What Tomcat refuses: some characters, percent signs without two digits, and some encoded bytes.
_REFUSED_IN_PATHS: Final = re.compile(
    r'[\x00-\x20"#<>\[\]\\^`{|}\x7f-\U0010ffff]|%(?![0-9A-Fa-f]{2})|%(?:00|2[Ff]|5[Cc])'
)
_REFUSED_IN_QUERIES: Final = re.compile(r'[\x00-\x20"#<>\[\]\\^`{|}\x7f-\U0010ffff]')
_PARAMETERS_OF_PATH: Final = re.compile(r";[^/]*")
_ENGINE: Final = re.compile(r"/engine/([^/]+)(/.+)")


def path_of(target: str) -> str | None:
    """
    The path of a request's target, as the engine sees it; ``None`` if Tomcat refuses it.
    """
    path, _, query = target.partition("?")
    if not path.startswith("/"):
        path = "/" + path.partition("://")[2].partition("/")[2]
    if _REFUSED_IN_PATHS.search(path) or _REFUSED_IN_QUERIES.search(query):
        return None
    # Parameters of a path segment, which follow a semicolon, are no part of its name.
    try:
        return unquote_to_bytes(_PARAMETERS_OF_PATH.sub("", path)).decode("utf-8")
    except UnicodeDecodeError:
        return None


def without_engine(path: str) -> tuple[str, str | None]:
    """
    The path of an operation without the engine's name, and that name; ``None`` if it has none.
    """
    match = _ENGINE.fullmatch(path)
    return (path, None) if match is None else (match[2], match[1])


def parameters_of(target: str) -> dict[str, str]:
    """
    The parameters of a request's target; if a name is repeated, the first value.
    """
    query = target.partition("?")[2]
    parameters: dict[str, str] = {}
    for name, value in parse_qsl(query, keep_blank_values=True) if query else ():
        parameters.setdefault(name, value)
    return parameters


def is_here(authority: str) -> bool:
    """
    Whether a host, with or without a port, is a name or an address of the loopback.
    """
    host = authority.rpartition(":")[0] if re.search(r"[^:]:\d+$", authority) else authority
    return is_loopback(host.strip("[]"))


def is_loopback(host: str) -> bool:
    """
    Whether a host is ``localhost``, or an address of the loopback.
    """
    if host.lower() == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
