"""
A proxy between a client and an engine, with all that may go wrong between them.

In a test::

    with FaultProxy(engine.url, only("/complete", nth(1, RESET_AFTER))) as proxy:
        with ExternalTaskClient(proxy.url) as client:
            client.complete(task.id, "w1")
    assert proxy.struck == {RESET_AFTER: 1}, proxy.story
"""

from tests.faults.kinds import (
    CLOSED_AFTER,
    CLOSED_BEFORE,
    FAR_FUTURE,
    LENGTH_TOO_LONG,
    LENGTH_TOO_SHORT,
    RESET_AFTER,
    RESET_BEFORE,
    Cut,
    Fault,
    GatewayPage,
    LoginPage,
    LoginRedirect,
    OptimisticLocking,
    Part,
    Stage,
    Stalled,
    TooManyRequests,
    every_fault,
)
from tests.faults.plan import (
    Plan,
    Request,
    always,
    no_faults,
    nth,
    only,
    random_plan,
    sequence,
)
from tests.faults.proxy import FaultProxy

__all__ = [
    "CLOSED_AFTER",
    "CLOSED_BEFORE",
    "FAR_FUTURE",
    "LENGTH_TOO_LONG",
    "LENGTH_TOO_SHORT",
    "RESET_AFTER",
    "RESET_BEFORE",
    "Cut",
    "Fault",
    "FaultProxy",
    "GatewayPage",
    "LoginPage",
    "LoginRedirect",
    "OptimisticLocking",
    "Part",
    "Plan",
    "Request",
    "Stage",
    "Stalled",
    "TooManyRequests",
    "always",
    "every_fault",
    "no_faults",
    "nth",
    "only",
    "random_plan",
    "sequence",
]
