"""
How to reach a server: certificates and proxies, and warnings of what gives secrets away.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping
from urllib.parse import urlsplit

import attrs
from requests.utils import get_environ_proxies

from camunda_ext._wire.urls import is_loopback


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
    How to reach a server, by what a user says and else by the environment.

    Warns of what would give secrets away, *stacklevel* frames above the caller.

    Raises:
        TypeError, ValueError: A setting cannot be meant as it is.
    """
    is_local = is_loopback(url)
    if proxies is None:
        # What stays on this machine is no business of the environment's proxy.
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
        warnings.warn(
            "verify=False: anybody on the way can read and change what is sent",
            stacklevel=stacklevel + 1,
        )
    target = urlsplit(url)
    if target.scheme == "http" and has_credentials and not is_local:
        warnings.warn(
            f"credentials go to {target.hostname} by plain http, for anybody on the way to read",
            stacklevel=stacklevel + 1,
        )
    return ConnectionSettings(verify=verify, cert=cert, proxies=dict(proxies))
