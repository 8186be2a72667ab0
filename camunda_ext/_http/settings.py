"""
How to reach a server: certificates and proxies, and warnings of settings that give secrets away.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from urllib.parse import urlsplit

import attrs
from requests.utils import get_environ_proxies

from camunda_ext._wire.urls import is_loopback
from camunda_ext._wire.warn import warn_caller


@attrs.frozen(kw_only=True, eq=False, repr=False)
class ConnectionSettings:
    """
    What is needed besides a URL to reach a server.
    """

    #: Whether to verify TLS, or the CA bundle to verify it with.
    verify: bool | str

    #: The client certificate, with its key beside it or in the same file.
    cert: str | tuple[str, str] | None = attrs.field(repr=False)

    #: Proxies by scheme; their URLs may hold credentials.
    proxies: Mapping[str, str] = attrs.field(repr=False)


def connection_settings(
    url: str,
    *,
    verify: bool | str,
    cert: str | tuple[str, str] | None,
    proxies: Mapping[str, str] | None,
    has_credentials: bool,
) -> ConnectionSettings:
    """
    How to reach a server, by the user's settings and otherwise by the environment.

    Warns of settings that give secrets away.

    Raises:
        TypeError, ValueError: A setting is invalid.
    """
    is_local = is_loopback(url)
    if proxies is None:
        # A proxy of the environment is not for requests that stay on this machine.
        proxies = {} if is_local else get_environ_proxies(url)
    if not isinstance(proxies, Mapping):
        raise TypeError("proxies must be a mapping")
    if verify is True:
        verify = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE") or True
    if isinstance(verify, str) and not os.path.exists(verify):
        raise ValueError(f"verify: there is no CA bundle {verify!r}")
    for path in (cert,) if isinstance(cert, str) else cert or ():
        if not os.path.exists(path):
            raise ValueError(f"cert: there is no file {path!r}")
    if verify is False:
        warn_caller("verify=False: anybody on the way can read and change what is sent")
    target = urlsplit(url)
    if target.scheme == "http" and has_credentials and not is_local:
        warn_caller(
            f"credentials go to {target.hostname} by plain http, for anybody on the way to read"
        )
    return ConnectionSettings(verify=verify, cert=cert, proxies=dict(proxies))
