"""
Whatever is asked of both, the embedded engine answers as a real one.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final

import attrs
import pytest
import requests
from hypothesis import HealthCheck, settings, strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from camunda_ext.testing import Engine
from tests.embedded import wishes
from tests.embedded.test_bpmn import REFUSED
from tests.embedded.twins import (
    Answer,
    Side,
    Sorter,
    Twins,
    by_id,
    by_task,
    in_order,
    read_date,
    rows_of,
)

_RUNS: Final = os.environ.get("CAMUNDA_EXT_DIFFERENTIAL_RUNS")
_SETTINGS: Final = settings(
    max_examples=int(_RUNS or "200"),
    # Whoever asks for more wants others, too; a change that has nothing to do with it does not.
    derandomize=_RUNS is None,
    database=None,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)

#: A lock that ends within so many seconds is one of those that shall be over.
_SHORT: Final = 60.0

_TASKS: Final = wishes.references("task")
_INSTANCES: Final = wishes.references("instance")

#: What tells nothing about order: two engines give other times, and other rows the same time.
_MOMENTS: Final = frozenset({"lockExpirationTime", "createTime", "timestamp"})

_LOG: Final = "/history/external-task-log"

_REFUSED: Final = re.compile(r".*'message': \W+Cannot set query parameter '(\w+)'")

#: The ids of a real engine begin again after so many units of 100 ns.
_ROUND: Final = 2**32
_SINCE_1582: Final = 0x01B21DD213814000
#: How long a run may take, in seconds.
_LONGEST_RUN: Final = 10.0


@attrs.frozen
class Deployment:
    """
    A deployment of all processes.
    """

    id: str
    tenant: str | None
    #: The ids of the process definitions, by their keys.
    definitions: Mapping[str, str]


class Differential(RuleBasedStateMachine):
    """
    Random commands and queries, sent to both engines.

    Args:
        real: The real engine, where nothing runs.

        deployments: What `deploy` gave there.
    """

    def __init__(self, real: Side, deployments: Sequence[Deployment]) -> None:
        super().__init__()
        while _ids_begin_again():
            time.sleep(0.2)
        self._engine = Engine()
        self._twins = Twins(real, Side(self._engine.local_url, self._engine.session()))
        for deployment in deployments:
            twin = deploy(self._twins.embedded, deployment.tenant)
            for key in wishes.PROCESSES:
                self._twins.learn("definition", deployment.definitions[key], twin.definitions[key])
        self._changed = False

    def teardown(self) -> None:
        """
        Compare what is left, and leave nothing.
        """
        try:
            if not self._twins.differ:
                self._compare_what_is_left()
        finally:
            for real, _ in self._twins.known("batch"):
                self._twins.real.ask("DELETE", f"/batch/{real}?cascade=true")
            for real, embedded in self._twins.known("instance"):
                if self._twins.embedded.ask("GET", f"/process-instance/{embedded}").status == 200:
                    self._twins.real.ask("DELETE", f"/process-instance/{real}")
                self._twins.real.ask("DELETE", f"/history/process-instance/{real}")
            self._engine.close()

    def _compare_what_is_left(self) -> None:
        self.read_log()
        self.read_incidents()
        self._twins.do("GET", "/task", sorter=by_id)
        for number in range(len(self._twins.known("instance"))):
            self.read_variables(f"<instance {number}>")
            self._twins.ask("GET", f"/process-instance/<instance {number}>")

    @invariant()
    def tasks_are_the_same(self) -> None:
        """
        After each command, each task is the same in both; and what was locked for a millisecond
        is no longer locked.
        """
        if not self._changed:
            return
        self._changed = False
        answers = self._twins.do("GET", "/external-task", sorter=by_id)
        for real, embedded in zip(*(by_id(rows) for rows in answers), strict=True):
            self._twins.learn("task", real["id"], embedded["id"])
            self._twins.learn("execution", real["executionId"], embedded["executionId"])
            self._twins.learn(
                "activity", real["activityInstanceId"], embedded["activityInstanceId"]
            )
        wait_for_short_locks(*answers)

    # ------------------------------------------------------------------------------------ instances

    @initialize(
        starts=st.lists(
            st.tuples(
                st.sampled_from(wishes.PROCESSES),
                st.sampled_from(wishes.TENANTS),
                wishes.START,
            ),
            min_size=1,
            max_size=4,
        ),
        body=wishes.FETCH,
    )
    def start_some(self, starts: Sequence[tuple[str, str | None, Any]], body: Any) -> None:
        for each in starts:
            self.start(*each)
        self.tasks_are_the_same()
        self.fetch(body)

    @rule(
        process=st.sampled_from(wishes.PROCESSES),
        tenant=st.sampled_from(wishes.TENANTS),
        body=wishes.START,
    )
    def start(self, process: str, tenant: str | None, body: Any) -> None:
        path = "" if tenant is None else f"/tenant-id/{tenant}"
        answers = self._twins.ask(
            "POST", f"/process-definition/key/{process}{path}/start", body=body
        )
        if answers[0].status == 200:
            self._twins.learn("instance", *(answer.content["id"] for answer in answers))
            self._changed = True

    @rule(instance=_INSTANCES, body=wishes.SUSPENDED)
    def suspend(self, instance: str, body: Any) -> None:
        self._twins.ask("PUT", f"/process-instance/{_segment(instance)}/suspended", body=body)
        self._changed = True

    @rule(instance=_INSTANCES)
    def delete(self, instance: str) -> None:
        self._twins.ask("DELETE", f"/process-instance/{_segment(instance)}")
        self._changed = True

    @rule(instance=_INSTANCES)
    def read_variables(self, instance: str) -> None:
        path = f"/process-instance/{_segment(instance)}/variables?deserializeValues=false"
        self._twins.ask("GET", path)

    @rule(task=st.integers(0, 3), variables=wishes.variables())
    def complete_user_task(self, task: int, variables: Any) -> None:
        real, embedded = self._twins.do("GET", "/task", sorter=by_id)
        if real:
            ids = (by_id(rows)[task % len(rows)]["id"] for rows in (real, embedded))
            name = self._twins.learn("user task", *ids)
            self._twins.ask("POST", f"/task/{name}/complete", body={"variables": variables})
            self._changed = True

    # ------------------------------------------------------------------------------------- commands

    def _command(self, method: str, task: str, what: str, body: Any) -> None:
        self._twins.ask(method, f"/external-task/{_segment(task)}/{what}", body=body)
        self._changed = True

    @rule(task=_TASKS, body=wishes.COMPLETE)
    def complete(self, task: str, body: Any) -> None:
        self._command("POST", task, "complete", body)

    @rule(task=_TASKS, body=wishes.FAILURE)
    def fail(self, task: str, body: Any) -> None:
        self._command("POST", task, "failure", body)

    @rule(task=_TASKS, body=wishes.BPMN_ERROR)
    def bpmn_error(self, task: str, body: Any) -> None:
        self._command("POST", task, "bpmnError", body)

    @rule(task=_TASKS, body=wishes.LOCK)
    def lock(self, task: str, body: Any) -> None:
        self._command("POST", task, "lock", body)

    @rule(task=_TASKS, body=wishes.EXTEND_LOCK)
    def extend_lock(self, task: str, body: Any) -> None:
        self._command("POST", task, "extendLock", body)

    @rule(task=_TASKS)
    def unlock(self, task: str) -> None:
        self._command("POST", task, "unlock", None)

    @rule(task=_TASKS, body=wishes.PRIORITY)
    def set_priority(self, task: str, body: Any) -> None:
        self._command("PUT", task, "priority", body)

    @rule(task=_TASKS, body=wishes.RETRIES)
    def set_retries(self, task: str, body: Any) -> None:
        self._command("PUT", task, "retries", body)

    @rule(body=wishes.SELECTION)
    def set_retries_of(self, body: Any) -> None:
        self._twins.ask("PUT", "/external-task/retries", body=body)
        self._changed = True

    @rule(body=wishes.SELECTION)
    def set_retries_async(self, body: Any) -> None:
        real, embedded = self._twins.ask("POST", "/external-task/retries-async", body=body)
        if real.status != 200:
            return
        self._changed = True
        batch = self._twins.learn("batch", real.content["id"], embedded.content["id"])
        self._twins.wait_until("/batch/statistics", _is_done, batchId=batch)
        if self._twins.embedded.ask("GET", f"/batch/{embedded.content['id']}").status == 200:
            self._twins.ask("GET", "/batch/statistics", params={"batchId": batch})
            self._twins.ask("DELETE", f"/batch/{batch}?cascade=true")

    # ---------------------------------------------------------------------------------------- fetch

    @rule(body=wishes.FETCH)
    def fetch(self, body: Any) -> None:
        answers = self._twins.ask_apart("POST", "/external-task/fetchAndLock", json=body)
        if any(answer.status != 200 for answer in answers):
            self._twins.compare(*answers, asked=f"fetch {body!r}")
            return
        criteria = [("priority", "desc")] if body.get("usePriority") else []
        criteria += [(each["sortBy"], each["sortOrder"]) for each in body.get("sorting") or ()]
        self._ensure_sorted(answers, criteria)
        if body.get("maxTasks") == wishes.ALL:
            self._twins.compare(*answers, by_id, f"fetch {body!r}")
        else:
            self._compare_any_tasks(answers, body)
        self._changed = True

    def _compare_any_tasks(self, answers: tuple[Answer, Answer], body: Any) -> None:
        """
        Compare how many tasks were fetched; which ones, nothing says, so let go of them all.
        """
        self._twins.compare(*answers, in_order(), f"fetch {body!r}")
        fetched = [{row["id"] for row in rows_of(answer)} for answer in answers]
        for number, ids in enumerate(self._twins.known("task")):
            if any(task in which for task, which in zip(ids, fetched, strict=True)):
                self._twins.ask("POST", f"/external-task/<task {number}>/unlock")

    # -------------------------------------------------------------------------------------- queries

    @rule(
        filters=wishes.some(wishes.TASK_FILTERS),
        sorting=wishes.sortings(wishes.TASK_ORDERS),
        page=wishes.pages(),
    )
    def query(self, filters: Any, sorting: Any, page: Any) -> None:
        body = {**filters, "sorting": sorting}
        self._query("/external-task", wishes.TASK_ORDERS, body, page)
        self._twins.ask("POST", "/external-task/count", body=body)

    @rule(
        filters=wishes.some(wishes.TASK_FILTERS),
        sorting=wishes.sortings(wishes.TASK_ORDERS),
        page=wishes.pages(),
    )
    def query_by_url(self, filters: Any, sorting: Any, page: Any) -> None:
        self._query_by_url("/external-task", wishes.TASK_ORDERS, filters, sorting, page)

    @rule(
        filters=wishes.some(wishes.LOG_FILTERS),
        sorting=wishes.sortings(wishes.LOG_ORDERS),
        page=wishes.pages(),
    )
    def query_log(self, filters: Any, sorting: Any, page: Any) -> None:
        body = {**filters, "sorting": sorting}
        self._query(_LOG, wishes.LOG_ORDERS, body, page)
        self._query_by_url(_LOG, wishes.LOG_ORDERS, filters, sorting, page)

    def read_log(self) -> None:
        """
        Compare the whole log.
        """
        logs = self._twins.do("GET", _LOG, sorter=by_id)
        for real, embedded in zip(*(by_id(log) for log in logs), strict=True):
            self._twins.learn("log", real["id"], embedded["id"])

    @rule(log=wishes.references("log"))
    def read_log_entry(self, log: str) -> None:
        self.read_log()
        self._twins.ask("GET", f"{_LOG}/{_segment(log)}")
        self._twins.ask("GET", f"{_LOG}/{_segment(log)}/error-details")

    @rule(task=_TASKS)
    def read_task(self, task: str) -> None:
        self._twins.ask("GET", f"/external-task/{_segment(task)}")
        self._twins.ask("GET", f"/external-task/{_segment(task)}/errorDetails")

    def read_incidents(self) -> None:
        """
        Compare all incidents of tasks.
        """
        params = {"incidentType": "failedExternalTask"}
        self._twins.do("GET", "/incident", params=params, sorter=by_task)

    @rule(
        flags=wishes.some(
            dict.fromkeys(
                ("withLockedTasks", "withUnlockedTasks", "withRetriesLeft"),
                wishes.mostly(st.booleans()),
            )
        )
    )
    def topic_names(self, flags: Any) -> None:
        params = wishes.in_url(flags)
        self._twins.ask("GET", "/external-task/topic-names", params=params, sorter=sorted)

    def _query(self, path: str, orders: Mapping[str, str], body: Any, page: Any) -> None:
        answers = self._twins.ask_apart("POST", path, json=body, params=page)
        criteria = [
            (orders[each["sortBy"]], each["sortOrder"])
            for each in (body["sorting"] if isinstance(body["sorting"], list) else ())
            if isinstance(each, dict) and each.get("sortBy") in orders and each.get("sortOrder")
        ]
        self._compare_lists(answers, criteria, page, f"POST {path} {page} {body!r}")

    def _query_by_url(
        self, path: str, orders: Mapping[str, str], filters: Any, sorting: Any, page: Any
    ) -> None:
        first = sorting[0] if isinstance(sorting, list) and sorting else {}
        first = first if isinstance(first, dict) else {}
        params = wishes.in_url({**filters, **first})
        answers, params = self._asked_by_url(path, {**params, **page})
        criteria = []
        if first.get("sortBy") in orders and "sortOrder" in first:
            criteria = [(orders[first["sortBy"]], first["sortOrder"])]
        self._compare_lists(answers, criteria, page, f"GET {path} {params}")
        answers, params = self._asked_by_url(f"{path}/count", params)
        self._twins.compare(*answers, asked=f"GET {path}/count {params}")

    def _asked_by_url(
        self, path: str, params: dict[str, str]
    ) -> tuple[tuple[Answer, Answer], dict[str, str]]:
        """
        The answers of both; about one parameter alone, if each of them refuses another.
        """
        answers = self._twins.ask_apart("GET", path, params=params)
        refused = [_REFUSED.match(str(answer.content)) for answer in answers]
        names = [match and match[1] for match in refused]
        if None in names or names[0] == names[1]:
            return answers, params
        # Which comes first depends on the engine's hash table.
        params = {str(names[0]): params[str(names[0])]}
        return self._twins.ask_apart("GET", path, params=params), params

    def _compare_lists(
        self,
        answers: tuple[Answer, Answer],
        criteria: Sequence[tuple[str, str]],
        page: Mapping[str, str],
        asked: str,
    ) -> None:
        sorter: Sorter | None = None
        if criteria and all(answer.status == 200 for answer in answers):
            self._ensure_sorted(answers, criteria)
            columns = [column for column, _ in criteria]
            if not page:
                sorter = by_id
            elif "id" not in columns or not _MOMENTS.isdisjoint(columns):
                sorter = in_order(*(column for column in columns if column not in _MOMENTS))
                if not _MOMENTS.isdisjoint(columns):
                    sorter = in_order()
        self._twins.compare(*answers, sorter, asked)

    def _ensure_sorted(
        self, answers: tuple[Answer, Answer], criteria: Sequence[tuple[str, str]]
    ) -> None:
        for answer in answers:
            rows = list(rows_of(answer))
            for column, order in reversed(criteria):
                rows.sort(key=lambda row: _sortable(row[column]), reverse=order == "desc")
            shown = [[row[column] for column, _ in criteria] for row in rows_of(answer)]
            assert shown == [[row[column] for column, _ in criteria] for row in rows], answer


def _sortable(value: Any) -> tuple[bool, Any]:
    return (False, 0) if value is None else (True, value)


def _segment(name: str) -> str:
    # An empty one would lead to another operation.
    return name or "empty"


def _is_done(statistics: Any) -> bool:
    if not statistics:
        return True
    [batch] = statistics
    ready = batch["totalJobs"] == batch["jobsCreated"]
    return bool(ready and batch["remainingJobs"] == batch["failedJobs"] > 0)


def _ids_begin_again() -> bool:
    # Then they would no longer sort in the order of time.
    left = _ROUND - (int(time.time() * 10_000_000) + _SINCE_1582) % _ROUND
    return left < _LONGEST_RUN * 10_000_000


def wait_for_short_locks(*answers: Sequence[Mapping[str, Any]]) -> None:
    """
    Let those locks expire that expire soon; both engines have the clock of this machine.
    """
    ends = [
        read_date(row["lockExpirationTime"])
        for rows in answers
        for row in rows
        if row["lockExpirationTime"] is not None
    ]
    now = time.time()
    last = max((end for end in ends if end < now + _SHORT), default=now)
    while time.time() < last + 0.001:
        time.sleep(0.001)


def deploy(side: Side, tenant: str | None) -> Deployment:
    """
    Deploy all processes for a tenant, or for none.
    """
    answer = side.ask(
        "POST",
        "/deployment/create",
        data={} if tenant is None else {"tenant-id": tenant},
        files=wishes.models(),
    )
    assert answer.status == 200, answer
    definitions = answer.content["deployedProcessDefinitions"].values()
    by_key = {definition["key"]: definition["id"] for definition in definitions}
    return Deployment(answer.content["id"], tenant, by_key)


def test_both_engines_answer_the_same(model_engine: str) -> None:
    """
    Random commands and queries get the same answers, and lead to the same state.

    ``CAMUNDA_EXT_DIFFERENTIAL_RUNS`` says how many runs there are; if it does not, there are 200,
    and always the same ones.
    """
    with requests.Session() as session:
        session.trust_env = False
        real = Side(model_engine, session)
        deployments = [deploy(real, tenant) for tenant in (None, "t1", "t2")]

        class Run(Differential):
            def __init__(self) -> None:
                super().__init__(real, deployments)

        try:
            run_state_machine_as_test(Run, settings=_SETTINGS)
        finally:
            for deployment in deployments:
                real.ask("DELETE", f"/deployment/{deployment.id}?cascade=true")


@pytest.mark.parametrize("name", REFUSED)
def test_camunda_refuses_what_the_embedded_engine_says_it_does(
    model_engine: str, name: str
) -> None:
    """
    With other words, and with a 500 where its parser fails.
    """
    with requests.Session() as session:
        session.trust_env = False
        files = {"data": ("x.bpmn", REFUSED[name][0])}
        answer = Side(model_engine, session).ask("POST", "/deployment/create", files=files)

    fails = name in ("boundary event of two errors", "properties twice")
    expected = (500, "ProcessEngineException") if fails else (400, "ParseException")
    assert (answer.status, answer.content["type"]) == expected
