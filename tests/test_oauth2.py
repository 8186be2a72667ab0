"""
Tokens by OAuth 2 client credentials: asked for once, renewed in time, and shown to nobody.
"""

from __future__ import annotations

import copy
import errno
import logging
import os
import pickle
import re
import threading
import traceback
import warnings
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Final

import attrs
import pytest
import requests

from camunda_ext import Bearer, CamundaError, ExternalTaskClient, NotSent, Unauthorized
from camunda_ext._http.credentials import AuthFailed, SafeAuth, to_auth
from camunda_ext.auth import OAuth2ClientCredentials
from tests.stub import (
    BROKEN,
    CERTIFICATE,
    Answer,
    Connection,
    Stub,
    drip,
    html_answer,
    json_answer,
    raw_answer,
    then_close,
    then_silence,
)

_SECRET: Final = "canary-7f3a"
_TOKEN: Final = "canary-token-91bc"
#: What no place may show: the secret, how it goes out for "worker", and the token.
_SHOWN: Final = (_SECRET, "d29ya2VyOmNhbmFyeS03ZjNh", _TOKEN)
#: Where nobody listens.
_NOWHERE: Final = "http://127.0.0.1:1/token"
_VERSION: Final = json_answer(200, {"version": "7.24.0"})


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Remove the proxies and certificates of this machine's environment.
    """
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NETRC"):
        monkeypatch.delenv(name, raising=False)


@attrs.define
class Clock:
    """
    A clock that is set by hand, in seconds.
    """

    now: float = 0.0

    def __call__(self) -> float:
        """
        Tell the time.
        """
        return self.now


class Gate:
    """
    An answer that is held back until the gate is opened.
    """

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._opened = threading.Event()
        #: Set when a request has come.
        self.reached = threading.Event()

    def __call__(self, connection: Connection) -> None:
        """
        Answer, but not before the gate is open.
        """
        self.reached.set()
        self._opened.wait(10)
        connection.send(self._content)

    def open(self) -> None:
        """
        Let the answer out.
        """
        self._opened.set()


# ------------------------------------------------------------------------------------- what is sent


@pytest.mark.parametrize(
    ("settings", "body"),
    [
        ({}, b"grant_type=client_credentials"),
        ({"scope": "tasks read"}, b"grant_type=client_credentials&scope=tasks+read"),
        (
            {"scope": "a", "audience": "https://engine/ä"},
            b"grant_type=client_credentials&scope=a&audience=https%3A%2F%2Fengine%2F%C3%A4",
        ),
    ],
)
def test_the_client_is_named_in_a_header(settings: dict[str, Any], body: bytes) -> None:
    """
    Name and secret go out as Basic auth, and the rest as a form.
    """
    with Stub(_granted()) as stub:
        header = _header(_auth(stub, **settings))

    assert header == "Bearer t1"
    assert [
        (
            seen.method,
            seen.target,
            seen.headers["authorization"],
            seen.headers["content-type"],
            seen.headers["accept"],
            seen.body,
        )
        for seen in stub.seen
    ] == [
        (
            "POST",
            "/realms/a/token",
            "Basic d29ya2VyOmNhbmFyeS03ZjNh",
            "application/x-www-form-urlencoded",
            "application/json",
            body,
        )
    ]


def test_name_and_secret_are_form_urlencoded_before_base64() -> None:
    """
    RFC 6749, 2.3.1: a colon in the name and text beyond ASCII arrive as they are meant.
    """
    with Stub(_granted()) as stub:
        _header(OAuth2ClientCredentials(_url(stub), "wörk er:1", "a/b+c d%😀"))

    # Of w%C3%B6rk+er%3A1:a%2Fb%2Bc+d%25%F0%9F%98%80
    assert stub.seen[0].headers["authorization"] == (
        "Basic dyVDMyVCNnJrK2VyJTNBMTphJTJGYiUyQmMrZCUyNSVGMCU5RiU5OCU4MA=="
    )


def test_name_and_secret_may_go_into_the_form(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    """
    Some servers look for them there; no header names the client then, not even by a netrc.
    """
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login kim password other\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    with Stub(_granted()) as stub:
        _header(OAuth2ClientCredentials(_url(stub), "wörk er", "a&b=ü", client_auth="body"))

    assert [("authorization" in seen.headers, seen.body) for seen in stub.seen] == [
        (
            False,
            b"grant_type=client_credentials&client_id=w%C3%B6rk+er&client_secret=a%26b%3D%C3%BC",
        )
    ]


def test_the_urls_query_is_kept() -> None:
    """
    A token endpoint may have one, by RFC 6749, 3.2.
    """
    with Stub(_granted()) as stub:
        _header(OAuth2ClientCredentials(f"{_url(stub)}?p=b2c", "worker", _SECRET))

    assert [seen.target for seen in stub.seen] == ["/realms/a/token?p=b2c"]


@pytest.mark.parametrize(
    ("rest", "target"), [("", "/"), ("?tenant=x", "/?tenant=x"), ("?next=/a", "/?next=/a")]
)
def test_the_url_may_have_no_path(rest: str, target: str) -> None:
    """
    Then the token endpoint is the root of its server.
    """
    with Stub(_granted()) as stub:
        url = f"http://127.0.0.1:{stub.port}{rest}"
        header = _header(OAuth2ClientCredentials(url, "worker", _SECRET))

    assert header == "Bearer t1"
    assert [seen.target for seen in stub.seen] == [target]


def test_the_engine_gets_the_token() -> None:
    """
    The client asks the login server once, and sends the token with every request.
    """
    with (
        Stub(_granted()) as login,
        Stub(_VERSION) as stub,
        ExternalTaskClient(stub.url, auth=_auth(login)) as client,
    ):
        client.version()
        client.version()

    assert [seen.headers["authorization"] for seen in stub.seen] == ["Bearer t1", "Bearer t1"]
    assert len(login.seen) == 1


def test_a_request_that_was_refused_is_sent_again_with_another_token() -> None:
    """
    A token that was revoked before its time costs one more request, and no error.
    """
    with (
        Stub(_granted(), _granted("t2")) as login,
        Stub(_VERSION, raw_answer("401 Unauthorized"), _VERSION) as stub,
        ExternalTaskClient(stub.url, auth=_auth(login)) as client,
    ):
        client.version()
        client.version()

    assert [seen.headers["authorization"] for seen in stub.seen] == [
        "Bearer t1",
        "Bearer t1",
        "Bearer t2",
    ]


def test_a_request_that_is_refused_twice_is_not_sent_a_third_time() -> None:
    """
    Two tokens in a row are not expired: the engine does not want this client.
    """
    with (
        Stub(_granted(), _granted("t2"), _granted("t3")) as login,
        Stub(raw_answer("401 Unauthorized")) as stub,
        ExternalTaskClient(stub.url, auth=_auth(login)) as client,
        pytest.raises(Unauthorized),
    ):
        client.complete("t1", "w1")

    assert [seen.headers["authorization"] for seen in stub.seen] == ["Bearer t1", "Bearer t2"]
    assert len(login.seen) == 2


# --------------------------------------------------------------------------------- when it is asked


@pytest.mark.parametrize(
    ("told", "leeway", "renewed_at"),
    [
        ({"expires_in": 300}, 30, 270.0),
        ({"expires_in": "300"}, 30, 270.0),
        ({"expires_in": 300.5}, 30, 270.5),
        ({"expires_in": "300.5"}, 30, 270.5),
        ({"expires_in": 300}, 0, 300.0),
        ({"expires_in": 300}, 100, 200.0),
        ({"expires_in": 60}, 30, 30.0),
        ({"expires_in": 31}, 30, 15.5),
        ({"expires_in": 30}, 30, 15.0),
        ({"expires_in": 20}, 30, 10.0),
        ({"expires_in": 10**400}, 30, 999999970.0),
        ({"expires_in": None}, 30, 270.0),
        ({}, 30, 270.0),
    ],
)
def test_a_token_is_renewed_before_it_expires(
    told: dict[str, object], leeway: float, renewed_at: float
) -> None:
    """
    The leeway is at most half of the lifetime, which is 300 s unless the server tells it.
    """
    clock = Clock(1000.0)
    first = json_answer(200, {"access_token": "t1", "token_type": "Bearer", **told})
    with Stub(first, _granted("t2")) as stub:
        auth = _auth(stub, clock, leeway=leeway)
        headers = [_header(auth)]
        for clock.now in (1000.0 + renewed_at - 0.25, 1000.0 + renewed_at):
            headers.append(_header(auth))

    assert headers == ["Bearer t1", "Bearer t1", "Bearer t2"]
    assert len(stub.seen) == 2


def test_a_failed_early_renewal_is_bridged(caplog: pytest.LogCaptureFixture) -> None:
    """
    The token in hand is used while it lives, and the login server asked again after five seconds.
    """
    clock = Clock()
    asked = []
    with Stub(_granted(), html_answer("503 Busy"), html_answer("503 Busy"), _granted("t2")) as stub:
        auth = _auth(stub, clock)
        for clock.now in (0.0, 270.0, 274.9, 275.0, 279.9, 280.0):
            asked.append((_header(auth), len(stub.seen)))
        place = f"127.0.0.1:{stub.port}/realms/a/token"

    assert asked == [
        ("Bearer t1", 1),
        ("Bearer t1", 2),
        ("Bearer t1", 2),
        ("Bearer t1", 3),
        ("Bearer t1", 3),
        ("Bearer t2", 4),
    ]
    assert [record.getMessage() for record in caplog.records if record.levelname == "WARNING"] == [
        f"no OAuth 2 token from {place}: HTTP 503; the last one is valid for another 30 s",
        f"no OAuth 2 token from {place}: HTTP 503; the last one is valid for another 25 s",
    ]


def test_an_expired_token_is_never_used() -> None:
    """
    After the expiry each request asks the login server again, and fails if that is down.
    """
    clock = Clock()
    with Stub(_granted(), html_answer("503 Busy"), html_answer("503 Busy"), _granted("t2")) as stub:
        auth = _auth(stub, clock)
        _header(auth)
        clock.now = 299.0
        kept = _header(auth)
        clock.now = 300.0
        problem = _problem(auth)
        header = _header(auth)

    assert (kept, header) == ("Bearer t1", "Bearer t2")
    assert problem == f"no OAuth 2 token from 127.0.0.1:{stub.port}/realms/a/token: HTTP 503"


# ------------------------------------------------------------------------------------------ threads


def test_of_many_threads_one_asks() -> None:
    """
    The others wait for what it gets.
    """
    gate = Gate(_granted())
    with Stub(gate, _granted("t2")) as stub:
        auth = _auth(stub)
        headers = _at_once(64, lambda: _header(auth), then=gate.open)

    assert headers == ["Bearer t1"] * 64
    assert len(stub.seen) == 1


def test_what_fails_fails_for_all_who_waited() -> None:
    """
    They do not ask one after the other, each as long as the first.
    """
    gate = Gate(json_answer(401, {"error": "invalid_client"}))
    with Stub(gate) as stub:
        auth = _auth(stub)
        first = threading.Thread(target=lambda: _problem(auth))
        first.start()
        assert gate.reached.wait(10)
        problems = _at_once(8, lambda: _problem(auth), then=gate.open)
        first.join()

    assert set(problems) == {
        f"no OAuth 2 token from 127.0.0.1:{stub.port}/realms/a/token: HTTP 401, invalid_client"
    }


def test_others_go_on_while_one_thread_renews_early() -> None:
    """
    A token that is still good needs no waiting for the next one.
    """
    clock, gate = Clock(), Gate(_granted("t2"))
    with Stub(_granted(), gate) as stub:
        auth = _auth(stub, clock)
        _header(auth)
        clock.now = 280.0
        renewing = threading.Thread(target=lambda: _header(auth))
        renewing.start()
        assert gate.reached.wait(10)
        meanwhile = [_header(auth), _header(auth)]
        gate.open()
        renewing.join()
        after = _header(auth)

    assert (meanwhile, after, len(stub.seen)) == (["Bearer t1", "Bearer t1"], "Bearer t2", 2)


def test_others_wait_when_the_old_token_has_expired() -> None:
    """
    If it expires during the renewal, the other threads wait for the new one.
    """
    clock, gate = Clock(), Gate(_granted("t2"))
    with Stub(_granted(), gate, _granted("t3")) as stub:
        auth = _auth(stub, clock)
        _header(auth)
        clock.now = 280.0
        renewing = threading.Thread(target=lambda: _header(auth))
        renewing.start()
        assert gate.reached.wait(10)
        clock.now = 300.0
        headers = _at_once(4, lambda: _header(auth), then=gate.open)
        renewing.join()

    assert (headers, len(stub.seen)) == (["Bearer t2"] * 4, 2)


def test_nobody_waits_longer_than_the_timeout() -> None:
    """
    A thread that never gets its answer blocks the others no longer than *timeout*.
    """
    auth = OAuth2ClientCredentials(_NOWHERE, "worker", _SECRET, timeout=0.01)
    lock = auth._locks[os.getpid()] = threading.Lock()
    lock.acquire()

    assert _problem(auth) == (
        "no OAuth 2 token from 127.0.0.1:1/token: another thread still waits for its answer"
    )


def test_nobody_waits_for_a_thread_longer_than_the_call_may_take() -> None:
    """
    The client's own time-out is for all of a call, its token included.
    """
    auth = OAuth2ClientCredentials(_NOWHERE, "worker", _SECRET)
    lock = auth._locks[os.getpid()] = threading.Lock()
    lock.acquire()
    client = ExternalTaskClient("http://127.0.0.1:1/engine-rest", auth=auth, timeout=0.05)
    with pytest.raises(NotSent) as caught:
        client.version()

    assert caught.value.message == (
        "no OAuth 2 token from 127.0.0.1:1/token: another thread still waits for its answer"
    )


def test_who_waited_for_a_short_call_asks_again() -> None:
    """
    What one call had no time for, another one may still get.
    """
    gate = Gate(b"")
    with Stub(gate, _granted()) as stub:
        auth = _auth(stub)
        client = ExternalTaskClient("http://127.0.0.1:1/engine-rest", auth=auth, timeout=0.3)

        def call() -> None:
            with suppress(NotSent):
                client.version()

        short = threading.Thread(target=call)
        short.start()
        assert gate.reached.wait(10)
        header = _header(auth)
        short.join()
        gate.open()

    assert (header, len(stub.seen)) == ("Bearer t1", 2)


def test_a_thread_that_is_interrupted_lets_the_next_one_ask(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """
    Ctrl-C while the login server thinks leaves nothing locked, and shows no request.
    """

    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with Stub(_granted()) as stub:
        auth = _auth(stub, client_auth="body")
        with monkeypatch.context() as patch:
            patch.setattr(requests.Session, "send", interrupt)
            with pytest.raises(KeyboardInterrupt) as caught:
                _header(auth)
        header = _header(auth)

    assert header == "Bearer t1"
    assert _leaks({"frames": _traceback(caught.value)}) == []


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_child_process_asks_for_itself() -> None:
    """
    A thread that was asking at the moment of the fork is not there to wait for.
    """
    gate = Gate(_granted())
    with Stub(gate, _granted("t2")) as stub:
        auth = _auth(stub)
        asking = threading.Thread(target=lambda: _header(auth))
        asking.start()
        assert gate.reached.wait(10)
        child = os.fork()
        if not child:
            status = 1
            try:
                status = 0 if [_header(auth), _header(auth)] == ["Bearer t2"] * 2 else 2
            finally:
                os._exit(status)
        _, status = os.waitpid(child, 0)
        gate.open()
        asking.join()
        header = _header(auth)

    assert (os.waitstatus_to_exitcode(status), header, len(stub.seen)) == (0, "Bearer t1", 2)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_token_from_before_the_fork_is_used_on() -> None:
    """
    A hundred child processes ask no login server, unless the engine refuses what they have.
    """
    with Stub(_granted(), _granted("t2")) as stub:
        auth = _auth(stub)
        _header(auth)
        child = os.fork()
        if not child:
            status = 1
            try:
                told = [_header(auth), auth.renew(), _header(auth)]
                status = 0 if told == ["Bearer t1", True, "Bearer t2"] else 2
            finally:
                os._exit(status)
        _, status = os.waitpid(child, 0)
        header = _header(auth)

    assert (os.waitstatus_to_exitcode(status), header, len(stub.seen)) == (0, "Bearer t1", 2)


# ------------------------------------------------------------------------------------------ renewal


def test_a_refused_token_is_not_used_again() -> None:
    """
    It is discarded once, and the next request fetches another token.
    """
    with Stub(_granted(), _granted("t2")) as stub:
        auth = _auth(stub)
        told = [_header(auth), auth.renew(), len(stub.seen), auth.renew(), _header(auth)]

    assert told == ["Bearer t1", True, 1, False, "Bearer t2"]


def test_without_a_token_there_is_nothing_to_renew() -> None:
    """
    A thread that has used no token would send the same request once more.
    """
    with Stub(_granted()) as stub:
        auth = _auth(stub)
        before = auth.renew()
        _header(auth)
        others = _at_once(1, auth.renew)
        header = _header(auth)

    assert (before, others, header, len(stub.seen)) == (False, [False], "Bearer t1", 1)


def test_64_refused_threads_cause_one_request() -> None:
    """
    Only the token that was refused is discarded, and not its successor.
    """
    with Stub(_granted(), _granted("t2"), _granted("t3")) as stub:
        auth = _auth(stub)
        all_have_one = threading.Barrier(64)

        def refused() -> tuple[str, bool, str]:
            first = _header(auth)
            all_have_one.wait(10)
            return first, auth.renew(), _header(auth)

        told = _at_once(64, refused)

    assert told == [("Bearer t1", True, "Bearer t2")] * 64
    assert len(stub.seen) == 2


def test_a_refused_token_bridges_no_outage() -> None:
    """
    If the login server is down as well, nothing is sent.
    """
    with Stub(_granted(), html_answer("503 Busy")) as stub:
        auth = _auth(stub)
        _header(auth)
        auth.renew()
        problem = _problem(auth)

    assert problem == f"no OAuth 2 token from 127.0.0.1:{stub.port}/realms/a/token: HTTP 503"


def test_what_wraps_a_users_auth_renews_it() -> None:
    """
    The client finds `renew` whichever auth object it was given.
    """
    with Stub(_granted(), _granted("t2")) as stub:
        auth = to_auth(_auth(stub))
        assert isinstance(auth, SafeAuth)
        told = [auth.renew(), _header(auth), auth.renew(), _header(auth)]

    assert told == [False, "Bearer t1", True, "Bearer t2"]


class Renewing(requests.auth.AuthBase):
    """
    Credentials of a user's own kind.
    """

    def __init__(self, renew: Any) -> None:
        self.renew = renew

    def __call__(self, r: requests.PreparedRequest) -> requests.PreparedRequest:
        return r


@pytest.mark.parametrize(
    ("auth", "told"),
    [
        (Bearer("t"), False),
        (Renewing(lambda: True), True),
        (Renewing(lambda: None), False),
        (Renewing("yes"), False),
    ],
)
def test_any_auth_may_renew_itself(auth: requests.auth.AuthBase, told: bool) -> None:
    """
    If it cannot, the request is not sent again.
    """
    assert SafeAuth(auth).renew() is told


def test_a_users_renewal_that_fails_renews_nothing() -> None:
    """
    The call then ends with the engine's refusal.
    """

    def fail() -> bool:
        raise RuntimeError(_SECRET)

    assert SafeAuth(Renewing(fail)).renew() is False


# ------------------------------------------------------------------------------------ what is wrong


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (html_answer("200 OK"), "HTTP 200 without a JSON object"),
        (raw_answer("200 OK"), "HTTP 200 without a JSON object"),
        (json_answer(200, ["t1"]), "HTTP 200 without a JSON object"),
        (json_answer(200, b'{"access_token": "t1", "a": NaN}'), "HTTP 200 without a JSON object"),
        (json_answer(200, b'{"access_token": "\xff"}'), "HTTP 200 without a JSON object"),
        (raw_answer("204 No Content"), "HTTP 204"),
        (html_answer("500 Oops"), "HTTP 500"),
        (json_answer(500, {"error": "server_error"}), "HTTP 500, server_error"),
        (
            json_answer(503, {"error": "temporarily_unavailable"}),
            "HTTP 503, temporarily_unavailable",
        ),
        (json_answer(401, {"error": "invalid_client"}), "HTTP 401, invalid_client"),
        (json_answer(400, {"error": "invalid_grant"}), "HTTP 400, invalid_grant"),
        (json_answer(400, {"error": "invalid_request"}), "HTTP 400, invalid_request"),
        (json_answer(400, {"error": "invalid_scope"}), "HTTP 400, invalid_scope"),
        (json_answer(400, {"error": "unauthorized_client"}), "HTTP 400, unauthorized_client"),
        (json_answer(400, {"error": "unsupported_grant_type"}), "HTTP 400, unsupported_grant_type"),
        (json_answer(400, {"error": "canary", "error_description": "canary"}), "HTTP 400"),
        (json_answer(400, {"error": ["invalid_client"]}), "HTTP 400"),
        (json_answer(400, ["invalid_client"]), "HTTP 400"),
        (
            raw_answer("302 Found", "Location: /login"),
            "HTTP 302, a redirect, which is not followed",
        ),
        (
            raw_answer("307 Temporary Redirect", "Location: http://["),
            "HTTP 307, a redirect, which is not followed",
        ),
    ],
)
def test_an_answer_without_a_token_is_told(answer: Answer, problem: str) -> None:
    """
    The error has the URL, the status, and the code if it is one of OAuth's own; never the body.
    """
    assert _problem_with(answer) == problem


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"access_token": None}, "its access_token is missing, or not text in printable ASCII"),
        ({"access_token": ""}, "its access_token is missing, or not text in printable ASCII"),
        ({"access_token": 5}, "its access_token is missing, or not text in printable ASCII"),
        (
            {"access_token": "canary\r\nX-Admin: 1"},
            "its access_token is missing, or not text in printable ASCII",
        ),
        (
            {"access_token": "canary\u00e4"},
            "its access_token is missing, or not text in printable ASCII",
        ),
        (
            {"access_token": "canary\ud800"},
            "its access_token is missing, or not text in printable ASCII",
        ),
        ({"token_type": "mac"}, "its token_type is not bearer"),
        ({"token_type": ["bearer"]}, "its token_type is not bearer"),
        ({"expires_in": 0}, "its expires_in is not a number above 0"),
        ({"expires_in": -1}, "its expires_in is not a number above 0"),
        ({"expires_in": True}, "its expires_in is not a number above 0"),
        ({"expires_in": "soon"}, "its expires_in is not a number above 0"),
        ({"expires_in": "0"}, "its expires_in is not a number above 0"),
        ({"expires_in": "nan"}, "its expires_in is not a number above 0"),
        ({"expires_in": "inf"}, "its expires_in is not a number above 0"),
        ({"expires_in": "٣٠٠"}, "its expires_in is not a number above 0"),
        ({"expires_in": [300]}, "its expires_in is not a number above 0"),
    ],
    ids=repr,
)
def test_a_token_that_cannot_be_used_is_told(changes: dict[str, object], problem: str) -> None:
    """
    Tokens of a login server are checked like those of a user, and are not quoted.
    """
    told = {"access_token": "t1", "token_type": "Bearer", "expires_in": 300, **changes}

    assert _problem_with(json_answer(200, told)) == problem


@pytest.mark.parametrize("kind", ["bearer", "Bearer", "BEARER", None])
def test_a_bearers_token_type_has_any_case(kind: str | None) -> None:
    """
    RFC 6749, 5.1: the value is case-insensitive.
    """
    with Stub(json_answer(200, {"access_token": "t1", "token_type": kind})) as stub:
        assert _header(_auth(stub)) == "Bearer t1"


#: The words of the operating system for a port on which nobody listens.
_REFUSED: Final = f"NewConnectionError: [Errno {errno.ECONNREFUSED}] Connection refused"


def test_nobody_there_is_told() -> None:
    """
    The system's own words say why, and they hold no secret.
    """
    assert _problem(OAuth2ClientCredentials(_NOWHERE, "worker", _SECRET)) == (
        f"no OAuth 2 token from 127.0.0.1:1/token: {_REFUSED}"
    )


@pytest.mark.parametrize(
    ("fault", "problem"),
    [
        (
            "closed without a word",
            "ConnectionError: Remote end closed connection without response",
        ),
        ("reset without a word", "ConnectionError: Connection reset by peer"),
        ("no HTTP at all", "ConnectionError: the answer is not HTTP"),
        ("cut in the body", "ProtocolError: IncompleteRead(12 bytes read, 28 more expected)"),
        ("chunked without end", "ProtocolError: IncompleteRead(0 bytes read)"),
    ],
)
def test_a_broken_answer_is_told(fault: str, problem: str) -> None:
    """
    The error says how the answer was broken.
    """
    assert _problem_with(BROKEN[fault]) == problem


def test_silence_is_told() -> None:
    """
    The login server has *timeout* seconds.
    """
    with Stub(then_silence()) as stub:
        problem = _problem(_auth(stub, timeout=0.1))

    assert problem == (
        f"no OAuth 2 token from 127.0.0.1:{stub.port}/realms/a/token: no answer within 0.1 seconds"
    )


def test_the_login_server_has_no_longer_than_the_call_may_take() -> None:
    """
    Though *timeout* would let it have ten seconds.
    """
    with Stub(then_silence()) as stub:
        client = ExternalTaskClient(stub.url, auth=_auth(stub), timeout=0.2)
        with pytest.raises(NotSent) as caught:
            client.version()

    assert re.fullmatch(
        rf"no OAuth 2 token from 127.0.0.1:{stub.port}/realms/a/token: "
        r"no answer within 0\.[0-9]+ seconds",
        caught.value.message or "",
    )


def test_a_drip_is_no_answer() -> None:
    """
    An answer that comes byte by byte does not extend the time-out.
    """
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"
    with Stub(drip(head, [b" "] * 1000)) as stub:
        problem = _problem(_auth(stub, timeout=0.1))

    assert problem == (
        f"no OAuth 2 token from 127.0.0.1:{stub.port}/realms/a/token: no answer within 0.1 seconds"
    )


def test_an_answer_without_end_is_not_read() -> None:
    """
    Reading stops after 1 MiB.
    """
    mebibyte = b" " * (1024 * 1024)
    longest = raw_answer("200 OK", body=b'{"access_token": "t1"}'.ljust(1024 * 1024))
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 9999999999\r\n\r\n"
    with Stub(longest) as stub:
        header = _header(_auth(stub))

    assert header == "Bearer t1"
    assert _problem_with(then_close(head + mebibyte + b" ")) == "HTTP 200, with more than 1 MiB"


def test_a_redirect_takes_no_secret_along() -> None:
    """
    The host that a redirect names is not even connected to.
    """
    with Stub(_granted()) as other:
        _problem_with(raw_answer("307 Temporary Redirect", f"Location: {other.url}"))

    assert other.connections == 0


# ------------------------------------------------------------------------------------ the way to it


def test_a_certificate_that_nobody_trusts_ends_it() -> None:
    """
    The secret does not leave.
    """
    with Stub(_granted(), tls=True) as stub:
        problem = _problem(_auth(stub))

    assert "SSLError: self-signed certificate. " in problem
    assert "verify=" in problem
    assert stub.seen == []


def test_a_ca_bundle_is_taken() -> None:
    """
    A login server of one's own has a certificate of one's own.
    """
    with Stub(_granted(), tls=True) as stub:
        header = _header(_auth(stub, verify=str(CERTIFICATE), cert=str(CERTIFICATE)))

    assert header == "Bearer t1"


@pytest.mark.parametrize("name", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_the_environments_ca_bundle_is_taken(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    What holds for the engine holds for the login server.
    """
    monkeypatch.setenv(name, str(CERTIFICATE))
    with Stub(_granted(), tls=True) as stub:
        header = _header(_auth(stub))

    assert header == "Bearer t1"


