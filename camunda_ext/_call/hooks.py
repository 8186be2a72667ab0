"""
Hooks: who wants to see each attempt, for metrics and traces.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import Final

from camunda_ext._wire.checks import check_header
from camunda_ext.hooks import Ended, Hook, Outgoing

_log: Final = logging.getLogger("camunda_ext")


class Hooks:
    """
    The hooks of a client. What one of them raises is logged, once, and changes nothing.
    """

    def __init__(self, given: Iterable[Hook]) -> None:
        self._hooks = tuple(given)
        if not all(callable(hook) for hook in self._hooks):
            raise TypeError("each of hooks must be callable")
        self._told: set[int] = set()

    def __bool__(self) -> bool:
        return bool(self._hooks)

    def before(self, outgoing: Outgoing) -> Callable[[Ended], None]:
        """
        Tell all hooks of an attempt, and give whom to tell of its end.
        """
        waiting: list[tuple[Hook, Callable[[Ended], None]]] = []

        def end(ended: Ended) -> None:
            for hook, after in reversed(waiting):
                try:
                    after(ended)
                except Exception as error:  # noqa: BLE001  # whatever it is, the call goes on
                    self._tell(hook, error)

        for hook in self._hooks:
            try:
                after = hook(outgoing)
            except Exception as error:  # noqa: BLE001  # as above
                self._tell(hook, error)
            except BaseException:
                end(Ended(status=None, error=None, seconds=0.0))
                raise
            else:
                waiting += [(hook, after)] if after is not None else []
        self._drop_bad(outgoing.headers)
        return end

    def _drop_bad(self, headers: dict[str, str]) -> None:
        """
        Leave out headers that a request cannot have.
        """
        for name, value in list(headers.items()):
            try:
                check_header(name, value)
            except (TypeError, ValueError) as error:
                del headers[name]
                _log.warning("a header of a hook is left out: %s", error)

    def _tell(self, hook: Hook, error: Exception) -> None:
        if id(hook) not in self._told:  # a hook need not be hashable
            self._told.add(id(hook))
            _log.warning("hook %r raised; what it raises again is not logged", hook, exc_info=error)
