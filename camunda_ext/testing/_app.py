"""
What stands between HTTP and the operations: paths, credentials, types of content, errors.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterable, Mapping
from ipaddress import ip_address
from typing import IO, TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl, unquote_to_bytes

from werkzeug.datastructures import MIMEAccept
from werkzeug.exceptions import MethodNotAllowed, NotFound
from werkzeug.formparser import FormDataParser
from werkzeug.http import parse_accept_header, parse_options_header
from werkzeug.routing import Map, RequestRedirect, Rule

from camunda_ext.testing import _users
from camunda_ext.testing._doors import HangUp, NoConnection, page
from camunda_ext.testing._errors import EngineError, failure, invalid_request, null_pointer
from camunda_ext.testing._faults import Fault, Strike
from camunda_ext.testing._rest import ROUTES, Call, Contents, Operation, PlainText

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

    from camunda_ext.testing._engine import Engine

Headers = list[tuple[str, str]]

_BASE: Final = "/engine-rest"
_JSON: Final = ("Content-Type", "application/json")

#: Tomcat lets none of these through, nor a percent sign that begins no byte, nor these bytes.
_REFUSED_IN_PATHS: Final = re.compile(
    r'[\x00-\x20"<>\\^`{|}\x7f-\U0010ffff]|%(?![0-9A-Fa-f]{2})|%(?:00|2[Ff]|5[Cc])'
)
_REFUSED_IN_QUERIES: Final = re.compile(r'[\x00-\x20"<>\[\]\\^`{|}\x7f-\U0010ffff]')

#: What Java's writer escapes: no JSON of the engine's has characters beyond 16 bits.
_BEYOND_16_BITS: Final = re.compile("[\ud800-\udfff\U00010000-\U0010ffff]")

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


def _rules() -> Iterable[Rule]:
    for operation in ROUTES:
        yield Rule(operation.path, methods=[operation.method], endpoint=operation)


_MAP: Final = Map(_rules(), strict_slashes=False, merge_slashes=False, redirect_defaults=False)
_ROUTER: Final = _MAP.bind("engine")

#: Of two operations of one path, the one that the caller's path names outright.
_ENGINE: Final = re.compile(r"/engine/([^/]+)(/.+)")


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
        except EngineError as error:
            status, headers, content = self._refusal(error)
            if status == 401:
                headers = [("WWW-Authenticate", 'Basic realm="default"')]
                content = b""
        if method == "GET" and status != 401:
            headers.append(("Cache-Control", "no-cache"))
        start_response(f"{status} {_REASONS.get(status, '')}", headers)
        return [content]

    def _refusal(self, error: EngineError) -> tuple[int, Headers, bytes]:
        body: dict[str, Any] = {"type": error.type, "message": error.message}
        if self._engine.version.error_code:
            body["code"] = error.code
        return error.status, [_JSON], _dump({**body, **error.details})

    def _answer(self, environ: WSGIEnvironment, method: str) -> tuple[int, Headers, bytes]:
        target = environ["REQUEST_URI"]
        raw_path, _, query = target.partition("?")
        if not raw_path.startswith("/"):
            raw_path = "/" + raw_path.partition("://")[2].partition("/")[2]
        path = _decoded(raw_path)
        if path is None or _REFUSED_IN_QUERIES.search(query):
            return _tomcat(400)
        if self._checks_host and not _is_here(environ.get("HTTP_HOST", "")):
            return 403, [("Content-Type", "text/plain")], b"this engine answers to this machine"
        if path != _BASE and not path.startswith(_BASE + "/"):
            return _tomcat(404)
        path, name = _without_engine(path[len(_BASE) :])
        user = None
        if self._engine.asks_for_credentials:
            if path != "/engine" or name is not None:
                user = self._authenticated(environ.get("HTTP_AUTHORIZATION"))
            if name not in (None, "default"):
                raise invalid_request(f"Process engine {name} not available", status=404)
        elif name not in (None, "default"):
            raise invalid_request("No process engine available")
        if method == "OPTIONS":
            return self._options(path)
        operation, arguments = self._route(path, method)
        strike = self._engine.faults.strike(operation.name)
        if strike is not None:
            before = _struck(strike)
            if before is not None:
                return before
        call = self._call(environ, query, operation, user)
        answer = self._run(operation, call, arguments)
        if strike is not None and strike.fault is Fault.LOST_ANSWER:
            raise HangUp
        if strike is not None and strike.fault is Fault.SLOW:
            self._engine.faults.delay(strike.seconds, environ.get("camunda_ext.read_timeout"))
        return answer

    # ------------------------------------------------------------------------------ who asks what

    def _authenticated(self, authorization: str | None) -> tuple[str, bool]:
        with self._engine.transaction() as tx:
            user = _users.authenticate(tx, authorization)
        if user is None:
            raise EngineError(401, "", None)
        return user["id"], bool(user["all_rights"])

    def _options(self, path: str) -> tuple[int, Headers, bytes]:
        allowed = sorted({*_ROUTER.allowed_methods(path), "OPTIONS"})
        if allowed == ["OPTIONS"]:
            raise _not_found()
        content = b'<application xmlns="http://wadl.dev.java.net/2009/02"/>'
        kind = ("Content-Type", "application/vnd.sun.wadl+xml")
        return 200, [kind, ("Allow", ",".join(allowed))], content

    def _route(self, path: str, method: str) -> tuple[Operation, Mapping[str, str]]:
        try:
            endpoint, arguments = _ROUTER.match(path, method)
        except MethodNotAllowed:
            raise EngineError(405, "NotAllowedException", "HTTP 405 Method Not Allowed") from None
        except (NotFound, RequestRedirect):
            raise _not_found() from None
        operation: Operation = endpoint
        if not operation.exists(self._engine.version):
            raise _not_found()
        return operation, arguments

    def _call(
        self,
        environ: WSGIEnvironment,
        query: str,
        operation: Operation,
        user: tuple[str, bool] | None,
    ) -> Call:
        content, form, files = b"", {}, {}
        kind, _ = parse_options_header(environ.get("CONTENT_TYPE"))
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
            raise null_pointer(_NO_BODY)
        return Call(
            engine=self._engine,
            parameters=_parameters(query),
            content=content,
            form=form,
            files=files,
            base_url=f"{environ['wsgi.url_scheme']}://{environ.get('HTTP_HOST', '')}{_BASE}",
            powerless=user[0] if user is not None and not user[1] else None,
            user=user[0] if user is not None else None,
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


_NO_BODY: Final = "Cannot invoke a method of the request's body because it is null"

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
    if strike.fault is Fault.UNAVAILABLE:
        return 503, [_HTML], _GATEWAY_PAGE
    if strike.fault is Fault.HTML_PAGE:
        return 200, [_HTML], _LOGIN_PAGE
    if strike.fault is Fault.OPTIMISTIC_LOCKING:
        raise failure(
            "OptimisticLockingException",
            "ENGINE-03005 Execution of 'UPDATE ExternalTaskEntity' failed. Entity was updated "
            "by another transaction concurrently.",
            code=1,
        )
    return None


def _not_found() -> EngineError:
    return EngineError(404, "NotFoundException", "HTTP 404 Not Found")


def _tomcat(status: int) -> tuple[int, Headers, bytes]:
    answer = page(status)
    kept = [pair for pair in answer.headers if pair[0].startswith("Content-")]
    return status, kept, answer.content


def _decoded(raw_path: str) -> str | None:
    """
    A path as the engine sees it; none if it never gets there.
    """
    if _REFUSED_IN_PATHS.search(raw_path):
        return None
    # What follows a semicolon in a segment is no part of its name.
    path = re.sub(r";[^/]*", "", raw_path)
    try:
        return unquote_to_bytes(path).decode("utf-8")
    except UnicodeDecodeError:
        return None


def _without_engine(path: str) -> tuple[str, str | None]:
    found = _ENGINE.fullmatch(path)
    return (path, None) if found is None else (found[2], found[1])


def _parameters(query: str) -> dict[str, str]:
    """
    The parameters of a URL; of a name that comes twice, the first.
    """
    parameters: dict[str, str] = {}
    if query:
        for name, value in parse_qsl(query, keep_blank_values=True):
            parameters.setdefault(name, value)
    return parameters


def _is_here(host: str) -> bool:
    name = host.rpartition(":")[0] if re.search(r":\d+$", host) else host
    name = name.strip("[]")
    if name == "localhost":
        return True
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False


def _ensure_acceptable(accept: str | None, operation: Operation) -> None:
    if not accept or accept == "*/*" or operation.produces in accept or operation.produces == "*/*":
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
