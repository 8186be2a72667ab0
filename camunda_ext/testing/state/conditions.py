"""
The common part of all queries: filters by GET and by POST, sorting, and pages of the results.
"""

from __future__ import annotations

import enum
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

import attrs

from camunda_ext.testing._errors import (
    TOO_LONG,
    EngineError,
    failure,
    invalid_request,
    not_readable,
    null_pointer,
    null_value,
)
from camunda_ext.testing._versions import Version
from camunda_ext.testing.state.store import Row, Transaction
from camunda_ext.testing.values import dates, reading as reading

#: The width of the columns of ids, keys and names, in UTF-16 units.
_WIDTH: Final = 255

#: A condition of a WHERE clause, and the values of its placeholders.
Where = tuple[str, Sequence[Any]]


class Kind(enum.Enum):
    """
    The type of a filter's value in a request.
    """

    TEXT = enum.auto()
    FLAG = enum.auto()
    LONG = enum.auto()
    DATE = enum.auto()
    #: A list of texts; in a URL, an empty text is an empty list.
    LIST = enum.auto()
    #: A list of texts; in a URL, an empty text is a list with an empty text in it.
    ARRAY = enum.auto()
    #: A list of conditions on variables.
    CONDITIONS = enum.auto()


_FROM_JSON: Final[Mapping[Kind, reading.Reader]] = {
    Kind.TEXT: reading.text,
    Kind.FLAG: reading.boolean,
    Kind.LONG: reading.int64,
    Kind.DATE: reading.date,
    Kind.LIST: reading.texts,
    Kind.ARRAY: reading.texts,
    Kind.CONDITIONS: lambda value: reading.each(value, _CONDITION),
}
_JAVA: Final = {Kind.FLAG: "java.lang.Boolean", Kind.LONG: "java.lang.Long"}


#: The properties of a criterion in ``sorting``.
SORTING: Final[Mapping[str, reading.Reader]] = {
    "sortBy": reading.text,
    "sortOrder": reading.text,
    "parameters": reading.mapping,
}
_CONDITION: Final[Mapping[str, reading.Reader]] = {
    "name": reading.text,
    "operator": reading.text,
    "value": reading.anything,
}


@attrs.frozen
class Filter:
    """
    A filter of a query: how its value is read, and which condition it is for the database.
    """

    #: The type of its value.
    kind: Kind

    #: The condition in SQL; for lists, the name of the column. Or a function that makes the
    #: condition from the value of the filter and the values of all filters.
    sql: str | Callable[[Any, Mapping[str, Any]], Where]

    #: Name of the list in the error for a null in it; ``None`` if a null is allowed, which then
    #: matches nothing.
    list_name: str | None = None

    #: Name of the list in the error for an empty text in it; ``None`` if an empty text is allowed.
    #: With a name, the error for a null is a ``NotValidException`` as well.
    strict_name: str | None = None

    #: Name of the list in the error for an empty list; ``None`` if an empty list is allowed, which
    #: then does not filter.
    never_empty: str | None = None

    #: Whether engines before 7.24 ignore the filter.
    is_newer: bool = False

    def where(self, value: Any, filters: Mapping[str, Any], now: int) -> Where | None:
        """
        The condition for a value; ``None`` if the value does not filter.

        Args:
            value: The value of this filter.

            filters: The values of all filters of the query, by name.

            now: The engine's time, in milliseconds since 1970.

        Raises:
            EngineError: The value is a list that is empty, or has an element that is not allowed.
        """
        if value == [] and self.never_empty is not None:
            raise failure("ProcessEngineException", f"{self.never_empty} is empty")
        if value is None or value is False or value == []:
            return None
        if isinstance(value, list) and self.kind is not Kind.CONDITIONS:
            self._check_elements(value)
            return one_of(str(self.sql)), [json.dumps(value)]
        if callable(self.sql):
            return self.sql(value, filters)
        if self.kind is Kind.FLAG:
            return self.sql, [now] * self.sql.count("?")
        return self.sql, [value]

    def _check_elements(self, values: Iterable[str | None]) -> None:
        if self.list_name is None:
            return
        for value in values:
            if value is None:
                message = f"{self.list_name} contains null value"
                raise _not_valid(message) if self.strict_name else null_value(message)
            if value == "" and self.strict_name:
                raise _not_valid(f"{self.strict_name} contains empty string")


