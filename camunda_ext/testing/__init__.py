"""
An engine for tests: the external-task part of Camunda 7, in Python, without Java. And tasks for the
tests of handlers.

This package needs the extra ``testing``.
"""

try:
    from camunda_ext.testing._engine import Engine
except ModuleNotFoundError as _missing:
    if _missing.name != "werkzeug":
        raise
    raise ModuleNotFoundError(
        f"camunda_ext.testing needs {_missing.name}: pip install 'camunda_ext[testing]'",
        name=_missing.name,
    ) from None
from camunda_ext.testing._errors import EngineError
from camunda_ext.testing._handlers import TaskInHand, task
from camunda_ext.testing.rest.faults import Fault, Faults
from camunda_ext.testing.state.clock import Clock

__all__ = ["Clock", "Engine", "EngineError", "Fault", "Faults", "TaskInHand", "task"]
