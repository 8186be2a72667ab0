"""
A secret that was passed to a client is shown nowhere, whatever call fails in whatever way.
"""

from __future__ import annotations

import base64
import html
import logging
import pickle
import socket
import traceback
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import quote, quote_plus

import attrs
import pytest
import requests
from requests.auth import AuthBase, HTTPBasicAuth

from camunda_ext import (
    Basic,
    Bearer,
    CamundaError,
    ExternalTaskClient,
    LockLost,
    Retry,
    TaskNotFound,
    Timeout,
)
from tests.stub import (
    BROKEN,
    OPERATIONS,
    Answer,
    Connection,
    Operation,
    Stub,
    html_answer,
    json_answer,
    label,
    operation,
    raw_answer,
    then_close,
    then_silence,
)

_PASSWORD: Final = "canary-7f3a"
#: What none of the places may show: the secret, and how it goes over the wire for the user "kim".
_SHOWN: Final = (
    _PASSWORD,
    "a2ltOmNhbmFyeS03ZjNh",
    base64.b64encode(_PASSWORD.encode("ascii")).decode("ascii"),
)


class Reckless(AuthBase):
    """
    Credentials of a user's own kind, read from a file with a line break at its end.
    """

    def __call__(self, r: requests.PreparedRequest) -> requests.PreparedRequest:
        r.headers["Authorization"] = f"Bearer {_PASSWORD}\n"
        return r

    def __repr__(self) -> str:
        return "Reckless()"


class Failing(AuthBase):
    """
    Credentials of a user's own kind that cannot be had.
    """

    def __call__(self, r: requests.PreparedRequest) -> requests.PreparedRequest:
        raise requests.ConnectionError(f"http://kim:{_PASSWORD}@login.invalid", request=r)

    def __repr__(self) -> str:
        return "Failing()"


def _no_token() -> str:
    raise RuntimeError(f"no token for kim:{_PASSWORD}")


#: Sends again at once, for secrets could be in what is told of that.
_QUICK: Final = Retry(attempts=2, first_delay=0)

#: Arguments of a client that hold the secret, one for each way to pass it.
_CREDENTIALS: Final[Mapping[str, Mapping[str, Any]]] = {
    "password": {"auth": ("kim", _PASSWORD)},
    "token": {"auth": Bearer(_PASSWORD)},
    "token of a function": {"auth": Bearer(lambda: _PASSWORD)},
    "API key": {"headers": {"X-Api-Key": _PASSWORD}},
    "auth of requests": {"auth": HTTPBasicAuth("kim", _PASSWORD)},
}


def _client(secret: str, url: str, *, read: float = 0.05) -> ExternalTaskClient:
    """
    A client with the secret.

    Args:
        read: How long it waits for an answer, in seconds: not for long, as some never come.
    """
    return ExternalTaskClient(url, timeout=Timeout(read=read), retry=_QUICK, **_CREDENTIALS[secret])


_FAULTS: Final[Mapping[str, Answer]] = {
    "closed": BROKEN["closed without a word"],
    "reset": BROKEN["reset without a word"],
    "no HTTP": BROKEN["no HTTP at all"],
    "truncated": BROKEN["cut in the body"],
    "chunked without end": BROKEN["chunked without end"],
    "no gzip": BROKEN["no gzip where it says so"],
    "silence": then_silence(),
    "two lengths": then_close(raw_answer("200 OK", "Content-Length: 5, 6", body=b"hello")),
    "redirect": raw_answer("302 Found", "Location: /login"),
    "redirect to nowhere": raw_answer("302 Found", "Location: http://["),
    "401": raw_answer("401 Unauthorized", 'WWW-Authenticate: Basic realm="default"'),
    "403": json_answer(403, {"type": "AuthorizationException", "message": "no", "code": 0}),
    "404": json_answer(404, {"type": "RestException", "message": "no", "code": 0}),
    "404 page": html_answer("404 Not Found"),
    "500": json_answer(500, {"type": "ProcessEngineException", "message": "no", "code": 0}),
    "502 page": html_answer("502 Bad Gateway"),
    "login page": html_answer("200 OK"),
    "wrong shape": json_answer(200, {"status": "up"}),
}


