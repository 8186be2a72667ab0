"""
Which request meets which fault.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

import attrs

from tests.faults.kinds import Fault


@attrs.frozen(kw_only=True)
class Request:
    """
    A request, as a plan sees it.
    """

    #: The HTTP method.
    method: str

    #: The path, as it was sent, with that of the engine and without the query.
    path: str

    #: The body.
    body: bytes = attrs.field(default=b"", repr=False)

    #: Which one it is of all that the plan is asked about, from 1.
    ordinal: int


#: Gives the fault that a request meets; none lets it pass.
Plan: TypeAlias = Callable[[Request], Fault | None]

_RANGE: Final = 2**64


def no_faults(request: Request) -> Fault | None:
    """
    Let every request pass.
    """
    return None


def always(fault: Fault) -> Plan:
    """
    Let every request meet the fault.
    """
    return lambda request: fault


def nth(number: int, fault: Fault) -> Plan:
    """
    Let one request meet the fault, counted from 1.
    """
    if number < 1:
        raise ValueError(f"requests are counted from 1, not from {number}")
    return lambda request: fault if request.ordinal == number else None


def sequence(*faults: Fault | None) -> Plan:
    """
    Let the first requests meet these faults, in turn, and all others none.
    """
    return lambda request: faults[request.ordinal - 1] if request.ordinal <= len(faults) else None


def random_plan(seed: int, chance: float, faults: Sequence[Fault]) -> Plan:
    """
    Let a request meet any of the faults, or none, as its ordinal and the seed decide.

    Args:
        chance: How likely a request meets one, from 0 to 1.
    """
    if not 0 <= chance <= 1:
        raise ValueError(f"chance must be between 0 and 1, not {chance}")
    if not faults:
        raise ValueError("there must be a fault to choose")

    def plan(request: Request) -> Fault | None:
        # A generator of random numbers would give them in the order in which threads come.
        drawn = hashlib.sha256(f"{seed} {request.ordinal}".encode("ascii")).digest()
        if int.from_bytes(drawn[:8], "big") >= chance * _RANGE:
            return None
        return faults[int.from_bytes(drawn[8:16], "big") % len(faults)]

    return plan


def only(operation_suffix: str, plan: Plan, *, method: str | None = None) -> Plan:
    """
    Ask the plan about the requests of one operation alone, which it sees counted from 1.

    Args:
        operation_suffix: How the path ends: ``/complete``.

        method: The HTTP method; by default any.
    """
    guard = threading.Lock()
    seen = 0

    def of_operation(request: Request) -> Fault | None:
        nonlocal seen
        if not request.path.endswith(operation_suffix) or method not in (None, request.method):
            return None
        with guard:
            seen += 1
            ordinal = seen
        return plan(attrs.evolve(request, ordinal=ordinal))

    return of_operation
