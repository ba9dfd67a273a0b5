"""What would come of a package: a message per component, and what it changes."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property

from sfcutover.allowlist.carriers import APP, SECURITY_SETTINGS
from sfcutover.emulator.components import Store
from sfcutover.emulator.packages import (
    MANIFEST,
    ArchiveError,
    Manifest,
    ManifestError,
    Package,
    read_package,
)
from sfcutover.emulator.scenario import Scenario
from sfcutover.emulator.schema import ANYTHING, SCHEMAS, FieldType, TypeSchema
from sfcutover.emulator.validation import Problem, Rules, validate


@dataclass(frozen=True)
class Message:
    """One DeployMessage: a component, or package.xml, and how it went."""

    file_name: str
    full_name: str
    component_type: str = ""
    problem: Problem | None = None
    id: str | None = None
    is_new: bool = False
    is_changed: bool = False
    is_deleted: bool = False


@dataclass(frozen=True)
class Change:
    """A component to be saved, or to be deleted where xml is None."""

    metadata_type: str
    full_name: str
    xml: bytes | None


Checked = tuple[Message, Change | None]
"""How a component went, and what it changes if it went well."""


@dataclass(frozen=True)
class Outcome:
    """successes and failures hold a message per component; changes only successful ones.

    error: why no component was looked at, for example a zip that isn't one.
    """

    successes: tuple[Message, ...] = ()
    failures: tuple[Message, ...] = ()
    changes: tuple[Change, ...] = ()
    total: int = 0
    file_count: int | None = None
    error: str | None = None


class Checker:
    """Compares packages with the org's components. The caller holds the org's lock."""

    def __init__(self, scenario: Scenario, store: Store) -> None:
        self._scenario = scenario
        self._store = store

    def check(self, zip_bytes: bytes, *, single_package: bool) -> Outcome:
        """Work out what deploying the zip would do, without doing it."""
        try:
            package = read_package(zip_bytes, single_package=single_package)
        except ManifestError as error:
            return _bad_manifest(str(error), *error.paths)
        except ArchiveError as error:
            return Outcome(error=str(error))
        version = package.manifest.version
        if version is None:
            return _bad_manifest("No version specified in package.xml")
        if not self._scenario.min_api_version <= version <= self._scenario.max_api_version:
            return _bad_manifest(f"UNSUPPORTED_API_VERSION: Invalid Api version: {version:.1f}")
        return self._check_members(package, version)

    def _check_members(self, package: Package, version: float) -> Outcome:
        checked = list(self._checked(package, version))
        successes = [message for message, _ in checked if message.problem is None]
        manifest = Message(f"{package.root}{MANIFEST}", MANIFEST, is_changed=True)
        return Outcome(
            (*successes, manifest),
            tuple(message for message, _ in checked if message.problem),
            tuple(change for _, change in checked if change),
            len(checked),
            package.file_count,
        )

    def _checked(self, package: Package, version: float) -> Iterator[Checked]:
        rules = self.rules(version, package.manifest.members.get(APP.metadata_type, ()))
        for type_name, members in package.manifest.members.items():
            schema = SCHEMAS.get(type_name)
            if schema is None or not schema.exists_in(version):
                yield _unknown_type(package, type_name, version, schema), None
                continue
            for name in _expand(members, package, schema):
                yield self._check_member(package, schema, name, rules)
        for message in _unnamed_files(package):
            yield message, None
        yield from self._check_removals(package.destructive)

    def _check_member(
        self, package: Package, schema: TypeSchema, name: str, rules: Rules
    ) -> Checked:
        path = schema.component_type.path(name)
        xml = package.files.get(path)
        if xml is None:
            return _missing_file(package, schema, name), None
        before = self._store.get(schema.name, name)
        place = (f"{package.root}{path}", name, schema.name)
        known_id = before.id if before else None
        problem = validate(xml, schema, rules)
        if problem:
            return Message(*place, problem, known_id), None
        message = Message(*place, None, known_id, is_new=before is None, is_changed=True)
        return message, Change(schema.name, name, xml)

    def _check_removals(self, removals: Manifest | None) -> Iterator[Checked]:
        for type_name, members in (removals.members if removals else {}).items():
            for name in members:
                place = ("destructiveChanges.xml", name, type_name)
                if self._store.get(type_name, name) is None:
                    text = f"No {type_name} named: {name} found"
                    yield Message(*place, Problem(text)), None
                else:
                    yield Message(*place, is_deleted=True), Change(type_name, name, None)

    def rules(self, version: float, apps: Collection[str] = ()) -> Rules:
        """What the org goes by at an API version; apps are sent along."""
        return Rules(
            version,
            lambda name: name in apps or self._store.get(APP.metadata_type, name) is not None,
            self._own_fields,
            self._scenario.require_schema_order,
        )

    @cached_property
    def _own_fields(self) -> dict[str, dict[str, FieldType]]:
        """The fields that only this org has."""
        type_name = SECURITY_SETTINGS.metadata_type
        known = SCHEMAS[type_name].fields
        ranges = known["tokenIpRanges"]
        children = _any_of(self._scenario.unknown_range_fields, ranges.children)
        own = _any_of(self._scenario.unknown_fields, known)
        return {type_name: own | {ranges.name: replace(ranges, children=children)}}


def _bad_manifest(text: str, *paths: str) -> Outcome:
    """No component is looked at, so that none counts."""
    failures = (Message(path, MANIFEST, problem=Problem(text)) for path in paths or (MANIFEST,))
    return Outcome(failures=tuple(failures))


def _any_of(names: Iterable[str], known: dict[str, FieldType]) -> dict[str, FieldType]:
    """The known fields, and those of other names, which may hold anything."""
    return {name: FieldType(name, ANYTHING, is_repeated=True) for name in names} | known


def _missing_file(package: Package, schema: TypeSchema, name: str) -> Message:
    text = (
        f"An object '{name}' of type {schema.name} was named in package.xml, "
        "but was not found in zipped directory"
    )
    return Message(f"{package.root}{MANIFEST}", name, schema.name, Problem(text))


def _expand(members: list[str], package: Package, schema: TypeSchema) -> list[str]:
    """The names in a manifest's type; ``*`` means every file of the type."""
    head, _, tail = schema.component_type.path("*").partition("*")
    found = [
        path.removeprefix(head).removesuffix(tail)
        for path in package.files
        if path.startswith(head) and path.endswith(tail)
    ]
    names = [name for name in members if name != "*"]
    return list(dict.fromkeys([*names, *(found if "*" in members else [])]))


def _unknown_type(
    package: Package, name: str, version: float, schema: TypeSchema | None
) -> Message:
    text = (
        f"Unknown type name '{name}' specified in package.xml"
        if schema is None
        else f"Entity type '{name}' is not available in version {version:.1f}"
    )
    return Message(f"{package.root}{MANIFEST}", name, "", Problem(text))


def _unnamed_files(package: Package) -> Iterator[Message]:
    named = {
        SCHEMAS[type_name].component_type.path(name)
        for type_name, members in package.manifest.members.items()
        if type_name in SCHEMAS
        for name in _expand(members, package, SCHEMAS[type_name])
    }
    for path in package.files:
        if path not in named:
            name = path.rpartition("/")[2].rpartition(".")[0]
            yield Message(f"{package.root}{path}", name, "", Problem("Not in package.xml"))
