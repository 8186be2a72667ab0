"""
The filters of a query as options, one for each method of `ExternalTaskQuery` that sets a filter.
"""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime
from functools import wraps
from typing import Any, Final, NoReturn, get_args

import click
from click.shell_completion import CompletionItem

from camunda_ext import ExternalTaskQuery, Operator, SortBy
from camunda_ext.cli._sections import FILTERS, SectionOption
from camunda_ext.safety import visible

#: Begins the names of the parameters of these options, to tell them from a command's own.
_PREFIX: Final = "filter_"

#: ISO 8601 with a zone, without and with fractions of seconds.
_DATES: Final = ("%Y-%m-%dT%H:%M:%S%z", "%Y-%m-%dT%H:%M:%S.%f%z")

#: The methods that set a filter, which return a query.
_METHODS: Final = [
    name
    for name, method in vars(ExternalTaskQuery).items()
    if inspect.isfunction(method)
    and inspect.signature(method).return_annotation == ExternalTaskQuery.__name__
]

#: The parameters of each method that is an option, by its name.
_PARAMETERS: Final = {
    name: list(inspect.signature(getattr(ExternalTaskQuery, name)).parameters.values())[1:]
    for name in (*_METHODS, "sort_by")
}

#: Parts of docstrings that say nothing about options.
_PYTHON_ONLY: Final = re.compile(
    r" \(an aware datetime\)|, and of those of earlier calls|, besides the earlier ones"
)


def moment(text: str) -> datetime:
    """
    The date that a text in ISO 8601 names, which must have seconds and a zone.

    Raises:
        BadParameter: It is no such date.
    """
    for form in _DATES:
        with suppress(ValueError):
            return datetime.strptime(text, form)
    raise click.BadParameter(
        f"'{visible(text)}' is no date with a zone, such as 2026-01-31T12:00:00Z."
    )


def with_query(function: Callable[..., Any]) -> Callable[..., Any]:
    """
    Add an option for each filter to a command, and call it with the *query* that they make.
    """

    @wraps(function)
    def called(**options: Any) -> Any:
        filters = {
            name.removeprefix(_PREFIX): options.pop(name)
            for name in list(options)
            if name.startswith(_PREFIX)
        }
        return function(query=_query(filters), **options)

    decorated: Callable[..., Any] = called
    for method in reversed(_PARAMETERS):
        option = click.option(
            _PREFIX + method,
            _flag(method),
            cls=SectionOption,
            section=FILTERS,
            help=_help(method),
            **_kind(method),
        )
        decorated = option(decorated)
    return decorated


def _kind(method: str) -> dict[str, Any]:
    """
    How click reads the option of a method.
    """
    if method == "sort_by":
        metavar = "CRITERION[:desc]"
        return {"multiple": True, "metavar": metavar, "shell_complete": _complete_criterion}
    parameters = _PARAMETERS[method]
    if not parameters:
        return {"is_flag": True}
    # All but flags may be repeated for click, which would silently take the last of two values.
    if len(parameters) > 1:
        metavar = " ".join(parameter.name.upper() for parameter in parameters)
        return {"multiple": True, "nargs": len(parameters), "metavar": metavar}
    return {"multiple": True, **_TYPES[parameters[0].annotation]}


_TYPES: Final[dict[type, dict[str, Any]]] = {
    str: {"metavar": "TEXT"},
    int: {"type": int, "metavar": "NUMBER"},
    datetime: {"type": moment, "metavar": "DATE"},
}


def _has_several_values(method: str) -> bool:
    parameters = _PARAMETERS[method]
    return len(parameters) > 1 or any(one.kind is one.VAR_POSITIONAL for one in parameters)


def _help(method: str) -> str:
    """
    The first paragraph of the method's docstring, in words of the command line.
    """
    if method == "sort_by":
        known = ", ".join(criterion.value for criterion in SortBy)
        return f"Sort by this criterion, after those before it: {known}. May be repeated."
    docstring = inspect.getdoc(getattr(ExternalTaskQuery, method)) or ""  # nothing under -OO
    text = _PYTHON_ONLY.sub("", " ".join(docstring.partition("\n\n")[0].split()))
    if method == "process_variable":
        text += f" Operators are {', '.join(get_args(Operator))}."
    if _has_several_values(method):
        text += " May be repeated."
    text = re.sub(r"`(\w+)\(\)`", lambda match: _flag(match[1]), text)
    return text.replace("`", "")


def _complete_criterion(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    texts = (f"{criterion.value}{order}" for criterion in SortBy for order in ("", ":desc"))
    return [CompletionItem(text) for text in texts if text.startswith(incomplete)]


def _flag(method: str) -> str:
    return f"--{method.replace('_', '-')}"


def _query(filters: dict[str, Any]) -> ExternalTaskQuery:
    """
    The query that the values of all options make.

    Raises:
        UsageError: A filter cannot have such a value.
    """
    query = ExternalTaskQuery()
    for method, value in filters.items():
        try:
            for arguments in _calls(method, value) if value else ():
                query = getattr(query, method)(*arguments)
        except (TypeError, ValueError) as error:
            raise click.UsageError(f"{_flag(method)}: {visible(str(error))}.") from None
    return query


def _calls(method: str, value: Any) -> Iterator[tuple[Any, ...]]:
    """
    The arguments of each call of a method.

    Raises:
        ValueError: A value is empty, or there are two for a filter that has one.
    """
    if value is True:
        yield ()
        return
    if "" in value or any("" in part for part in value if isinstance(part, tuple)):
        raise ValueError("must not be empty")  # an unset variable of a script
    if len(value) > 1 and not _has_several_values(method):
        raise ValueError("can have one value only")
    if method == "sort_by":
        for text in value:
            criterion, colon, order = text.partition(":")
            yield (criterion, order) if colon else (criterion,)
    elif method == "process_variable":
        for name, operator, text in value:
            # Patterns are text, whatever is in them.
            yield name, operator, text if "like" in operator.lower() else _json_or_text(text)
    else:
        yield value


def _json_or_text(text: str) -> Any:
    """
    The value of a text that is a number, true, false, null or a text in quotes in JSON, or a date
    as the engine writes it; any other text is returned as it is.
    """
    if re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d{4}", text, re.ASCII):
        with suppress(ValueError):
            return datetime.strptime(text, _DATES[1])
    try:
        value = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        return text
    return text if isinstance(value, (list, dict)) else value


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(name)  # NaN is not JSON