@attrs.frozen
class Criteria:
    """
    The filters and the sorting of a query as it was sent.
    """

    #: The values of the filters, by name.
    filters: Mapping[str, Any]
    sort_by: str | None = None
    sort_order: str | None = None
    #: The criteria of ``sorting``, which a body may have.
    sorting: Sequence[Mapping[str, Any] | None] = ()


_NO_FILTERS: Final = ("sortBy", "sortOrder", "sorting", "firstResult", "maxResults")


@attrs.frozen
class QueryType:
    """
    A type of query: its table, its filters, its criteria of sorting, and the form of its results.
    """

    #: The table, or a subquery in SQL.
    table: str

    #: The filters by name, in the order in which the engine checks them.
    filters: Mapping[str, Filter]

    #: The columns to sort by, by their names in ``sortBy``.
    sort_by: Mapping[str, str]

    #: For some filters, other filters of which any makes the engine ignore the first one.
    overruled: Mapping[str, Sequence[str]] = attrs.field(factory=dict)

    #: Whether Camunda has more filters for it. Such a filter is then refused, as ignoring it would
    #: return too many results.
    is_partial: bool = False

    #: Returns a row as the engine's answer has it.
    show: Callable[[Row, Version], dict[str, Any]] = lambda row, version: dict(row)

    def from_url(self, parameters: Mapping[str, str], version: Version) -> Criteria:
        """
        The query in the parameters of a GET request. Unknown parameters are ignored.

        Raises:
            EngineError: A value is invalid, or the query is partial and has no such filter.
        """
        filters = {
            name: _from_text(name, self.filters[name].kind, text, version)
            for name, text in parameters.items()
            if name in self.filters and self._knows(name, version)
        }
        self._refuse_unknown(parameters)
        ways = {"sortBy": self.sort_by_names(version), "sortOrder": ("asc", "desc")}
        for name, allowed in ways.items():
            if name in parameters and parameters[name] not in allowed:
                raise _cannot_set(name, parameters[name])
        return Criteria(filters, parameters.get("sortBy"), parameters.get("sortOrder"))

    def from_body(self, body: Any, version: Version) -> Criteria:
        """
        The query in the body of a POST request. Unknown properties are ignored.

        Raises:
            EngineError: A value is invalid, or the query is partial and has no such filter.
        """
        if not isinstance(body, dict):
            raise not_readable()
        filters = {
            name: _FROM_JSON[each.kind](body.get(name))
            for name, each in self.filters.items()
            if name in body and self._knows(name, version)
        }
        sort_by, sort_order = reading.text(body.get("sortBy")), reading.text(body.get("sortOrder"))
        if "sortBy" in body and sort_by not in self.sort_by_names(version):
            raise not_readable()
        if "sortOrder" in body and sort_order not in ("asc", "desc"):
            raise not_readable()
        self._refuse_unknown({name: value for name, value in body.items() if value})
        sorting = reading.each(body.get("sorting"), SORTING) or []
        return Criteria(filters, sort_by, sort_order, sorting)

    def _refuse_unknown(self, names: Iterable[str]) -> None:
        if not self.is_partial:
            return
        for name in names:
            if name not in self.filters and name not in _NO_FILTERS:
                known = ", ".join(self.filters)
                raise invalid_request(
                    f"The embedded engine does not filter by {name!r} here; it knows {known}"
                )

    def _knows(self, name: str, version: Version) -> bool:
        return version.newer_filters or not self.filters[name].is_newer

    def sort_by_names(self, version: Version) -> tuple[str, ...]:
        """
        The names that a version allows in ``sortBy``.
        """
        return tuple(n for n in self.sort_by if n != "createTime" or version.create_time)

    def compile(self, tx: Transaction, criteria: Criteria) -> tuple[Where, str]:
        """
        The WHERE clause and the ORDER BY clause of the query, each without its keywords.

        Raises:
            EngineError: A filter or the sorting is refused.
        """
        parts: list[str] = []
        values: list[Any] = []
        sent = criteria.filters
        for name, each in self.filters.items():
            where = each.where(sent.get(name), sent, tx.now)
            overruled = any(sent.get(other) for other in self.overruled.get(name, ()))
            if where is not None and not overruled:
                parts.append(f"({where[0]})")
                values.extend(where[1])
        if (criteria.sort_by is None) != (criteria.sort_order is None):
            raise invalid_request(
                "Only a single sorting parameter specified. sortBy and sortOrder required"
            )
        order = self._order(criteria, tx.version)
        return (" AND ".join(parts) or "TRUE", values), order

    def rows(self, tx: Transaction, criteria: Criteria, page: Page) -> Iterable[Row]:
        """
        The matching rows of one page.
        """
        (where, values), order = self.compile(tx, criteria)
        if tx.powerless is not None:
            return ()
        query = f"SELECT * FROM {self.table} WHERE {where} ORDER BY {order}"
        return page.rows(tx, query, values)

    def select(self, tx: Transaction, criteria: Criteria, page: Page) -> list[dict[str, Any]]:
        """
        The matching rows of one page, as the engine's answer has them.
        """
        return [self.show(row, tx.version) for row in self.rows(tx, criteria, page)]

    def ids(self, tx: Transaction, criteria: Criteria) -> list[str]:
        """
        The ids of all matching rows.
        """
        return [row["id"] for row in self.rows(tx, criteria, Page(None, None))]

    def count(self, tx: Transaction, criteria: Criteria) -> int:
        """
        The number of matching rows.
        """
        (where, values), _ = self.compile(tx, criteria)
        if tx.powerless is not None:
            return 0
        return int(tx.value(f"SELECT count(*) FROM {self.table} WHERE {where}", *values))

    def _order(self, criteria: Criteria, version: Version) -> str:
        order: list[list[str]] = []
        known = self.sort_by_names(version)
        first = {"sortBy": criteria.sort_by, "sortOrder": criteria.sort_order}
        for element in (first, *criteria.sorting):
            if element is None:
                raise null_pointer()
            sort_by, sort_order = element["sortBy"], element["sortOrder"]
            if sort_by is not None and sort_by in known:
                order.append([self.sort_by[sort_by]])
            if sort_order not in ("asc", "desc"):
                continue
            if not order:
                raise _not_valid(
                    "You should call any of the orderBy methods first before specifying a "
                    "direction: currentOrderingProperty is null"
                )
            if len(order[-1]) == 2:
                raise _not_valid(
                    "Invalid query: can specify only one direction desc() or asc() for an "
                    "ordering constraint: direction is not null"
                )
            order[-1].append(sort_order)
        if any(len(criterion) < 2 for criterion in order):
            raise NoDirection
        directions: dict[str, str] = {}
        for column, direction in order:
            directions.setdefault(column, direction)  # Only the first one of a column counts.
        if not directions:
            return "id"
        terms = [f"{column} {direction}" for column, direction in directions.items()]
        # As databases of real engines do, order rows that are equal differently each time.
        return ", ".join([*terms, "dice(id)"])


