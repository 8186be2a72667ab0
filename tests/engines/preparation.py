"""
Puts an engine together: its jars by Maven, and its main class by the Java compiler.
"""

import hashlib
import json
import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import attrs

from tests.engines.catalog import Distribution
from tests.engines.pom import pom_of
from tests.engines.processes import BUILD, PreparationFailed, only_one_process, run

JAVA_SOURCES = Path(__file__).parent / "java"
MARKER = "finished"
COPY_DEPENDENCIES = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies"
# The later releases of this plugin read the jar's POM too, which may have no parent.
COPY_JAR = "org.apache.maven.plugins:maven-dependency-plugin:2.10:copy"
OLDEST_JAVA = 17


def missing_tools() -> str | None:
    """
    A sentence on what this machine lacks for starting engines, or None if it has all.
    """
    for tool in ("java", "javac", "mvn"):
        if shutil.which(tool) is None:
            return f"Starting process engines needs `{tool}`, which is not on the PATH."
    answer = subprocess.run(["java", "-version"], capture_output=True, text=True, check=False)
    found = re.search(r'version "(?:1\.)?(\d+)', answer.stderr + answer.stdout)
    if found is None:
        return "Starting process engines needs Java, and `java -version` tells no version."
    if int(found.group(1)) < OLDEST_JAVA:
        return f"Starting process engines needs Java {OLDEST_JAVA}, not {found.group(1)}."
    return None


def prepare(distribution: Distribution) -> Path:
    """
    The folder with the distribution's jars in `jars/` and its main class in `classes/`.

    What an earlier call or another process finished is used again.
    """
    folder = BUILD / f"{distribution.name}-{_hash_of_recipe(distribution)}"
    if not (folder / MARKER).exists():
        # One lock for all distributions, since they share Maven's local repository.
        with only_one_process():
            if not (folder / MARKER).exists():
                _build(distribution, folder)
    return folder


def _hash_of_recipe(distribution: Distribution) -> str:
    recipe = [attrs.asdict(distribution), pom_of(distribution), COPY_DEPENDENCIES, COPY_JAR]
    recipe += [(JAVA_SOURCES / source).read_text("utf-8") for source in distribution.java_sources]
    return hashlib.sha256(json.dumps(recipe, sort_keys=True).encode()).hexdigest()[:12]


def _build(distribution: Distribution, folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    jars, classes = folder / "jars", folder / "classes"
    jars.mkdir(parents=True)
    (folder / "pom.xml").write_text(pom_of(distribution), encoding="utf-8")
    _run_maven(folder, COPY_DEPENDENCIES, "-DincludeScope=runtime")
    for coordinates in distribution.single_jars:
        _run_maven(folder, COPY_JAR, f"-Dartifact={coordinates}")
    run(
        "javac",
        "-proc:none",
        "-encoding",
        "UTF-8",
        "--release",
        distribution.java_release,
        "-cp",
        f"{jars}{os.sep}*",
        "-d",
        str(classes),
        *(str(JAVA_SOURCES / source) for source in distribution.java_sources),
    )
    (folder / MARKER).touch()


def _run_maven(folder: Path, goal: str, *options: str) -> None:
    command: Sequence[str] = (
        "mvn",
        "-B",
        "-q",
        "-f",
        str(folder / "pom.xml"),
        goal,
        f"-DoutputDirectory={folder / 'jars'}",
        *options,
    )
    try:
        run(*command)
    except PreparationFailed:
        # A download that broke off is the usual reason, and mostly works the next time.
        # -U makes Maven ask again for what it remembers as missing.
        run(*command, "-U")
