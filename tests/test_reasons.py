"""
Why no answer came: what is wrong with certificates, proxies and hosts, and what a user's own code
has raised.
"""

from __future__ import annotations

import datetime
import importlib.util
import ssl
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final
from unittest import mock

import pytest
import requests
import trustme
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase
from urllib3.exceptions import ConnectTimeoutError, MaxRetryError

from camunda_ext import CamundaError, ExternalTaskClient, NotSent, OutcomeUnknown, Unauthorized
from camunda_ext._http import reasons
from tests.stub import Stub, html_answer, json_answer, once, raw_answer, then_reset

_COUNT: Final = json_answer(200, {"count": 1})
_DAY: Final = datetime.timedelta(days=1)
_PASSWORD: Final = "can4ry"

#: An authority that nobody trusts by default.
_AUTHORITY: Final = trustme.CA()


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def bundle(tmp_path: Path) -> str:
    """
    The path of the certificate of the authority.
    """
    path = tmp_path / "authority.pem"
    _AUTHORITY.cert_pem.write_to_path(str(path))
    return str(path)


def _issued(*hosts: str, **told: Any) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    _AUTHORITY.issue_cert(*hosts, **told).configure_cert(context)
    return context


def _wants_client_certificate() -> ssl.SSLContext:
    context = _issued("127.0.0.1")
    # With 1.3 it would be told only after the request has left.
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.verify_mode = ssl.CERT_REQUIRED
    _AUTHORITY.configure_trust(context)
    return context


def _error(client: ExternalTaskClient) -> CamundaError:
    with pytest.raises(CamundaError) as raised:
        client.complete("t1", "w")
    return raised.value


# ------------------------------------------------------------------------------------ certificates

_NOW: Final = datetime.datetime.now(datetime.timezone.utc)
_FAULTY: Final[dict[str, tuple[Callable[[], ssl.SSLContext], bool, str]]] = {
    "nobody knows who signed it": (lambda: _issued("127.0.0.1"), False, "certificate"),
    "expired": (lambda: _issued("127.0.0.1", not_after=_NOW - _DAY), True, "has expired"),
    "too early": (lambda: _issued("127.0.0.1", not_before=_NOW + _DAY), True, "not yet valid"),
    "of another host": (lambda: _issued("engine.example.org"), True, "not valid for '127.0.0.1'"),
    "of another address": (lambda: _issued("127.0.0.2"), True, "not valid for '127.0.0.1'"),
}


@pytest.mark.parametrize("own_session", [False, True], ids=["ours", "own session"])
@pytest.mark.parametrize("fault", _FAULTY)
def test_what_is_wrong_with_a_certificate_is_told(
    fault: str, own_session: bool, bundle: str
) -> None:
    """
    In the words of OpenSSL, and with the argument that has to do with it; it is not tried again.
    """
    make, is_trusted, reason = _FAULTY[fault]
    session = requests.Session() if own_session else None
    verify: Any = bundle if is_trusted else True
    told: dict[str, Any] = {"verify": verify}
    if session is not None:
        session.verify, session.trust_env = verify, False
        told = {"session": session}
    with Stub(tls=make()) as stub, ExternalTaskClient(stub.url, **told) as client:
        error = _error(client)

    assert (type(error), stub.seen, stub.connections) == (NotSent, [], 1)
    assert reason in str(error)
    assert "verify=" in error.hint
    assert "Nothing happened." in error.hint


def test_a_certificate_that_the_server_wants_is_told(bundle: str) -> None:
    """
    It is an argument, too.
    """
    with (
        Stub(tls=_wants_client_certificate()) as stub,
        ExternalTaskClient(stub.url, verify=bundle) as client,
    ):
        error = _error(client)

    assert (type(error), stub.seen) == (NotSent, [])
    assert "handshake failure" in str(error)
    assert "cert=" in error.hint


