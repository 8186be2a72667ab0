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
    Run the command, or print which extra is missing.
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
    # As an exception, so that commands can clean up.
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    # Characters that the terminal or the file cannot show are escaped, and do not end the command.
    reconfigure = getattr(sys.stdout, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(errors="backslashreplace")
    camunda_ext()
