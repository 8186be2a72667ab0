"""
The connections of a client: each is lent to one call, whichever thread makes it.

Servers make a thread or a greenlet for each request that they answer. With a connection for each
thread, each of those would open one, and throw it away.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from time import monotonic
from typing import Any, Final
from weakref import WeakSet

from camunda_ext._http.session import OwnSession

#: Tomcat closes a connection without a word when it has rested for 60 seconds.
_LONGEST_REST: Final = 50.0


class Pool:
    """
    Sessions with a connection each, the one that was used last before the others.

    No lock guards it, which a fork could leave locked in the child: what is done to a deque is done
    at once.

    Args:
        open_session: Makes a session.

        size: How many are kept while nobody uses them. A call that finds none opens one.
    """

    def __init__(self, open_session: Callable[[], OwnSession], size: int) -> None:
        self._open_session = open_session
        self._size = size
        self._idle: deque[OwnSession] = deque()
        self._opened: WeakSet[OwnSession] = WeakSet()
        self._process = os.getpid()
        _pools().add(self)

    def lend(self) -> OwnSession:
        """
        A session for whoever makes a call, and for nobody else until it is given back.
        """
        # A child process that shared its parent's connections would read the parent's answers.
        # Not every program that forks tells Python so.
        if self._process != os.getpid():
            self.forget()
        try:
            session = self._idle.pop()
        except IndexError:
            session = self._open_session()
            self._opened.add(session)
            return session
        if monotonic() - session.used > _LONGEST_REST:
            session.close()  # its connection; it opens another one
        return session

    def give_back(self, session: OwnSession) -> None:
        """
        Keep a session for the next call, and close those that are too many or have rested for long.
        """
        session.used = now = monotonic()
        self._idle.append(session)
        with suppress(IndexError):  # another thread was quicker
            while len(self._idle) > self._size or now - self._idle[0].used > _LONGEST_REST:
                self._idle.popleft().close()

    def close(self) -> None:
        """
        Close all connections, and from now on those that are in use when they are given back.
        """
        self._size = 0
        with suppress(IndexError):
            while True:
                self._idle.popleft().close()

    def forget(self) -> None:
        """
        Close, in a child process, what it has of its parent's connections, which go on there.
        """
        inherited, self._opened, self._idle = self._opened, WeakSet(), deque()
        self._process = os.getpid()
        for session in inherited:
            # Those in use, too: the threads that use them are not in this process.
            _abandon(session.call.connection())


def _abandon(connection: Any) -> None:
    sock = getattr(connection, "sock", None)
    if sock is not None:
        # To close it would wait for whoever still reads from it, and nobody does here.
        # TLS within TLS gives no more than the number of its socket.
        with suppress(OSError, ValueError):
            os.close(sock.detach() if hasattr(sock, "detach") else sock.fileno())


@cache
def _pools() -> WeakSet[Pool]:
    """
    All pools of this process, which a child has to forget.
    """
    pools: WeakSet[Pool] = WeakSet()

    def forget_all() -> None:
        for pool in pools:
            pool.forget()

    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=forget_all)
    return pools