class NoDirection(EngineError):
    """
    The error of a criterion of sorting without a direction.
    """

    def __init__(self) -> None:
        message = "Invalid query: call asc() or desc() after using orderByXX(): direction is null"
        super().__init__(400, "NotValidException", message, 0)


def _not_valid(message: str) -> EngineError:
    return EngineError(400, "NotValidException", message, 0)


def _cannot_set(name: str, value: str, why: str = "") -> EngineError:
    return invalid_request(f"Cannot set query parameter '{name}' to value '{value}'{why}")


def _from_text(name: str, kind: Kind, text: str, version: Version) -> Any:
    if kind is Kind.TEXT:
        return text
    if kind in (Kind.LIST, Kind.ARRAY):
        return _split(text, ",") if text.strip(reading.BLANKS) or kind is Kind.ARRAY else []
    if kind is Kind.CONDITIONS:
        return [_condition(name, text, each) for each in _split(text, ",")]
    if kind is Kind.DATE:
        return _date_from_text(name, text, version)
    try:
        return _FROM_JSON[kind](json.loads(text))
    except (ValueError, OverflowError, EngineError):
        why = f": Cannot convert value {text} to java type {_JAVA[kind]}"
        raise _cannot_set(name, text, why) from None


def _date_from_text(name: str, text: str, version: Version) -> int | None:
    why = f': Cannot convert value "{text}" to java type java.util.Date'
    if text.startswith('"') or text.endswith('"'):
        if version.refuses_quoted_dates:
            why = f": Cannot convert value {text} to java type java.util.Date because of "
            raise _cannot_set(name, text, why + "double quotes")
        text = text.strip('"')
    if text.strip(reading.BLANKS) in ("", "null"):
        return None
    try:
        return dates.parse(text)
    except ValueError:
        raise _cannot_set(name, text, why) from None