@pytest.mark.parametrize("fault", _FAULTS)
@pytest.mark.parametrize("asked", OPERATIONS, ids=label)
def test_no_fault_shows_a_password(
    asked: Operation, fault: str, caplog: pytest.LogCaptureFixture
) -> None:
    """
    Whatever the operation and the fault, nothing that people look at shows the password.
    """
    caplog.set_level(logging.DEBUG)
    with Stub(_FAULTS[fault]) as stub, _client("password", stub.url) as client:
        places = _places(client, asked, caplog)

    assert _leaks(places) == []


def _echo(status: str) -> Answer:
    """
    Answer with the request itself, as the error pages of some gateways do.
    """

    def answer(connection: Connection) -> None:
        connection.send(html_answer(status, body=connection.asked))

    return answer


@pytest.mark.parametrize(
    "status", ["200 OK", "400 Bad Request", "403 Forbidden", "502 Bad Gateway"]
)
@pytest.mark.parametrize("secret", _CREDENTIALS)
def test_no_page_that_shows_the_request_shows_a_secret(
    secret: str, status: str, caplog: pytest.LogCaptureFixture
) -> None:
    """
    The body of an answer is kept for debugging, without the credentials in it.
    """
    caplog.set_level(logging.DEBUG)
    with Stub(_echo(status)) as stub, _client(secret, stub.url, read=10.0) as client:
        places = _places(client, operation("complete"), caplog)

    assert _leaks(places) == []
    assert "***" in places["attributes"]


# --------------------------------------------------------------------- what answers repeat

#: With all that escapes touch.
_SIGNED: Final = "a1b2/c3+d4=e5&f6 g7-h8~i9j0"


def _session(**told: Any) -> requests.Session:
    session = requests.Session()
    session.trust_env = False
    for name, value in told.items():
        getattr(session, name).update(value)
    return session


def _adding(request: requests.PreparedRequest) -> requests.PreparedRequest:
    request.headers["X-Signature"] = _SIGNED
    return request


def _adding_to_url(request: requests.PreparedRequest) -> requests.PreparedRequest:
    request.prepare_url(request.url, {"key": _SIGNED})
    return request


def _own(url: str, **told: Any) -> ExternalTaskClient:
    return ExternalTaskClient(url, session=_session(**told), retry=False)


#: Where a secret may be.
_SENDERS: Final[Mapping[str, Callable[[str], ExternalTaskClient]]] = {
    "header": lambda url: ExternalTaskClient(url, headers={"X-Key": _SIGNED}, retry=False),
    "auth object": lambda url: ExternalTaskClient(url, auth=_adding, retry=False),
    "auth object that changes the URL": lambda url: ExternalTaskClient(
        url, auth=_adding_to_url, retry=False
    ),
    "password": lambda url: ExternalTaskClient(url, auth=("kim", _SIGNED), retry=False),
    "header of a session": lambda url: _own(url, headers={"X-Key": _SIGNED}),
    "cookie": lambda url: _own(url, cookies={"session": _SIGNED}),
    "parameter of a session": lambda url: _own(url, params={"key": _SIGNED}),
    "proxy": lambda url: _own(
        url, proxies={"http": f"http://kim:{quote(_SIGNED, safe='')}@127.0.0.1:9"}
    ),
}
#: How it may come back.
_ESCAPES: Final[Mapping[str, Callable[[str], str]]] = {
    "as it is": str,
    "percent": lambda text: quote(text, safe=""),
    "percent, small": lambda text: quote(text, safe="").lower(),
    "percent, twice": lambda text: quote(quote(text, safe=""), safe=""),
    "form": quote_plus,
    "HTML": html.escape,
    "HTML by numbers": lambda text: "".join(
        one if one.isalnum() else f"&#x{ord(one):X};" for one in text
    ),
    "Java's for URLs": lambda text: quote_plus(text).replace("~", "%7E"),
    "of Django for scripts": lambda text: "".join(
        one if one.isalnum() else f"\\u{ord(one):04X}" for one in text
    ),
    "of nginx": lambda text: "".join(
        one if one.isalnum() else f"\\\\x{ord(one):02X}" for one in text
    ),
    "octal": lambda text: "".join(one if one.isalnum() else f"\\\\{ord(one):03o}" for one in text),
    "HTML without an end": lambda text: html.escape(text).replace(";", ""),
    "JSON of Gson": lambda text: "".join(
        one if one.isalnum() else f"\\u{ord(one):04x}" for one in text
    ),
    "JSON of PHP": lambda text: text.replace("/", "\\/"),
    "JSON, twice": lambda text: text.replace("/", "\\\\/").replace("=", "\\\\u003D"),
}
#: What it comes in.
_SHAPES: Final[Mapping[str, Callable[[bytes], bytes]]] = {
    "object": lambda text: raw_json("200 OK", b'{"headers": {"x": "%b"}}' % text),
    "list": lambda text: raw_json("200 OK", b'[["%b"]]' % text),
    "count": lambda text: raw_json("200 OK", b'{"count": "%b"}' % text),
    "page": lambda text: html_answer("200 OK", body=text),
    "error": lambda text: raw_json(
        "500 No", b'{"type": "ProcessEngineException", "message": "bad %b", "code": 0}' % text
    ),
    "refusal": lambda text: raw_json("403 No", b'{"type": "%b", "message": "%b"}' % (text, text)),
}


