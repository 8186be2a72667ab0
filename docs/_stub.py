"""
Answers for the examples of these pages, taken from engines; no socket is opened.

The examples are what a reader would write. So it is `requests` that is told, one layer below the
client, to look answers up here.
"""

from __future__ import annotations

import json
from io import BytesIO
from typing import Any, Final
from unittest import mock
from urllib.parse import urlsplit

import requests
import urllib3
from requests.adapters import HTTPAdapter

ENGINE: Final = "/engine-rest"

#: The task of the examples, as an engine answers a query.
TASK: Final[dict[str, Any]] = {
    "activityId": "charge",
    "activityInstanceId": "charge:9d2c2a1b-c7c5-11f0-9e3c-0242ac110002",
    "errorMessage": None,
    "executionId": "9d2c2a1a-c7c5-11f0-9e3c-0242ac110002",
    "id": "9d2c2a1c-c7c5-11f0-9e3c-0242ac110002",
    "lockExpirationTime": None,
    "createTime": "2026-11-22T09:30:00.125+0000",
    "processDefinitionId": "invoice:1:9d1b1388-c7c5-11f0-9e3c-0242ac110002",
    "processDefinitionKey": "invoice",
    "processDefinitionVersionTag": None,
    "processInstanceId": "9d29b919-c7c5-11f0-9e3c-0242ac110002",
    "retries": None,
    "suspended": False,
    "workerId": None,
    "topicName": "invoice",
    "tenantId": None,
    "priority": 0,
    "businessKey": "order-17",
}

#: The same when a worker has fetched it.
LOCKED: Final[dict[str, Any]] = TASK | {
    "lockExpirationTime": "2026-11-22T09:31:00.250+0000",
    "workerId": "worker-1",
    "errorDetails": None,
    "extensionProperties": {},
    "variables": {
        "amount": {"type": "Integer", "value": 1250, "valueInfo": {}},
        "due": {"type": "Date", "value": "2026-12-01T00:00:00.000+0000", "valueInfo": {}},
        "customer": {"type": "Json", "value": '{"name":"Ada","vip":true}', "valueInfo": {}},
        "scan": {
            "type": "File",
            "value": None,
            "valueInfo": {"filename": "scan.pdf", "mimeType": "application/pdf"},
        },
    },
}

_answers: dict[str, list[tuple[int, bytes, str]]] = {}
_patch: Final = mock.patch.object(HTTPAdapter, "send", autospec=True)


def install() -> None:
    """
    Let `requests` answer from here, with no answer known yet.
    """
    _answers.clear()
    _patch.start().side_effect = _send


def remove() -> None:
    """
    Let `requests` speak to the network again.
    """
    _patch.stop()


def answer(request: str, said: object = None, status: int | None = None) -> None:
    """
    Answer a *request*, such as ``GET /version``, with *said*: text, bytes, or else JSON.

    Several answers to one request are given in turn, and the last one again and again.
    """
    if said is None:
        told = (status or 204, b"", "")
    elif isinstance(said, bytes):
        told = (status or 200, said, "application/octet-stream")
    elif isinstance(said, str):
        told = (status or 200, said.encode(), "text/plain")
    else:
        told = (status or 200, json.dumps(said).encode(), "application/json")
    _answers.setdefault(request, []).append(told)


def refuse(request: str, status: int, kind: str, message: str, code: int | None = None) -> None:
    """
    Answer a *request* with an error of the engine.
    """
    answer(request, {"type": kind, "message": message, "code": code}, status)


def _send(
    adapter: HTTPAdapter, request: requests.PreparedRequest, **_: object
) -> requests.Response:
    path = urlsplit(str(request.url)).path.removeprefix(ENGINE)
    asked = f"{request.method} {path}"
    if asked not in _answers:
        raise LookupError(f"no answer for {asked}")
    known = _answers[asked]
    status, content, kind = known.pop(0) if len(known) > 1 else known[0]
    raw = urllib3.HTTPResponse(
        BytesIO(content),
        headers={"Content-Type": kind} if kind else {},
        status=status,
        preload_content=False,
    )
    return adapter.build_response(request, raw)
