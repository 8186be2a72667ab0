"""
The command `camunda-ext`.
"""

import os
import signal
import sys

#: What the commands need besides the library, and the extra that brings it.
_NEEDED = ("click", "rich")
_EXTRA = "camunda_ext[cli]"


def main() -> None:
    """
    Run the command; if what it needs is not installed, say how to install it.
    """
    try:
        from camunda_ext.cli._commands import camunda_ext
    except ModuleNotFoundError as missing:
        name = (missing.name or "").partition(".")[0]
        if name not in _NEEDED:
            raise
        sys.stderr.write(f'camunda-ext needs {name}: pip install "{_EXTRA}"\n')
        sys.exit(2)
    if sys.stdout is None:  # somebody has closed it
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115  # as long as the program
    # What a command has to undo is undone; one that knows better sets another.
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    # A character that the terminal or the file cannot show is no reason to stop halfway.
    reconfigure = getattr(sys.stdout, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(errors="backslashreplace")
    camunda_ext()
