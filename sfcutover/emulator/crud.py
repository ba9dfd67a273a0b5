"""The CRUD-based calls of the Metadata API: components are in the call and are saved immediately.

Wording and codes of their refusals are assumed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass

from lxml import etree

from sfcutover.emulator.deployrequests import RefusedError
from sfcutover.emulator.formats import (
    child_text,
    local_name,
    metadata_child,
    metadata_root,
    parse_xml,
    write_xml,
)
from sfcutover.emulator.org import Org
from sfcutover.emulator.outcome import Checker
from sfcutover.emulator.packages import shaped
from sfcutover.emulator.results import Nil, Tree
from sfcutover.emulator.schema import SCHEMAS, TypeSchema
from sfcutover.emulator.soap import NIL, XSI, Call
from sfcutover.emulator.validation import validate

MAX_RECORDS = 10  # of a call (Metadata API guide)
_TYPE = f"{{{XSI}}}type"


@dataclass(frozen=True)
class _Sent:
    """A component as a call has it."""

    schema: TypeSchema
    name: str
    element: etree._Element

    @property
    def xml(self) -> bytes:
        """The same as a file, which contains neither its name nor empty fields."""
        root = metadata_root(self.schema.name)
        kept = (one for one in self.element if one.get(NIL) not in ("true", "1"))
        root.extend(deepcopy(one) for one in kept if local_name(one) != "fullName")
        return write_xml(root)


class CrudCalls:
    """One such call to an org, at an API version. The caller holds the org's lock."""

    def __init__(self, org: Org, call: Call, version: float) -> None:
        self._org = org
        self._call = call
        self._version = version
        self._rules = Checker(org.scenario, org.store).rules(version)

    def read(self) -> list[Tree | str]:
        """A ReadResult: the components in the order asked for, nil where there is none."""
        schema, names = self._named()
        return [[("records", self._record(schema, name)) for name in names]]

    def create(self) -> list[Tree | str]:
        """A SaveResult for each component, which must be new."""
        return [_result(one.name, self._save(one, new=True)) for one in self._sent()]

    def update(self) -> list[Tree | str]:
        """A SaveResult for each component, which must be there."""
        return [_result(one.name, self._save(one, new=False)) for one in self._sent()]

    def upsert(self) -> list[Tree | str]:
        """An UpsertResult for each component, new or not."""
        results: list[Tree | str] = []
        for one in self._sent():
            new = self._org.store.get(one.schema.name, one.name) is None
            problem = self._save(one, new=new)
            results.append([("created", new and not problem), *_result(one.name, problem)])
        return results

    def delete(self) -> list[Tree | str]:
        """A DeleteResult for each name."""
        schema, names = self._named()
        return [_result(name, self._remove(schema, name)) for name in names]

    def _named(self) -> tuple[TypeSchema, list[str]]:
        names = self._call.texts("fullNames")
        _check_count(names)
        return self._schema(self._call.text("type")), names

    def _sent(self) -> Iterator[_Sent]:
        elements = self._call.elements("metadata")
        _check_count(elements)
        for one in elements:
            schema = self._schema((one.get(_TYPE) or "").rpartition(":")[2])
            yield _Sent(schema, (child_text(one, "fullName") or "").strip(), one)

    def _schema(self, name: str) -> TypeSchema:
        schema = SCHEMAS.get(name)
        if schema is None or not schema.exists_in(self._version):
            raise RefusedError("INVALID_TYPE", f"Unknown type:{name}")
        return schema

    def _record(self, schema: TypeSchema, name: str) -> etree._Element | Nil:
        stored = self._org.store.get(schema.name, name)
        if stored is None:
            return Nil.NIL
        record = metadata_root("records")
        record.set(_TYPE, schema.name)
        metadata_child(record, "fullName").text = name
        record.extend(parse_xml(shaped(stored, self._version)))
        for one in record.iter():  # the file's layout has no place here
            one.tail = None
            one.text = None if len(one) else one.text
        return record

    def _save(self, sent: _Sent, *, new: bool) -> str | None:
        """Save a component; else why not, with a code before a colon."""
        place = (sent.schema.name, sent.name)
        if not sent.name:
            return "REQUIRED_FIELD_MISSING: Required field is missing: fullName"
        if new and self._org.store.get(*place) is not None:
            return f"DUPLICATE_DEVELOPER_NAME: {sent.name} is there already"
        if not new and self._org.store.get(*place) is None:
            return _absent(*place)
        problem = validate(sent.xml, sent.schema, self._rules)
        if problem:
            return problem.text
        self._org.store.save(*place, sent.xml)
        return None

    def _remove(self, schema: TypeSchema, name: str) -> str | None:
        if self._org.store.get(schema.name, name) is None:
            return _absent(schema.name, name)
        self._org.store.delete(schema.name, name)
        return None


def _check_count(asked: Sequence[object]) -> None:
    if len(asked) > MAX_RECORDS:
        text = f"record limit reached. cannot submit more than {MAX_RECORDS} records"
        raise RefusedError("EXCEEDED_ID_LIMIT", text)


def _absent(metadata_type: str, name: str) -> str:
    return f"INVALID_CROSS_REFERENCE_KEY: no {metadata_type} named {name} found"


def _result(name: str, problem: str | None) -> Tree:
    """A SaveResult, or a DeleteResult, which is like it."""
    return [
        ("errors", _error(problem) if problem else None),
        ("fullName", name),
        ("success", problem is None),
    ]


def _error(problem: str) -> Tree:
    code, _, text = problem.partition(": ")
    if not code.isupper():  # it has none
        code, text = "FIELD_INTEGRITY_EXCEPTION", problem
    return [("message", text), ("statusCode", code)]
