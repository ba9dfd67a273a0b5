"""The components of one app that a cutover touches, as they are at one moment."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from sfcutover.allowlist.carriers import OAUTH_POLICIES, Carrier, ComponentType
from sfcutover.allowlist.component import (
    MAX_COMPONENT_BYTES,
    Component,
    app_of,
    parse_component,
    parse_xml,
)
from sfcutover.allowlist.ranges import IpRange
from sfcutover.errors import ConfigError
from sfcutover.util.boundedfile import read_bounded

SOURCE_SUFFIX = "-meta.xml"
_HINT = "check --baseline: it names the file of the component that carries the allowlist"
# Installed packages of Node.js; a tree has many of them.
_NOT_SOURCE = "node_modules"


@dataclass(frozen=True)
class Snapshot:
    """A component per carrier, and the OAuth policies where the cutover sets some."""

    carriers: tuple[Component, ...]
    policies: Component | None = None

    @property
    def components(self) -> tuple[Component, ...]:
        return self.carriers if self.policies is None else (*self.carriers, self.policies)

    @property
    def fingerprints(self) -> dict[str, str]:
        """SHA-256 of each component's meaning, by its path."""
        return {each.path: each.fingerprint for each in self.components}

    @property
    def ids(self) -> dict[str, str]:
        """The org's id of each component, by its path, where the org lists them."""
        return {each.path: each.properties.id for each in self.components if each.properties}

    @property
    def lists(self) -> dict[str, tuple[IpRange, ...]]:
        """The entries of each list, by its path."""
        return {each.path: each.allowlist.ranges for each in self.carriers}

    def like(self, other: Snapshot) -> Snapshot:
        """Only the components that the other snapshot has, too."""
        paths = {each.path for each in other.components}
        carriers = tuple(each for each in self.carriers if each.path in paths)
        policies = self.policies if self.policies and self.policies.path in paths else None
        return Snapshot(carriers, policies)

    def same_as(self, component: Component) -> Component | None:
        """This snapshot's version of a component."""
        return next((each for each in self.components if each.path == component.path), None)


def read_baseline(
    paths: Sequence[Path], app: str, carriers: Sequence[Carrier], *, policies: bool
) -> Snapshot:
    """The components from saved files with Metadata API or SFDX source names.

    paths: files, or folders in which the app's components are found. Raises ConfigError for a
    file that is none of the cutover's components, or of another app, and for a component without
    a file or with several.
    """
    by_type = {carrier.component_type: carrier for carrier in carriers}
    wanted: list[ComponentType] = [*by_type, *([OAUTH_POLICIES] if policies else [])]
    found: dict[ComponentType, tuple[Path, Component]] = {}
    for path in (file for each in paths for file in _files(each, wanted, app)):
        data = read_bounded(path, MAX_COMPONENT_BYTES, hint=_HINT)
        component_type = _type_of(data, path, wanted)
        if component_type in found:
            raise _twice(component_type, found[component_type][0], path)
        carrier = by_type.get(component_type)
        found[component_type] = path, component_of_file(data, path, component_type, carrier, app)
    for each in wanted:
        if each not in found:
            raise ConfigError(
                f"no baseline file of type {each.metadata_type} was given or found for {app}",
                hint=f"add --baseline with the app's *.{each.suffix} file, or its folder",
            )
    return Snapshot(
        tuple(found[each][1] for each in by_type),
        found[OAUTH_POLICIES][1] if OAUTH_POLICIES in found else None,
    )


def component_of_file(
    data: bytes, path: Path, component_type: ComponentType, carrier: Carrier | None, app: str
) -> Component:
    """The component that a file holds; its name is the file's. Raises what parse_component raises,
    and ConfigError for another app's."""
    name = path.name.removesuffix(SOURCE_SUFFIX).removesuffix(".xml")
    full_name = name.removesuffix(f".{component_type.suffix}")
    component = parse_component(data, component_type, full_name, carrier=carrier, where=str(path))
    named = app_of(data, component_type, full_name, str(path))
    if named != app:
        raise ConfigError(
            f"the file belongs to the app {named!r}, not {app!r}",
            where=str(path),
            hint="correct app: in cutover.yaml, or pass the right file",
        )
    return component


def files_below(folder: Path, endings: Collection[str]) -> Iterator[Path]:
    """The files in a folder, and in those within it, whose names end so; in order.

    Hidden folders and node_modules hold no source; links are not followed. Raises ConfigError for
    a folder that can't be read.
    """

    def refuse(error: OSError) -> None:
        raise ConfigError(
            f"cannot be read: {error.strerror}",
            where=error.filename,
            hint="correct its permissions",
        ) from error

    for name, folders, files in os.walk(folder, onerror=refuse):
        folders[:] = sorted(each for each in folders if each[0] != "." and each != _NOT_SOURCE)
        for file in sorted(each for each in files if each.endswith(tuple(endings))):
            path = Path(name, file)
            if path.is_file() and not path.is_symlink():
                yield path


def _files(path: Path, wanted: Sequence[ComponentType], app: str) -> Iterator[Path]:
    """The file itself; of a folder, the app's components of these types."""
    if not path.is_dir():
        yield path
        return
    for each in wanted:
        for file in files_below(path, (f".{each.suffix}", f".{each.suffix}{SOURCE_SUFFIX}")):
            data = read_bounded(file, MAX_COMPONENT_BYTES, hint=_HINT)
            if _app_in(data, file, each) == app:
                yield file


def _app_in(data: bytes, file: Path, component_type: ComponentType) -> str | None:
    name = file.name.removesuffix(SOURCE_SUFFIX).removesuffix(f".{component_type.suffix}")
    return app_of(data, component_type, name, str(file))


def _twice(component_type: ComponentType, first: Path, second: Path) -> ConfigError:
    return ConfigError(
        f"two baseline files are of type {component_type.metadata_type}: {first} and {second}",
        hint="pass the one to use with --baseline",
    )


def _type_of(data: bytes, path: Path, wanted: Sequence[ComponentType]) -> ComponentType:
    """The type a file's name claims; without a telling name, the type of its content."""
    for each in wanted:
        if path.name.removesuffix(SOURCE_SUFFIX).endswith(f".{each.suffix}"):
            return each
    root = parse_xml(data, str(path)).tag.rpartition("}")[2]
    for each in wanted:
        if root == each.metadata_type:
            return each
    raise ConfigError(
        f"<{root}> is not one of the cutover's components",
        where=str(path),
        hint=f"pass one of: {', '.join(each.metadata_type for each in wanted)}",
    )
