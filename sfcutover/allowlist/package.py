"""A phase's package: rendered, checked against what it should say, zipped or written out."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import io
import os
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from sfcutover.allowlist.carriers import CARRIERS, METADATA_NAMESPACE, OAUTH_POLICIES
from sfcutover.allowlist.component import Component, Field, parse_component, parse_xml
from sfcutover.allowlist.templates import Templates
from sfcutover.errors import ConfigError, OperationFailedError

# A zip stores times; a fixed one makes the same package the same bytes.
_ZIP_TIME = (1980, 1, 1, 0, 0, 0)
_FILE_MODE = 0o644 << 16
PACKAGE_XML = "package.xml"
_TOP_LEVEL_NAMES = {
    PACKAGE_XML,
    OAUTH_POLICIES.folder,
    *(carrier.component_type.folder for carrier in CARRIERS.values()),
}


@dataclass(frozen=True)
class PackageFile:
    """path: inside the package, with forward slashes."""

    path: str
    data: bytes


@dataclass(frozen=True)
class Package:
    """What one phase deploys: package.xml and its components, sorted by path."""

    files: tuple[PackageFile, ...]

    @property
    def sha256(self) -> str:
        """Hash over every path and content; not over the zip, whose compression may vary."""
        digest = hashlib.sha256()
        for file in self.files:
            digest.update(f"{file.path}\0{len(file.data)}\0".encode())
            digest.update(file.data)
        return digest.hexdigest()

    @property
    def contents(self) -> dict[str, bytes]:
        """The files' contents by path."""
        return {file.path: file.data for file in self.files}

    def to_zip(self) -> bytes:
        """The deploy zip, the same bytes for the same package."""
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            for file in self.files:
                info = zipfile.ZipInfo(file.path, _ZIP_TIME)
                info.compress_type = zipfile.ZIP_DEFLATED
                info.external_attr = _FILE_MODE
                archive.writestr(info, file.data)
        return buffer.getvalue()


def build_package(
    components: Sequence[Component], api_version: str, templates: Templates
) -> Package:
    """Render the components and their package.xml.

    Raises ConfigError naming the template if one is faulty or drops something that
    the component holds, and for a component whose name can't be a file's.
    """
    files = [PackageFile(_safe_path(each), _render(each, templates)) for each in components]
    manifest = templates.render_xml(
        "package", {"types": _types(components), "api_version": api_version}
    )
    _check_manifest(components, api_version, manifest, templates.origin("package"))
    files.append(PackageFile(PACKAGE_XML, manifest))
    return Package(tuple(sorted(files, key=lambda file: file.path)))


def write_folder(package: Package, folder: Path) -> None:
    """Write the package as a folder, all of it or nothing; an earlier package is replaced.

    Raises ConfigError for a folder that holds anything but a package, because all of
    it would be deleted, and OperationFailedError when the disk or its permissions
    don't allow the writing.
    """
    folder = _behind_links(folder)
    with _staging(folder) as staging:
        for file in package.files:
            _write_file(staging / "new" / file.path, file.data)
        if not folder.exists():
            (staging / "new").replace(folder)
            return
        _check_replaceable(folder)
        folder.replace(staging / "old")
        try:
            (staging / "new").replace(folder)
        except BaseException:
            (staging / "old").replace(folder)
            raise


def write_zip(package: Package, path: Path) -> None:
    """Write the deploy zip, all of it or nothing. Raises OperationFailedError."""
    path = _behind_links(path)
    with _staging(path) as staging:
        if path.exists() and not path.is_file():
            raise OSError(errno.EINVAL, "it is not a regular file")
        _write_file(staging / "new", package.to_zip())
        (staging / "new").replace(path)


def _render(component: Component, templates: Templates) -> bytes:
    carrier = component.carrier
    name = carrier.name if carrier else "oauth-policies"
    pivot = carrier.list_element if carrier else ""
    data = templates.render_xml(
        name,
        {
            "full_name": component.full_name,
            "attributes": component.attributes,
            "fields": component.fields,
            "fields_before_list": [each for each in component.fields if each.name <= pivot],
            "fields_after_list": [each for each in component.fields if each.name > pivot],
            "allowlist": component.allowlist,
        },
    )
    _check_complete(component, data, templates.origin(name))
    return data


