"""The little SOQL that clients of the emulator send: one object, filters, an order, a limit."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

Record = Mapping[str, str | bool | int | None]
Row = dict[str, str | bool | int | None]


class QueryError(ValueError):
    """The query is refused; code is Salesforce's error code."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class Filter:
    """A condition on one field; value is a datetime where it was written without quotes."""

    field: str
    operator: str
    value: str | datetime

    def holds(self, actual: str | bool | int | None) -> bool:
        if isinstance(self.value, str):
            return _as_text(actual) == self.value
        try:
            moment = datetime.fromisoformat(str(actual))
        except ValueError as error:
            raise QueryError("INVALID_FIELD", f"{self.field} is no dateTime") from error
        return _OPERATORS[self.operator](moment, self.value)


@dataclass(frozen=True)
class Query:
    """A parsed query; all filters must hold. order: a field, and True to go down."""

    fields: tuple[str, ...]
    source: str
    filters: tuple[Filter, ...]
    order: tuple[str, bool] | None
    limit: int | None


_QUERY = re.compile(
    r"select\s+(?P<fields>[\w\s,.()]+?)\s+from\s+(?P<source>\w+)"
    r"(?:\s+where\s+(?P<filters>.+?))?"
    r"(?:\s+order\s+by\s+(?P<order>\w+)(?:\s+(?P<way>asc|desc))?(?:\s+nulls\s+(?:first|last))?)?"
    r"(?:\s+limit\s+(?P<limit>\d+))?\s*",
    re.IGNORECASE | re.DOTALL,
)
_FILTER = re.compile(
    r"(?P<name>\w+)\s*(?:=\s*(?:'(?P<text>[^']*)'|(?P<word>true|false))"
    r"|(?P<operator>[<>]=?|=)\s*(?P<time>\d{4}-\d\d-\d\dT[\d:.]+(?:Z|[+-]\d\d:?\d\d)))",
    re.IGNORECASE,
)
_OPERATORS: dict[str, Callable[[datetime, datetime], bool]] = {
    "=": operator.eq,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_AND = re.compile(r"\s+and\s+", re.IGNORECASE)


def parse_query(text: str) -> Query:
    """Read a query; QueryError with MALFORMED_QUERY for anything this module doesn't know."""
    match = _QUERY.fullmatch(text.strip())
    if match is None:
        raise QueryError("MALFORMED_QUERY", "unexpected token in the query")
    fields = tuple(name.strip() for name in match["fields"].split(","))
    limit = int(match["limit"]) if match["limit"] else None
    down = (match["way"] or "").lower() == "desc"
    order = (match["order"], down) if match["order"] else None
    return Query(fields, match["source"], _read_filters(match["filters"]), order, limit)


def run_query(query: Query, records: Sequence[Record]) -> list[Row]:
    """The fields asked for of the records that match; names are not case sensitive.

    Records that the order leaves as they are keep the order in which they are given.
    """
    found = [_folded(record) for record in records]
    for one in query.filters:
        found = [row for row in found if one.holds(_field(row, one.field, query)[1])]
    if query.order:
        name, down = query.order
        found.sort(key=lambda row: _as_text(_field(row, name, query)[1]), reverse=down)
    rows = [dict(_field(row, name, query) for name in query.fields) for row in found]
    return rows[: query.limit]


def column_metadata(query: Query, rows: Sequence[Row]) -> list[dict[str, object]]:
    """A query's columns, a field of a related record within its relation.

    The shape is QueryResultColumnMetadata of ``@salesforce/types``. Whether a column is boolean is
    told from its values; what else there is to say of a field is assumed.
    """
    columns: dict[str, _Column] = {}
    for position, name in enumerate(query.fields):
        relation, _, field = name.rpartition(".")
        is_boolean = any(isinstance(list(row.values())[position], bool) for row in rows)
        if relation:
            columns.setdefault(relation, _Column(relation)).joined.append(_Column(field))
        else:
            columns[name] = _Column(name, is_boolean)
    return [one.described() for one in columns.values()]


@dataclass(frozen=True)
class _Column:
    """A column of a result, or a relation with those of its fields that are asked for."""

    name: str
    is_boolean: bool = False
    joined: list[_Column] = field(default_factory=list)

    def described(self) -> dict[str, object]:
        return {
            "aggregate": False,
            "apexType": "Boolean" if self.is_boolean else "String",
            "booleanType": self.is_boolean,
            "columnName": self.name,
            "custom": False,
            "displayName": self.name,
            "foreignKeyName": None,
            "insertable": False,
            "joinColumns": [one.described() for one in self.joined],
            "numberType": False,
            "textType": not self.is_boolean and not self.joined,
            "updatable": False,
        }


def _read_filters(text: str | None) -> tuple[Filter, ...]:
    filters: list[Filter] = []
    for part in _AND.split(text.strip()) if text else []:
        match = _FILTER.fullmatch(part.strip())
        if match is None:
            raise QueryError("MALFORMED_QUERY", "only field = 'value' filters are known here")
        filters.append(Filter(match["name"], match["operator"] or "=", _value(match)))
    return tuple(filters)


def _value(match: re.Match[str]) -> str | datetime:
    if match["time"] is None:
        return match["text"] or (match["word"] or "").lower()
    try:
        return datetime.fromisoformat(match["time"])
    except ValueError as error:
        raise QueryError("MALFORMED_QUERY", f"{match['time']} is no dateTime") from error


_Row = dict[str, tuple[str, str | bool | int | None]]


def _folded(record: Record) -> _Row:
    return {name.lower(): (name, value) for name, value in record.items()}


def _field(row: _Row, name: str, query: Query) -> tuple[str, str | bool | int | None]:
    if name.lower() not in row:
        text = f"No such column '{name}' on entity '{query.source}'."
        raise QueryError("INVALID_FIELD", text)
    return row[name.lower()]


def _as_text(value: str | bool | int | None) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
