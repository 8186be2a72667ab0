"""
One call on a warm connection, beside what people write with requests alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any, Final

import requests

from camunda_ext import ExternalTaskClient
from tests.benchmarks import stub
from tests.benchmarks._rounds import Effort, compare
from tests.benchmarks._table import Row

#: Id of the one task that the stub knows.
TASK: Final = "9bf3c1f5-c76c-11f0-a0c1-0242ac110002"
_BOUND: Final = 0.5


def get_plainly(session: requests.Session, url: str) -> Any:
    """
    Give a task as most people would ask for it.
    """
    response = session.get(f"{url}/external-task/{TASK}")
    response.raise_for_status()
    return response.json()


def _complete_plainly(session: requests.Session, url: str) -> None:
    response = session.post(f"{url}/external-task/{TASK}/complete", json={"workerId": "worker"})
    response.raise_for_status()


def rows(effort: Effort) -> Iterator[Row]:
    """
    Measure ``get`` and ``complete``, with a session of the client's and with one of the user's.
    """
    with (
        stub.running() as url,
        requests.Session() as plain,
        requests.Session() as own,
        ExternalTaskClient(url) as client,
        ExternalTaskClient(url, session=own) as client_of_own,
    ):
        own.trust_env = False
        get = partial(get_plainly, plain, url)
        complete = partial(_complete_plainly, plain, url)
        for asked, how in ((client, ""), (client_of_own, ", own session=")):
            yield Row(
                what=f"get{how}",
                against="plain requests.Session",
                ratios=compare(partial(asked.get, TASK), get, effort),
                judged="wall",
                bound=_BOUND,
            )
            yield Row(
                what=f"complete{how}",
                against="plain requests.Session",
                ratios=compare(partial(asked.complete, TASK, "worker"), complete, effort),
                judged="wall",
                bound=_BOUND,
            )
