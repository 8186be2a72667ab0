"""
What stands between HTTP and the operations: paths, credentials, types of content, errors.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterable, Mapping
from typing import IO, TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from werkzeug.datastructures import MIMEAccept
from werkzeug.exceptions import MethodNotAllowed, NotFound
from werkzeug.formparser import FormDataParser
from werkzeug.http import parse_accept_header, parse_options_header
from werkzeug.routing import Map, RequestRedirect, Rule

from camunda_ext.testing._errors import (
    EngineError,
    failure,
    invalid_request,
    null_pointer,
    updated_concurrently,
)
from camunda_ext.testing.rest import other_routes, task_routes
from camunda_ext.testing.rest.faults import Fault, Strike
from camunda_ext.testing.rest.messages import HangUp, NoConnection, page
from camunda_ext.testing.rest.operations import Call, Contents, Operation, PlainText
from camunda_ext.testing.rest.urls import BASE, is_here, parameters_of, path_of, without_engine
from camunda_ext.testing.state import users
from camunda_ext.testing.state.store import Row

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

    from camunda_ext.testing._engine import Engine

Headers = list[tuple[str, str]]

_JSON: Final = ("Content-Type", "application/json")

#: What Java's writer escapes: no JSON of the engine's has characters beyond 16 bits.
_BEYOND_16_BITS: Final = re.compile("[\ud800-\udfff\U00010000-\U0010ffff]")

_MEDIA_TYPE: Final = re.compile(r"[^\s/;,]+/[^\s/;,]+")

#: Files go to memory: the door has bounded them.
_FORMS: Final = FormDataParser(stream_factory=lambda *_, **__: io.BytesIO())

_LOGIN_PAGE: Final = (
    b"<!doctype html><html><head><title>Log in</title></head>"
    b"<body><form><input name=user><input name=password type=password></form></body></html>"
)
_GATEWAY_PAGE: Final = (
    b"<html><head><title>503 Service Temporarily Unavailable</title></head>"
    b"<body><h1>503 Service Temporarily Unavailable</h1></body></html>"
)
_HTML: Final = ("Content-Type", "text/html;charset=utf-8")


_ROUTES: Final = (*task_routes.ROUTES.operations, *other_routes.ROUTES.operations)

#: The names of all operations; the client's methods are among them.
OPERATIONS: Final = frozenset(operation.name for operation in _ROUTES)


def _rules() -> Iterable[Rule]:
    for operation in _ROUTES:
        yield Rule(operation.path, methods=[operation.method], endpoint=operation)


_MAP: Final = Map(_rules(), strict_slashes=False, merge_slashes=False, redirect_defaults=False)
_ROUTER: Final = _MAP.bind("engine")
_LITERAL_PATHS: Final = {operation.path for operation in _ROUTES if "<" not in operation.path}


class _NotUnderstood(Exception):
    """
    A request that never gets as far as the engine.
    """


class App:
    """
    The engine as a WSGI app.

    Args:
        checks_host: Whether the ``Host`` that a request names must be one of this machine, so
            that no web page can reach the engine under a name of its own.
    """

    def __init__(self, engine: Engine, *, checks_host: bool) -> None:
        self._engine = engine
        self._checks_host = checks_host

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
        """
        Answer one request.
        """
        method = environ["REQUEST_METHOD"]
        try:
            status, headers, content = self._answer(environ, method)
        except _NotUnderstood:
            status, headers, content = _tomcat(400)
        except EngineError as error:
            status, headers, content = self._refusal(error)
        except RecursionError:
            deep = "The embedded engine follows no value that is nested so deeply"
            status, headers, content = self._refusal(failure("ProcessEngineException", deep))
        if method == "GET" and _JSON in headers:
            headers.append(("Cache-Control", "no-cache"))
        start_response(f"{status} {_REASONS.get(status, '')}", headers)
        return [content]

    def _refusal(self, error: EngineError) -> tuple[int, Headers, bytes]:
        body: dict[str, Any] = {"type": error.type, "message": error.message}
        if self._engine.features.error_code:
            body["code"] = error.code
        return error.status, [_JSON], _dump({**body, **error.details})

    def _answer(self, environ: WSGIEnvironment, method: str) -> tuple[int, Headers, bytes]:
        path = path_of(environ["REQUEST_URI"])
        if path is None:
            raise _NotUnderstood
        if self._checks_host and not (
            is_here(environ.get("HTTP_HOST", "")) and _comes_from_here(environ.get("HTTP_ORIGIN"))
        ):
            return 403, [("Content-Type", "text/plain")], b"this engine answers to this machine"
        if path != BASE and not path.startswith(BASE + "/"):
            return _tomcat(404)
        path, name = without_engine(path[len(BASE) :])
        user = None
        if self._engine.asks_for_credentials:
            if name not in (None, "default"):
                raise invalid_request(f"Process engine {name} not available", status=404)
            if path.rstrip("/") != "/engine":
                user = self._authenticated(environ.get("HTTP_AUTHORIZATION"))
                if user is None:
                    return 401, [("WWW-Authenticate", 'Basic realm="default"')], b""
        elif name not in (None, "default") and path != "/version":
            raise invalid_request("No process engine available")
        if method == "OPTIONS":
            return self._options(path)
        operation, arguments = self._route(path, method)
        strike = self._engine.faults.strike(operation.name)
        if strike is not None:
            before = _struck(strike)
            if before is not None:
                return before
        answer = self._run(operation, self._call(environ, operation, user), arguments)
        if strike is not None and strike.fault is Fault.LOST_ANSWER:
            raise HangUp
        if strike is not None and strike.fault is Fault.SLOW:
            self._engine.faults.delay(strike.seconds, environ.get("camunda_ext.read_timeout"))
        return answer

    # ------------------------------------------------------------------------------ who asks what

    def _authenticated(self, authorization: str | None) -> Row | None:
        with self._engine.transaction() as tx:
            return users.authenticate(tx, authorization)

    def _options(self, path: str) -> tuple[int, Headers, bytes]:
        allowed = sorted({*_ROUTER.allowed_methods(path), "OPTIONS"})
        if allowed == ["OPTIONS"]:
            raise _not_found()
        content = b'<application xmlns="http://wadl.dev.java.net/2009/02"/>'
        kind = ("Content-Type", "application/vnd.sun.wadl+xml")
        return 200, [kind, ("Allow", ",".join(allowed))], content

    def _route(self, path: str, method: str) -> tuple[Operation, Mapping[str, str]]:
        if path.startswith("//"):
            raise _not_found()
        try:
            endpoint, arguments = _ROUTER.match(path, method)
        except MethodNotAllowed:
            raise EngineError(405, "NotAllowedException", "HTTP 405 Method Not Allowed") from None
        except (NotFound, RequestRedirect):
            raise _not_found() from None
        operation: Operation = endpoint
        if "<" in operation.path and path.rstrip("/") in _LITERAL_PATHS:
            # The path of an operation is no id, even if that has another method.
            raise EngineError(405, "NotAllowedException", "HTTP 405 Method Not Allowed")
        if not operation.exists(self._engine.features):
            raise _not_found()
        return operation, arguments

    def _call(
        self,
        environ: WSGIEnvironment,
        operation: Operation,
        user: Row | None,
    ) -> Call:
        content, form, files = b"", {}, {}
        kind = parse_options_header(environ.get("CONTENT_TYPE"))[0].lower()
        if kind and not _MEDIA_TYPE.fullmatch(kind):
            raise _NotUnderstood
        if operation.consumes is not None:
            stream: IO[bytes] = environ["wsgi.input"]
            if operation.consumes == "application/json":
                content = stream.read()
            has_body = bool(content) or environ.get("CONTENT_LENGTH", "0") not in ("", "0")
            if kind != operation.consumes and (kind or has_body or operation.consumes != _JSON[1]):
                raise EngineError(415, "NotSupportedException", "HTTP 415 Unsupported Media Type")
            if operation.consumes == "multipart/form-data":
                _, fields, parts = _FORMS.parse_from_environ(environ)
                form = fields.to_dict()
                files = {part.filename or name: part.read() for name, part in parts.items()}
        _ensure_acceptable(environ.get("HTTP_ACCEPT"), operation)
        if operation.consumes == _JSON[1] and not kind:
            raise null_pointer()
        return Call(
            engine=self._engine,
            parameters=parameters_of(environ["REQUEST_URI"]),
            content=content,
            form=form,
            files=files,
            base_url=f"{environ['wsgi.url_scheme']}://{environ.get('HTTP_HOST', '')}{BASE}",
            powerless=user["id"] if user is not None and not user["all_rights"] else None,
            user=None if user is None else user["id"],
            begun=self._engine.commits,
            read_timeout=environ.get("camunda_ext.read_timeout"),
        )

    def _run(
        self, operation: Operation, call: Call, arguments: Mapping[str, str]
    ) -> tuple[int, Headers, bytes]:
        if operation.transactional:
            with self._engine.transaction() as tx:
                tx.powerless = call.powerless
                answer = operation.handler(tx, call, **arguments)
        else:
            answer = operation.handler(call, **arguments)
        if answer is None:
            return 204, [], b""
        if isinstance(answer, PlainText):
            content = answer.text.encode("utf-8", "replace")
            return 200, [("Content-Type", "text/plain")], content
        if isinstance(answer, Contents):
            return 200, list(answer.headers), answer.content
        return 200, [_JSON], _dump(answer)


_REASONS: Final = {
    200: "OK",
    204: "No Content",
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    406: "Not Acceptable",
    415: "Unsupported Media Type",
    500: "Internal Server Error",
    501: "Not Implemented",
    503: "Service Unavailable",
}


def _struck(strike: Strike) -> tuple[int, Headers, bytes] | None:
    """
    What a fault answers instead of doing anything; none if the operation takes place.
    """
    if strike.fault is Fault.REFUSED:
        raise NoConnection
    if strike.fault is Fault.CLOSED:
        raise HangUp
    if strike.fault is Fault.UNAVAILABLE:
        return 503, [_HTML], _GATEWAY_PAGE
    if strike.fault is Fault.HTML_PAGE:
        return 200, [_HTML], _LOGIN_PAGE
    if strike.fault is Fault.OPTIMISTIC_LOCKING:
        raise updated_concurrently("ExternalTaskEntity")
    return None


def _comes_from_here(origin: str | None) -> bool:
    """
    Whether it is not a web page of elsewhere that asks: its forms need nobody's consent.
    """
    return origin is None or is_here(urlsplit(origin).netloc)


def _not_found() -> EngineError:
    return EngineError(404, "NotFoundException", "HTTP 404 Not Found")


def _tomcat(status: int) -> tuple[int, Headers, bytes]:
    answer = page(status)
    kept = [pair for pair in answer.headers if pair[0].startswith("Content-")]
    return status, kept, answer.content


def _ensure_acceptable(accept: str | None, operation: Operation) -> None:
    if not accept or accept == "*/*" or operation.produces in (accept, "*/*"):
        return
    # Whoever names the type gets it, whatever is said of its quality or its character set.
    if operation.produces in (each.partition(";")[0].strip() for each in accept.split(",")):
        return
    if not parse_accept_header(accept, MIMEAccept).best_match([operation.produces]):
        raise EngineError(406, "NotAcceptableException", "HTTP 406 Not Acceptable")


def _dump(value: Any) -> bytes:
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    if not text.isascii():
        text = _BEYOND_16_BITS.sub(_escaped, text)
    return text.encode()


def _escaped(match: re.Match[str]) -> str:
    units = match[0].encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[i : i + 2].hex().upper()}" for i in range(0, len(units), 2))
