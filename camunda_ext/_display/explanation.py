"""
What a query sends, for a person to read.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Protocol

import attrs

from camunda_ext._wire.text import visible, visible_json
from camunda_ext._wire.urls import checked_url, curl, url
from camunda_ext._wire.value import Value, exported


class Explainable(Protocol):
    """
    What `explanation_of()` needs of a query.
    """

    def body(self) -> dict[str, Any]: ...

    def params(self) -> dict[str, str]: ...


@exported
@attrs.frozen(kw_only=True, eq=False, repr=False)
class Explanation(Value):
    """
    The request of a query, for a person to read.

    It knows no client: neither credentials nor any header of yours is in it.
    """

    #: The URL of the POST request.
    url: str

    #: The body of the POST request, as JSON on several lines.
    body: str

    #: The URL of the GET request that asks for the same; ``None`` if GET has no form for it.
    get_url: str | None

    #: Why GET has no form for it; ``None`` if it has one.
    why_no_get: str | None

    #: The POST request as a command for a shell of POSIX.
    curl: str

    #: Filters that not every engine knows, each with the version that brought it.
    newer_filters: Mapping[str, str] = attrs.field(hash=False)

    def __str__(self) -> str:
        return "\n".join(self._lines())

    # At a prompt nothing but `repr` is called, and it is made to be looked at.
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
    Explain a query that is sent to a *path* below *base_url*.

    Raises:
        ValueError: *base_url* is no URL that could be shown.
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
