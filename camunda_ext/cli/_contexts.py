"""
Engines that have names, in a file of the user's own. There is no password in it.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import attrs
import click

from camunda_ext import ExternalTaskClient
from camunda_ext.safety import read_own_file, visible

#: The variable that names another file; for tests, and for several users of one account.
FILE_VARIABLE: Final = "CAMUNDA_EXT_CONFIG"


@attrs.frozen(kw_only=True)
class Context:
    """
    One engine, and the user of it.
    """

    #: Its REST API.
    url: str

    #: The user of Basic auth; ``None`` for an engine without authentication.
    user: str | None = None

    #: Name of the engine where a server runs several; ``None`` for the default one.
    engine: str | None = None

    #: The zone of an engine before 7.8, whose dates name none; ``None`` for younger ones.
    date_zone: str | None = None


@attrs.frozen(kw_only=True)
class Contexts:
    """
    All contexts by name, and the one that is used where none is named.
    """

    contexts: Mapping[str, Context] = attrs.field(factory=dict)
    current: str | None = None

    def named(self, name: str) -> Context:
        """
        The context of a *name*.

        Raises:
            ClickException: There is none.
        """
        if name not in self.contexts:
            known = ", ".join(map(repr, sorted(self.contexts))) or "none at all"
            raise click.ClickException(f"There is no context {visible(name)!r}; there is {known}.")
        return self.contexts[name]


def file() -> Path:
    """
    The file of the contexts, which may not exist.
    """
    path = os.environ.get(FILE_VARIABLE)
    return Path(path) if path else Path(click.get_app_dir("camunda-ext")) / "config.json"


def read() -> Contexts:
    """
    All contexts; none if there is no file.

    Raises:
        OSError, ValueError: The file cannot be read, others could have written it, or it has other
            contents.
    """
    path = file()
    try:
        text = read_own_file(path)  # whoever writes there says who gets the passwords
    except FileNotFoundError:
        return Contexts()
    try:
        return _from_json(json.loads(text))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} holds no contexts: {error}") from None


def write(contexts: Contexts) -> None:
    """
    Keep *contexts* in the file, which only the user can read.

    Raises:
        OSError: The file cannot be written.
    """
    path = Path(os.path.realpath(file()))  # a link stays one
    contents = {
        "current": contexts.current,
        "contexts": {
            name: attrs.asdict(context, filter=lambda _, value: value is not None)
            for name, context in sorted(contexts.contexts.items())
        },
    }
    # Whoever reads the file while it is written gets the earlier one.
    partial = path.with_name(f".{path.name}-{secrets.token_hex(8)}.part")
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(descriptor, "w", encoding="utf-8") as stream:
            stream.write(json.dumps(contents, indent=2) + "\n")
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def _from_json(contents: Any) -> Contexts:
    if not isinstance(contents, dict) or not isinstance(contents.get("contexts"), dict):
        raise ValueError("there is no object 'contexts' in it")
    contexts = {name: _context(name, values) for name, values in contents["contexts"].items()}
    current = contents.get("current")
    if current is not None and (not isinstance(current, str) or current not in contexts):
        raise ValueError(f"the current context {current!r:.80} is not in it")
    return Contexts(contexts=contexts, current=current)


def _context(name: str, values: Any) -> Context:
    known = {field.name for field in attrs.fields(Context)}
    if not isinstance(values, dict) or not isinstance(values.get("url"), str):
        raise ValueError(f"the context {name!r:.80} has no url")
    # Unknown keys are not repeated with their values: somebody may have written a password there.
    if not set(values) <= known:
        raise ValueError(
            f"the context {name!r:.80} may have {', '.join(sorted(known))}, and nothing else"
        )
    for key, value in values.items():
        if not isinstance(value, str):
            raise ValueError(f"the {key} of the context {name!r:.80} is no text")
    try:
        ExternalTaskClient(values["url"]).close()  # refuses a URL with a password in it
    except ValueError as error:
        raise ValueError(f"the context {name!r:.80}: {error}") from None
    return Context(**values)
