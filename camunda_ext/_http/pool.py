"""
The connections of a client: each is lent to one call at a time, whatever thread makes the call.

A web server may use a new thread or greenlet for each of its requests. With one connection per
thread, each of these would open a connection and soon drop it.
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

#: How long an unused connection is kept, in seconds: Tomcat closes one after 60 seconds.
_LONGEST_REST: Final = 50.0


class Pool:
    """
    Sessions with one connection each; the one that was used last is lent first.

    There is no lock, as a fork could leave it locked in the child; the operations of a deque are
    atomic.

    Args:
        open_session: Makes a session.

        size: How many unused sessions are kept. If none is left, `lend()` opens another.
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
        A session for one call, which must give it back or close it.
        """
        # A child process that used its parent's connections would read the parent's answers. Native
        # code may fork without the hook of `os.register_at_fork`.
        if self._process != os.getpid():
            self.forget()
        try:
            session = self._idle.pop()
        except IndexError:
            session = self._open_session()
            self._opened.add(session)
            return session
        if monotonic() - session.used > _LONGEST_REST:
            session.close()  # closes the connection; the session opens another one
        return session

    def give_back(self, session: OwnSession) -> None:
        """
        Keep a session for the next call; close sessions beyond the pool's size, and those that were
        not used for long.
        """
        session.used = now = monotonic()
        self._idle.append(session)
        with suppress(IndexError):  # another thread may have taken the last one
            while len(self._idle) > self._size or now - self._idle[0].used > _LONGEST_REST:
                self._idle.popleft().close()

    def close(self) -> None:
        """
        Close all connections; those in use are closed when they are given back.
        """
        self._size = 0
        with suppress(IndexError):
            while True:
                self._idle.popleft().close()

    def forget(self) -> None:
        """
        Close a child process's copies of its parent's connections; the parent can go on using its
        own.
        """
        inherited, self._opened, self._idle = self._opened, WeakSet(), deque()
        self._process = os.getpid()
        for session in inherited:
            # Also those in use: the threads that use them do not exist in this process.
            _abandon(session.call.connection())


def _abandon(connection: Any) -> None:
    sock = getattr(connection, "sock", None)
    if sock is not None:
        # socket.close() has no effect until all files made from the socket are closed.
        # TLS within TLS has no detach(), only the number of its socket.
        with suppress(OSError, ValueError):
            os.close(sock.detach() if hasattr(sock, "detach") else sock.fileno())


@cache
def _pools() -> WeakSet[Pool]:
    """
    All pools of this process; a child process forgets their connections.
    """
    pools: WeakSet[Pool] = WeakSet()

    def forget_all() -> None:
        for pool in pools:
            pool.forget()

    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=forget_all)
    return pools
