"""
How to reach a server: certificates, proxies and headers, and warnings of what gives secrets away.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping
from ipaddress import ip_address
from urllib.parse import urlsplit

import attrs
from requests.utils import get_environ_proxies


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
    stacklevel: int,
) -> ConnectionSettings:
    """
    Check what a user gave to reach a server, and add what the environment says.
    """
    target = urlsplit(url)
    host = target.hostname or ""
    loopback = _is_loopback(host)
    if proxies is None:
        # What stays on this machine is no business of the environment's proxy.
        proxies = {} if loopback else get_environ_proxies(url)
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
        warnings.warn(
            "verify=False: anybody on the way can read and change what is sent",
            stacklevel=stacklevel + 1,
        )
    if target.scheme == "http" and has_credentials and not loopback:
        warnings.warn(
            f"credentials go to {host} by plain http, for anybody on the way to read",
            stacklevel=stacklevel + 1,
        )
    return ConnectionSettings(verify=verify, cert=cert, proxies=dict(proxies))


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"