def raw_json(status: str, body: bytes) -> bytes:
    """
    An answer of JSON that nobody has checked.
    """
    return raw_answer(status, "Content-Type: application/json", body=body)


@pytest.mark.parametrize("shape", _SHAPES)
@pytest.mark.parametrize("escape", _ESCAPES)
@pytest.mark.parametrize("sender", _SENDERS)
def test_no_answer_that_repeats_a_secret_shows_it(
    sender: str, escape: str, shape: str, caplog: pytest.LogCaptureFixture
) -> None:
    """
    However it is escaped: not in what is shown, and not when what is shown is read again.
    """
    caplog.set_level(logging.DEBUG)
    answer = _SHAPES[shape](_ESCAPES[escape](_SIGNED).encode("ascii"))
    with Stub(answer) as stub, _SENDERS[sender](stub.url) as client:
        if sender == "proxy":
            client._sender.transport._sessions.proxies = {  # type: ignore[attr-defined]
                "http": f"http://kim:{quote(_SIGNED, safe='')}@127.0.0.1:{stub.port}"
            }
        with pytest.raises(CamundaError) as raised:
            client.count()

    error = raised.value
    logged = [one.getMessage() for one in caplog.records if one.name == "camunda_ext"]
    shown = f"{error!r} {error} {vars(error)} {logged}"
    assert "***" in shown
    for part in ("a1b2", "i9j0"):
        assert part not in shown
        assert part.encode() not in pickle.dumps(error)


def test_a_kind_that_repeats_a_secret_is_not_shown() -> None:
    """
    The media type of the answer is part of the error, but not the secret in it.
    """
    page = raw_answer("200 OK", f"Content-Type: text/{_SIGNED}", body=b"x")
    with (
        Stub(page) as stub,
        ExternalTaskClient(stub.url, headers={"X-Key": _SIGNED}, retry=False) as client,
        pytest.raises(CamundaError, match=r"text/\*\*\*") as raised,
    ):
        client.error_details("t1")

    assert "a1b2" not in f"{raised.value} {vars(raised.value)}"


@pytest.mark.parametrize(
    ("header", "message", "expected"),
    [
        ("worker", "It is locked by worker 'w2'.", LockLost),
        ("External", "External task with id t1 does not exist", TaskNotFound),
    ],
)
def test_what_an_answer_means_does_not_depend_on_headers(
    header: str, message: str, expected: type[CamundaError]
) -> None:
    """
    The engine's own words may be among them; what is shown has none of them.
    """
    status = 400 if expected is LockLost else 404
    whole = {
        400: f"External Task t1 cannot be completed by worker 'w1'. {message}",
        404: message,
    }[status]
    answer = json_answer(status, {"type": "RestException", "message": whole, "code": None})
    with (
        Stub(answer) as stub,
        ExternalTaskClient(stub.url, headers={"X-Service": header}, retry=False) as client,
        pytest.raises(CamundaError) as raised,
    ):
        client.complete("t1", "w1")

    assert type(raised.value) is expected
    assert header not in str(raised.value.message)