def _split(text: str, mark: str) -> list[str]:
    """
    The pieces of a text as Java splits it: without empty pieces at the end.
    """
    pieces = text.split(mark)
    while pieces[1:] and pieces[-1] == "":
        pieces.pop()
    # A text of nothing but marks has no pieces, but an empty text is itself a piece.
    return pieces if text == "" or pieces != [""] else []


def _condition(name: str, whole: str, text: str) -> dict[str, Any]:
    pieces = _split(text, "_")
    if len(pieces) != 3:
        why = ": variable query parameter has to have format KEY_OPERATOR_VALUE."
        raise _cannot_set(name, whole, why)
    return dict(zip(("name", "operator", "value"), pieces, strict=True))


@attrs.frozen
class Page:
    """
    The part of the results to return.
    """

    #: The position of the first result, from 0; ``None`` for 0.
    first: int | None
    #: How many results to return at most; ``None`` for all.
    most: int | None

    @classmethod
    def from_url(cls, parameters: Mapping[str, str]) -> Page:
        """
        The page in the parameters of a request.

        Raises:
            EngineError: A parameter is no integer of 32 bits.
        """
        return cls(_page_number(parameters, "firstResult"), _page_number(parameters, "maxResults"))

    def rows(self, tx: Transaction, query: str, values: Sequence[Any]) -> Iterable[Row]:
        """
        The rows of this page.
        """
        if self.first is None and self.most is None:
            return tx.run(query, *values)
        first = 0 if self.first is None else self.first
        most = reading.INT32[1] if self.most is None else self.most
        if -1 in (first, most):
            return ()
        if first < 0 or most < 0:
            raise persistence_error(tx.version, 0)
        return tx.run(f"{query} LIMIT ? OFFSET ?", *values, most, first)


def persistence_error(version: Version, code: int) -> EngineError:
    """
    The error of a command that the database has refused.
    """
    return failure(
        version.persistence_error,
        "An exception occurred in the persistence layer. Please check the server logs for a "
        "detailed message and the entire exception stack trace.",
        code=code,
    )


def as_bytes(expression: str) -> str:
    """
    The SQL expression of a text as bytes. Python's functions for SQLite take texts as bytes, as
    SQLite cannot pass a text with half an emoji to them.
    """
    return f"CAST({expression} AS BLOB)"


def like(column: str) -> Callable[..., Where]:
    """
    A function of a pattern that returns the condition that a column is like it.
    """
    condition = f"is_like({as_bytes(column)}, {as_bytes('?')})"
    return lambda pattern, filters=None: (condition, [pattern])


def one_of(column: str) -> str:
    """
    The condition that a column is one of the texts in a JSON list. It takes a single value, as
    SQLite limits the number of values, which a list may exceed.
    """
    return f"{column} IN (SELECT value FROM json_each(?))"


def joined(operator: str, parts: Sequence[str]) -> str:
    """
    Several conditions as one, nested as a balanced tree, as SQLite refuses expressions that are
    nested deeper than a thousand levels.
    """
    if len(parts) == 1:
        return f"({parts[0]})"
    middle = len(parts) // 2
    return f"({joined(operator, parts[:middle])} {operator} {joined(operator, parts[middle:])})"


def ensure_narrow(tx: Transaction, *texts: str | None) -> None:
    """
    Refuse texts that are too long for the columns of ids, keys and names.

    Raises:
        EngineError: A text is too long.
    """
    for text in texts:
        if text and len(text.encode("utf-16-le", "surrogatepass")) > 2 * _WIDTH:
            raise persistence_error(tx.version, TOO_LONG)


def _page_number(parameters: Mapping[str, str], name: str) -> int | None:
    text = parameters.get(name, "")
    if text == "":
        return None
    lowest, highest = reading.INT32
    # As in Java, the digits may be of any script.
    if re.fullmatch(r"[+-]?\d{1,99}", text) and lowest <= int(text) <= highest:
        return int(text)
    raise EngineError(404, "QueryParamException", "HTTP 404 Not Found")