def _check_complete(component: Component, data: bytes, where: str) -> None:
    """A template may add, but what it drops the org would reset: so nothing may be dropped."""
    try:
        rendered = parse_component(
            data,
            component.component_type,
            component.full_name,
            carrier=component.carrier,
            where="output",
        )
    except ConfigError as error:
        raise ConfigError(
            f"the template's output is not a {component.component_type.metadata_type}: {error}",
            where=where,
            hint="render the element names, namespace and addresses as the built-in template does",
        ) from error
    lost = [
        f"<{name}>"
        for name in dict.fromkeys(each.name for each in component.fields)
        if not _holds(_named(rendered.fields, name), _named(component.fields, name))
    ]
    if rendered.attributes != component.attributes:
        lost.append("an attribute of the root")
    if rendered.allowlist != component.allowlist and component.carrier:
        lost.append(f"<{component.carrier.list_element}>")
    if lost:
        raise _lost(lost, where)


def _check_manifest(
    components: Sequence[Component], api_version: str, data: bytes, where: str
) -> None:
    """What package.xml doesn't name would not be deployed."""
    root, space = parse_xml(data, where), f"{{{METADATA_NAMESPACE}}}"
    listed = {
        (types.findtext(f"{space}name"), member.text)
        for types in root.iterfind(f"{space}types")
        for member in types.iterfind(f"{space}members")
    }
    lost = [
        each.full_name
        for each in components
        if (each.component_type.metadata_type, each.full_name) not in listed
    ]
    if root.findtext(f"{space}version") != api_version:
        lost.append("<version>")
    if lost:
        raise _lost(lost, where)


def _lost(what: list[str], where: str) -> ConfigError:
    return ConfigError(
        f"the template's output lost or changed {', '.join(what)}",
        where=where,
        hint="the org may reset a field that is left out: render every field",
    )


def _named(fields: tuple[Field, ...], name: str) -> list[str]:
    return [each.xml for each in fields if each.name == name]


def _holds(rendered: list[str], wanted: list[str]) -> bool:
    """True if rendered holds all of wanted, in that order."""
    rest = iter(rendered)
    return all(each in rest for each in wanted)


def _safe_path(component: Component) -> str:
    name = component.full_name
    if not name or "/" in name or "\\" in name or "\0" in name:
        raise ConfigError(
            f"{name!r} cannot be the name of a component: its file could be written anywhere",
            hint="correct the component's name in cutover.yaml",
        )
    return component.path


def _types(components: Sequence[Component]) -> list[dict[str, object]]:
    members: dict[str, list[str]] = {}
    for each in components:
        members.setdefault(each.component_type.metadata_type, []).append(each.full_name)
    return [{"name": name, "members": sorted(members[name])} for name in sorted(members)]


def _write_file(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def _behind_links(path: Path) -> Path:
    """Where links lead: it is the thing behind them that gets replaced."""
    return Path(os.path.realpath(path))


@contextlib.contextmanager
def _staging(target: Path) -> Iterator[Path]:
    """A folder beside target for what is not finished. Afterwards nothing of it is left."""
    try:
        missing = [parent for parent in target.parents if not os.path.lexists(parent)]
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(
                prefix=".sfcutover-", dir=target.parent, ignore_cleanup_errors=True
            ) as staging:
                yield Path(staging)
        finally:
            for parent in missing:
                with contextlib.suppress(OSError):  # it holds the package
                    parent.rmdir()
    except OSError as error:
        raise OperationFailedError(
            f"the package was not written: {error.strerror or error}",
            where=str(target),
            hint="free space or choose another --out folder, then run this again",
        ) from error


def _check_replaceable(folder: Path) -> None:
    if not folder.is_dir():
        raise OSError(errno.ENOTDIR, "it is not a folder")
    if Path.cwd().is_relative_to(folder):
        raise OSError(errno.EBUSY, "it is the current folder or contains it, and would be replaced")
    others = sorted(path.name for path in folder.iterdir() if path.name not in _TOP_LEVEL_NAMES)
    if others:
        raise ConfigError(
            f"the folder has more than a package ({', '.join(others[:3])}), "
            "and writing would replace all of it",
            where=str(folder),
            hint="choose a new or an empty --out folder",
        )
