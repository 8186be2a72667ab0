"""
URLs: ids as segments of a path, and queries as GET parameters.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from ipaddress import ip_address
from typing import Any, Final
from urllib.parse import quote, quote_plus, urlsplit

from camunda_ext._wire import checks

#: Longest query string, in bytes: Tomcat accepts 8192 bytes for the request line and all headers.
_LONGEST_QUERY: Final = 8000


def project(body: Mapping[str, Any]) -> dict[str, str]:
    """
    Convert the POST body of a query to the equivalent GET parameters.

    Raises:
        ValueError: GET has no form for the query.
    """
    params: dict[str, str] = {}
    for name, value in body.items():
        if value is True:
            params[name] = "true"  # the engine's BooleanConverter refuses "True"
        elif type(value) is str:
            params[name] = value
        elif name == "sorting":
            params |= _project_sorting(value)
        elif name == "processVariables":
            params[name] = _comma_list(name, [_project_condition(condition) for condition in value])
        elif isinstance(value, bool):
            params[name] = "true" if value else "false"
        elif isinstance(value, list):
            params[name] = _comma_list(name, value)
        else:
            params[name] = str(value)
    return _checked_length(params)


def _checked_length(params: dict[str, str]) -> dict[str, str]:
    text = "".join([*params, *params.values()])
    if text.isascii() and 3 * len(text) + 2 * len(params) <= _LONGEST_QUERY:
        return params  # short enough even if each character is escaped
    try:
        length = len(_query(params))
    except UnicodeEncodeError:
        raise ValueError(f"half of an emoji cannot stand in a URL: {_POST}") from None
    if length > _LONGEST_QUERY:
        raise ValueError(f"longer than the {_LONGEST_QUERY} bytes that a URL may have: {_POST}")
    return params


_POST: Final = "send it with POST"


def to_params(values: Mapping[str, Any]) -> dict[str, str]:
    """
    Convert JSON values to URL parameters as the engine reads them: ``true``, and lists with commas.

    Raises:
        TypeError: The engine has no form for a value.
        ValueError: A value of a list has a comma, or the whole is too long for a URL.
    """
    params: dict[str, str] = {}
    for name, value in values.items():
        if isinstance(value, list):
            texts = [_to_param(name, item) for item in value]
            if not texts or any("," in text for text in texts):
                raise ValueError(
                    f"params: {name!r} must have some values, and none with a comma, at which the "
                    f"engine splits them, not {value!r:.80}"
                )
            params[name] = ",".join(texts)
        else:
            params[name] = _to_param(name, value)
    return _checked_length(params)


def _to_param(name: str, value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, (str, int, float)) or value != value:
        raise TypeError(f"params: {name!r} must be a text, a number or a bool, not {value!r:.80}")
    return str(value)


def _comma_list(name: str, values: Sequence[str]) -> str:
    # The engine splits after it has decoded the value, so that a comma cannot be escaped.
    for value in values:
        if "," in value:
            raise ValueError(
                f"{name} on GET is split at commas, and cannot hold {value!r}: {_POST}"
            )
    joined = ",".join(values)
    if not joined.strip(checks.BLANKS):
        raise ValueError(f"{name} on GET cannot be blank, which the engine ignores: {_POST}")
    return joined


def _project_sorting(sorting: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    if len(sorting) > 1:
        raise ValueError(f"GET has room for one criterion of sorting, not {len(sorting)}: {_POST}")
    return {name: criterion[name] for criterion in sorting for name in ("sortBy", "sortOrder")}


def _project_condition(condition: Mapping[str, Any]) -> str:
    name, operator, value = condition["name"], condition["operator"], condition.get("value")
    if not isinstance(value, str):
        raise ValueError(
            f"GET compares {name!r} with text only, never with {type(value).__name__}: {_POST}"
        )
    if "_" in name or "_" in value:
        raise ValueError(f"GET splits name, operator and value at each '_' ({name!r}): {_POST}")
    return f"{name}_{operator}_{value}"


#: Words that other operations have in their paths in place of an id.
_SIBLINGS: Final[Mapping[str, tuple[str, ...]]] = {
    "task_id": ("count", "topic-names", "retries", "retries-async", "fetchAndLock"),
    "batch_id": ("count", "statistics"),
    "log_id": ("count",),
}


def segment(name: str, value: object) -> str:
    """
    Percent-encode an id as one segment of a path.

    Raises:
        ValueError: The id cannot be part of a URL: it is empty, a dot segment, or longer than 255
            characters, has a slash or a control character, or is a word from the path of another
            operation.
    """
    checked = checks.named(name, value)
    if checked in ("", ".", ".."):
        # HTTP clients resolve dot segments, even percent-encoded ones.
        raise ValueError(f"{name} must not be {checked!r}: the URL would mean something else")
    if checked in _SIBLINGS.get(name, ()):
        raise ValueError(f"{name} must not be {checked!r}: that is the path of another operation")
    if checked.isascii() and checked.replace("-", "").isalnum():
        return checked  # needs no encoding, like most ids
    if re.search(_NOT_IN_IDS, checked):
        raise ValueError(f"{name} must have no slash and no control character: {checked!r}")
    return quote(checked, safe="")


def refuse_odd_path(path: object, ids: Mapping[str, str]) -> None:
    """
    Check that a path below the engine is sent as it is, once its *ids* are filled in.

    Raises:
        ValueError: The path is malformed, or its names in braces are not those of *ids*.
    """
    checked = checks.text("path", path)
    names = re.findall(_NAME_IN_PATH, checked)
    fixed = re.sub(_NAME_IN_PATH, "x", checked)
    if not re.fullmatch(r"(/[\w.~!$&'()*+,;=:@-]+)+", fixed, re.ASCII) or re.search(_DOTS, fixed):
        raise ValueError(
            f"path must be one below the engine, such as '/process-instance/{{id}}', without a "
            f"query, not {path!r:.200}"
        )
    if sorted(names) != sorted(ids):
        raise ValueError(f"path has {names or 'no names'} in braces, and ids has {list(ids)}")


# Patterns that are seldom used; `re` compiles them then, so that the import stays quick.

#: Dot segments, which HTTP clients resolve.
_DOTS: Final = r"/\.{1,2}([/;]|\Z)"

_NAME_IN_PATH: Final = r"\{([A-Za-z_]\w*)\}"

_NOT_IN_IDS: Final = r"[/\\\x00-\x1f\x7f-\x9f\ud800-\udfff]"


def url(base: str, path: str, ids: Mapping[str, str], params: Mapping[str, str]) -> str:
    """
    The whole URL of a request, with its ids filled in, and percent-encoded.
    """
    if ids:
        path = path.format_map({name: segment(name, value) for name, value in ids.items()})
    return f"{base}{path}?{_query(params)}" if params else base + path


def _query(params: Mapping[str, str]) -> str:
    # Dates have a "+", which the engine would decode to a space if it were not encoded.
    return "&".join([f"{_quoted(name)}={_quoted(value)}" for name, value in params.items()])


def _quoted(text: str) -> str:
    return text if text.isascii() and text.isalnum() else quote_plus(text)


def curl(method: str, url: str, body: str | None) -> str:
    """
    The request as a curl command for a POSIX shell, without the client's own headers.

    Args:
        url: The whole URL, encoded.

        body: The body, as JSON; ``None`` for none.
    """
    from shlex import quote as quote_word  # only now: seldom needed

    lines = [f"curl -X {method} {quote_word(url)}"]
    if body is not None:
        lines += ["-H 'Content-Type: application/json'", f"--data-raw {quote_word(body)}"]
    return " \\\n  ".join(lines)


def checked_url(name: str, url: object, *, instead: str = "", has_query: bool = False) -> str:
    """
    Check that a URL can be that of a server, and return it.

    Args:
        name: The name of the argument, for error messages.

        instead: What to do with credentials instead, for the error message; empty for nothing.

        has_query: Whether the URL may have a query.

    Raises:
        TypeError, ValueError: The URL is invalid. The message does not quote it, as a mistyped URL
            may have a password anywhere.
    """
    if not isinstance(url, str):
        raise TypeError(f"{name} must be a str, not {type(url).__name__}")
    problem = _problem_of_url(url, instead, has_query=has_query)
    if problem is not None:
        raise ValueError(f"{name} {problem}")
    return url


def _problem_of_url(url: str, instead: str, *, has_query: bool) -> str | None:
    """
    What is wrong with a URL, for an error message after its name; ``None`` if it is valid.
    """
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return "is no URL: look at its host and port"
    if "@" in parts.netloc:
        return f"must not hold credentials: {instead}" if instead else "must not hold credentials"
    if parts.scheme not in ("http", "https") or not host:
        return "must begin with http:// or https:// and a host"
    if not has_query and ("?" in url or "#" in url):
        return "must not have a query or fragment"
    if "#" in url:
        return "must not have a fragment"
    if not url.isprintable() or " " in url or "\\" in url:
        return "must have no space, backslash or control character"
    return None


def is_loopback(url: str) -> bool:
    """
    Whether the host of a URL is this machine: a loopback address or ``localhost``.
    """
    host = urlsplit(url).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"