@pytest.mark.parametrize("option", ["verify", "cert"])
@pytest.mark.parametrize("content", [None, "no certificate", "-----BEGIN CERTIFICATE-----\nabc\n"])
@pytest.mark.parametrize("own_session", [False, True], ids=["ours", "own session"])
def test_a_file_that_holds_no_certificate_is_told(
    tmp_path: Path, option: str, content: str | None, own_session: bool
) -> None:
    """
    Nothing was sent, and it is not the server's fault.
    """
    path = tmp_path / "file.pem"
    path.write_text("")
    session = requests.Session()
    session.trust_env = False
    setattr(session, option, str(path))
    told: dict[str, Any] = {"session": session} if own_session else {option: str(path)}
    with Stub(tls=_issued("127.0.0.1")) as stub, once(stub.url, **told) as client:
        if content is None:
            path.unlink()
        else:
            path.write_text(content)
        error = _error(client)

    assert (type(error), stub.seen) == (NotSent, [])
    assert "verify= and cert=" in error.hint
    assert "asks for a client certificate" not in error.hint


def test_a_server_without_tls_is_told() -> None:
    """
    A URL with one letter too many.
    """
    with (
        Stub() as stub,
        ExternalTaskClient(stub.url.replace("http:", "https:")) as client,
    ):
        error = _error(client)

    assert (type(error), stub.seen) == (NotSent, [])
    assert "http://" in error.hint


# ------------------------------------------------------------------------------ hosts and proxies


@pytest.mark.parametrize("host", ["a..invalid", "a" * 64 + ".invalid", ".invalid"])
def test_an_invalid_host_is_named(host: str) -> None:
    """
    At once, as a retry would fail as well.
    """
    with ExternalTaskClient(f"http://{host}/engine-rest", proxies={}) as client:
        error = _error(client)

    assert type(error) is NotSent
    assert host[:60] in str(error)
    assert "no valid host name" in str(error)
    assert "Look at the URL" in error.hint


def test_a_host_that_nobody_knows_is_told() -> None:
    """
    In the words of the operating system.
    """
    with once("http://nowhere.invalid/engine-rest", proxies={}) as client:
        error = _error(client)

    assert type(error) is NotSent
    assert "nowhere.invalid" in str(error)


@pytest.mark.skipif(importlib.util.find_spec("socks") is not None, reason="PySocks is there")
@pytest.mark.parametrize("scheme", ["socks5", "socks5h", "socks4"])
def test_a_proxy_of_socks_wants_a_package(scheme: str) -> None:
    """
    The hint names the package.
    """
    proxies = {"http": f"{scheme}://kim:{_PASSWORD}@127.0.0.1:1080"}
    with ExternalTaskClient("http://engine.invalid/engine-rest", proxies=proxies) as client:
        error = _error(client)

    assert type(error) is NotSent
    assert "requests[socks]" in error.hint
    assert _PASSWORD not in f"{error} {error!r}"


@pytest.mark.parametrize(
    "proxy",
    [
        f"http://kim:{_PASSWORD}@",
        f"http://kim:{_PASSWORD}@:3128",
        f"http://kim:{_PASSWORD}@pro xy:3128",
        f"http://kim:{_PASSWORD}@proxy:port",
        f"http://kim:{_PASSWORD}@a..b:3128",
        f"ftp://kim:{_PASSWORD}@proxy:3128",
        f"http://kim:{_PASSWORD}@[::1:3128",
    ],
)
@pytest.mark.parametrize("own_session", [False, True], ids=["ours", "own session"])
def test_an_invalid_proxy_url_is_reported(proxy: str, own_session: bool) -> None:
    """
    Without the credentials in its URL, wherever it comes from.
    """
    url, proxies = "http://engine.invalid/engine-rest", {"http": proxy}
    session = requests.Session()
    session.proxies.update(proxies)
    told: dict[str, Any] = {"session": session} if own_session else {"proxies": proxies}
    with ExternalTaskClient(url, **told) as client:
        error = _error(client)

    assert type(error) is NotSent
    assert "the proxy URL is invalid" in str(error)
    assert "proxies=" in error.hint
    assert _PASSWORD not in f"{error} {error!r}"


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("own_session", [False, True], ids=["ours", "own session"])
def test_a_dead_proxy_is_named(scheme: str, own_session: bool) -> None:
    """
    With its port, and not with its password.
    """
    with Stub() as stub:
        place = f"127.0.0.1:{stub.port}"
    url, proxies = (
        f"{scheme}://engine.invalid/engine-rest",
        {scheme: f"http://k:{_PASSWORD}@{place}"},
    )
    session = requests.Session()
    session.proxies.update(proxies)
    told: dict[str, Any] = {"session": session} if own_session else {"proxies": proxies}
    with once(url, **told) as client:
        error = _error(client)

    assert type(error) is NotSent
    assert f"no connection to the proxy {place}" in str(error)
    assert _PASSWORD not in f"{error} {error!r}"


