"""The components of one app that a cutover touches, as they are at one moment."""

from __future__ import annotations

from collections.abc import Sequence
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

_HINT = "check --baseline: it names the file of the component that carries the allowlist"


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
        """The org's id of each component, by its path, as far as the org lists them."""
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
    """The components from files a person keeps, Metadata API or SFDX source names.

    Raises ConfigError for a file that is none of the cutover's components, or of
    another app, and for a component without a file.
    """
    by_type = {carrier.component_type: carrier for carrier in carriers}
    wanted: list[ComponentType] = [*by_type, *([OAUTH_POLICIES] if policies else [])]
    found = {}
    for path in paths:
        data = read_bounded(path, MAX_COMPONENT_BYTES, hint=_HINT)
        component_type = _type_of(data, path, wanted)
        found[component_type] = _parse(data, path, component_type, by_type, app)
    for each in wanted:
        if each not in found:
            raise ConfigError(
                f"no baseline file of type {each.metadata_type} was given",
                hint=f"add --baseline with the app's *.{each.suffix} file",
            )
    return Snapshot(tuple(found[each] for each in by_type), found.get(OAUTH_POLICIES))


def _type_of(data: bytes, path: Path, wanted: Sequence[ComponentType]) -> ComponentType:
    """The type a file's name claims; without a telling name, the type of its content."""
    for each in wanted:
        if path.name.removesuffix("-meta.xml").endswith(f".{each.suffix}"):
            return each
    root = parse_xml(data, str(path)).tag.rpartition("}")[2]
    for each in wanted:
        if root == each.metadata_type:
            return each
    raise ConfigError(
        f"<{root}> is none of the cutover's components",
        where=str(path),
        hint=f"pass one of: {', '.join(each.metadata_type for each in wanted)}",
    )


def _parse(
    data: bytes,
    path: Path,
    component_type: ComponentType,
    by_type: dict[ComponentType, Carrier],
    app: str,
) -> Component:
    name = path.name.removesuffix("-meta.xml").removesuffix(".xml")
    full_name = name.removesuffix(f".{component_type.suffix}")
    carrier = by_type.get(component_type)
    component = parse_component(data, component_type, full_name, carrier=carrier, where=str(path))
    named = app_of(data, component_type, full_name, str(path))
    if named != app:
        raise ConfigError(
            f"the file belongs to the app {named!r}, not {app!r}",
            where=str(path),
            hint="correct app: in cutover.yaml, or pass the right file",
        )
    return component
