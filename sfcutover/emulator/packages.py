"""Packages as zips: reading what a client deploys, writing what it retrieves."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from lxml import etree

from sfcutover.emulator.components import Store, Stored, write_component
from sfcutover.emulator.edits import RETRIEVE, Edits
from sfcutover.emulator.formats import (
    Clock,
    IdSequence,
    XmlError,
    is_same,
    local_name,
    metadata_child,
    metadata_root,
    parse_xml,
    version_of,
    write_xml,
)
from sfcutover.emulator.scenario import Scenario
from sfcutover.emulator.schema import SCHEMAS, TypeSchema

MANIFEST = "package.xml"
MAX_FILES = 10_000  # Metadata API limit
MAX_UNZIPPED = 600 * 1024 * 1024  # Metadata API guide, retrieve(): approximately 600 MB
_FIXED_TIME = (1980, 1, 1, 0, 0, 0)


class ArchiveError(ValueError):
    """The bytes are not a package; the message is the org's."""


class ManifestError(ArchiveError):
    """A package.xml is missing or unreadable; paths are the locations that were tried."""

    def __init__(self, message: str, paths: Sequence[str] = ("package.xml",)) -> None:
        super().__init__(message)
        self.paths = paths


@dataclass(frozen=True)
class Manifest:
    """A package.xml: its API version, and the members it names by type, in its order."""

    version: float | None
    members: dict[str, list[str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Package:
    """A deployed package. root is its folder, ``""`` at the top of the zip."""

    root: str
    manifest: Manifest
    files: dict[str, bytes]  # by path below root, without package.xml and destructive changes
    destructive: Manifest | None
    file_count: int


def read_package(data: bytes, *, single_package: bool) -> Package:
    """Open a deployed zip.

    With singlePackage the package is at the top or in the only top folder (the
    official CLI sends ``zip/package.xml``); without, in a top folder. ArchiveError otherwise.
    """
    files = _unzip(data)
    root = _find_root(files, single_package)
    inside = {
        path.removeprefix(root): body for path, body in files.items() if path.startswith(root)
    }
    manifest = read_manifest(inside.pop(MANIFEST))
    destructive = [name for name in inside if name.startswith("destructiveChanges")]
    removed = [read_manifest(inside.pop(name)) for name in destructive]
    return Package(root, manifest, inside, removed[0] if removed else None, len(files))


def read_manifest(data: bytes) -> Manifest:
    """Read a package.xml; ManifestError with its line if it is not XML."""
    try:
        root = parse_xml(data)
    except XmlError as error:
        message = f"Error parsing file: {error} (package.xml, line {error.line})"
        raise ManifestError(message) from error
    return manifest_of(root)


def manifest_of(root: etree._Element) -> Manifest:
    """The manifest in a ``Package`` element or in a retrieve request's ``unpackaged``."""
    members: dict[str, list[str]] = {}
    for types in root.iterfind("{*}types"):
        name = (types.findtext("{*}name") or "").strip()
        named = [(one.text or "").strip() for one in types.iterfind("{*}members")]
        members.setdefault(name, []).extend(named)
    return Manifest(version_of(root.findtext("{*}version")), members)


def write_manifest(members: Mapping[str, list[str]], version: float) -> bytes:
    """A package.xml as a retrieve gives it back: sorted types and members."""
    root = metadata_root("Package")
    for name in sorted(members):
        types = metadata_child(root, "types")
        for member in sorted(members[name]):
            metadata_child(types, "members").text = member
        metadata_child(types, "name").text = name
    metadata_child(root, "version").text = f"{version:.1f}"
    return write_xml(root)


def write_zip(files: Mapping[str, bytes]) -> bytes:
    """A zip of the files, in their order."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, body in files.items():
            info = zipfile.ZipInfo(path, _FIXED_TIME)
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, body)
    return buffer.getvalue()


def _unzip(data: bytes) -> dict[str, bytes]:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = [entry for entry in archive.infolist() if not entry.is_dir()]
            if len(entries) > MAX_FILES:
                raise ArchiveError(f"LIMIT_EXCEEDED: more than {MAX_FILES} files")
            if sum(entry.file_size for entry in entries) > MAX_UNZIPPED:
                raise ArchiveError("LIMIT_EXCEEDED: the unzipped package is too large")
            return {entry.filename: archive.read(entry) for entry in entries}
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, OSError) as error:
        raise ArchiveError("UNKNOWN_EXCEPTION: the file is not a valid zip") from error


def _find_root(files: Mapping[str, bytes], single_package: bool) -> str:
    """The folder of the package; every top folder without a package.xml is reported."""
    if single_package and MANIFEST in files:
        return ""
    folders = dict.fromkeys(f"{path.partition('/')[0]}/" for path in files if "/" in path)
    found = [folder for folder in folders if f"{folder}{MANIFEST}" in files]
    if not found:
        paths = [f"{folder}{MANIFEST}" for folder in folders if not single_package]
        raise ManifestError("No package.xml found", paths or [MANIFEST])
    return found[0]


@dataclass(frozen=True)
class RetrieveRequest:
    """What to retrieve; version is the API version that shapes the files.

    specific_files: without any, all files that the manifest asks for; else only these of them,
    or of the whole org where the manifest names none.
    """

    manifest: Manifest
    version: float
    single_package: bool
    package_names: tuple[str, ...] = ()
    specific_files: tuple[str, ...] = ()

    def wants(self, path: str) -> bool:
        """True for a file that is not left out by specific_files."""
        return not self.specific_files or path in self.specific_files

    @property
    def members(self) -> dict[str, list[str]]:
        """The components to search, by type."""
        if self.manifest.members or not self.specific_files:
            return self.manifest.members
        return {name: ["*"] for name, one in SCHEMAS.items() if one.exists_in(self.version)}


@dataclass
class Retrieval:
    """One retrieve request; files and messages are there once it is done.

    error: why it failed as a whole; then there is no zip.
    """

    id: str
    request: RetrieveRequest
    ready_at: datetime
    done: bool = False
    components: list[tuple[str, Stored]] = field(default_factory=list)
    messages: list[str] = field(default_factory=list)
    zip_bytes: bytes | None = None
    error: str | None = None

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
        if found and not found.done and self._clock() >= found.ready_at:
            self._edits.reach(RETRIEVE, "before", found.ready_at)
            self._fill(found)
            found.done = True
            self._edits.reach(RETRIEVE, "after", found.ready_at)
        return found

    def _fill(self, retrieval: Retrieval) -> None:
        request = retrieval.request
        if request.package_names:  # the org has none
            name = request.package_names[0]
            retrieval.error = f"INVALID_CROSS_REFERENCE_KEY: No package named '{name}' found"
            return
        files: dict[str, bytes] = {}
        members: dict[str, list[str]] = {}
        for type_name, names in request.members.items():
            for stored in self._select(type_name, names, retrieval):
                schema = SCHEMAS[type_name]
                path = schema.component_type.path(stored.full_name)
                if not request.wants(path):
                    continue
                files[retrieval.root + path] = shaped(stored, request.version)
                members.setdefault(type_name, []).append(stored.full_name)
                retrieval.components.append((retrieval.root + path, stored))
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


def shaped(stored: Stored, version: float) -> bytes:
    """The component's file without the fields that are newer than an API version."""
    root = parse_xml(stored.xml)
    schema = SCHEMAS[stored.metadata_type]
    for child in list(root):
        if _is_newer(child, schema, version):
            root.remove(child)
    return write_component(root)


def _is_newer(child: etree._Element, schema: TypeSchema, version: float) -> bool:
    known = schema.fields.get(local_name(child))
    return known is not None and known.since > version
