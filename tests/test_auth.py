"""
Credentials: how they are sent, and which are refused before anything is sent.
"""

from __future__ import annotations

import copy
import os
import pickle
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import requests
from requests.auth import AuthBase, HTTPBasicAuth

import camunda_ext
from camunda_ext import Basic, Bearer, ExternalTaskClient, NotSent, auth
from camunda_ext._secrets.hidden import Secret
from camunda_ext.safety import read_own_file
from tests.stub import Stub, json_answer

_VERSION: Final = json_answer(200, {"version": "7.24.0"})
_NEVER: Final = "http://127.0.0.1:1/engine-rest"


class _ApiKey(AuthBase):
    """
    Credentials of a user's own kind.
    """

    def __call__(self, r: requests.PreparedRequest) -> requests.PreparedRequest:
        r.headers["X-Api-Key"] = "k"
        return r


def _api_key(r: requests.PreparedRequest) -> requests.PreparedRequest:
    r.headers["X-Api-Key"] = "k"
    return r


@pytest.mark.parametrize(
    ("user", "password", "header"),
    [
        ("kim", "demo", "Basic a2ltOmRlbW8="),
        ("kim", "пароль", "Basic a2ltOtC/0LDRgNC+0LvRjA=="),
        ("kim", "ä", "Basic a2ltOsOk"),
        ("kim", "p😀", "Basic a2ltOnDwn5iA"),
        ("kim", "a:b", "Basic a2ltOmE6Yg=="),
        ("kim", "", "Basic a2ltOg=="),
        ("", "demo", "Basic OmRlbW8="),
    ],
)
def test_user_and_password_go_out_in_utf8(user: str, password: str, header: str) -> None:
    """
    The engine decodes Basic auth as UTF-8, where requests alone would send Latin-1 or fail.
    """
    assert [_sent((user, password)), _sent(Basic(user, password))] == [
        {"authorization": header},
        {"authorization": header},
    ]


def test_a_token_goes_out() -> None:
    """
    A token is sent as it is.
    """
    assert _sent(Bearer("abc.def-123_~+/=")) == {"authorization": "Bearer abc.def-123_~+/="}


def test_nothing_goes_out_without_auth() -> None:
    """
    No credentials, no header.
    """
    assert _sent(None) == {}


@pytest.mark.parametrize(
    ("auth", "headers"),
    [
        (HTTPBasicAuth("kim", "demo"), {"authorization": "Basic a2ltOmRlbW8="}),
        (_ApiKey(), {"x-api-key": "k"}),
        (_api_key, {"x-api-key": "k"}),
        (["kim", "demo"], {"authorization": "Basic a2ltOmRlbW8="}),
    ],
    ids=["of requests", "object", "function", "list"],
)
def test_auth_of_any_kind_goes_out(auth: Any, headers: dict[str, str]) -> None:
    """
    What requests takes for auth, the client takes as well.
    """
    assert _sent(auth) == headers


def test_a_function_is_asked_for_a_token_before_each_request() -> None:
    """
    A token that is renewed meanwhile is used at once.
    """
    tokens: Iterator[str] = iter(["first", "second"])
    with (
        Stub(_VERSION) as stub,
        ExternalTaskClient(stub.url, auth=Bearer(lambda: next(tokens))) as client,
    ):
        client.version()
        client.version()

    assert [seen.headers["authorization"] for seen in stub.seen] == [
        "Bearer first",
        "Bearer second",
    ]


@pytest.mark.parametrize(
    ("problem", "told"),
    [
        (RuntimeError("canary"), "RuntimeError"),
        (ValueError("canary"), "ValueError"),
        (requests.ConnectionError("canary"), "ConnectionError"),
        (KeyError("canary"), "KeyError"),
    ],
)
def test_without_a_token_nothing_is_sent(problem: Exception, told: str) -> None:
    """
    The error names the class of the function's exception, whose message may hold secrets; the
    exception itself is the cause, as it was raised.
    """

    def fail() -> str:
        raise problem

    error, seen = _refused_by(fail)

    assert (type(error), error.message, seen) == (
        NotSent,
        f"the auth object raised {told}",
        [],
    )
    assert "canary" not in f"{error!r} {vars(error)}"
    assert (error.__cause__, error.__context__) == (problem, None)
    assert [frame.name for frame in traceback.extract_tb(problem.__traceback__)] == ["fail"]