def test_what_everybody_sends_is_no_secret() -> None:
    """
    Nor is a text so short that it may occur by chance.
    """
    answer = raw_json(
        "500 No", b'{"type": "X", "message": "application/json, gzip: abcde", "a": 1}'
    )
    with (
        Stub(answer) as stub,
        ExternalTaskClient(stub.url, headers={"X-Key": "abcde"}, retry=False) as client,
        pytest.raises(CamundaError) as raised,
    ):
        client.count()

    assert raised.value.message == "application/json, gzip: abcde"


@pytest.mark.parametrize("fault", [name for name in _FAULTS if name != "silence"])
@pytest.mark.parametrize("secret", [name for name in _CREDENTIALS if name != "password"])
def test_no_fault_shows_any_other_secret(
    secret: str, fault: str, caplog: pytest.LogCaptureFixture
) -> None:
    """
    Tokens and API keys are as secret as passwords.
    """
    caplog.set_level(logging.DEBUG)
    with Stub(_FAULTS[fault]) as stub, _client(secret, stub.url) as client:
        places = _places(client, operation("complete"), caplog)

    assert _leaks(places) == []


@pytest.mark.parametrize("asked", OPERATIONS, ids=label)
@pytest.mark.parametrize("secret", _CREDENTIALS)
def test_no_unsent_request_shows_a_secret(
    secret: str, asked: Operation, caplog: pytest.LogCaptureFixture
) -> None:
    """
    If nothing was sent, the secret is not shown either.
    """
    caplog.set_level(logging.DEBUG)
    with _client(secret, _nobody()) as client:
        places = _places(client, asked, caplog)

    assert _leaks(places) == []


@pytest.mark.parametrize("secret", _CREDENTIALS)
def test_no_failure_of_tls_shows_a_secret(secret: str, caplog: pytest.LogCaptureFixture) -> None:
    """
    A certificate that is not trusted ends it before anything is sent.
    """
    caplog.set_level(logging.DEBUG)
    with Stub(tls=True) as stub, _client(secret, stub.url) as client:
        places = _places(client, operation("complete"), caplog)

    assert _leaks(places) == []


@pytest.mark.parametrize(
    ("url", "proxy"),
    [
        ("http://engine.invalid/engine-rest", "http"),
        ("https://engine.invalid/engine-rest", "https"),
    ],
)
@pytest.mark.parametrize(
    "answer",
    [
        None,
        then_close(b""),
        raw_answer("407 Proxy Authentication Required"),
        html_answer("502 Bad Gateway"),
    ],
    ids=["refused", "closed", "407", "502"],
)
def test_no_proxy_shows_its_password(
    answer: Answer | None, url: str, proxy: str, caplog: pytest.LogCaptureFixture
) -> None:
    """
    A proxy's URL may hold its credentials: they are for the proxy alone.
    """
    caplog.set_level(logging.DEBUG)
    with Stub(answer or b"") as stub:
        place = f"127.0.0.1:{stub.port}" if answer is not None else _nobody().partition("//")[2]
        proxies = {proxy: f"http://kim:{_PASSWORD}@{place}"}
        with ExternalTaskClient(url, proxies=proxies, retry=_QUICK) as client:
            places = _places(client, operation("complete"), caplog)

    assert _leaks(places) == []


@pytest.mark.parametrize("auth", [Reckless(), Failing(), Bearer(_no_token)], ids=repr)
def test_no_auth_that_fails_shows_a_secret(
    auth: AuthBase, caplog: pytest.LogCaptureFixture
) -> None:
    """
    What a user's own auth object gets wrong is told without the secret in its words; what it has
    raised itself is the cause, and stays what it is.
    """
    caplog.set_level(logging.DEBUG)
    with Stub() as stub, ExternalTaskClient(stub.url, auth=auth, retry=_QUICK) as client:
        places = _places(client, operation("complete"), caplog)

    raises = not isinstance(auth, Reckless)
    assert _leaks(places) == (["chain", "traceback"] if raises else [])
    assert stub.seen == []


