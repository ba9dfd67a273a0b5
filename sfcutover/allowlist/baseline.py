"""The components before anything changed, as documents that are kept and read again."""

from __future__ import annotations

from collections.abc import Sequence

from sfcutover.allowlist.carriers import CARRIERS, OAUTH_POLICIES
from sfcutover.allowlist.component import Component, parse_component
from sfcutover.allowlist.package import build_package
from sfcutover.allowlist.snapshot import Snapshot
from sfcutover.allowlist.templates import Templates
from sfcutover.errors import ConfigError, Text
from sfcutover.util.document import ComponentPath, Document, Sha256


class BaselineDocument(Document):
    """A component before anything changed: the file as rendered, and its fingerprint."""

    path: ComponentPath
    """Path of the file inside its package."""
    type: str
    """Metadata type."""
    full_name: str
    """Full name of the component."""
    carrier: str | None
    """Carrier whose list it holds; null for the OAuth policies."""
    id: str | None
    """Id of the component in its org; null for a file that comes from no org."""
    fingerprint: Sha256
    """SHA-256 of what the component says, 64 hexadecimal digits; formatting does not change it."""
    xml: str
    """The component's file, XML."""


def baseline_documents(snapshot: Snapshot, api_version: str) -> list[BaselineDocument]:
    """Every component of a snapshot. api_version: as ``67.0``."""
    # The built-in templates add nothing to what the org holds.
    package = build_package(snapshot.components, api_version, Templates())
    files = {file.path: file.data.decode() for file in package.files}
    return [_document(each, files[each.path]) for each in snapshot.components]


def snapshot_of(documents: Sequence[BaselineDocument], where: str, *, hint: Text) -> Snapshot:
    """The components again. Raises ConfigError for one that was edited since."""
    components = [_component(each, where, hint) for each in documents]
    carriers = tuple(each for each in components if each.carrier is not None)
    policies = next((each for each in components if each.carrier is None), None)
    return Snapshot(carriers, policies)


def _document(component: Component, xml: str) -> BaselineDocument:
    return BaselineDocument(
        path=component.path,
        type=component.component_type.metadata_type,
        full_name=component.full_name,
        carrier=component.carrier.name if component.carrier else None,
        id=component.properties.id if component.properties else None,
        fingerprint=component.fingerprint,
        xml=xml,
    )


def _component(recorded: BaselineDocument, where: str, hint: Text) -> Component:
    carrier = CARRIERS.get(recorded.carrier or "")
    component = parse_component(
        recorded.xml.encode(),
        carrier.component_type if carrier else OAUTH_POLICIES,
        recorded.full_name,
        carrier=carrier,
        where=f"{where} {recorded.path}",
    )
    if component.fingerprint != recorded.fingerprint:
        raise ConfigError(
            f"the baseline of {recorded.path} was edited after it was recorded",
            where=where,
            hint=hint,
        )
    return component