@pytest.mark.parametrize(
    "token", ["", "canary\r\nX: y", "canary\n", " canary", "канарейка", 5, None]
)
def test_an_invalid_token_is_not_sent(token: Any) -> None:
    """
    The token of a function is checked like one that is passed.
    """
    error, seen = _refused_by(lambda: token)

    assert (type(error), seen) == (NotSent, [])
    assert str(error.message).startswith(
        "the token function returned no valid token: a token must be "
    )
    assert "canary" not in f"{error!r} {vars(error)}"


@pytest.mark.parametrize(
    ("token", "error"),
    [
        ("canary\r\nX-Admin: 1", ValueError),
        ("canary\n", ValueError),
        ("canary\x00", ValueError),
        ("canary\x7f", ValueError),
        ("canary\u00e4", ValueError),
        ("canary\ud800", ValueError),
        (" canary", ValueError),
        ("canary ", ValueError),
        ("", TypeError),
        (None, TypeError),
        (b"canary", TypeError),
    ],
)
def test_a_token_that_is_no_header_is_refused_unseen(token: Any, error: type[Exception]) -> None:
    """
    A token with a line break could add headers; the error does not quote it.
    """
    with pytest.raises(error) as caught:
        Bearer(token)

    assert "canary" not in f"{caught.value} {caught.value!r}"


def test_a_user_with_a_colon_is_refused() -> None:
    """
    Basic auth splits at the first colon: the rest of the name would become part of the password.
    """
    with pytest.raises(ValueError, match="colon") as caught:
        Basic("kim:north", "canary")

    assert "canary" not in f"{caught.value!r}"


@pytest.mark.parametrize("password", ["canary\ud800", "\udcff canary"])
def test_a_password_that_is_no_utf8_is_refused_unseen(password: str) -> None:
    """
    UTF-8 cannot encode half an emoji; the error does not quote the password.
    """
    with pytest.raises(ValueError, match="password") as caught:
        Basic("kim", password)

    assert (
        "canary" not in f"{caught.value} {caught.value!r} {caught.value.args} {vars(caught.value)}"
    )
    assert (caught.value.__cause__, caught.value.__context__) == (None, None)


@pytest.mark.parametrize(
    "auth",
    [
        "kim:canary",
        "canary",
        b"kim:canary",
        ("canary",),
        ("kim", "canary", "more"),
        ("kim", None),
        ("kim", b"canary"),
        {"kim": "canary"},
        5,
        Bearer,
    ],
    ids=repr,
)
def test_what_is_no_auth_is_refused_unseen(auth: Any) -> None:
    """
    A plain str could be a token or a password; it is refused, and not quoted.
    """
    with pytest.raises(TypeError) as caught:
        ExternalTaskClient(_NEVER, auth=auth)

    assert "canary" not in f"{caught.value} {caught.value!r}"


@pytest.mark.parametrize("name", ["Authorization", "authorization", "AUTHORIZATION"])
def test_an_authorization_header_is_refused(name: str) -> None:
    """
    There is one place for credentials, and it keeps them secret.
    """
    with pytest.raises(ValueError, match="pass auth=") as caught:
        ExternalTaskClient(_NEVER, headers={name: "Basic canary"})

    assert "canary" not in f"{caught.value!r}"


@pytest.mark.parametrize(
    ("headers", "error"),
    [
        ({"X-Api-Key": "canary\r\nX-Admin: 1"}, ValueError),
        ({"X-Api-Key": "canary\n"}, ValueError),
        ({"X-Api-Key": "canary\x00"}, ValueError),
        ({"X-Api-Key": "canary-пр"}, ValueError),
        ({"X-Api-Key": " canary"}, ValueError),
        ({"X-Api\r\nX-Admin": "canary"}, ValueError),
        ({"X-Äpi": "canary"}, ValueError),
        ({"": "canary"}, ValueError),
        ({"X Api Key": "canary"}, ValueError),
        ({"X-Api-Key:": "canary"}, ValueError),
        ({"X-Api-Key": 5}, TypeError),
        ({"X-Api-Key": b"canary"}, TypeError),
        ({5: "canary"}, TypeError),
    ],
    ids=repr,
)
def test_an_invalid_header_is_refused_without_quoting_it(
    headers: Any, error: type[Exception]
) -> None:
    """
    Headers are checked when the client is made; the error does not quote values, such as keys.
    """
    with pytest.raises(error) as caught:
        ExternalTaskClient(_NEVER, headers=headers)

    assert "canary" not in f"{caught.value} {caught.value!r}"


def test_headers_go_out_besides_the_credentials() -> None:
    """
    An API key of a gateway goes with every request.
    """
    with (
        Stub(_VERSION) as stub,
        ExternalTaskClient(
            stub.url, auth=("kim", "demo"), headers={"X-Api-Key": "k", "X-Empty": ""}
        ) as client,
    ):
        client.version()

    headers = stub.seen[0].headers
    assert {name: headers[name] for name in ("authorization", "x-api-key", "x-empty")} == {
        "authorization": "Basic a2ltOmRlbW8=",
        "x-api-key": "k",
        "x-empty": "",
    }


