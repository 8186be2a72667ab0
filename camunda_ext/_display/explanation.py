"""
The requests that a query compiles to, for a person to read.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Protocol

import attrs

from camunda_ext._wire.text import visible, visible_json
from camunda_ext._wire.urls import checked_url, curl, url
from camunda_ext._wire.value import Value, exported


class Explainable(Protocol):
    """
    The part of a query that `explanation_of()` uses.
    """

    def body(self) -> dict[str, Any]: ...

    def params(self) -> dict[str, str]: ...


@exported
@attrs.frozen(kw_only=True, eq=False, repr=False)
class Explanation(Value):
    """
    The requests that a query compiles to, for a person to read.

    It contains neither credentials nor headers of a client.
    """

    #: The URL of the POST request.
    url: str

    #: The body of the POST request, as JSON on several lines.
    body: str

    #: The URL of the equivalent GET request; ``None`` if the query has no form for GET.
    get_url: str | None

    #: Why the query has no form for GET; ``None`` if it has one.
    why_no_get: str | None

    #: The POST request as a ``curl`` command for a POSIX shell.
    curl: str

    #: The filters of the query that older engines ignore, each with the version that brought it.
    newer_filters: Mapping[str, str] = attrs.field(hash=False)

    def __str__(self) -> str:
        return "\n".join(self._lines())

    # A prompt shows the repr, and an explanation is there to be read.
    __repr__ = __str__

    def _lines(self) -> Iterator[str]:
        yield from (f"POST {self.url}", "Content-Type: application/json", "", self.body, "")
        yield f"No GET: {self.why_no_get}" if self.get_url is None else f"GET {self.get_url}"
        yield from ("", self.curl)
        if self.newer_filters:
            named = ", ".join(
                f"{name} (since {since})" for name, since in self.newer_filters.items()
            )
            yield from ("", f"Ignored by older engines: {named}")


def explanation_of(
    query: Explainable, base_url: str, path: str, *, newer_filters: Mapping[str, str]
) -> Explanation:
    """
    The explanation of a query.

    Args:
        base_url: The URL of the engine's REST API.

        path: The path of the query's POST request, below *base_url*.

        newer_filters: The filters of the query that older engines ignore, each with the version
            that brought it.

    Raises:
        ValueError: *base_url* is no valid URL, or contains credentials.
    """
    base = checked_url("base_url", base_url).rstrip("/")
    whole_url, body = base + path, query.body()
    get_url, why_no_get = None, None
    try:
        get_url = url(base, path, {}, query.params())
    except ValueError as error:
        why_no_get = visible(str(error))
    return Explanation(
        url=whole_url,
        body=visible_json(body, indent=2),
        get_url=get_url,
        why_no_get=why_no_get,
        curl=curl("POST", whole_url, visible_json(body)),
        newer_filters=newer_filters,
    )