@pytest.mark.parametrize("proxy", ["127.0.0.1:{}", "http://127.0.0.1:{}"])
def test_a_proxy_may_have_no_scheme(proxy: str) -> None:
    """
    A failure behind a proxy is not blamed on its URL, and leaves the outcome unknown.
    """
    session = requests.Session()
    with Stub(then_reset()) as stub:
        session.proxies["http"] = proxy.format(stub.port)
        with once("http://engine.invalid/engine-rest", session=session) as client:
            error = _error(client)

    assert (type(error), len(stub.seen)) == (OutcomeUnknown, 1)
    assert "proxy" not in error.hint


def test_a_proxy_that_takes_no_connection_in_time_is_named() -> None:
    """
    For whatever is behind it, a connection is one to the proxy.
    """
    place: Any = None
    with requests.Session() as session:
        session.proxies["http"] = f"http://kim:{_PASSWORD}@proxy:3128"
        failure = reasons.failure_of(
            requests.ConnectTimeout(
                MaxRetryError(
                    place, "/", ConnectTimeoutError(place, "Connection to proxy timed out.")
                )
            ),
            session,
            "http://engine.invalid/engine-rest",
        )

    assert failure.reason.startswith("ConnectTimeout: no connection to the proxy proxy:3128: ")
    assert "timed out" in failure.reason


