"""
Import each module of the installed package: ``python -I tests/imports.py``, outside of a checkout.

The arguments name what is left out, since its extras are not installed.
"""

from __future__ import annotations

import importlib
import sys
from importlib.metadata import version
from pathlib import Path
from pkgutil import walk_packages

import camunda_ext


def main(left_out: list[str]) -> None:
    """
    Import what is not left out, or end with the first error.
    """
    folder = Path(camunda_ext.__file__).parent
    if "site-packages" not in folder.parts or not (folder / "py.typed").exists():
        sys.exit(f"{folder} is not where a wheel is installed, or has no types")
    if version("camunda_ext") != camunda_ext.__version__:
        sys.exit(f"the metadata is of {version('camunda_ext')}, not {camunda_ext.__version__}")
    skipped = tuple(f"camunda_ext.{name}" for name in left_out)
    names = [
        module.name
        # A package that cannot be imported is told by its own import below.
        for module in walk_packages(camunda_ext.__path__, "camunda_ext.", onerror=lambda _: None)
        if not module.name.startswith(skipped)
    ]
    for name in names:
        importlib.import_module(name)
    print(f"{len(names)} modules imported of camunda_ext {camunda_ext.__version__}")


if __name__ == "__main__":
    main(sys.argv[1:])
