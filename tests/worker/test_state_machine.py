"""
Whatever happens to a worker and its engine, and in whatever order, the worker keeps its promises.

The parts of the worker are the real ones, on the embedded engine, whose time stands still but for
the steps of the test. What are threads in a worker take turns here: the poller and the slots pause
in handlers, in waits, and on both sides of the engine, so that any other step may come between.

``CAMUNDA_EXT_WALKS`` is for another number of walks than the 100 of each run.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta, timezone
from typing import Any, Final, TypeVar

import attrs
from hypothesis import HealthCheck, note, settings, strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from camunda_ext import ExternalTask, ExternalTaskQuery, Handlers, Topic
from camunda_ext.testing import Engine
from camunda_ext.worker import (
    Abandoned,
    BpmnError,
    Completed,
    Failure,
    Postpone,
    Task,
    TaskRetries,
)
from camunda_ext.worker.events import Event, Lost, Reported, Swept
from camunda_ext.worker.lane import Lane
from camunda_ext.worker.sweeps import Sweep
from tests.worker.parts import BASE_ID, make_lane, make_shared
from tests.worker.scene import standing_still
from tests.worker.turns import Turn, TurnClock, Wire, current_turn

T = TypeVar("T")

_WALKS: Final = os.environ.get("CAMUNDA_EXT_WALKS")
_SETTINGS: Final = settings(
    max_examples=int(_WALKS or "100"),
    # Whoever asks for more wants others, too; a change that has nothing to do with it does not.
    derandomize=_WALKS is None,
    database=None,
    stateful_step_count=50,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)

_SLOTS: Final = 3
#: How long the tasks of each topic are locked, in milliseconds.
_LOCKS: Final = {"invoice": 30_000, "render": 9_000}
#: How long a fetch may wait for tasks, in seconds.
_POLL: Final = 5.0

#: How long a client waits for the answer to such a fetch, in seconds.
_LONGEST_FETCH: Final = 15.0

_OUTCOMES: Final[dict[str, Callable[[], Any]]] = {
    "complete": lambda: {"amount": 1},
    "bpmn error": lambda: BpmnError("NO_FUNDS"),
    "fail": lambda: LookupError("no funds"),
    "fail at once": lambda: Failure("no funds", retries=2, retry_timeout=0),
    "fail for a minute": lambda: Failure("no funds", retries=2, retry_timeout=60_000),
    "fail for ever": lambda: Failure("no funds", retries=0),
    "postpone": lambda: Postpone(20_000),
    "abandon": lambda: Abandoned("it can wait"),
}
_REPORTS: Final = ("complete", "bpmnError", "failure", "unlock")
_SIDES: Final = st.sets(st.sampled_from(["before", "after"])).map(frozenset)
_FAULTS: Final = st.sampled_from([None, None, None, "refused", "lost"])
_NUMBERS: Final = st.integers(0, 11)
_SECONDS: Final = (0.013, 0.4, 1.1, 3.3, 9.7, 31.3, 61.9)
_MOST_TASKS: Final = 8
#: The kinds of steps, each as often as it shall be taken.
_KINDS: Final = [*["work"] * 30, *["outside"] * 12, *["attend"] * 9, *["advance"] * 9, "stop"]


@attrs.frozen
class Chance:
    """
    What chance has to say about a step.
    """

    number: int
    outcome: str
    fault: str | None
    sides: frozenset[str]

    def of(self, choices: Sequence[T]) -> T:
        """
        Give one of several.
        """
        return choices[self.number % len(choices)]


Step = Callable[[Chance], object]


class Promises(RuleBasedStateMachine):
    """
    A worker's parts and an engine, and what the one may do to the other.
    """

    def __init__(self) -> None:
        super().__init__()
        self.engine = Engine(clock=standing_still, seed=1)
        self.other = self.engine.client()
        self.wire = Wire(self.engine, self.before, self.on_done)
        #: Who has the task that is unlocked next.
        self.unlocking = ""
        handlers = Handlers()
        for topic, duration in _LOCKS.items():
            handlers.handles(topic, lock_duration=duration)(self.charge)
        shared = make_shared(
            self.wire.client,
            TurnClock(self.engine.clock),
            [self.on_event],
            slots=_SLOTS,
            poll=_POLL,
            retries=TaskRetries(5_000, 50_000),
            hold_results=120.0,
        )
        self.lane: Lane = make_lane(shared, handlers)
        self.poller: Turn | None = None
        #: When the last fetch has begun.
        self.polled_at = 0.0
        #: How long one has taken.
        self.longest_way = 0.0
        self.slots: list[Turn] = []
        #: The tasks whose handlers are running, in the order in which they have begun.
        self.running: list[str] = []
        #: The tasks that may begin, as the engine has given them out and they have not.
        self.may_begin: set[str] = set()
        #: Until when the failed tasks wait, as the engine has it.
        self.retry_at: dict[str, datetime | None] = {}
        #: The tasks that somebody has unlocked by hand, so that no worker knows who has them.
        self.unlocked: set[str] = set()
        #: The tasks that another worker has had.
        self.taken: set[str] = set()
        #: The tasks that this worker has reported as done.
        self.done: list[str] = []
        #: The tasks that a sweep has seen.
        self.swept: set[str] = set()

    # ------------------------------------------------------------------------ what the worker tells

    def charge(self, task: Task) -> Any:
        """
        Handle a task: wait for the outcome that the test wants.
        """
        turn = current_turn()
        assert turn is not None
        assert task.id not in self.running, "the task runs in two slots"
        assert task.id in self.may_begin, "the task begins again, and the engine has not said so"
        self.may_begin.remove(task.id)
        self.running.append(task.id)
        outcome = turn.pause("handler")
        self.running.remove(task.id)
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    def on_event(self, event: Event) -> None:
        """
        Check what the worker says against what the engine has.
        """
        if isinstance(event, Reported) and event.result == "done":
            if isinstance(event.outcome, (Completed, BpmnError)):
                assert event.task.id not in self.tasks(), "it is not done"
                self.done.append(event.task.id)
        elif isinstance(event, Lost):
            if event.worker_id is None:
                assert event.task.id not in self.tasks(), "it is not gone"
            else:
                assert event.task.id in self.taken, "nobody has taken it"
        elif isinstance(event, Swept):
            self.swept.update(event.task_ids)

    def before(self, operation: str, task_id: str) -> None:
        """
        Note who has a task that the engine is to unlock.
        """
        task = self.tasks().get(task_id)
        if operation == "unlock" and task is not None:
            holds = (
                task.lock_expiration_time is not None
                and task.lock_expiration_time > self.engine.now
            )
            self.unlocking = (task.worker_id or "").partition("#")[0] if holds else BASE_ID

    def on_done(self, operation: str, task_id: str) -> None:
        """
        Note what the engine has done for the worker.
        """
        if operation == "failure":
            self.retry_at[task_id] = self.tasks()[task_id].lock_expiration_time
            self.may_begin.add(task_id)
        elif operation == "unlock":
            is_safe = self.unlocking == BASE_ID or task_id in self.unlocked
            assert is_safe, "the lock of another worker is removed"
            assert task_id not in self.running, "a running task is unlocked"
            assert not self.waits(task_id), "a retry is brought forward"
            self.may_begin.add(task_id)

    def now(self) -> float:
        """
        Give the engine's time, in seconds since 1970.
        """
        return self.engine.clock.now()

    def tasks(self) -> dict[str, ExternalTask]:
        """
        Give all tasks of the engine, by their ids.
        """
        return {task.id: task for task in self.other.list()}

    def waits(self, task_id: str) -> bool:
        """
        Tell whether a task waits for its retry.
        """
        due = self.retry_at.get(task_id)
        return due is not None and due > self.engine.now

    def is_own(self, task: ExternalTask) -> bool:
        """
        Tell whether the worker has the lock of a task.
        """
        return (
            (task.worker_id or "").startswith(f"{BASE_ID}#")
            and task.lock_expiration_time is not None
            and task.lock_expiration_time > self.engine.now
        )

    # ------------------------------------------------------------------------------- the steps

    @rule(
        kind=st.sampled_from(_KINDS),
        which=_NUMBERS,
        number=_NUMBERS,
        outcome=st.sampled_from(sorted(_OUTCOMES)),
        fault=_FAULTS,
        sides=_SIDES,
    )
    def step(
        self,
        kind: str,
        which: int,
        number: int,
        outcome: str,
        fault: str | None,
        sides: frozenset[str],
    ) -> None:
        """
        Take one of the steps of a kind that change anything now.
        """
        steps = self.steps(kind)
        if steps:
            step = steps[which % len(steps)]
            note(f"    {step.__name__}")
            step(Chance(number, outcome, fault, sides))
            self.after_turns()

    def steps(self, kind: str) -> list[Step]:
        """
        Give the steps of a kind that change anything now.
        """
        lane = self.lane
        if kind == "work":
            is_polling = self.poller is not None
            all_steps: list[tuple[Step, object]] = [
                (self.fetch, not is_polling and not lane.stopping and lane.wanted()),
                (self.receive, is_polling),
                (self.begin, len(self.slots) < _SLOTS and not lane._queue.empty()),
                (self.end, self.running),
                (self.go_on, self.ready_turns()),
            ]
        elif kind == "outside":
            all_steps = [
                (self.create, len(self.tasks()) < _MOST_TASKS),
                (self.haunt, self.wire.ghosts),
                (self.take, True),
                (self.let_go, self.their_tasks()),
                (self.operate, self.tasks()),
            ]
        else:
            all_steps = [(getattr(self, kind), True)]
        return [step for step, is_possible in all_steps if is_possible]

    def after_turns(self) -> None:
        """
        Forget the turns that have ended.
        """
        self.at_wire([], None, frozenset())
        self.slots = [turn for turn in self.slots if not turn.has_ended]
        if self.poller is not None and self.poller.has_ended:
            self.longest_way = max(self.longest_way, self.now() - self.polled_at)
            self.poller = None

    # ------------------------------------------------------------------------------- the worker

    def fetch(self, chance: Chance) -> None:
        """
        Poll as the poller does.
        """
        number = self.lane.wanted()
        self.at_wire(["fetchAndLock"], chance.fault, chance.sides)
        self.polled_at = self.now()
        self.poller = Turn("poller", lambda: self.lane.fetch(number, _POLL))

    def receive(self, chance: Chance | None = None) -> None:
        """
        Let the answer to the poll come, or the request reach the engine.
        """
        if self.poller is not None:
            self.poller.go_on()
            self.after_turns()

    def begin(self, chance: Chance) -> None:
        """
        Take a task from the queue as a slot does.
        """
        held = self.lane.next_queued()
        assert held is not None
        self.slots.append(Turn("slot", lambda: self.lane.handle(held)))

    def end(self, chance: Chance) -> None:
        """
        End a handler, and report.
        """
        turns = [turn for turn in self.slots if turn.where == "handler"]
        self.at_wire([*_REPORTS, "get"], chance.fault, chance.sides)
        chance.of(turns).go_on(_OUTCOMES[chance.outcome]())

    def go_on(self, chance: Chance) -> None:
        """
        Let a report go on: its answer comes, or its wait is over.
        """
        self.at_wire([*_REPORTS, "get"], chance.fault, chance.sides)
        chance.of(self.ready_turns()).go_on()

    def attend(self, chance: Chance | None = None) -> None:
        """
        Do what is due as the keeper does: extend, give back, sweep.
        """
        if chance is not None:
            self.at_wire(["extendLock", "lock"], chance.fault, frozenset())
        self.lane.keeper.attend_all()

    def stop(self, chance: Chance) -> None:
        """
        Stop, as far as that takes no time.
        """
        self.lane.stop()

    def ready_turns(self) -> list[Turn]:
        """
        Give the turns of slots that could go on and are not in a handler.
        """
        return [t for t in self.slots if t.where != "handler" and t.is_ready()]

    def at_wire(self, operations: list[str], fault: str | None, sides: frozenset[str]) -> None:
        """
        Have something happen to the requests of the next turn.
        """
        self.wire.faults = dict.fromkeys(operations, fault) if fault is not None else {}
        self.wire.pauses = dict.fromkeys(operations, sides)

    # ------------------------------------------------------------------------------- the engine

    @initialize()
    def some_tasks(self) -> None:
        """
        Begin with some tasks.
        """
        for topic in ("invoice", "render", "invoice"):
            self.may_begin.add(self.engine.create_task(topic))

    def create(self, chance: Chance) -> None:
        """
        Create a task.
        """
        self.may_begin.add(self.engine.create_task(chance.of(sorted(_LOCKS))))

    def advance(self, chance: Chance) -> None:
        """
        Let the time go on.
        """
        self.let_pass(chance.of(_SECONDS))

    def let_pass(self, seconds: float) -> None:
        """
        Let so much time go on. A poll is soon with the engine, and its answer comes in the time
        that its client waits.
        """
        if self.poller is not None and self.poller.where == "before fetchAndLock":
            self.receive()
        if self.now() + seconds > self.polled_at + _LONGEST_FETCH:
            self.receive()
        self.engine.advance(seconds)
        for task in self.tasks().values():
            expires = task.lock_expiration_time
            if expires is not None and expires <= self.engine.now:
                self.may_begin.add(task.id)

    def haunt(self, chance: Chance) -> None:
        """
        Let a poll whose client has hung up lock what there is.
        """
        self.wire.let_ghosts_look()

    def take(self, chance: Chance) -> None:
        """
        Let another worker fetch a task.
        """
        lock = [Topic(chance.of(sorted(_LOCKS)), lock_duration=20_000)]
        for task in self.other.fetch_and_lock("other", lock, max_tasks=1):
            self.taken.add(task.id)
            self.retry_at.pop(task.id, None)

    def their_tasks(self) -> list[ExternalTask]:
        """
        Give the tasks that another worker has.
        """
        query = ExternalTaskQuery().worker_id("other").locked().active()
        return list(self.other.list(query.sort_by("id")))

    def let_go(self, chance: Chance) -> None:
        """
        Let another worker complete or unlock a task that it has.
        """
        task = chance.of(self.their_tasks())
        if chance.fault is None:
            self.other.unlock(task.id)
            self.may_begin.add(task.id)
        else:
            self.other.complete(task.id, "other")

    def operate(self, chance: Chance) -> None:
        """
        Do what an operator does.
        """
        tasks = sorted(self.tasks().values(), key=lambda task: task.id)
        task = chance.of(tasks)
        match chance.outcome:
            case "complete" | "fail" | "abandon":
                self.other.unlock(task.id)
                self.unlocked.add(task.id)
                self.retry_at.pop(task.id, None)
                self.may_begin.add(task.id)
            case "bpmn error":
                instance = {"id": task.process_instance_id}
                self.other.request("DELETE", "/process-instance/{id}", instance)
            case "fail for ever":
                self.other.set_retries(task.id, 2)
            case _:
                self.suspend(task, suspended=not task.suspended)

    def suspend(self, task: ExternalTask, *, suspended: bool) -> None:
        """
        Suspend the process instance of a task, or activate it.
        """
        self.other.request(
            "PUT",
            "/process-instance/{id}/suspended",
            {"id": task.process_instance_id},
            json={"suspended": suspended},
        )

    # ----------------------------------------------------------------------------- the promises

    @invariant()
    def no_lock_is_forgotten(self) -> None:
        """
        Each task that is locked for the worker is in hand, waits for its retry, is looked for, or
        was told.
        """
        looked_for = {
            *self.wire.on_their_way,
            *(sweep.worker_id for sweep in self.sweeps() if not sweep.is_over),
        }
        accounted = {
            *self.lane.held,
            *self.lane.waiting.ids(self.engine.clock.now()),
            *self.lane.left,
        }
        for task in self.tasks().values():
            if self.is_own(task) and task.id not in accounted:
                assert task.worker_id in looked_for or self.is_short(task), (
                    "a lock is forgotten",
                    task,
                    self.engine.now,
                    looked_for,
                    accounted,
                    self.wire.ghosts,
                )

    @invariant()
    def retries_wait(self) -> None:
        """
        The engine gives no failed task out before its time.
        """
        for task in self.tasks().values():
            if self.waits(task.id):
                assert task.lock_expiration_time == self.retry_at[task.id], "a retry is moved"

    @invariant()
    def no_lock_is_trusted_for_too_long(self) -> None:
        """
        A lock lasts as long as the worker believes, or longer, but for the time that the answer to
        a fetch was on its way.
        """
        tasks, slow = self.tasks(), timedelta(seconds=max(0.0, self.longest_way - 1))
        for held in self.lane.held.values():
            task = tasks.get(held.task.id)
            lease = held.hold.lease
            if task is not None and held.hold.is_kept and task.worker_id == lease.worker_id:
                assert task.lock_expiration_time is not None
                until = datetime.fromtimestamp(lease.until, timezone.utc)
                assert until <= task.lock_expiration_time + slow, "the lock ends before"

    @invariant()
    def no_more_is_held_than_can_be(self) -> None:
        """
        The worker does not take more tasks than it can handle soon.
        """
        assert len(self.lane.held) <= self.lane.capacity

    def sweeps(self) -> list[Any]:
        """
        Give the sweeps that are not over.
        """
        return list(self.lane.keeper.chores(Sweep))

    def is_short(self, task: ExternalTask) -> bool:
        """
        Tell whether the rest of a lock is too short for a sweep to unlock it.
        """
        assert task.lock_expiration_time is not None
        left = (task.lock_expiration_time - self.engine.now).total_seconds()
        return left <= min(5.0, _LOCKS[task.topic_name] / 2000) + 2.0

    def teardown(self) -> None:
        """
        Stop, and let all handlers end: then no lock is left but those of retries that wait.
        """
        try:
            self.finish()
        finally:
            self.engine.close()

    def finish(self) -> None:
        """
        Let all that runs come to its end.
        """
        self.lane.stop()
        for task in self.tasks().values():
            if task.suspended:
                self.suspend(task, suspended=False)
        for _ in range(200):
            self.receive()
            for turn in self.slots:
                if turn.where == "handler":
                    turn.go_on({})
                elif turn.is_ready():
                    turn.go_on()
            self.after_turns()
            self.attend()
            self.no_lock_is_forgotten()
            self.retries_wait()
            if not (self.poller or self.slots or self.sweeps()):
                break
            self.let_pass(1.1)
        self.lane.keeper.attend_all()
        assert not self.slots, "a report does not end"
        assert not self.sweeps(), "a sweep does not end"
        assert self.lane.held == {}, "a task is still in hand"
        left = self.lane.left_locked()
        for task in self.tasks().values():
            if self.is_own(task) and task.id not in left:
                assert self.waits(task.id) or self.is_short(task), (
                    "a lock is left",
                    task,
                    self.engine.now,
                    left,
                    self.retry_at,
                )
        log = [e.external_task_id for e in self.other.log_list() if e.event == "success"]
        assert len(set(log)) == len(log), "a task is committed twice"
        assert len(set(self.done)) == len(self.done), "a task is reported twice"


def test_the_worker_keeps_its_promises() -> None:
    """
    In whatever order things happen.
    """
    run_state_machine_as_test(Promises, settings=_SETTINGS)
