"""
Sends a request by a quick way: straight to the connection pool that requests would choose.

`requests` works out for each call what is the same for all calls of a client: the proxy, the
certificates, the cookies, the environment, the pool of connections. Here that is done once, and
urllib3 is called as requests calls it, which saves 50 % of a warm call.

Libraries for tests and for tracing replace methods of `requests`, before or after a client is made.
So each call checks whether the methods that it would skip are still those of requests; if one is
not, the request is sent by `requests.Session.request`. Nothing of urllib3 and `http.client` is
skipped, so replaced methods of these are called in any case.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from types import ModuleType
from typing import Any, Final
from urllib.parse import urlsplit
from weakref import ref

import requests
import urllib3
from requests import PreparedRequest
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase
from requests.cookies import extract_cookies_to_jar
from requests.structures import CaseInsensitiveDict
from urllib3 import BaseHTTPResponse

from camunda_ext._http.body import Incoming
from camunda_ext._http.messages import HttpRequest

#: The methods that the quick way skips.
_SESSION_METHODS: Final = ("request", "prepare_request", "send", "get_adapter")
_ADAPTER_METHODS: Final = ("send", "cert_verify", "request_url", "add_headers", "build_response")
#: How an adapter chooses the pool of connections; the quick way does it once for each server.
_POOL_METHODS: Final = ("get_connection_with_tls_context", "build_connection_pool_key_attributes")


class KnownAdapter(HTTPAdapter):
    """
    An adapter whose choice of a pool is the same for all requests to a server.
    """


def _is_unchanged(thing: object, module: ModuleType, methods: tuple[str, ...]) -> bool:
    """
    Whether methods of an object are those that a module of requests has defined.
    """
    kind, attributes, own = type(thing), vars(thing), vars(module)
    return all(
        getattr(getattr(kind, name, None), "__globals__", None) is own and name not in attributes
        for name in methods
    )


def is_plain(session: requests.Session) -> bool:
    """
    Whether a session does no more with a request than to add its headers and credentials.
    """
    return _is_unchanged(session, requests.sessions, _SESSION_METHODS) and not (
        session.trust_env or session.params or session.cookies or hooks_of(session)
    )


def plain_adapter(session: requests.Session, prepared: PreparedRequest) -> HTTPAdapter | None:
    """
    The adapter for a request; ``None`` if the quick way cannot send the request, because an auth
    object has added a hook, or the adapter differs from that of requests.
    """
    if prepared.hooks["response"]:
        return None
    adapter = session.get_adapter(str(prepared.url))
    methods: tuple[str, ...] = _ADAPTER_METHODS
    if not isinstance(adapter, KnownAdapter):
        methods += _POOL_METHODS
    if isinstance(adapter, HTTPAdapter) and _is_unchanged(adapter, requests.adapters, methods):
        return adapter
    return None


def hooks_of(session: requests.Session) -> list[Any]:
    """
    The hooks of a session for answers, as a list: requests also allows a single function.
    """
    hooks = (session.hooks or {}).get("response") or []
    return [hooks] if callable(hooks) else list(hooks)


def prepared_request(
    session: requests.Session,
    request: HttpRequest,
    headers: Mapping[str, str],
    auth: AuthBase | None,
) -> PreparedRequest:
    """
    A signed request of a plain session.

    Args:
        headers: The headers besides those of the session, already checked.

        auth: Signs the request; ``None`` for no credentials.
    """
    prepared: Any = PreparedRequest()
    prepared.method = request.method
    prepared.url = _as_requests_writes(request.url)
    # In a session's headers, None stands for a header that is not to be sent.
    merged: Any = (*session.headers.items(), *headers.items())
    prepared.headers = CaseInsensitiveDict(
        (name, value) for name, value in merged if value is not None
    )
    prepared.body = content = request.content
    # The auth of requests for Digest reads and adds cookies there.
    prepared._cookies = session.cookies
    if content is not None or request.method != "GET":
        prepared.headers["Content-Length"] = str(len(content or b""))
    if auth is None:
        return prepared  # type: ignore[no-any-return]  # an object of requests
    signed: PreparedRequest = auth(prepared)
    if signed.body is not content:  # as requests does after an auth object
        signed.prepare_content_length(signed.body)
    return signed


def _as_requests_writes(url: str) -> str:
    """
    A URL with its host as requests writes it, such as one with an umlaut, and with a path.
    """
    parts = urlsplit(url)
    origin = f"{parts.scheme}://{parts.netloc}"
    rest = url[len(origin) :]
    return _prepared_origin(origin) + (rest if rest.startswith("/") else f"/{rest}")


@lru_cache(maxsize=64)
def _prepared_origin(origin: str) -> str:
    return str(requests.Request("GET", f"{origin}/").prepare().url).rstrip("/")


class Shortcut:
    """
    Sends requests of one session to one server by the quick way.
    """

    def __init__(self) -> None:
        #: The pool that was chosen last, as a weak reference because it belongs to the session, and
        #: the settings and the beginning of the URL that it was chosen for.
        self._chosen: tuple[Any, str, object, Callable[[], Any]] = None, "", None, lambda: None

    def send(
        self,
        session: requests.Session,
        adapter: Any,
        prepared: PreparedRequest,
        waits: tuple[float | None, float | None],
    ) -> Incoming:
        """
        Send a request, and return the answer, its body still to be read.

        Args:
            adapter: The adapter that `plain_adapter()` returned for the request.

            waits: How long to wait for the connection, and for each piece of the answer, in
                seconds.

        Raises:
            requests.RequestException: There was no answer; of the class that requests would raise.
        """
        try:
            pool, target = self._pool_for(session, adapter, prepared)
        except urllib3.exceptions.LocationValueError as error:
            raise requests.exceptions.InvalidURL(error, request=prepared) from error
        try:
            answer = pool.urlopen(
                prepared.method,
                target,
                body=prepared.body,
                headers=dict(prepared.headers),
                redirect=False,
                assert_same_host=False,
                preload_content=False,
                decode_content=False,
                retries=adapter.max_retries,
                timeout=urllib3.Timeout(connect=waits[0], read=waits[1]),
            )
        except (urllib3.exceptions.HTTPError, OSError) as error:
            kind = _kind_of(error)
            if kind is None:
                raise
            raise kind(error, request=prepared) from error
        if not isinstance(answer, BaseHTTPResponse):  # of a library for tests
            return Incoming.of(adapter.build_response(prepared, answer))
        if "set-cookie" in answer.headers:
            extract_cookies_to_jar(session.cookies, prepared, answer)  # type: ignore[no-untyped-call]  # it has no types
        return Incoming(answer.status, answer.headers, answer, prepared)

    def _pool_for(self, session: Any, adapter: Any, prepared: PreparedRequest) -> tuple[Any, str]:
        """
        The pool that requests would choose, and the target in the request line: the path, or the
        whole URL for a proxy of plain http.
        """
        url = str(prepared.url)
        settings = adapter, session.verify, session.cert, dict(session.proxies)
        chosen_for, prefix, kind, chosen = self._chosen
        pool = chosen()
        if (
            pool is None
            or chosen_for != settings
            or type(pool).ConnectionCls is not kind  # replaced by a library for tests
            or not url.startswith(prefix)
        ):
            pool = adapter.get_connection_with_tls_context(
                prepared, session.verify, proxies=session.proxies, cert=session.cert
            )
            adapter.cert_verify(pool, url, session.verify, session.cert)
            target = adapter.request_url(prepared, session.proxies)
            prefix = url.removesuffix(target)
            self._chosen = settings, prefix, type(pool).ConnectionCls, ref(pool)
        return pool, url[len(prefix) :]


def _kind_of(error: Exception) -> type[requests.RequestException] | None:
    """
    The class that requests replaces an exception of urllib3 with; ``None`` if it replaces it with
    none.
    """
    cause = error.reason if isinstance(error, urllib3.exceptions.MaxRetryError) else error
    return next((kind for raised, kind in _KINDS if isinstance(cause, raised)), None)


_KINDS: Final[tuple[tuple[type[Exception], type[requests.RequestException]], ...]] = (
    (urllib3.exceptions.NewConnectionError, requests.ConnectionError),
    (urllib3.exceptions.ConnectTimeoutError, requests.ConnectTimeout),
    (urllib3.exceptions.ResponseError, requests.exceptions.RetryError),
    (urllib3.exceptions.ProxyError, requests.exceptions.ProxyError),
    (urllib3.exceptions.SSLError, requests.exceptions.SSLError),
    (urllib3.exceptions.ReadTimeoutError, requests.ReadTimeout),
    (urllib3.exceptions.InvalidHeader, requests.exceptions.InvalidHeader),
    (urllib3.exceptions.ProtocolError, requests.ConnectionError),
    (urllib3.exceptions.ClosedPoolError, requests.ConnectionError),
    (OSError, requests.ConnectionError),
)
