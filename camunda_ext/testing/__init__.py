"""
An engine for tests: the external-task part of Camunda 7, in Python, without Java.

It needs the extra ``testing``.
"""

from camunda_ext.testing._engine import Engine
from camunda_ext.testing._errors import EngineError
from camunda_ext.testing._faults import Fault, Faults

__all__ = ["Engine", "EngineError", "Fault", "Faults"]
