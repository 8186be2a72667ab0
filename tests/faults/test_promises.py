"""
What a call says is what the engine has, whatever happens between them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import pytest
from hypothesis import given, settings, strategies as st

from camunda_ext import (
    CamundaError,
    ExternalTask,
    ExternalTaskClient,
    ExternalTaskQuery,
    HistoricExternalTaskLogQuery,
    LockedExternalTask,
    OutcomeUnknown,
    Retry,
    Timeout,
    Topic,
)
from camunda_ext.testing import Engine
from tests.faults import FaultProxy, TooManyRequests, every_fault, random_plan

#: How many tasks one plan of faults is tried on.
_TASKS: Final = 3
#: Longer than the client waits for a piece of an answer.
_STALL: Final = 0.1
_TIMEOUT: Final = Timeout(connect=1.0, read=0.05, total=2.0)
_FAULTS: Final = tuple(
    fault for fault in every_fault(_STALL) if fault != TooManyRequests("1")
)  # which asks to wait for a second

#: Each command on a task that is locked by "w1".
_COMMANDS: Final[Mapping[str, Callable[[ExternalTaskClient, str], None]]] = {
    "complete": lambda client, task: client.complete(task, "w1"),
    "bpmn_error": lambda client, task: client.bpmn_error(task, "w1", "E1"),
    "failure": lambda client, task: client.failure(
        task, "w1", retries=7, error_message="broken", retry_timeout=60_000
    ),
    "unlock": lambda client, task: client.unlock(task, worker_id="w1"),
    "lock": lambda client, task: client.lock(task, "w1", 900_000),
    "extend_lock": lambda client, task: client.extend_lock(task, "w1", 900_000),
    "set_retries": lambda client, task: client.set_retries(task, 7),
    "set_priority": lambda client, task: client.set_priority(task, 7),
    "set_retries_of": lambda client, task: client.set_retries_of(7, external_task_ids=[task]),
}


def _is_done(command: str, before: ExternalTask, client: ExternalTaskClient) -> bool:
    """
    Tell from the engine itself whether a command was done.
    """
    found = client.list(ExternalTaskQuery().external_task_id(before.id))
    if command in ("complete", "bpmn_error"):
        return not found
    (task,) = found
    return task != before


def _said(client: ExternalTaskClient, command: str, task_id: str) -> CamundaError | None:
    try:
        _COMMANDS[command](client, task_id)
    except CamundaError as error:
        return error
    return None


@pytest.mark.parametrize("command", _COMMANDS)
@settings(max_examples=12)
@given(seed=st.integers(0, 2**32), chance=st.sampled_from((0.2, 0.5, 0.8)))
def test_what_a_call_says_is_so(command: str, seed: int, chance: float) -> None:
    """
    What returned was done, and what was refused or never left was not.
    """
    with Engine() as engine, engine.client() as direct:
        for _ in range(_TASKS):
            engine.create_task("a")
        tasks = [
            direct.get(task.id)
            for task in direct.fetch_and_lock(
                "w1", [Topic("a", lock_duration=300_000)], max_tasks=_TASKS
            )
        ]
        said: dict[str, CamundaError | None] = {}
        with (
            FaultProxy(engine.url, random_plan(seed, chance, _FAULTS)) as proxy,
            ExternalTaskClient(
                proxy.url, timeout=_TIMEOUT, retry=Retry(first_delay=0.01)
            ) as client,
        ):
            for task in tasks:
                said[task.id] = _said(client, command, task.id)
            told = proxy.story
        # The proxy is gone, and with it all that was still on its way.
        for task in tasks:
            refusal = said[task.id]
            if not isinstance(refusal, OutcomeUnknown):
                done = _is_done(command, task, direct)
                assert done == (refusal is None), (repr(refusal), told)


@settings(max_examples=25)
@given(seed=st.integers(0, 2**32), chance=st.sampled_from((0.2, 0.5, 0.8)))
def test_nothing_is_completed_twice(seed: int, chance: float) -> None:
    """
    However often it is sent, the history has one success for a task, and by the right worker.
    """
    with Engine() as engine, engine.client() as direct:
        for _ in range(_TASKS):
            engine.create_task("a")
        with (
            FaultProxy(engine.url, random_plan(seed, chance, _FAULTS)) as proxy,
            ExternalTaskClient(
                proxy.url, timeout=_TIMEOUT, retry=Retry(first_delay=0.01)
            ) as client,
        ):
            worked_on = _work(client, direct)
        history = direct.log_list(HistoricExternalTaskLogQuery().success_log())

    assert sorted(entry.external_task_id for entry in history) == sorted(worked_on)
    assert {entry.worker_id for entry in history} == {"w1"}


def _work(client: ExternalTaskClient, direct: ExternalTaskClient) -> set[str]:
    """
    Fetch and complete through all faults until no task is left; give the tasks that there were.
    """
    in_hand: dict[str, ExternalTask] = {}
    all_of_them = {task.id for task in direct.list()}
    for _ in range(200):
        if direct.count() == 0:
            return all_of_them
        fetched: tuple[LockedExternalTask, ...] = ()
        try:
            fetched = client.fetch_and_lock(
                "w1", [Topic("a", lock_duration=300_000)], max_tasks=_TASKS
            )
        except OutcomeUnknown:
            in_hand |= {task.id: task for task in direct.recover("w1", known=in_hand)}
        except CamundaError:
            pass
        in_hand |= {task.id: task for task in fetched}
        for task_id in list(in_hand):
            try:
                client.complete(task_id, "w1")
            except CamundaError:
                continue
            del in_hand[task_id]
    raise AssertionError(f"{direct.count()} tasks are left")
