"""What a deploy did, as a run keeps it."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from sfcutover.allowlist.diff import AllowlistDocument
from sfcutover.allowlist.phases import PhaseName
from sfcutover.allowlist.plan import PhaseDocument
from sfcutover.cutover.stepresult import StepEvidence
from sfcutover.salesforce.results import ExternalChangeDocument, ResultDocument

DeployOutcome = Literal["deployed", "no-change", "validated", "started"]


class DeployEvidence(StepEvidence):
    """What a deploy did. outcome: deployed (read back and live), no-change, validated
    (check only), started (not waited for).

    organization_id: null where nothing has asked for it. deployments: those that were waited for.
    sent: ids of all that the org took. start: what the phase was computed from, as SHA-256 of each
    component by its path; before: its lists; component_ids: the org's, by path. live: the lists as
    read last. differences: what reads back different and does no harm. clearance: what let the
    phase remove addresses; quiet: of that, what the quiet checks have shown. external_changes: what
    others saved meanwhile.
    """

    phase: PhaseName
    instance_url: str
    outcome: DeployOutcome
    changed: bool
    deployments: list[ResultDocument]
    sent: list[str]
    live: list[AllowlistDocument]
    diff: PhaseDocument
    differences: list[str]
    clearance: str | None = None
    quiet: str | None = None
    organization_id: str | None = None
    component_ids: dict[str, str] = Field(default_factory=dict)
    start: dict[str, str] = Field(default_factory=dict)
    before: list[AllowlistDocument] = Field(default_factory=list)
    external_changes: list[ExternalChangeDocument] = Field(default_factory=list)
