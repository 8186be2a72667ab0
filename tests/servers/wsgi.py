"""
A WSGI application that asks an engine; for gunicorn with greenlets.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import Any

from camunda_ext import ExternalTaskClient

client = ExternalTaskClient(os.environ["ENGINE_URL"])


def application(environ: dict[str, Any], start_response: Callable[..., object]) -> Iterable[bytes]:
    """
    Tell how many tasks there are.
    """
    counted = str(client.count()).encode()
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [counted]