@pytest.mark.parametrize(
    ("url", "settings", "told"),
    [
        (
            "http://login.invalid/token",
            {},
            ["credentials go to login.invalid by plain http, for anybody on the way to read"],
        ),
        (
            "https://login.invalid/token",
            {"verify": False},
            ["verify=False: anybody on the way can read and change what is sent"],
        ),
        ("https://login.invalid/token", {}, []),
        ("http://localhost:8080/token", {}, []),
        ("http://[::1]:8080/token", {}, []),
    ],
)
def test_what_gives_a_secret_away_warns(
    url: str, settings: dict[str, Any], told: list[str]
) -> None:
    """
    As the client does, and at the line of the user's code.
    """
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        OAuth2ClientCredentials(url, "worker", _SECRET, **settings)

    assert [str(one.message) for one in caught] == told
    assert {one.filename for one in caught} <= {__file__}


@pytest.mark.filterwarnings("ignore:credentials go to login.invalid:UserWarning")
@pytest.mark.parametrize("of_environment", [True, False])
def test_the_login_server_is_reached_through_a_proxy(
    of_environment: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    One of the environment, or the one that is passed.
    """
    with Stub(_granted()) as proxy:
        place = f"http://kim:{_SECRET}@127.0.0.1:{proxy.port}"
        if of_environment:
            monkeypatch.setenv("HTTP_PROXY", place)
        proxies = None if of_environment else {"http": place}
        auth = OAuth2ClientCredentials(
            "http://login.invalid/token", "worker", "s3cret", proxies=proxies
        )
        header = _header(auth)

    assert header == "Bearer t1"
    assert [
        (seen.target, seen.headers["authorization"], seen.headers["proxy-authorization"])
        for seen in proxy.seen
    ] == [
        (
            "http://login.invalid/token",
            "Basic d29ya2VyOnMzY3JldA==",
            "Basic a2ltOmNhbmFyeS03ZjNh",
        )
    ]
    assert _SECRET not in f"{auth!r} {vars(auth)}"


@pytest.mark.parametrize("name", ["HTTP_PROXY", "ALL_PROXY"])
def test_the_environments_proxy_is_not_asked_for_loopback(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    Requests to this machine do not go through a proxy of the environment.
    """
    with Stub(_granted()) as stub, Stub() as proxy:
        monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        header = _header(_auth(stub))

    assert (header, proxy.connections) == ("Bearer t1", 0)


def test_a_proxy_that_is_passed_is_asked_for_loopback_too() -> None:
    """
    Only a proxy of the environment is left out.
    """
    with Stub() as stub, Stub(_granted()) as proxy:
        header = _header(_auth(stub, proxies={"http": f"http://127.0.0.1:{proxy.port}"}))

    assert (header, stub.connections, proxy.connections) == ("Bearer t1", 0, 1)


# ---------------------------------------------------------------------------------------- arguments


@pytest.mark.parametrize(
    ("changes", "error", "told"),
    [
        (
            {"token_url": "https://worker:canary-7f3a@login.invalid/token"},
            ValueError,
            "token_url must not hold credentials: pass client_id and client_secret",
        ),
        (
            {"token_url": "https://login.invalid:canary-7f3a/token"},
            ValueError,
            "token_url is no URL: look at its host and port",
        ),
        (
            {"token_url": "worker:canary-7f3a"},
            ValueError,
            "token_url must begin with http:// or https:// and a host",
        ),
        (
            {"token_url": "https://login.invalid/token#canary-7f3a"},
            ValueError,
            "token_url must not have a fragment",
        ),
        (
            {"token_url": "https://login.invalid/to ken"},
            ValueError,
            "token_url must have no space, backslash or control character",
        ),
        ({"token_url": None}, TypeError, "token_url must be a str, not NoneType"),
        ({"client_id": ""}, ValueError, "client_id must not be empty"),
        ({"client_id": None}, TypeError, "client_id must be a str"),
        ({"client_secret": ""}, ValueError, "client_secret must not be empty"),
        ({"client_secret": None}, TypeError, "client_secret must be a str"),
        ({"client_secret": b"canary-7f3a"}, TypeError, "client_secret must be a str"),
        (
            {"client_secret": "canary-7f3a\ud800"},
            ValueError,
            "client_secret must be text that UTF-8 can encode",
        ),
        ({"scope": ["tasks"]}, TypeError, "scope must be a str"),
        ({"scope": ""}, ValueError, "scope must not be empty"),
        ({"audience": 5}, TypeError, "audience must be a str"),
        (
            {"client_auth": "post"},
            ValueError,
            "client_auth must be 'basic' or 'body', not 'post'",
        ),
        ({"leeway": -1}, ValueError, "leeway must be a number of seconds to wait, not -1"),
        (
            {"leeway": "30"},
            TypeError,
            "leeway must be seconds as a number, or a timedelta, not '30'",
        ),
        (
            {"timeout": float("nan")},
            ValueError,
            "timeout must be a number of seconds to wait, not nan",
        ),
        ({"timeout": 0}, ValueError, "timeout must be a number of seconds to wait, not 0"),
        (
            {"timeout": True},
            TypeError,
            "timeout must be seconds as a number, or a timedelta, not True",
        ),
        ({"verify": "/no/such.pem"}, ValueError, "verify: there is no CA bundle '/no/such.pem'"),
        ({"cert": "/no/such.pem"}, ValueError, "cert: there is no file '/no/such.pem'"),
        ({"proxies": "http://proxy"}, TypeError, "proxies must be a mapping"),
    ],
    ids=repr,
)
def test_an_argument_that_cannot_be_meant_is_refused_unseen(
    changes: dict[str, Any], error: type[Exception], told: str
) -> None:
    """
    Before anything is sent, and without the secret in any frame of this package.
    """
    arguments = {
        "token_url": "https://login.invalid/token",
        "client_id": "worker",
        "client_secret": _SECRET,
        **changes,
    }
    with pytest.raises(error) as caught:
        OAuth2ClientCredentials(**arguments)

    assert str(caught.value) == told
    assert (caught.value.__cause__, caught.value.__context__) == (None, None)
    caught.value.__traceback__ = caught.tb.tb_next  # without the frame of this test
    assert _SECRET not in _traceback(caught.value)


# ------------------------------------------------------------------------------------------ secrets


def test_it_shows_where_it_asks_and_as_whom() -> None:
    """
    Neither the secret nor a key in the URL's query is shown.
    """
    auth = OAuth2ClientCredentials(f"{_NOWHERE}?key={_SECRET}", "worker", _SECRET)
    with Stub(_granted(_TOKEN)) as stub:
        used = _auth(stub)
        _header(used)
        _header(used)

    assert repr(auth) == "OAuth2ClientCredentials('http://127.0.0.1:1/token', 'worker', ***)"
    assert not any(one in f"{vars(auth)} {vars(used)} {used!r}" for one in _SHOWN)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_it_is_not_pickled(protocol: int) -> None:
    """
    A pickle would hold the secret.
    """
    auth = OAuth2ClientCredentials(_NOWHERE, "worker", _SECRET)

    with pytest.raises(TypeError, match="secrets are not pickled"):
        pickle.dumps(auth, protocol)


def test_a_copy_is_the_same_object() -> None:
    """
    Settings that are copied share one token, as the threads do.
    """
    auth = OAuth2ClientCredentials(_NOWHERE, "worker", _SECRET)

    assert [copy.copy(auth), copy.deepcopy({"auth": auth})["auth"]] == [auth, auth]


_ECHO: Final = {"error": "invalid_client", "error_description": f"{_SECRET} {_TOKEN}"}
_ECHO_PAGE: Final = f"<html>{_SECRET} {_TOKEN}</html>".encode("ascii")
#: Login servers that give no token, and give away what they can.
_LOGINS: Final[Mapping[str, Answer]] = {
    "closed": BROKEN["closed without a word"],
    "reset": BROKEN["reset without a word"],
    "no HTTP": BROKEN["no HTTP at all"],
    "cut": then_close(b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n" + _ECHO_PAGE),
    "silence": then_silence(),
    "401": json_answer(401, _ECHO),
    "400 with a code of its own": json_answer(400, {"error": _SECRET}),
    "500": raw_answer("500 Oops", body=_ECHO_PAGE),
    "page": raw_answer("200 OK", body=_ECHO_PAGE),
    "redirect": raw_answer("307 Moved", f"Location: http://127.0.0.1:1/?{_SECRET}"),
    "garbage": raw_answer("200 OK", body=b"\xff\x00" + _ECHO_PAGE),
    "no token": json_answer(200, {"token": _TOKEN, "secret": _SECRET}),
    "line break": json_answer(200, {"access_token": f"{_TOKEN}\r\nX-Admin: 1"}),
    "no text": json_answer(200, {"access_token": [_TOKEN]}),
    "of another type": json_answer(200, {"access_token": _TOKEN, "token_type": _TOKEN}),
    "expired": json_answer(200, {"access_token": _TOKEN, "expires_in": _SECRET}),
    "two lengths": then_close(raw_answer("200 OK", "Content-Length: 5, 6", body=_ECHO_PAGE)),
    "header": raw_answer("200 OK", f"X-Secret: {_SECRET}\u00ff", body=_ECHO_PAGE),
}


@pytest.mark.parametrize("client_auth", ["basic", "body"])
@pytest.mark.parametrize("login", _LOGINS)
def test_no_login_that_fails_shows_a_secret(
    login: str, client_auth: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """
    Whatever a login server does, nothing is sent to the engine and no place shows a secret.
    """
    caplog.set_level(logging.DEBUG)
    with Stub(_LOGINS[login]) as server, Stub() as stub:
        auth = _auth(server, client_auth=client_auth, timeout=0.2)
        with ExternalTaskClient(stub.url, auth=auth, retry=False) as client:
            error, places = _places(client, caplog)

    assert (type(error), stub.seen) == (NotSent, [])
    assert _leaks(places) == []


def test_no_login_that_is_not_there_shows_a_secret(caplog: pytest.LogCaptureFixture) -> None:
    """
    The client's error has the reason, without the secret.
    """
    caplog.set_level(logging.DEBUG)
    auth = OAuth2ClientCredentials(_NOWHERE, "worker", _SECRET)
    with Stub() as stub, ExternalTaskClient(stub.url, auth=auth, retry=False) as client:
        error, places = _places(client, caplog)

    assert (type(error), error.message, stub.seen) == (
        NotSent,
        f"no OAuth 2 token from 127.0.0.1:1/token: {_REFUSED}",
        [],
    )
    assert _leaks(places) == []


@pytest.mark.parametrize("client_auth", ["basic", "body"])
def test_no_engine_that_refuses_shows_a_token(
    client_auth: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """
    A token that is refused, and the next one too, are shown nowhere.
    """
    caplog.set_level(logging.DEBUG)
    refused = raw_answer("401 Unauthorized", 'WWW-Authenticate: Bearer realm="engine"')
    with Stub(_granted(_TOKEN)) as login, Stub(refused) as stub:
        auth = _auth(login, client_auth=client_auth)
        with ExternalTaskClient(stub.url, auth=auth, retry=False) as client:
            error, places = _places(client, caplog)

    assert type(error) is Unauthorized
    assert {seen.headers["authorization"] for seen in stub.seen} == {f"Bearer {_TOKEN}"}
    assert _leaks(places) == []


@pytest.mark.parametrize("login", _LOGINS)
def test_no_failure_shows_a_secret_without_the_client(login: str) -> None:
    """
    Whoever uses it with `requests` alone sees the same.
    """
    with Stub(_LOGINS[login]) as server:
        auth = _auth(server, timeout=0.2)
        with pytest.raises(AuthFailed) as caught:
            _header(auth)
    error = caught.value

    assert (error.__cause__, error.__context__) == (None, None)
    assert _leaks({"words": f"{error} {error!r} {vars(error)}", "frames": _traceback(error)}) == []


# -------------------------------------------------------------------------------------------- tools


def _granted(text: str = "t1") -> bytes:
    return json_answer(200, {"access_token": text, "token_type": "Bearer", "expires_in": 300})


def _url(stub: Stub) -> str:
    return stub.url.replace("/engine-rest", "/realms/a/token")


def _auth(stub: Stub, clock: Clock | None = None, **settings: Any) -> OAuth2ClientCredentials:
    auth = OAuth2ClientCredentials(_url(stub), "worker", _SECRET, **settings)
    if clock is not None:
        auth._clock = clock
    return auth


def _header(auth: requests.auth.AuthBase) -> str:
    """
    What a request would be sent with.
    """
    return auth(requests.Request("GET", "http://127.0.0.1:1/").prepare()).headers["Authorization"]


def _problem(auth: requests.auth.AuthBase) -> str:
    """
    What is said when there is no token.
    """
    with pytest.raises(AuthFailed) as caught:
        _header(auth)
    return str(caught.value)


def _problem_with(answer: Answer) -> str:
    """
    What is said after where it was asked.
    """
    with Stub(answer) as stub:
        problem = _problem(_auth(stub))
    said, place, why = problem.partition(f"127.0.0.1:{stub.port}/realms/a/token: ")
    assert (said, bool(place)) == ("no OAuth 2 token from ", True)
    return why


def _at_once(
    count: int, act: Callable[[], Any], then: Callable[[], None] = lambda: None
) -> list[Any]:
    """
    What *count* threads get that act at the same time.

    Args:
        then: What to do when all of them have begun.
    """
    begun = threading.Barrier(count + 1)
    results: list[Any] = [None] * count

    def run(number: int) -> None:
        begun.wait(10)
        results[number] = act()

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    begun.wait(10)
    then()
    for thread in threads:
        thread.join()
    return results


def _places(
    client: ExternalTaskClient, caplog: pytest.LogCaptureFixture
) -> tuple[CamundaError, dict[str, str]]:
    """
    The error of a call that fails, and what shows, by place.
    """
    with pytest.raises(CamundaError) as caught:
        client.complete("t1", "w1")
    error = caught.value
    return error, {
        "words": f"{error} {error!r} {error.args!r} {vars(error)}",
        "attempts": repr([attrs.asdict(attempt) for attempt in error.attempts]),
        "chain": repr((error.__cause__, error.__context__)),
        "traceback": _traceback(error),
        "log": "\n".join(f"{one.getMessage()} {one.args!r}" for one in caplog.records),
        "pickle": pickle.dumps(error).decode("latin-1"),
        "client": repr(client) + repr(vars(client)),
    }


def _traceback(error: BaseException) -> str:
    """
    What error trackers show: each frame with its local variables, causes included.
    """
    told = traceback.TracebackException.from_exception(error, capture_locals=True)
    return "".join(told.format())


def _leaks(places: Mapping[str, str]) -> list[str]:
    return [place for place, text in places.items() if any(one in text for one in _SHOWN)]
