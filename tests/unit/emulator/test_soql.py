"""The columns of a query's result, as the REST API describes them."""

from __future__ import annotations

from sfcutover.emulator.soql import Record, column_metadata, parse_query, run_query

ROW: Record = {"Id": "0Af", "CheckOnly": False, "CreatedBy.Name": "Casey", "CreatedBy.Id": "005"}


def columns(soql: str, *rows: Record) -> list[dict[str, object]]:
    query = parse_query(soql)
    return column_metadata(query, run_query(query, rows))


def test_columns_are_in_the_order_of_the_query() -> None:
    found = columns("SELECT CheckOnly, Id FROM DeployRequest", ROW)
    assert [one["columnName"] for one in found] == ["CheckOnly", "Id"]
    assert [one["booleanType"] for one in found] == [True, False]


def test_fields_of_one_relation_are_grouped() -> None:
    soql = "SELECT CreatedBy.Name, Id, CreatedBy.Id FROM DeployRequest"
    relation, plain = columns(soql, ROW)
    assert (relation["columnName"], plain["columnName"]) == ("CreatedBy", "Id")
    joined = relation["joinColumns"]
    assert isinstance(joined, list)
    assert [one["columnName"] for one in joined] == ["Name", "Id"]


def test_without_a_row_the_columns_are_the_same() -> None:
    found = columns("SELECT Id, CheckOnly FROM DeployRequest")
    assert [one["columnName"] for one in found] == ["Id", "CheckOnly"]
