"""
Errors of the library as messages of the commands.
"""

from __future__ import annotations

import errno

import click

from camunda_ext import OutcomeUnknown
from camunda_ext.safety import visible


class OutcomeIsUnknown(click.ClickException):
    """
    Nobody knows whether a command took effect.
    """

    exit_code = 3


def to_message(error: Exception) -> click.ClickException:
    """
    The error that prints a message of one line for one of the library or of the system.
    """
    if isinstance(error, OSError) and error.strerror:
        path = f"{error.filename}: " if error.filename else ""
        return click.ClickException(visible(f"{path}{error.strerror}."))
    kind = OutcomeIsUnknown if isinstance(error, OutcomeUnknown) else click.ClickException
    return kind(in_options(f"{error}".rstrip(".") + "."))


def cannot_listen(option: str, port: int, error: OSError) -> str:
    """
    Why nothing can be served on a port that an option has named, in a sentence.
    """
    if error.errno == errno.EADDRINUSE:
        return (
            f"Port {port} is in use: choose another one with {option}, or {option} 0 for any that "
            "is free."
        )
    return f"Port {port} cannot be listened on: {error.strerror or error}."


def in_options(text: str) -> str:
    """
    A message of the library with the names of options in place of arguments.
    """
    for argument, option in _OPTIONS.items():
        text = text.replace(argument, option)
    return visible(text)


_OPTIONS = {
    "auth=(user, password)": "--user",
    "auth=": "--user",
    "engine=": "--engine",
    "at_most=": "--at-most ",
    "base_url": "--url",
    "overwrite=True": "--overwrite",
}
