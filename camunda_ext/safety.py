"""
The rules of safety that the package keeps itself, for programs that show, export or read things.
"""

from camunda_ext._many.export import csv_cell
from camunda_ext._many.files import read_own_file
from camunda_ext._wire.text import visible

__all__ = ["csv_cell", "read_own_file", "visible"]
