"""
Answers of many tasks read into attrs objects, beside what a good person writes by hand.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import datetime
from functools import partial
from typing import Any, Final

import attrs
import orjson

from camunda_ext import ExternalTask, LockedExternalTask
from camunda_ext._wire.decode import decode
from tests.benchmarks import answers
from tests.benchmarks._rounds import Effort, Took, compare
from tests.benchmarks._table import Row

SIZES: Final = (1_000, 10_000)
_LOCKED: Final = 200
_BOUND: Final = 1.0
_BOUND_WITHOUT_ORJSON: Final = 1.4
_BOUND_OF_TWO_VARIABLES: Final = 0.7
_BOUND_OF_THE_WRONG_SHAPE: Final = 10.0

if sys.version_info >= (3, 11):
    _read_date: Callable[[str], datetime] = datetime.fromisoformat
else:

    def _read_date(text: str) -> datetime:
        return datetime.fromisoformat(f"{text[:-2]}:{text[-2:]}")


def by_hand(content: bytes) -> tuple[ExternalTask, ...]:
    """
    Give the tasks of an answer that can be trusted.
    """
    return tuple([_task(one) for one in orjson.loads(content)])


def _task(one: dict[str, Any]) -> ExternalTask:
    lock_expiration_time, create_time = one["lockExpirationTime"], one["createTime"]
    return ExternalTask(
        id=one["id"],
        topic_name=one["topicName"],
        worker_id=one["workerId"],
        lock_expiration_time=(
            None if lock_expiration_time is None else _read_date(lock_expiration_time)
        ),
        create_time=None if create_time is None else _read_date(create_time),
        retries=one["retries"],
        error_message=one["errorMessage"],
        priority=one["priority"],
        suspended=one["suspended"],
        activity_id=one["activityId"],
        activity_instance_id=one["activityInstanceId"],
        execution_id=one["executionId"],
        process_instance_id=one["processInstanceId"],
        process_definition_id=one["processDefinitionId"],
        process_definition_key=one["processDefinitionKey"],
        process_definition_version_tag=one["processDefinitionVersionTag"],
        tenant_id=one["tenantId"],
        business_key=one["businessKey"],
    )


def tasks(content: bytes) -> tuple[ExternalTask, ...]:
    """
    Give the tasks of an answer as the client reads them.
    """
    return decode(content, tuple[ExternalTask, ...])


def read_two(content: bytes) -> list[tuple[Any, Any]]:
    """
    Read locked tasks, and two variables of each.
    """
    return [
        (task.variables["customer"], task.variables["due"])
        for task in decode(content, tuple[LockedExternalTask, ...])
    ]


def read_all(content: bytes) -> list[dict[str, Any]]:
    """
    Read locked tasks, and all variables of each.
    """
    return [dict(task.variables) for task in decode(content, tuple[LockedExternalTask, ...])]


#: Answers that are no list of tasks, though some look like one for long.
WRONG: Final = {
    "lists": b"[%b[]]" % (b"[]," * 350_000),
    "objects": b"[%b{}]" % (b"{}," * 350_000),
    "tasks, and a number": b"[%b,5]" % answers.tasks(2_500)[1:-1],
}


def refuse(content: bytes) -> str:
    """
    Give what is wrong with an answer that ought to be tasks.
    """
    try:
        decode(content, tuple[ExternalTask, ...])
    except ValueError as error:
        return str(error)
    raise AssertionError("the wrong shape was taken")


def compare_tasks(count: int, effort: Effort) -> Took:
    """
    Give the ratio of both ways to read an answer of *count* tasks.
    """
    content = answers.tasks(count)
    return compare(partial(tasks, content), partial(by_hand, content), effort)


#: A process that blocks orjson until the client has come to terms with its absence.
_WITHOUT_ORJSON: Final = """\
import json, sys
sys.modules["orjson"] = None
from camunda_ext import ExternalTask
from camunda_ext._wire.decode import decode
decode(b"[]", tuple[ExternalTask, ...])
del sys.modules["orjson"]
from tests.benchmarks import decoding
from tests.benchmarks._rounds import Effort
effort = Effort(**json.loads(sys.argv[1]))
for size in decoding.SIZES:
    ratios = decoding.compare_tasks(size, effort)
    print(ratios.wall, ratios.cpu, flush=True)
"""


def _without_orjson(effort: Effort) -> Iterator[Took]:
    """
    Give the same ratios where the client has no orjson, and the other way has it.
    """
    command = [sys.executable, "-c", _WITHOUT_ORJSON, json.dumps(attrs.asdict(effort))]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            wall, cpu = line.split()
            yield Took(float(wall), float(cpu))
    if process.returncode:
        raise RuntimeError("it cannot be measured without orjson")


def rows(effort: Effort) -> Iterator[Row]:
    """
    Measure lists of tasks with and without orjson, and locked tasks with variables.
    """
    for size in SIZES:
        yield Row(
            what=f"decode {size:,} tasks",
            against="orjson and construction by hand",
            ratios=compare_tasks(size, effort),
            judged="cpu",
            bound=_BOUND,
        )
    for size, ratios in zip(SIZES, _without_orjson(effort), strict=True):
        yield Row(
            what=f"decode {size:,} tasks without orjson",
            against="orjson and construction by hand",
            ratios=ratios,
            judged="cpu",
            bound=_BOUND_WITHOUT_ORJSON,
        )
    for shape, wrong in WRONG.items():
        yield Row(
            what=f"refuse a MiB of {shape}",
            against="json.loads",
            ratios=compare(partial(refuse, wrong), partial(json.loads, wrong), effort),
            judged="cpu",
            bound=_BOUND_OF_THE_WRONG_SHAPE,
        )
    content = answers.locked_tasks(_LOCKED)
    yield Row(
        what="decode locked tasks, 2 of 10 variables",
        against="all 10 variables read",
        ratios=compare(partial(read_two, content), partial(read_all, content), effort),
        judged="cpu",
        bound=_BOUND_OF_TWO_VARIABLES,
    )
