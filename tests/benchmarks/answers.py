"""
Answers of many tasks, as engines give them: no two tasks alike, and most dates different.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from typing import Any, Final

_BEGINNING: Final = datetime(2026, 11, 22, 8, 15, 30, tzinfo=timezone.utc)


def tasks(count: int) -> bytes:
    """
    Give the answer to a list of *count* tasks, every other one locked, every tenth one failed.
    """
    return _to_bytes([_task(number, locked=number % 2 == 1) for number in range(count)])


def each_task(count: int) -> Iterator[bytes]:
    """
    Give the same tasks one by one; their ids ascend.
    """
    return (_to_bytes(_task(number, locked=number % 2 == 1)) for number in range(count))


def locked_tasks(count: int) -> bytes:
    """
    Give the answer to a fetch of *count* tasks, with ten variables each.
    """
    return _to_bytes(
        [
            _task(number, locked=True)
            | {
                "errorDetails": None,
                "extensionProperties": {},
                "variables": _variables(number),
            }
            for number in range(count)
        ]
    )


def _to_bytes(body: object) -> bytes:
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


def _id(number: int) -> str:
    return f"{number:08x}-c76c-11f0-a0c1-0242ac110002"


def _date(milliseconds: int) -> str:
    moment = _BEGINNING + timedelta(milliseconds=milliseconds)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03}+0000"


def _task(number: int, *, locked: bool) -> dict[str, Any]:
    failed = number % 10 == 9
    return {
        "activityId": "SendInvoice",
        "activityInstanceId": f"SendInvoice:{_id(4 * number)}",
        "errorMessage": "SMTP 451: try again later" if failed else None,
        "executionId": _id(4 * number + 1),
        "id": _id(4 * number + 2),
        "lockExpirationTime": _date(300_000 + 137 * number) if locked else None,
        "createTime": _date(97 * number),
        "processDefinitionId": "invoice:3:8fd19c02-c76c-11f0-a0c1-0242ac110002",
        "processDefinitionKey": "invoice",
        "processDefinitionVersionTag": None,
        "processInstanceId": _id(4 * number + 3),
        "retries": 2 if failed else None,
        "suspended": False,
        "workerId": "worker-1" if locked else None,
        "topicName": "invoice.send",
        "tenantId": None,
        "priority": number % 3 * 50,
        "businessKey": f"INV-2026-{number}",
    }


def _variables(number: int) -> dict[str, Any]:
    return {
        name: {"type": kind, "value": value, "valueInfo": {}}
        for name, kind, value in (
            ("customer", "String", f"Müller & Söhne {number}"),
            ("invoiceId", "String", f"INV-2026-{number}"),
            ("positions", "Integer", 3 + number % 7),
            ("account", "Long", 9_007_199_254_740_993 + number),
            ("total", "Double", 119.5 + number),
            ("paid", "Boolean", False),
            ("due", "Date", _date(86_400_000 + 1000 * number)),
            ("items", "Json", f'[{{"sku":"A{number}","quantity":2}}]'),
            ("note", "Null", None),
            ("signature", "Bytes", "AAECAwQFBgcICQ=="),
        )
    }
