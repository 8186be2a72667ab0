"""
Calls a client's hooks before and after each attempt.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Final

import camunda_ext
from camunda_ext._wire.checks import check_header

if TYPE_CHECKING:
    from camunda_ext.hooks import Ended, Hook, Outgoing

_log: Final = logging.getLogger("camunda_ext")


class Hooks:
    """
    The hooks of a client. An exception of a hook is logged once for each hook, and ignored.
    """

    def __init__(self, hooks: Iterable[Hook]) -> None:
        self._hooks = tuple(hooks)
        if not all(callable(hook) for hook in self._hooks):
            raise TypeError("each of hooks must be callable")
        #: The `id()` of each hook whose exception was logged; a hook need not be hashable.
        self._logged: set[int] = set()

    def __bool__(self) -> bool:
        return bool(self._hooks)

    def before(self, outgoing: Outgoing) -> Callable[[Ended], None]:
        """
        Call all hooks before an attempt, and return a function to call after it.
        """
        callbacks: list[tuple[Hook, Callable[[Ended], None]]] = []

        def end(ended: Ended) -> None:
            for hook, after in reversed(callbacks):
                try:
                    after(ended)
                except Exception as error:  # noqa: BLE001  # a hook must not break the call
                    self._log_once(hook, error)

        for hook in self._hooks:
            try:
                after = hook(outgoing)
            except Exception as error:  # noqa: BLE001  # as above
                self._log_once(hook, error)
            except BaseException:
                end(camunda_ext.hooks.Ended(status=None, error=None, seconds=0.0))
                raise
            else:
                callbacks += [(hook, after)] if after is not None else []
        self._drop_invalid(outgoing.headers)
        return end

    def _drop_invalid(self, headers: dict[str, str]) -> None:
        """
        Remove invalid headers that a hook has added.
        """
        for name, value in list(headers.items()):
            try:
                check_header(name, value)
            except (TypeError, ValueError) as error:
                del headers[name]
                _log.warning("a header of a hook is left out: %s", error)

    def _log_once(self, hook: Hook, error: Exception) -> None:
        if id(hook) not in self._logged:
            self._logged.add(id(hook))
            _log.warning(
                "hook %r raised; its further exceptions are not logged", hook, exc_info=error
            )
