"""
The quick way of a request: straight to the connection pool that requests would choose.

`requests` finds out for each call what is the same for all calls of a client: the proxy, the
certificates, the cookies, the environment, the pool of connections. Here it is found out once, and
urllib3 is called as requests calls it: that saves 50 % of a warm call.

Libraries for tests and for tracing replace methods of `requests`, before or after a client is made.
So each call looks whether the methods that it would leave out are still those of requests; if one
is not, the request goes the whole way of `requests.Session.request`. What urllib3 and `http.client`
do is left out nowhere, so whoever replaces that is heard anyway.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from types import FunctionType
from typing import Any, Final
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


def _own_methods(kind: type, *names: str) -> tuple[tuple[str, object], ...]:
    """
    Methods by name, as the class's own module has defined them; ``None`` for one that a library has
    replaced before this module was loaded.
    """
    module = vars(sys.modules[kind.__module__])
    methods = [(name, vars(kind)[name]) for name in names]
    return tuple(
        (name, method if type(method) is FunctionType and method.__globals__ is module else None)
        for name, method in methods
    )


#: What the quick way leaves out.
_OF_SESSIONS: Final = _own_methods(
    requests.Session, "request", "prepare_request", "send", "get_adapter"
)
_OF_ADAPTERS: Final = _own_methods(
    HTTPAdapter, "send", "cert_verify", "request_url", "add_headers", "build_response"
)


#: How an adapter chooses the pool of connections; the quick way does it once for each server.
_OF_POOLS: Final = _own_methods(
    HTTPAdapter, "get_connection_with_tls_context", "build_connection_pool_key_attributes"
)


class KnownAdapter(HTTPAdapter):
    """
    An adapter whose choice of a pool is the same for all requests to a server.
    """


def _is_unchanged(thing: object, methods: tuple[tuple[str, object], ...]) -> bool:
    kind, attributes = type(thing), vars(thing)
    return all(
        getattr(kind, name, None) is method and name not in attributes for name, method in methods
    )


def is_plain(session: requests.Session) -> bool:
    """
    Whether all is known that a session does with a request before it sends it: it adds its headers
    and credentials.
    """
    return _is_unchanged(session, _OF_SESSIONS) and not (
        session.trust_env or session.params or session.cookies or hooks_of(session)
    )


def plain_adapter(session: requests.Session, prepared: PreparedRequest) -> HTTPAdapter | None:
    """
    The adapter for a request if all is known that is done with it from here on; ``None`` if an auth
    object has added a hook, or the adapter does not send as that of requests does.
    """
    if prepared.hooks["response"]:
        return None
    adapter = session.get_adapter(str(prepared.url))
    if not isinstance(adapter, HTTPAdapter) or not _is_unchanged(adapter, _OF_ADAPTERS):
        return None
    is_known = isinstance(adapter, KnownAdapter) or _is_unchanged(adapter, _OF_POOLS)
    return adapter if is_known else None


def hooks_of(session: requests.Session) -> list[Any]:
    """
    The hooks of a session for answers: requests takes a single one too, or none at all.
    """
    hooks = (session.hooks or {}).get("response") or []
    return [hooks] if callable(hooks) else list(hooks)


def prepared_request(
    session: requests.Session,
    method: str,
    url: str,
    headers: Mapping[str, str],
    content: bytes | None,
    auth: AuthBase | None,
) -> PreparedRequest:
    """
    A signed request of a plain session; its URL is encoded and its headers are checked already.
    """
    prepared: Any = PreparedRequest()
    prepared.method = method
    prepared.url = url
    # With None a session leaves out a header that requests would send.
    merged: Any = (*session.headers.items(), *headers.items())
    prepared.headers = CaseInsensitiveDict(
        (name, value) for name, value in merged if value is not None
    )
    prepared.body = content
    # Where Digest leaves cookies.
    prepared._cookies = session.cookies
    if content is not None or method != "GET":
        prepared.headers["Content-Length"] = str(len(content or b""))
    if auth is None:
        return prepared  # type: ignore[no-any-return]  # an object of requests
    signed: PreparedRequest = auth(prepared)
    if signed.body is not content:  # as requests does after an auth object
        signed.prepare_content_length(signed.body)
    return signed


class Shortcut:
    """
    The quick way of the requests of one session to one server.
    """

    def __init__(self) -> None:
        #: The pool that was chosen last, and what for; held weakly, as it belongs to the session.
        self._chosen: tuple[Any, str, object, Callable[[], Any]] = None, "", None, lambda: None

    def send(
        self,
        session: requests.Session,
        adapter: Any,
        prepared: PreparedRequest,
        *,
        connect: float | None,
        read: float | None,
    ) -> Incoming:
        """
        The answer of a server, its body still to be read.

        Args:
            adapter: The one that `plain_adapter()` returned for the request.

            connect: How long to wait for the connection, in seconds.

            read: How long to wait for each piece of the answer, in seconds.

        Raises:
            requests.RequestException: There was no answer; the same as requests would raise.
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
                timeout=urllib3.Timeout(connect=connect, read=read),
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
        The pool that requests would choose, and the target of the request: its path, or its URL for
        a proxy of plain http.
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
    What requests makes of an exception of urllib3; ``None`` if it raises it as it is.
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
