"""
Answers requests: checks paths, credentials and media types, and calls the operations.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final
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
from camunda_ext.testing.rest.backend import Backend
from camunda_ext.testing.rest.faults import Fault
from camunda_ext.testing.rest.messages import (
    Answer,
    ConnectionClosed,
    ConnectionRefused,
    Request,
    date_header,
    page,
)
from camunda_ext.testing.rest.operations import Call, Contents, Operation, PlainText
from camunda_ext.testing.rest.urls import BASE, is_here, parameters_of, path_of, without_engine
from camunda_ext.testing.state import users
from camunda_ext.testing.state.store import Row

_JSON: Final = ("Content-Type", "application/json")

_MEDIA_TYPE: Final = re.compile(r"[^\s/;,]+/[^\s/;,]+")

#: Keeps files in memory, as the server has limited the size of the body.
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

#: The names of all operations, among them those of the client's methods.
OPERATIONS: Final = frozenset(operation.name for operation in _ROUTES)


def _rules() -> Iterable[Rule]:
    for operation in _ROUTES:
        yield Rule(operation.path, methods=[operation.method], endpoint=operation)


_MAP: Final = Map(_rules(), strict_slashes=False, merge_slashes=False, redirect_defaults=False)
_ROUTER: Final = _MAP.bind("engine")
_LITERAL_PATHS: Final = {operation.path for operation in _ROUTES if "<" not in operation.path}


class App:
    """
    The REST API of the engine, as a function that answers requests.

    Args:
        backend: The engine.

        checks_host: Whether the ``Host`` of a request must be a loopback name or address, so that
            no web page can reach the engine through a domain name of its own.
    """

    def __init__(self, backend: Backend, *, checks_host: bool) -> None:
        self._backend = backend
        self._checks_host = checks_host

    def __call__(self, request: Request) -> Answer:
        """
        The answer to a request.

        Raises:
            ConnectionClosed: The connection is to be closed without an answer.

            ConnectionRefused: It is to look as if no server listened.
        """
        try:
            answer = self._answer(request)
        except EngineError as error:
            answer = self._refusal(error)
        except RecursionError:
            deep = "The embedded engine follows no value that is nested so deeply"
            answer = self._refusal(failure("ProcessEngineException", deep))
        if request.method == "GET" and _JSON in answer.headers:
            answer.headers.append(("Cache-Control", "no-cache"))
        answer.headers.append(date_header(self._backend.store.now() / 1000))
        return answer

    def _refusal(self, error: EngineError) -> Answer:
        body: dict[str, Any] = {"type": error.type, "message": error.message}
        if self._backend.version.error_code:
            body["code"] = error.code
        return _json(error.status, {**body, **error.details})

    def _answer(self, request: Request) -> Answer:
        path = path_of(request.target)
        if path is None:
            return page(400)
        if self._checks_host and not (
            is_here(request.headers.get("host", ""))
            and _comes_from_here(request.headers.get("origin"))
        ):
            return Answer(
                403, [("Content-Type", "text/plain")], b"this engine answers to this machine"
            )
        if path != BASE and not path.startswith(BASE + "/"):
            return page(404)
        path, name = without_engine(path[len(BASE) :])
        user = None
        if self._backend.needs_credentials:
            if name not in (None, "default"):
                raise invalid_request(f"Process engine {name} not available", status=404)
            if path.rstrip("/") != "/engine":
                user = self._authenticated(request.headers.get("authorization"))
                if user is None:
                    return Answer(401, [("WWW-Authenticate", 'Basic realm="default"')], b"")
        elif name not in (None, "default") and path != "/version":
            raise invalid_request("No process engine available")
        kind = parse_options_header(request.headers.get("content-type"))[0].lower()
        operation, arguments = self._route(path, request.method)
        faults = self._backend.faults
        planned = faults.next(operation.name)
        fault = None if planned is None else planned.fault
        instead = _answer_instead(fault)
        if instead is not None:
            return instead
        if kind and not _MEDIA_TYPE.fullmatch(kind):
            return page(400)
        answer = self._run(operation, self._call(request, kind, operation, user), arguments)
        if fault is Fault.LOST_ANSWER:
            raise ConnectionClosed
        if planned is not None and fault is Fault.SLOW:
            faults.delay(planned.seconds, request.read_timeout)
        return answer

    # ------------------------------------------------------------------- users, routes, operations

    def _authenticated(self, authorization: str | None) -> Row | None:
        with self._backend.transaction() as tx:
            return users.authenticate(tx, authorization)

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
        if not operation.exists(self._backend.version):
            raise _not_found()
        return operation, arguments

    def _call(self, request: Request, kind: str, operation: Operation, user: Row | None) -> Call:
        form: dict[str, str] = {}
        files: dict[str, bytes] = {}
        if operation.consumes is not None:
            is_json = operation.consumes == _JSON[1]
            if kind != operation.consumes and (kind or request.content or not is_json):
                raise EngineError(415, "NotSupportedException", "HTTP 415 Unsupported Media Type")
            if not is_json:
                form, files = _parts(request)
        _ensure_acceptable(request.headers.get("accept"), operation)
        if operation.consumes == _JSON[1] and not kind:
            raise null_pointer()
        return Call(
            backend=self._backend,
            is_post=request.method == "POST",
            parameters=parameters_of(request.target),
            content=request.content,
            form=form,
            files=files,
            base_url=f"{request.scheme}://{request.headers.get('host', '')}{BASE}",
            powerless=user["id"] if user is not None and not user["all_rights"] else None,
            user=None if user is None else user["id"],
            begun=self._backend.store.commits,
            read_timeout=request.read_timeout,
        )

    def _run(self, operation: Operation, call: Call, arguments: Mapping[str, str]) -> Answer:
        if operation.transactional:
            with self._backend.transaction() as tx:
                tx.powerless = call.powerless
                result = operation.handler(tx, call, **arguments)
        else:
            result = operation.handler(call, **arguments)
        if result is None:
            return Answer(204, [], b"")
        if isinstance(result, PlainText):
            content = result.text.encode("utf-8", "replace")
            return Answer(200, [("Content-Type", "text/plain")], content)
        if isinstance(result, Contents):
            return Answer(200, list(result.headers), result.content)
        return _json(200, result)


def _answer_instead(fault: Fault | None) -> Answer | None:
    """
    The answer of a fault that replaces the operation; ``None`` if the operation is executed.

    Raises:
        ConnectionRefused: The fault is a refused connection.

        ConnectionClosed: The fault is a connection that is closed before the request is read.

        EngineError: The fault is a conflict with another command.
    """
    if fault is Fault.REFUSED:
        raise ConnectionRefused
    if fault is Fault.CLOSED:
        raise ConnectionClosed
    if fault is Fault.UNAVAILABLE:
        return Answer(503, [_HTML], _GATEWAY_PAGE)
    if fault is Fault.HTML_PAGE:
        return Answer(200, [_HTML], _LOGIN_PAGE)
    if fault is Fault.OPTIMISTIC_LOCKING:
        raise updated_concurrently("ExternalTaskEntity")
    return None


def _parts(request: Request) -> tuple[dict[str, str], dict[str, bytes]]:
    """
    The parts of a form: its texts by field name, and the contents of its files by file name.
    """
    _, options = parse_options_header(request.headers.get("content-type"))
    size = len(request.content)
    _, fields, files = _FORMS.parse(
        io.BytesIO(request.content), "multipart/form-data", size, options
    )
    return fields.to_dict(), {each.filename or name: each.read() for name, each in files.items()}


def _comes_from_here(origin: str | None) -> bool:
    """
    Whether a request is not from a web page of another host. A form on such a page could send
    requests without being asked for consent.
    """
    return origin is None or is_here(urlsplit(origin).netloc)


def _not_found() -> EngineError:
    return EngineError(404, "NotFoundException", "HTTP 404 Not Found")


def _ensure_acceptable(accept: str | None, operation: Operation) -> None:
    if not accept or accept == "*/*" or operation.produces in (accept, "*/*"):
        return
    # As in Camunda, a type that is named is acceptable whatever its parameters are.
    if operation.produces in (each.partition(";")[0].strip() for each in accept.split(",")):
        return
    if not parse_accept_header(accept, MIMEAccept).best_match([operation.produces]):
        raise EngineError(406, "NotAcceptableException", "HTTP 406 Not Acceptable")


def _json(status: int, value: Any) -> Answer:
    try:
        content = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    except UnicodeEncodeError:  # It contains half an emoji.
        content = json.dumps(value, separators=(",", ":")).encode()
    return Answer(status, [_JSON], content)
