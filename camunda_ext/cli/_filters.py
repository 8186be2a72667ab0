"""
The filters of a query as options, made of the one table of filters.
"""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Callable, Iterator
from datetime import datetime
from functools import wraps
from types import NoneType, UnionType
from typing import Any, Final, NoReturn, get_args, get_origin

import attrs
import click
from click.shell_completion import CompletionItem

from camunda_ext._wire.dates import aware_date
from camunda_ext._wire.text import printable
from camunda_ext.cli._sections import FILTERS, SectionOption
from camunda_ext.dto import Operator
from camunda_ext.query import ExternalTaskQuery, SortBy, date_or_same

#: Begins the names of what these options give, which are no names of a command's own.
_PREFIX: Final = "filter_"


def moment(text: str) -> datetime:
    """
    Read a date in ISO 8601 that has seconds and a zone, or one as the engine writes it.

    Raises:
        BadParameter: It is no such date.
    """
    try:
        return aware_date(text)
    except ValueError:
        raise click.BadParameter(
            f"'{printable(text)}' is no date with a zone, such as 2026-01-31T12:00:00Z."
        ) from None


def with_query(function: Callable[..., Any]) -> Callable[..., Any]:
    """
    Give a command an option for each filter, and call it with the *query* that they make.
    """

    @wraps(function)
    def called(*arguments: Any, **given: Any) -> Any:
        query = _query({name: given.pop(name) for name in list(given) if name.startswith(_PREFIX)})
        return function(*arguments, query=query, **given)

    decorated: Callable[..., Any] = called
    for method, told in reversed(list(_options())):
        option = click.option(
            _PREFIX + method,
            _flag(method),
            cls=SectionOption,
            section=FILTERS,
            help=_said(method),
            **told,
        )
        decorated = option(decorated)
    return decorated


def _fields() -> Iterator[tuple[str, attrs.Attribute[Any], str]]:
    """
    The method of each field, the field, and the name of its type, but for ``None``.
    """
    for field in attrs.fields(ExternalTaskQuery):
        method = str(field.metadata.get("method", field.name.lstrip("_")))
        kind: Any = field.type
        if isinstance(kind, UnionType):
            kind = next(member for member in get_args(kind) if member is not NoneType)
        yield method, field, (get_origin(kind) or kind).__name__


def _options() -> Iterator[tuple[str, dict[str, Any]]]:
    last = []
    for method, field, kind in _fields():
        if method == "sort_by":
            told = {"metavar": "CRITERION[:desc]", "shell_complete": _complete_criterion}
            last.append((method, {"multiple": True, **told}))
        elif "parts" in field.metadata:
            parts = field.metadata["parts"]
            metavar = " ".join(part.upper() for part in parts)
            yield method, {"nargs": len(parts), "multiple": True, "metavar": metavar}
        else:
            yield method, _KINDS[kind]
    yield from last


def _complete_criterion(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    known = (f"{one.value}{order}" for one in SortBy for order in ("", ":desc"))
    return [CompletionItem(one) for one in known if one.startswith(incomplete)]


#: How an option of each type is made. For click all but flags may be repeated: of two values it
#: would take the last one, without a word.
_KINDS: Final[dict[str, dict[str, Any]]] = {
    "bool": {"is_flag": True},
    "str": {"multiple": True, "metavar": "TEXT"},
    "tuple": {"multiple": True, "metavar": "TEXT"},
    "int": {"multiple": True, "type": int, "metavar": "NUMBER"},
    "datetime": {"multiple": True, "type": moment, "metavar": "DATE"},
}


def _said(method: str) -> str:
    """
    Give the first paragraph of what the method says of itself.
    """
    if method == "sort_by":
        known = ", ".join(one.value for one in SortBy)
        return f"Sort by this, after what is named before: {known}. May be repeated."
    said = inspect.getdoc(getattr(ExternalTaskQuery, method)) or ""  # nothing under -OO
    words = [" ".join(said.partition("\n\n")[0].replace(" (an aware datetime)", "").split())]
    field, kind = next((field, kind) for name, field, kind in _fields() if name == method)
    if "parts" in field.metadata:
        words.append(f"Operators are {', '.join(get_args(Operator))}.")
        words.append(f"Since {field.metadata['since']}; older engines ignore it.")
    if kind == "tuple":
        words.append("May be repeated.")
    return _METHOD.sub(lambda found: _flag(found[1]), " ".join(words)).replace("`", "")


#: A method that a docstring names.
_METHOD: Final = re.compile(r"`(\w+)\(\)`")


def _flag(method: str) -> str:
    return f"--{method.replace('_', '-')}"


def _query(given: dict[str, Any]) -> ExternalTaskQuery:
    """
    Build the query.

    Raises:
        UsageError: A value is none that the filter could have.
    """
    query = ExternalTaskQuery()
    for method, field, kind in _fields():
        value = given[_PREFIX + method]
        if not value:
            continue
        if kind != "bool":
            _check(method, field, kind, value)
        for arguments in _calls(method, field, kind, value):
            try:
                query = getattr(query, method)(*arguments)
            except (TypeError, ValueError) as error:
                said = f"{_flag(method)}: {printable(str(error))}."
                raise click.UsageError(said) from None
    return query


def _check(method: str, field: attrs.Attribute[Any], kind: str, values: tuple[Any, ...]) -> None:
    """
    Refuse what comes of a variable of a script that is not set, and more values than there can be.
    """
    given = [part for value in values for part in value] if "parts" in field.metadata else values
    if "" in given:
        raise click.UsageError(f"{_flag(method)}: must not be empty.")
    if len(values) > 1 and kind != "tuple":
        raise click.UsageError(f"{_flag(method)}: can be given once, and was given twice.")


def _calls(
    method: str, field: attrs.Attribute[Any], kind: str, value: Any
) -> Iterator[tuple[Any, ...]]:
    """
    Give the arguments of each call that the value of an option stands for.
    """
    if method == "sort_by":
        for one in value:
            criterion, colon, order = one.partition(":")
            yield (criterion, order) if colon else (criterion,)
    elif "parts" in field.metadata:
        for name, operator, text in value:
            # Patterns are text, whatever is in them.
            yield name, operator, text if "like" in operator.lower() else _json_or_text(text)
    elif kind == "bool":
        yield ()
    else:
        yield value  # those of a list, or the only one


def _json_or_text(text: str) -> Any:
    """
    Read a number, true, false, null or a text in quotes, or a date as the engine writes it;
    anything else is a text as it is.
    """
    try:
        value = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        return date_or_same(text)
    return text if isinstance(value, (list, dict)) else value


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(name)  # NaN is no JSON
