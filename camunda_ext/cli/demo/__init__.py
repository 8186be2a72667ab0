"""
The story that `camunda-ext demo` tells.
"""

from camunda_ext.cli.demo.page import Page
from camunda_ext.cli.demo.telling import tell

__all__ = ["Page", "tell"]
