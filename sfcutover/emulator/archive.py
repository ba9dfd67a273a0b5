"""Packages as zips: reading what a client deploys, writing what it retrieves."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from lxml import etree

from sfcutover.emulator.xml import XmlError, metadata_child, metadata_root, parse_xml, write_xml

MANIFEST = "package.xml"
MAX_FILES = 10_000  # Metadata API limit
MAX_UNZIPPED = 600 * 1024 * 1024  # Metadata API guide, retrieve(): approximately 600 MB
_FIXED_TIME = (1980, 1, 1, 0, 0, 0)


class ArchiveError(ValueError):
    """The bytes hold no package; the message is what the org says about it."""


class ManifestError(ArchiveError):
    """The package's package.xml is missing or unreadable."""


@dataclass(frozen=True)
class Manifest:
    """A package.xml: its API version, and the members it names by type, in its order."""

    version: float | None
    members: dict[str, list[str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Package:
    """A deployed package. root is the folder it stands in, ``""`` at the top of the zip."""

    root: str
    manifest: Manifest
    files: dict[str, bytes]  # by path below root, without package.xml and destructive changes
    destructive: Manifest | None
    file_count: int


def read_package(data: bytes, *, single_package: bool) -> Package:
    """Open a deployed zip.

    With singlePackage the package stands at the top or in the only top folder (the
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
    return Manifest(_version(root.findtext("{*}version")), members)


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
    if single_package and MANIFEST in files:
        return ""
    folders = [path.removesuffix(MANIFEST) for path in files if path.count("/") == 1]
    roots = [folder for folder in folders if f"{folder}{MANIFEST}" in files]
    if not roots:
        raise ManifestError("No package.xml found")
    return roots[0]


def _version(text: str | None) -> float | None:
    try:
        return float(text) if text else None
    except ValueError:
        return None
