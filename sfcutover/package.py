"""A phase's package: rendered, checked against what it should say, zipped or written out."""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import tempfile
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sfcutover.component import Component, parse_component
from sfcutover.errors import ConfigError, OperationFailedError
from sfcutover.templates import Templates

# A zip stores times; a fixed one makes the same package the same bytes.
_ZIP_TIME = (1980, 1, 1, 0, 0, 0)
_FILE_MODE = 0o644 << 16
PACKAGE_XML = "package.xml"


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

    def in_source_format(self) -> Package:
        """The same files as an SFDX source tree names them; package.xml becomes its manifest."""
        return Package(
            tuple(
                file
                if file.path == PACKAGE_XML
                else PackageFile(f"{file.path}-meta.xml", file.data)
                for file in self.files
            )
        )


def build_package(
    components: Sequence[Component], api_version: str, templates: Templates
) -> Package:
    """Render the components and their package.xml.

    Raises ConfigError naming the template if one is faulty or drops something that
    the component holds.
    """
    files = [PackageFile(each.path, _render(each, templates)) for each in components]
    manifest = templates.render_xml(
        "package", {"types": _types(components), "api_version": api_version}
    )
    files.append(PackageFile(PACKAGE_XML, manifest))
    return Package(tuple(sorted(files, key=lambda file: file.path)))


def write_folder(package: Package, folder: Path) -> None:
    """Write the package as a folder, all of it or nothing; a folder that is there is replaced.

    Raises OperationFailedError when the disk or its permissions don't allow it.
    """
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    except OSError as error:
        raise _not_written(folder, error) from error
    try:
        for file in package.files:
            _write_file(staging / file.path, file.data)
        staging.chmod(0o755)
        _replace_folder(staging, folder)
    except OSError as error:
        raise _not_written(folder, error) from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def write_zip(package: Package, path: Path) -> None:
    """Write the deploy zip, all of it or nothing. Raises OperationFailedError."""
    staging = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        _write_file(staging, package.to_zip())
        staging.replace(path)
    except OSError as error:
        raise _not_written(path, error) from error
    finally:
        staging.unlink(missing_ok=True)


def _render(component: Component, templates: Templates) -> bytes:
    carrier = component.carrier
    name = carrier.name if carrier else "oauth-policies"
    pivot = carrier.list_element if carrier else ""
    data = templates.render_xml(
        name,
        {
            "full_name": component.full_name,
            "fields": component.fields,
            "fields_before_list": [each for each in component.fields if each.name <= pivot],
            "fields_after_list": [each for each in component.fields if each.name > pivot],
            "allowlist": component.allowlist,
        },
    )
    _check_complete(component, data, name)
    return data


def _check_complete(component: Component, data: bytes, template: str) -> None:
    """A template may add, but what it drops the org would reset: so nothing may be dropped."""
    where = f"{template}.xml.j2"
    rendered = parse_component(
        data,
        component.component_type,
        component.full_name,
        carrier=component.carrier,
        where=f"output of {where}",
    )
    lost = [each.name for each in component.fields if each not in rendered.fields]
    if rendered.allowlist != component.allowlist and component.carrier:
        lost.append(component.carrier.list_element)
    if lost:
        raise ConfigError(
            f"the template's output lost or changed {', '.join(f'<{name}>' for name in lost)}",
            where=where,
            hint="a field that is left out may be reset by the org: render every field",
        )


def _types(components: Sequence[Component]) -> list[dict[str, object]]:
    members: dict[str, list[str]] = {}
    for each in components:
        members.setdefault(each.component_type.metadata_type, []).append(each.full_name)
    return [{"name": name, "members": sorted(members[name])} for name in sorted(members)]


def _write_file(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def _replace_folder(staging: Path, folder: Path) -> None:
    if folder.exists():
        retired = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
        folder.replace(retired)
        staging.replace(folder)
        shutil.rmtree(retired)
    else:
        staging.replace(folder)


def _not_written(path: Path, error: OSError) -> OperationFailedError:
    return OperationFailedError(
        f"the package was not written: {error.strerror or error}",
        where=str(path),
        hint="free space or choose another --out folder, then run this again",
    )