def test_success_shows_no_secret(caplog: pytest.LogCaptureFixture) -> None:
    """
    The log of a successful call has no credentials.
    """
    caplog.set_level(logging.DEBUG)
    with Stub() as stub, ExternalTaskClient(stub.url, auth=("kim", _PASSWORD)) as client:
        client.unlock("t1")

    assert _leaks({"log": _log(caplog)}) == []
    assert [record.name for record in caplog.records if record.name == "camunda_ext"] == [
        "camunda_ext"
    ]


def test_an_injected_sessions_secret_is_not_shown(caplog: pytest.LogCaptureFixture) -> None:
    """
    Credentials of the user's own session are not shown either.
    """
    caplog.set_level(logging.DEBUG)
    with Stub(BROKEN["closed without a word"]) as stub, requests.Session() as session:
        session.auth = ("kim", _PASSWORD)
        session.headers["X-Api-Key"] = _PASSWORD
        with ExternalTaskClient(stub.url, session=session, retry=_QUICK) as client:
            places = _places(client, operation("complete"), caplog)

    assert _leaks(places) == []


def test_no_redirect_takes_a_secret_along() -> None:
    """
    The host that a redirect names sees no request at all, and no API key.
    """
    with Stub() as other:
        answer = raw_answer("307 Temporary Redirect", f"Location: {other.url}/external-task")
        with (
            Stub(answer) as stub,
            _client("API key", stub.url) as client,
            pytest.raises(CamundaError),
        ):
            client.complete("t1", "w1")

    assert (len(stub.seen), other.connections) == (1, 0)


def test_the_canary_is_seen_where_it_is() -> None:
    """
    The search itself finds a secret in text, on the wire, in locals and in a cause.
    """
    held = Basic("kim", _PASSWORD)

    def fail() -> None:
        header = held(requests.Request("GET", "http://a/").prepare()).headers["Authorization"]
        assert header
        raise ValueError("no")

    with pytest.raises(ValueError, match="no") as caught:
        fail()
    try:
        raise KeyError(_PASSWORD)
    except KeyError as cause:
        chained = RuntimeError("no")
        chained.__context__ = cause

    assert _leaks({"plain": "", "args": _PASSWORD}) == ["args"]
    assert _leaks({"traceback": _traceback(caught.value)}) == ["traceback"]
    assert _leaks({"chain": _chain(chained)}) == ["chain"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"timeout": -1},
        {"max_answer": 0},
        {"retry": 3},
        {"verify": "/no/such/bundle"},
        {"cert": "/no/such/certificate"},
        {"hooks": [1]},
        {"date_zone": "Nowhere/At-all"},
        {"engine": ".."},
        {"headers": {"X-Api-Key": f"{_PASSWORD}\n"}},
        {"base_url": f"http://kim:{_PASSWORD}@engine.invalid/engine-rest"},
        {"auth": ("kim:x", _PASSWORD)},
    ],
    ids=lambda wrong: next(iter(wrong)),
)
def test_no_wrong_argument_shows_the_others(wrong: dict[str, Any]) -> None:
    """
    The error of a wrong argument shows no other argument, and nor do its frames.
    """
    given: dict[str, Any] = {
        "base_url": "https://engine.invalid/engine-rest",
        "auth": ("kim", _PASSWORD),
        "headers": {"X-Api-Key": _PASSWORD},
        "proxies": {"https": f"http://kim:{_PASSWORD}@proxy.invalid"},
        **wrong,
    }
    with pytest.raises((TypeError, ValueError)) as caught:
        ExternalTaskClient(**given)
    error = caught.value
    del given, wrong
    places = {
        "str": str(error),
        "chain": _chain(error),
        "traceback": _traceback(error.with_traceback(_without_first(error))),
    }

    assert _leaks(places) == []


