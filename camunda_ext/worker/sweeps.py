"""
Unlocks tasks that a fetch has locked whose answer was lost.
"""

from collections.abc import Callable
from math import inf

import attrs

from camunda_ext.dto import ExternalTask
from camunda_ext.errors import CamundaError
from camunda_ext.worker.events import Swept
from camunda_ext.worker.keeper import unlock_by_id
from camunda_ext.worker.shared import Shared, log


@attrs.define(eq=False, kw_only=True)
class Sweep:
    """
    The look for the tasks of one lost fetch.

    The engine does not notice that a client has hung up: until the poll's end it may lock tasks,
    once. And the poll may begin as late as the worker gives up, if something on the way, or an
    engine with too much to do, has held the request back. So a look is repeated each second until
    there are some, or until a poll that begins now is over.
    """

    #: The worker id of the lost fetch; later fetches have another one.
    worker_id: str
    shared: Shared
    #: When the fetch was sent; its locks last at least for their duration from then on.
    sent_at: float
    #: How long the fetch could wait for tasks, in seconds.
    poll: float
    #: Returns the ids of tasks that look like lost ones, and are not.
    known_ids: Callable[[], set[str]]
    #: Returns the duration of the locks of a topic, in seconds.
    lock_duration: Callable[[str], float]
    #: Called when the look is over.
    on_end: "Callable[[Sweep], None]"
    is_over: bool = False
    #: When the last poll that may have begun is over.
    _poll_ends_at: float = attrs.field(init=False)
    _ends_at: float = attrs.field(init=False)
    _next_at: float = -inf

    def __attrs_post_init__(self) -> None:
        self._poll_ends_at = self._ends_at = self.shared.clock.now() + self.poll + 1.0

    def due(self) -> float:
        """
        When to look next.
        """
        return inf if self.is_over else self._next_at

    def hurry(self) -> None:
        """
        Look at the next opportunity.
        """
        self._next_at = -inf

    def patience(self) -> float:
        """
        How late it may be, in seconds: for a lock of another worker it is never too late.
        """
        return inf

    def attend(self) -> None:
        """
        Look, and unlock what there is.
        """
        now = self.shared.clock.now()
        self._next_at = now + 1.0
        if self._look() or now >= self._ends_at:
            self.is_over = True
            self.on_end(self)

    def _look(self) -> bool:
        """
        Unlock what the lost answer has locked.

        Returns:
            Whether the look is over: there were such tasks, and none of them is locked any more.
        """
        clock = self.shared.clock
        try:
            stranded = self.shared.clients.sweep.recover(
                self.worker_id, known=self.known_ids(), failed=True
            )
        except CamundaError as error:
            log.debug("the look for tasks of %s failed: %s", self.worker_id, error)
            self._look_again()
            # By then, all locks of the fetch have run out.
            return clock.now() > self._poll_ends_at + self.lock_duration("")
        unlocked = [task.id for task in stranded if self._unlock(task)]
        if unlocked:
            log.warning(
                "an answer to %s was lost; %d tasks that it had locked are unlocked",
                self.worker_id,
                len(unlocked),
            )
            self.shared.hooks.tell(Swept(worker_id=self.worker_id, task_ids=tuple(unlocked)))
        if len(unlocked) < len(stranded):
            self._look_again()  # until the locks of the others have run out
            return False
        return bool(stranded)

    def _look_again(self) -> None:
        self._ends_at = max(self._ends_at, self.shared.clock.now() + 1.0)

    def _unlock(self, task: ExternalTask) -> bool:
        duration, now = self.lock_duration(task.topic_name), self.shared.clock.now()
        date, expires = self.shared.engine_time.at(now), task.lock_expiration_time
        left = self.sent_at + duration - now
        if date is not None and expires is not None:
            left = (expires - date).total_seconds() - 1.0
        # Unlocking asks nobody whose lock it is: another worker's, if this one has run out.
        return left >= min(5.0, duration / 2) and unlock_by_id(task.id, self.worker_id, self.shared)
