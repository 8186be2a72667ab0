"""
What all queries have in common: filters by GET and by POST, sorting, and a page of the result.
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

#: How many UTF-16 units the columns of ids, keys and names hold.
_WIDTH: Final = 255

#: A part of a WHERE clause, and the values that it needs.
Where = tuple[str, Sequence[Any]]


class Kind(enum.Enum):
    """
    What a filter's value is, on the wire.
    """

    TEXT = enum.auto()
    FLAG = enum.auto()
    LONG = enum.auto()
    DATE = enum.auto()
    #: A list; an empty text is an empty one.
    LIST = enum.auto()
    #: A list; an empty text is one with an empty text in it.
    ARRAY = enum.auto()
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
    One filter: how it is read, and what it means to the database.
    """

    kind: Kind
    #: A condition; for lists, the column. Or what makes one of the value and all filters.
    sql: str | Callable[[Any, Mapping[str, Any]], Where]
    #: What a list with a null in it is called in the error; where there is none, null matches
    #: nothing.
    list_name: str | None = None
    #: What a list with an empty text in it is called in the error, if it is one; such a list is
    #: then an invalid query, with a null as well.
    strict_name: str | None = None
    #: What a list is called in the error that an empty one is; where there is none, an empty list
    #: is no filter.
    never_empty: str | None = None
    #: Whether engines before 7.24 ignore it.
    young: bool = False

    def where(self, value: Any, filters: Mapping[str, Any], now: int) -> Where | None:
        """
        The condition for a value; ``None`` if the value does not filter.

        Args:
            filters: The values of all filters of the query.
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
    A query as it was sent.
    """

    filters: Mapping[str, Any]
    sort_by: str | None = None
    sort_order: str | None = None
    sorting: Sequence[Mapping[str, Any] | None] = ()


_NO_FILTERS: Final = ("sortBy", "sortOrder", "sorting", "firstResult", "maxResults")


@attrs.frozen
class QueryType:
    """
    A kind of query: its table, its filters, what it can be sorted by, how its results look.
    """

    table: str
    filters: Mapping[str, Filter]
    #: Columns, by the names that they have in ``sortBy``.
    sort_by: Mapping[str, str]
    #: Filters of which the engine keeps nothing when one of others is given as well.
    overruled: Mapping[str, Sequence[str]] = attrs.field(factory=dict)
    #: What the real engine filters by besides may not be ignored: more would be found.
    is_partial: bool = False
    #: A row as the engine answers it.
    show: Callable[[Row, Version], dict[str, Any]] = lambda row, version: dict(row)

    def from_url(self, parameters: Mapping[str, str], version: Version) -> Criteria:
        """
        Read the parameters of a GET; what is unknown is ignored.
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
        Read the body of a POST; what is unknown is ignored.
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
        return version.young_filters or not self.filters[name].young

    def sort_by_names(self, version: Version) -> tuple[str, ...]:
        """
        What a version can sort by.
        """
        return tuple(n for n in self.sort_by if n != "createTime" or version.create_time)

    def compile(self, tx: Transaction, criteria: Criteria) -> tuple[Where, str]:
        """
        The conditions, and the columns to sort by.

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
        The rows of one page.
        """
        (where, values), order = self.compile(tx, criteria)
        if tx.powerless is not None:
            return ()
        query = f"SELECT * FROM {self.table} WHERE {where} ORDER BY {order}"
        return page.rows(tx, query, values)

    def select(self, tx: Transaction, criteria: Criteria, page: Page) -> list[dict[str, Any]]:
        """
        The rows of one page, as the engine answers them.
        """
        return [self.show(row, tx.version) for row in self.rows(tx, criteria, page)]

    def ids(self, tx: Transaction, criteria: Criteria) -> list[str]:
        """
        The ids of all rows.
        """
        return [row["id"] for row in self.rows(tx, criteria, Page(None, None))]

    def count(self, tx: Transaction, criteria: Criteria) -> int:
        """
        How many rows match.
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
            directions.setdefault(column, direction)  # By what is there already, it is sorted.
        if not directions:
            return "id"
        terms = [f"{column} {direction}" for column, direction in directions.items()]
        # Among equals the real engine gives another order each time, as its database likes.
        return ", ".join([*terms, "dice(id)"])


class NoDirection(EngineError):
    """
    A criterion of sorting without a direction, which the engine notices last.
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
    Split as Java does: empty pieces at the end are dropped.
    """
    pieces = text.split(mark)
    while pieces[1:] and pieces[-1] == "":
        pieces.pop()
    # A text of nothing but marks is dropped altogether, but an empty one is a piece.
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
    Which part of the result is wanted.
    """

    first: int | None
    most: int | None

    @classmethod
    def from_url(cls, parameters: Mapping[str, str]) -> Page:
        """
        Read the parameters of a list.

        Raises:
            EngineError: One of them is no integer.
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
    What the database refused.
    """
    return failure(
        version.persistence_error,
        "An exception occurred in the persistence layer. Please check the server logs for a "
        "detailed message and the entire exception stack trace.",
        code=code,
    )


def as_bytes(expression: str) -> str:
    """
    A text as functions of ours take it: as a text, SQLite gives them none with half an emoji.
    """
    return f"CAST({expression} AS BLOB)"


def like(column: str) -> Callable[..., Where]:
    """
    The condition that a column is like a pattern.
    """
    condition = f"is_like({as_bytes(column)}, {as_bytes('?')})"
    return lambda pattern, filters=None: (condition, [pattern])


def one_of(column: str) -> str:
    """
    That a column is one of the texts in a list of JSON: SQLite has not so many places for values as
    a list may have.
    """
    return f"{column} IN (SELECT value FROM json_each(?))"


def joined(operator: str, parts: Sequence[str]) -> str:
    """
    Conditions as one, in a tree that stays flat however many there are: SQLite follows none that
    is deeper than a thousand.
    """
    if len(parts) == 1:
        return f"({parts[0]})"
    middle = len(parts) // 2
    return f"({joined(operator, parts[:middle])} {operator} {joined(operator, parts[middle:])})"


def ensure_narrow(tx: Transaction, *texts: str | None) -> None:
    """
    Refuse what is too long for the columns of ids, keys and names.
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