@pytest.mark.parametrize(
    "make",
    [lambda: Basic("kim:x", _PASSWORD), lambda: Bearer(f"{_PASSWORD}\n")],
    ids=["Basic", "Bearer"],
)
def test_no_wrong_credentials_are_shown(make: Callable[[], object]) -> None:
    """
    Credentials that cannot be sent are as secret as others.
    """
    with pytest.raises(ValueError, match=r"colon|token") as caught:
        make()

    assert _leaks({"str": str(caught.value), "traceback": _traceback(caught.value)}) == []


def test_what_a_users_own_argument_raises_keeps_its_frames() -> None:
    """
    In a constructor, where all others are hidden with the arguments.
    """

    class Lazy(dict[str, str]):
        def items(self) -> Any:
            raise LookupError("no such header")

    with pytest.raises(LookupError) as caught:
        ExternalTaskClient("https://engine.invalid", auth=("kim", _PASSWORD), headers=Lazy(a="b"))
    error = caught.value
    frames = [frame.name for frame in traceback.extract_tb(error.__traceback__)]
    error.with_traceback(_without_first(error))

    assert frames[-1] == "items"
    assert _leaks({"traceback": _traceback(error)}) == []


class Limit(Exception):
    """
    Raised by a task queue in a thread whose time is over, in whatever code that is.
    """


@pytest.mark.parametrize("raised", [KeyboardInterrupt, SystemExit, Limit])
@pytest.mark.parametrize("secret", ["password", "token", "API key"])
def test_what_ends_a_call_from_outside_shows_no_request(
    secret: str, raised: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    The exception itself is raised, without the frames that hold the request.
    """

    def fail(*_: object, **__: object) -> None:
        raise raised

    monkeypatch.setattr("urllib3.connection.HTTPConnection.getresponse", fail)
    with (
        Stub() as stub,
        _client(secret, stub.url) as client,
        pytest.raises(raised) as caught,
    ):
        client.complete("t1", "w1")

    places = {"chain": _chain(caught.value), "traceback": _traceback(caught.value)}
    assert _leaks(places) == []


# ------------------------------------------------------------------------------------------- tools


def _without_first(error: BaseException) -> Any:
    """
    The traceback without the frame of the test, which has the secret for good reason.
    """
    return error.__traceback__ and error.__traceback__.tb_next


def _places(
    client: ExternalTaskClient, asked: Operation, caplog: pytest.LogCaptureFixture
) -> dict[str, str]:
    """
    What shows, by place, after a call that fails.
    """
    with pytest.raises(CamundaError) as caught:
        asked.call(client)
    error = caught.value
    return {
        "str": str(error),
        "repr": repr(error),
        "args": repr(error.args),
        "attributes": repr(vars(error)),
        "attempts": repr([attrs.asdict(attempt) for attempt in error.attempts]),
        "chain": _chain(error),
        "traceback": _traceback(error),
        "log": _log(caplog),
        "pickle": pickle.dumps(error).decode("latin-1"),
        "client": repr(client) + str(client),
        "transport": repr(client._sender.transport),
    }


def _chain(error: BaseException | None) -> str:
    """
    All that an exception came from, shown or not.
    """
    found: list[Any] = []
    todo = [error]
    while todo:
        one = todo.pop()
        if one is not None and one not in found:
            found.append(one)
            todo += [one.__cause__, one.__context__]
    return "\n".join(f"{one} {one!r} {vars(one)}" for one in found)


def _traceback(error: BaseException) -> str:
    """
    What error trackers show: each frame with its local variables, causes included.
    """
    told = traceback.TracebackException.from_exception(error, capture_locals=True)
    return "".join(told.format())


def _log(caplog: pytest.LogCaptureFixture) -> str:
    return "\n".join(f"{record.getMessage()} {record.args!r}" for record in caplog.records)


def _leaks(places: Mapping[str, str]) -> list[str]:
    return [place for place, text in places.items() if any(one in text for one in _SHOWN)]


def _nobody() -> str:
    """
    A URL on this machine where nobody listens.
    """
    with socket.socket() as once:
        once.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{once.getsockname()[1]}/engine-rest"
