"""Who else changed a component, by what the org records: DeployRequest and SetupAuditTrail.

All times are the org's. Where an org does not show one of the two, that one finds nothing: that
SetupAuditTrail has saves of an allowlist is inferred, and DeployRequest is known by users only.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

from sfcutover.allowlist.component import Component
from sfcutover.errors import NetworkError, OperationFailedError
from sfcutover.salesforce.deployer import Deployer, DeployRequest
from sfcutover.salesforce.metadata import MetadataClient
from sfcutover.salesforce.org import time_of
from sfcutover.salesforce.results import DeployResult

_TRAIL = (
    "SELECT Id, Section, Display, CreatedDate, CreatedBy.Name FROM SetupAuditTrail "
    "WHERE CreatedDate >= {since} ORDER BY CreatedDate DESC LIMIT 200"
)

_ROW_OF_A_DEPLOYMENT = timedelta(seconds=2)


@dataclass(frozen=True)
class RecordedChange:
    """A change that another user made. by: their name. text: how it was made."""

    source: Literal["deployment", "setup"]
    by: str
    time: datetime
    text: str

    def is_of(self, request: DeployRequest, completed: datetime) -> bool:
        """True for the row that a deployment leaves in the trail."""
        return self.by == request.by and abs(self.time - completed) <= _ROW_OF_A_DEPLOYMENT


@dataclass(frozen=True)
class ChangeHistory:
    """Of one org."""

    client: MetadataClient
    deployer: Deployer

    def changes(
        self,
        component: Component,
        app: str,
        own: DeployResult,
        ids: Collection[str],
        rows: Collection[str] | None,
    ) -> list[RecordedChange]:
        """What changed the component after it was read, and before our own deployment did.

        component: as read. own: our deployment; what its user saves in Setup can't be told from
        it. ids: of deployments that are ours, too. rows: of the trail, that were there before the
        list was read; None where that is unknown. Raises NetworkError.
        """
        if component.properties is None or own.completed is None:
            return []
        others = self._deployments(component, own, ids)
        deployed = [
            RecordedChange("deployment", each.by, time, f"by deployment {each.id}")
            for each, time in others
            if self.has_changed(each.id, component)
        ]
        return deployed + [
            each
            for each in self._saved(component, app, own, rows)
            if not any(each.is_of(*other) for other in others)
        ]

    def _deployments(
        self, component: Component, own: DeployResult, ids: Collection[str]
    ) -> list[tuple[DeployRequest, datetime]]:
        """Those of others that ended in that time, and when."""
        start, end = _window(component, own)
        return [
            (each, each.completed)
            for each in self.deployer.requests() or ()
            if each.completed is not None
            and each.id not in {own.id, *ids}
            and start < each.completed <= end
        ]

    def has_changed(self, deployment: str, component: Component) -> bool:
        """True if a deployment has changed the component, as far as the org still says it."""
        try:
            result = self.client.check_deploy_status(deployment)
        except OperationFailedError:
            return False
        if result.check_only:
            return False
        name = (component.component_type.metadata_type, component.full_name)
        return any(
            (each.component_type, each.full_name) == name and each.changed is not False
            for each in result.details.component_successes
        )

    def rows(self, component: Component) -> frozenset[str] | None:
        """The rows of the trail since the component was saved last. Raises NetworkError."""
        if component.properties is None:
            return None
        return frozenset(str(row["Id"]) for row in self._trail(component.properties.last_modified))

    def _saved(
        self, component: Component, app: str, own: DeployResult, rows: Collection[str] | None
    ) -> Iterator[RecordedChange]:
        """The trail has whole seconds: what is in the second of the save that was read may be
        older than that, unless the rows of that time are known."""
        start, end = _window(component, own)
        names = _names(component, app)
        for row in self._trail(start):
            by, time = _user(row), time_of(row.get("CreatedDate"))
            if time is None or time > end or by == own.created_by:
                continue
            if time <= start if rows is None else row["Id"] in rows:
                continue
            display = str(row.get("Display") or "")
            if any(name in display.casefold() for name in names):
                yield RecordedChange("setup", by, time, f"in Setup: {display}")

    def _trail(self, since: datetime) -> list[dict[str, object]]:
        moment = since.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        try:
            return self.client.org.query(_TRAIL.format(since=moment), self.client.api_version)
        except NetworkError:
            raise
        except OperationFailedError:
            return []


def _window(component: Component, own: DeployResult) -> tuple[datetime, datetime]:
    if component.properties is None or own.completed is None:
        raise TypeError("a window has two ends")
    return component.properties.last_modified, own.completed


def _user(row: Mapping[str, object]) -> str:
    creator = row.get("CreatedBy")
    return str(creator.get("Name") or "") if isinstance(creator, Mapping) else ""


def _names(component: Component, app: str) -> set[str]:
    """What Setup may call the component's app."""
    plain = app.partition("__")[2] or app
    every = (app, plain, plain.replace("_", " "), component.full_name, component.text("label"))
    return {each.casefold() for each in every if each}
