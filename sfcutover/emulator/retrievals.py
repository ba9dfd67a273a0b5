"""Retrieves: which components a request names, and the zip they are given back in."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from lxml import etree

from sfcutover.emulator.archive import MANIFEST, Manifest, write_manifest, write_zip
from sfcutover.emulator.clock import Clock
from sfcutover.emulator.edits import RETRIEVE, Edits
from sfcutover.emulator.ids import IdSequence, is_same
from sfcutover.emulator.scenario import Scenario
from sfcutover.emulator.schema import SCHEMAS, TypeSchema
from sfcutover.emulator.store import Store, Stored, write_component
from sfcutover.emulator.xml import local_name, parse_xml


@dataclass(frozen=True)
class RetrieveRequest:
    """What to retrieve; version is the API version that shapes the files."""

    manifest: Manifest
    version: float
    single_package: bool
    package_names: tuple[str, ...] = ()


@dataclass
class Retrieval:
    """One retrieve request; files and messages are there once it is done."""

    id: str
    request: RetrieveRequest
    ready_at: datetime
    components: list[tuple[str, Stored]] = field(default_factory=list)
    messages: list[str] = field(default_factory=list)
    zip_bytes: bytes | None = None

    @property
    def root(self) -> str:
        """Where the files stand in the zip."""
        return "" if self.request.single_package else "unpackaged/"


class Retriever:
    """All retrieves of one org. The caller holds the org's lock."""

    def __init__(
        self, scenario: Scenario, store: Store, ids: IdSequence, clock: Clock, edits: Edits
    ) -> None:
        self._scenario = scenario
        self._store = store
        self._ids = ids
        self._clock = clock
        self._edits = edits
        self._retrievals: list[Retrieval] = []

    def add(self, request: RetrieveRequest) -> Retrieval:
        """Start a retrieve."""
        ready_at = self._clock() + timedelta(seconds=self._scenario.retrieve_seconds)
        retrieval = Retrieval(self._ids.make("09S"), request, ready_at)
        self._retrievals.append(retrieval)
        return retrieval

    def find(self, retrieval_id: str) -> Retrieval | None:
        """By its 15- or 18-character id, filled if it is ready by now."""
        found = next((one for one in self._retrievals if is_same(one.id, retrieval_id)), None)
        if found and found.zip_bytes is None and self._clock() >= found.ready_at:
            self._edits.reach(RETRIEVE, "before", found.ready_at)
            self._fill(found)
            self._edits.reach(RETRIEVE, "after", found.ready_at)
        return found

    def _fill(self, retrieval: Retrieval) -> None:
        request = retrieval.request
        for name in request.package_names:
            retrieval.messages.append(f"No package named '{name}' found")
        files: dict[str, bytes] = {}
        members: dict[str, list[str]] = {}
        for type_name, names in request.manifest.members.items():
            for stored in self._select(type_name, names, retrieval):
                schema = SCHEMAS[type_name]
                path = retrieval.root + schema.component_type.path(stored.full_name)
                files[path] = _shaped(stored, schema, request.version)
                members.setdefault(type_name, []).append(stored.full_name)
                retrieval.components.append((path, stored))
        files[f"{retrieval.root}{MANIFEST}"] = write_manifest(members, request.version)
        retrieval.zip_bytes = write_zip(files)

    def _select(self, type_name: str, names: list[str], retrieval: Retrieval) -> Iterator[Stored]:
        schema = SCHEMAS.get(type_name)
        if schema is None or not schema.exists_in(retrieval.request.version):
            retrieval.messages.append(f"Entity type '{type_name}' is unknown")
            return
        if "*" in names:
            yield from self._store.of_type(type_name)
        for name in dict.fromkeys(names):
            stored = self._store.get(type_name, name)
            if stored is None and name != "*":
                retrieval.messages.append(
                    f"Entity of type '{type_name}' named '{name}' cannot be found"
                )
            elif stored is not None and "*" not in names:
                yield stored


def _shaped(stored: Stored, schema: TypeSchema, version: float) -> bytes:
    """The file without the fields that are newer than the request."""
    root = parse_xml(stored.xml)
    for child in list(root):
        if _is_newer(child, schema, version):
            root.remove(child)
    return write_component(root)


def _is_newer(child: etree._Element, schema: TypeSchema, version: float) -> bool:
    known = schema.fields.get(local_name(child))
    return known is not None and known.since > version