def test_all_credentials_are_in_one_place() -> None:
    """
    The module shows what users name, and the package has the same.
    """
    assert sorted(auth.__all__) == ["Auth", "Basic", "Bearer", "OAuth2ClientCredentials"]
    assert all(getattr(auth, name) is getattr(camunda_ext, name) for name in auth.__all__)


# ------------------------------------------------------------------------------------------ secrets


def test_a_secret_shows_itself_to_nobody_by_accident() -> None:
    """
    Only reveal() returns the text; str and repr show three stars.
    """
    secret = Secret("canary")

    assert secret.reveal() == "canary"
    assert [repr(secret), str(secret), f"{secret}", f"{secret!s:>5}", "%s" % secret] == [  # noqa: UP031
        "***",
        "***",
        "***",
        "  ***",
        "***",
    ]
    assert not hasattr(secret, "__dict__")


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("secret", [Secret("canary"), Basic("kim", "canary"), Bearer("canary")])
def test_secrets_are_not_pickled(secret: object, protocol: int) -> None:
    """
    A pickle would hold the secret.
    """
    with pytest.raises(TypeError, match="secrets are not pickled"):
        pickle.dumps(secret, protocol)


@pytest.mark.parametrize(
    ("auth", "shown"),
    [(Basic("kim", "canary"), "Basic(***)"), (Bearer("canary"), "Bearer(***)")],
)
def test_credentials_show_nothing(auth: AuthBase, shown: str) -> None:
    """
    Nor are they in the repr of the attributes, as a debugger shows it.
    """
    assert (repr(auth), str(auth)) == (shown, shown)
    assert "canary" not in f"{vars(auth)}"
    assert "Y2FuYXJ5" not in f"{vars(auth)}"


def test_a_client_shows_its_url_alone() -> None:
    """
    The repr of a client, or of its transport, shows no credentials.
    """
    with ExternalTaskClient(
        _NEVER,
        auth=("kim", "canary"),
        headers={"X-Api-Key": "canary"},
        cert=None,
        proxies={"http": "http://kim:canary@127.0.0.1:1"},
    ) as client:
        assert repr(client) == "<ExternalTaskClient http://127.0.0.1:1/engine-rest>"
        assert "canary" not in f"{vars(client)}"


def test_a_client_with_a_secret_is_not_copied_into_a_pickle() -> None:
    """
    Clients are neither pickled nor copied, which would spread the secret.
    """
    with ExternalTaskClient(_NEVER, auth=("kim", "canary")) as client:
        with pytest.raises(TypeError):
            pickle.dumps(client)
        with pytest.raises(TypeError):
            copy.deepcopy(client)


def _sent(auth: Any) -> dict[str, str]:
    """
    The headers with credentials that a client sends.
    """
    with Stub(_VERSION) as stub, ExternalTaskClient(stub.url, auth=auth) as client:
        client.version()
    return {
        name: value
        for name, value in stub.seen[0].headers.items()
        if name in ("authorization", "x-api-key", "cookie", "proxy-authorization")
    }


def _refused_by(give_token: Any) -> tuple[NotSent, list[object]]:
    with (
        Stub(_VERSION) as stub,
        ExternalTaskClient(stub.url, auth=Bearer(give_token)) as client,
        pytest.raises(NotSent) as caught,
    ):
        client.version()
    return caught.value, [*stub.seen]


def test_the_text_of_a_file_of_ones_own_is_read(tmp_path: Path) -> None:
    """
    Others may read it, but neither write it nor put another file in its place.
    """
    tmp_path.chmod(0o755)
    file = tmp_path / "password"
    file.write_text("pä\n", "utf-8")
    file.chmod(0o644)

    assert read_own_file(file) == "pä\n"
    if os.name != "nt":
        file.chmod(0o664)
        with pytest.raises(ValueError, match="password can be written by others: chmod go-w it"):
            read_own_file(file)
        file.chmod(0o600)
        tmp_path.chmod(0o777)
        with pytest.raises(ValueError, match="can be written by others"):
            read_own_file(str(file))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_is_no_file_of_ones_own(tmp_path: Path) -> None:
    """
    Reading does not wait for a writer.
    """
    pipe = tmp_path / "password"
    os.mkfifo(pipe, 0o600)

    with pytest.raises(ValueError, match="password is no file"):
        read_own_file(pipe)
