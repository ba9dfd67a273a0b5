"""The little SOQL that clients of the emulator send: one object, equality filters, a limit."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

Record = Mapping[str, str | bool | int | None]


class QueryError(ValueError):
    """The query is refused; code is Salesforce's error code."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class Query:
    """A parsed query; filters are (field, value) pairs that all must hold."""

    fields: tuple[str, ...]
    source: str
    filters: tuple[tuple[str, str], ...]
    limit: int | None


_QUERY = re.compile(
    r"select\s+(?P<fields>[\w\s,.()]+?)\s+from\s+(?P<source>\w+)"
    r"(?:\s+where\s+(?P<filters>.+?))?"
    r"(?:\s+order\s+by\s+createddate\s+desc(?:\s+nulls\s+(?:first|last))?)?"
    r"(?:\s+limit\s+(?P<limit>\d+))?\s*",
    re.IGNORECASE | re.DOTALL,
)
_FILTER = re.compile(r"(?P<name>\w+)\s*=\s*(?:'(?P<text>[^']*)'|(?P<word>true|false))", re.I)
_AND = re.compile(r"\s+and\s+", re.IGNORECASE)


def parse_query(text: str) -> Query:
    """Read a query; QueryError with MALFORMED_QUERY for anything this module doesn't know."""
    match = _QUERY.fullmatch(text.strip())
    if match is None:
        raise QueryError("MALFORMED_QUERY", "unexpected token in the query")
    fields = tuple(name.strip() for name in match["fields"].split(","))
    limit = int(match["limit"]) if match["limit"] else None
    return Query(fields, match["source"], _read_filters(match["filters"]), limit)


def run_query(query: Query, records: Sequence[Record]) -> list[dict[str, str | bool | int | None]]:
    """The fields asked for of the records that match; names are not case sensitive."""
    found = [_folded(record) for record in records]
    for name, wanted in query.filters:
        found = [row for row in found if _as_text(_field(row, name, query)[1]) == wanted]
    rows = [dict(_field(row, name, query) for name in query.fields) for row in found]
    return rows[: query.limit]


def _read_filters(text: str | None) -> tuple[tuple[str, str], ...]:
    filters: list[tuple[str, str]] = []
    for part in _AND.split(text.strip()) if text else []:
        match = _FILTER.fullmatch(part.strip())
        if match is None:
            raise QueryError("MALFORMED_QUERY", "only field = 'value' filters are known here")
        filters.append((match["name"], match["text"] or (match["word"] or "").lower()))
    return tuple(filters)


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
