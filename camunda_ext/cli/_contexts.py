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

from camunda_ext._many.files import refuse_shared_file, refuse_shared_folder
from camunda_ext._wire.text import visible

#: Names another file; for tests, and for several users of one account.
FILE_VARIABLE: Final = "CAMUNDA_EXT_CONFIG"


@attrs.frozen(kw_only=True)
class Context:
    """
    One engine, and who asks it.
    """

    #: Its REST API.
    url: str

    #: Who asks; ``None`` if the engine does not want to know.
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
        Give the context of a *name*.

        Raises:
            ClickException: There is none.
        """
        if name not in self.contexts:
            known = ", ".join(map(repr, sorted(self.contexts))) or "none at all"
            raise click.ClickException(f"There is no context {visible(name)!r}; there is {known}.")
        return self.contexts[name]


def file() -> Path:
    """
    Give the file of the contexts, which may not be there.
    """
    given = os.environ.get(FILE_VARIABLE)
    return Path(given) if given else Path(click.get_app_dir("camunda-ext")) / "config.json"


def read() -> Contexts:
    """
    Give all contexts; none if there is no file.

    Raises:
        ClickException: The file cannot be read, or holds something else.
    """
    path = file()
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
        with open(descriptor, encoding="utf-8") as stream:
            try:
                refuse_shared_folder(path)
                refuse_shared_file(stream.fileno(), path)
            except ValueError as error:
                # Whoever writes there says who gets the passwords.
                raise click.ClickException(f"{error}.") from None
            return _from_json(json.load(stream))
    except FileNotFoundError:
        return Contexts()
    except OSError as error:
        raise click.ClickException(f"{path}: {error.strerror or error}.") from None
    except (ValueError, RecursionError) as error:
        raise click.ClickException(f"{path} holds no contexts: {visible(str(error))}.") from None


def write(contexts: Contexts) -> None:
    """
    Keep *contexts* in the file, which none but the user can read.

    Raises:
        ClickException: The file cannot be written.
    """
    path = Path(os.path.realpath(file()))  # a link stays one
    held = {
        "current": contexts.current,
        "contexts": {
            name: attrs.asdict(one, filter=lambda _, value: value is not None)
            for name, one in sorted(contexts.contexts.items())
        },
    }
    # Whoever reads the file while it is written gets the earlier one.
    partial = path.with_name(f".{path.name}-{secrets.token_hex(8)}.part")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with open(descriptor, "w", encoding="utf-8") as stream:
                stream.write(json.dumps(held, indent=2) + "\n")
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)
    except OSError as error:
        raise click.ClickException(f"{path}: {error.strerror or error}.") from None


def _from_json(held: Any) -> Contexts:
    if not isinstance(held, dict) or not isinstance(held.get("contexts"), dict):
        raise ValueError("there is no object 'contexts' in it")
    contexts = {name: _context(name, one) for name, one in held["contexts"].items()}
    current = held.get("current")
    if current is not None and (not isinstance(current, str) or current not in contexts):
        raise ValueError(f"the current context {current!r:.80} is not in it")
    return Contexts(contexts=contexts, current=current)


def _context(name: str, held: Any) -> Context:
    known = {field.name for field in attrs.fields(Context)}
    if not isinstance(held, dict) or not isinstance(held.get("url"), str):
        raise ValueError(f"the context {name!r:.80} has no url")
    # What is not known is not repeated with its value: somebody may have written a password there.
    if not set(held) <= known:
        raise ValueError(
            f"the context {name!r:.80} may have {', '.join(sorted(known))}, and nothing else"
        )
    for key, value in held.items():
        if not isinstance(value, str):
            raise ValueError(f"the {key} of the context {name!r:.80} is no text")
    if has_credentials(held["url"]):
        raise ValueError(f"the url of the context {name!r:.80} has a user or a password in it")
    return Context(**held)


def has_credentials(url: str) -> bool:
    """
    Tell whether a URL has what belongs into no file and no command line.
    """
    return "@" in url.partition("://")[2].partition("/")[0]
