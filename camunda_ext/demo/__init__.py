"""
The story that `camunda-ext demo` tells.
"""

from camunda_ext.demo._page import Page
from camunda_ext.demo._telling import tell

__all__ = ["Page", "tell"]