def test_a_proxy_that_wants_credentials_is_told() -> None:
    """
    A tunnel is refused before there is a request to send.
    """
    with Stub(raw_answer("407 Proxy Authentication Required")) as stub:
        proxies = {"https": f"http://127.0.0.1:{stub.port}"}
        with once("https://engine.invalid/engine-rest", proxies=proxies) as client:
            error = _error(client)

    assert type(error) is NotSent
    assert "407" in str(error)
    assert "proxies=" in error.hint


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_proxy_that_is_passed_is_used_for_loopback_too(
    host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    Such as one that shows what goes over the wire.
    """
    monkeypatch.setenv("NO_PROXY", "*")
    with Stub() as stub, Stub(_COUNT) as proxy:
        url = stub.url.replace("127.0.0.1", host)
        with once(url, proxies={"http": f"http://127.0.0.1:{proxy.port}"}) as client:
            assert client.count() == 1

    assert [seen.target for seen in proxy.seen] == [f"{url}/external-task/count"]
    assert stub.seen == []


# ---------------------------------------------------------------------------------- the user's code


class Broken(Exception):
    """
    An exception that only user code raises.
    """


def _break(kind: type[Exception]) -> None:
    raise kind("my own words")


#: What a bug may raise, such as what is also raised by the HTTP library itself.
_MISTAKES: Final = (Broken, KeyError, ValueError, RuntimeError, AttributeError)
#: What code that uses the network itself may raise.
_OF_ANOTHER_NETWORK: Final = (
    TimeoutError,
    ConnectionRefusedError,
    requests.ConnectionError,
    requests.Timeout,
)


class _BrokenAdapter(HTTPAdapter):
    def __init__(self, kind: type[Exception]) -> None:
        super().__init__()
        self._kind = kind

    def send(self, *args: Any, **kwargs: Any) -> requests.Response:
        """
        Raise what it was told to.
        """
        _break(self._kind)
        return super().send(*args, **kwargs)


def _with_adapter(kind: type[Exception]) -> requests.Session:
    session = requests.Session()
    session.mount("http://", _BrokenAdapter(kind))
    return session


def _with_hook(kind: type[Exception]) -> requests.Session:
    def look(response: requests.Response, **_: object) -> None:
        response.close()
        _break(kind)

    session = requests.Session()
    session.hooks["response"].append(look)
    return session


@pytest.mark.parametrize("trust_env", [True, False])
@pytest.mark.parametrize("kind", _MISTAKES)
@pytest.mark.parametrize("make", [_with_adapter, _with_hook])
def test_a_mistake_of_the_users_own_stays_what_it_is(
    make: Callable[[type[Exception]], requests.Session], kind: type[Exception], trust_env: bool
) -> None:
    """
    With its words, its frames and its cause.
    """
    session = make(kind)
    session.trust_env = trust_env
    with (
        Stub() as stub,
        once(stub.url, session=session) as client,
        pytest.raises(kind, match="my own words") as raised,
    ):
        client.complete("t1", "w")

    frames = [frame.name for frame in traceback.extract_tb(raised.value.__traceback__)]
    assert frames[-1] == "_break"
    assert frames[-2] in ("send", "look")


def test_what_cannot_be_decoded_has_come() -> None:
    """
    So it is about an answer, and the request may have been done.
    """
    undecodable = UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte")
    with requests.Session() as session:
        came, never_left = (
            reasons.failure_of(requests.ConnectionError(error), session, "http://engine.invalid")
            for error in (undecodable, UnicodeError("label too long"))
        )

    assert came.sent
    assert not never_left.sent


@pytest.mark.parametrize("kind", _OF_ANOTHER_NETWORK)
def test_a_network_that_a_hook_uses_is_not_the_way_to_the_engine(kind: type[Exception]) -> None:
    """
    The engine has answered, so the request is not sent again.
    """
    with (
        Stub(_COUNT) as stub,
        ExternalTaskClient(stub.url, session=_with_hook(kind)) as client,
        pytest.raises(kind, match="my own words"),
    ):
        client.count()

    assert len(stub.seen) == 1


@pytest.mark.parametrize("patched", ["requests.adapters.HTTPAdapter.send", "requests.Session.send"])
def test_what_a_mock_is_told_to_raise_is_raised(patched: str) -> None:
    """
    A test that forbids the network reads its own words, and once.
    """
    with (
        once("http://engine.invalid/engine-rest") as client,
        mock.patch(patched, side_effect=AssertionError("no network")) as send,
        pytest.raises(AssertionError, match="no network"),
    ):
        client.complete("t1", "w")

    assert send.call_count == 1


def test_a_cause_of_the_users_own_stays_there() -> None:
    """
    An exception keeps its own cause.
    """

    def look(response: requests.Response, **_: object) -> None:
        response.close()
        try:
            _break(KeyError)
        except KeyError as error:
            raise Broken("no such key") from error

    session = requests.Session()
    session.hooks["response"].append(look)
    with (
        Stub() as stub,
        once(stub.url, session=session) as client,
        pytest.raises(Broken, match="no such key") as raised,
    ):
        client.complete("t1", "w")

    assert type(raised.value.__cause__) is KeyError


class _BrokenAuth(AuthBase):
    def __call__(self, r: requests.PreparedRequest) -> requests.PreparedRequest:
        _break(Broken)
        return r


def test_a_mistake_of_an_auth_object_is_the_cause() -> None:
    """
    Nothing was sent, and why is told by the exception itself.
    """
    with Stub() as stub, once(stub.url, auth=_BrokenAuth()) as client:
        error = _error(client)

    assert (type(error), stub.seen, str(error.__cause__)) == (NotSent, [], "my own words")
    cause = error.__cause__
    assert cause is not None
    assert [frame.name for frame in traceback.extract_tb(cause.__traceback__)] == [
        "__call__",
        "_break",
    ]


def _broken_as(given: Any) -> dict[str, Any]:
    return {"auth": given}


def _broken_in_session(given: Any) -> dict[str, Any]:
    session = requests.Session()
    session.auth = given
    return {"session": session}


def _sign(header: Any) -> Callable[[requests.PreparedRequest], requests.PreparedRequest]:
    def sign(request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["X-Api-Key"] = header
        return request

    return sign


@pytest.mark.parametrize("give", [_broken_as, _broken_in_session])
@pytest.mark.parametrize(
    ("auth", "said"),
    [
        (_BrokenAuth(), "raised Broken"),
        (lambda request: None, "return"),
        (_sign(f"{_PASSWORD}\n"), "X-Api-Key"),
        (_sign(f"{_PASSWORD}\u20ac"), "X-Api-Key"),
        (_sign(5), "X-Api-Key"),
        (_sign(None), "X-Api-Key"),
    ],
)
def test_an_auth_object_that_signs_nothing_is_told(
    give: Callable[[Any], dict[str, Any]], auth: Any, said: str
) -> None:
    """
    The client's as well as that of a session.
    """
    with Stub() as stub, once(stub.url, **give(auth)) as client:
        error = _error(client)

    assert (type(error), stub.seen) == (NotSent, [])
    assert said in str(error)
    assert _PASSWORD not in f"{error} {error!r}"


@pytest.mark.parametrize("trust_env", [True, False])
@pytest.mark.parametrize("value", [f"Bearer {_PASSWORD}\n", f"Bearer {_PASSWORD}\u20ac"])
def test_an_invalid_header_of_a_session_is_reported(value: str, trust_env: bool) -> None:
    """
    Without what it holds.
    """
    session = requests.Session()
    session.trust_env = trust_env
    session.headers["Authorization"] = value
    with Stub() as stub, once(stub.url, session=session) as client:
        error = _error(client)

    assert (type(error), stub.seen) == (NotSent, [])
    assert "a header is invalid" in str(error)
    assert _PASSWORD not in f"{error} {error!r}"


@pytest.mark.parametrize("trust_env", [True, False])
@pytest.mark.parametrize("single", [True, False])
def test_hooks_may_be_what_requests_takes(single: bool, trust_env: bool) -> None:
    """
    A function without a list around it, or none at all.
    """
    seen: list[int] = []
    session: Any = requests.Session()
    session.trust_env = trust_env
    session.hooks = (
        {"response": lambda response, **_: seen.append(response.status_code)} if single else {}
    )
    with Stub(_COUNT) as stub, once(stub.url, session=session) as client:
        counted = client.count()

    assert (counted, seen) == (1, [200] if single else [])


def test_a_hook_that_dislikes_the_status_changes_nothing() -> None:
    """
    ``raise_for_status`` is in many sessions; which error it is, is for the client to say.
    """
    session = requests.Session()
    session.hooks["response"].append(lambda response, **_: response.raise_for_status())
    answer = html_answer("401 Unauthorized")
    with Stub(answer, _COUNT) as stub, once(stub.url, session=session) as client:
        error = _error(client)
        counted = client.count()

    assert (type(error), error.status, counted) == (Unauthorized, 401, 1)


@pytest.mark.parametrize("trust_env", [True, False])
def test_a_hook_may_read_the_answer(trust_env: bool) -> None:
    """
    To log it, say.
    """
    texts: list[str] = []
    session = requests.Session()
    session.trust_env = trust_env
    session.hooks["response"].append(lambda response, **_: texts.append(response.text))
    with Stub(_COUNT) as stub, once(stub.url, session=session) as client:
        counted = client.count()

    assert (counted, texts) == (1, ['{"count": 1}'])
