"""
The workers of the tutorial and of the README, as a reader would run them.
"""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import textwrap
import threading
from pathlib import Path
from typing import Final

import pytest

from camunda_ext.testing import Engine

_DOCS: Final = Path(__file__).parents[2] / "docs"


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGTERM to stop it by")
def test_the_worker_of_the_tutorial_charges_and_stops(tmp_path: Path) -> None:
    """
    It does a task, and leaves nothing locked.
    """
    program = (_DOCS / "invoice_worker.py").read_text("utf-8")
    with Engine() as engine:
        client = engine.client()
        engine.create_task_of(
            _DOCS / "invoice.bpmn",
            "charge",
            variables={"amount": 1250},
            business_key="order-17",
        )
        path = tmp_path / "invoice_worker.py"
        path.write_text(program.replace("http://localhost:8080/engine-rest", engine.url), "utf-8")
        with subprocess.Popen(
            [sys.executable, "-u", str(path)], stdout=subprocess.PIPE, text=True
        ) as worker:
            watchdog = threading.Timer(60, worker.kill)
            watchdog.start()
            assert worker.stdout is not None
            first = worker.stdout.readline()
            worker.send_signal(signal.SIGTERM)
            rest, _ = worker.communicate()
            watchdog.cancel()

        assert (first, rest, worker.returncode) == ("charging order-17 1250\n", "", 0)
        assert client.count() == 0


def test_the_worker_of_the_readme_charges(tmp_path: Path) -> None:
    """
    But for its last line, which waits for a signal.
    """
    text = (_DOCS.parent / "README.rst").read_text("utf-8")
    found = re.search(r"code-block:: python\n\n(.+?)\n    worker\.run\(\)", text, re.DOTALL)
    assert found is not None
    program = textwrap.dedent(found[1])
    with Engine() as engine:
        task_id = engine.create_task("invoice", variables={"amount": 1250})
        instance_id = engine.client().get(task_id).process_instance_id
        path = tmp_path / "worker.py"
        program = program.replace("http://localhost:8080/engine-rest", engine.url)
        path.write_text(f"{program}\nworker.drain()\n", "utf-8")
        subprocess.run([sys.executable, str(path)], check=True, timeout=60)

        assert engine.variables(instance_id) == {"amount": 1250, "paid": False}
