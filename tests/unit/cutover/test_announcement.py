"""The digest of an announcement: what it covers, and what it does not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sfcutover.allowlist.component import FileProperties
from sfcutover.allowlist.phases import Phase
from sfcutover.allowlist.snapshot import Snapshot
from sfcutover.allowlist.templates import Templates
from sfcutover.config.cutover import Cutover
from sfcutover.cutover.announcement import (
    Announced,
    Announcement,
    announced_phase,
    is_digest,
    outline,
    shown_digest,
)
from tests.unit.allowlist.test_diff_readback import listed, with_policies

OLD, NEW, OFFICE = "203.0.113.10", "198.51.100.20", "192.0.2.64-192.0.2.71"
ORGANIZATION = "00D000000000001AAA"


@dataclass(frozen=True)
class Scene:
    """A cutover, and an org in which add-new is live."""

    live: Snapshot
    old: tuple[str, ...] = (OLD,)
    new: tuple[str, ...] = (NEW,)
    policies: Mapping[str, str] | None = None
    split_ranges: bool = False
    organization_id: str = ORGANIZATION
    templates: Templates | None = None

    @property
    def cutover(self) -> Cutover:
        return Cutover.model_validate(
            {
                "version": 1,
                "name": "move",
                "app": "Acme",
                "old": [{"range": each} for each in self.old],
                "new": [{"range": each} for each in self.new],
                "policies": dict(self.policies or {}),
                "split_ranges": self.split_ranges,
                "targets": [{"name": "packaging", "org": {"alias": "acme"}}],
            }
        )

    def removal(self) -> Announced:
        planner = self.cutover.planner(self.templates or Templates())
        planned = planner.plan(Phase.REMOVE_OLD, self.live)
        return announced_phase(self.cutover, planner, self.organization_id, planned)


def with_id(snapshot: Snapshot, identifier: str) -> Snapshot:
    properties = FileProperties(identifier, datetime(2026, 11, 1, tzinfo=UTC), "ann")
    carriers = tuple(replace(each, properties=properties) for each in snapshot.carriers)
    return Snapshot(carriers, snapshot.policies)


LIVE = listed(OLD, NEW, OFFICE)
SCENE = Scene(LIVE)


@pytest.mark.parametrize(
    "live",
    [
        listed(OLD, NEW),
        listed(OLD, NEW, OFFICE, "192.0.2.99"),
        listed(NEW, OFFICE),
        listed(OFFICE, OLD),
    ],
    ids=["removed", "added", "old removed", "new not added yet"],
)
def test_changes_by_others_leave_the_digest_unchanged(live: Snapshot) -> None:
    assert Scene(live).removal().digest == SCENE.removal().digest


@pytest.mark.parametrize(
    "other",
    [
        replace(SCENE, organization_id="00D000000000002AAA"),
        replace(SCENE, live=with_id(LIVE, "888000000000001AAA")),
        replace(SCENE, old=(OLD, OFFICE)),
        replace(SCENE, old=("203.0.113.11",)),
        replace(
            SCENE,
            live=with_policies(LIVE, ipRelaxationPolicyType="Bypass"),
            policies={"ipRelaxationPolicyType": "Enforce"},
        ),
    ],
    ids=["organization", "component", "one more address", "another address", "policy"],
)
def test_the_changes_of_the_step_change_the_digest(other: Scene) -> None:
    assert other.removal().digest != SCENE.removal().digest


def test_splitting_a_wider_entry_changes_the_digest() -> None:
    """The rest of it belongs to others: it is shown before it is split."""
    scene = Scene(LIVE, split_ranges=True)
    cut = replace(scene, live=listed("203.0.113.8-203.0.113.11", NEW, OFFICE))
    assert [each.range for each in cut.removal().cut] == ["203.0.113.8-203.0.113.11"]
    assert cut.removal().digest != scene.removal().digest


def test_templates_change_the_digest_by_their_content(tmp_path: Path) -> None:
    built_in = Path("templates/package.xml.j2").read_text(encoding="utf-8")
    own = tmp_path / "package.xml.j2"
    own.write_text(built_in, encoding="utf-8")
    assert replace(SCENE, templates=Templates(tmp_path)).removal().digest == SCENE.removal().digest
    own.write_text(f"{built_in}<!-- own -->", encoding="utf-8")
    assert replace(SCENE, templates=Templates(tmp_path)).removal().digest != SCENE.removal().digest


def test_a_changed_policy_is_stated() -> None:
    scene = replace(
        SCENE,
        live=with_policies(LIVE, ipRelaxationPolicyType="Bypass"),
        policies={"ipRelaxationPolicyType": "Enforce"},
    )
    announcement = Announcement(step="remove-old", parts={"packaging": scene.removal()})
    assert announcement.sentence == (
        f"removes {OLD} from the allowlist of packaging; it sets ipRelaxationPolicyType from "
        f"Bypass to Enforce on packaging"
    )


def test_a_limitation_is_stated_and_not_part_of_the_digest() -> None:
    parts = {"packaging": SCENE.removal()}
    doubtful = Announcement(step="remove-old", parts=parts, doubts=("nothing shows it",))
    assert doubtful.sentence.endswith("; nothing shows it")
    assert doubtful.digest == Announcement(step="remove-old", parts=parts).digest


def test_several_targets_have_one_digest_with_any_names() -> None:
    one, two = SCENE.removal(), replace(SCENE, organization_id="00D000000000002AAA").removal()
    both = Announcement(step="remove-old", parts={"a": one, "b": two})
    assert both.digest == Announcement(step="remove-old", parts={"x": two, "y": one}).digest
    assert both.digest != Announcement(step="remove-old", parts={"a": one}).digest


def test_the_digest_of_the_switch_covers_command_and_addresses() -> None:
    assert outline("switch", SCENE.cutover) == outline("switch", SCENE.cutover)
    grown = replace(SCENE, new=(NEW, "198.51.100.21")).cutover
    assert outline("switch", grown).digest != outline("switch", SCENE.cutover).digest


def test_a_digest_is_accepted_in_short_and_in_full() -> None:
    digest = SCENE.removal().digest
    assert is_digest(shown_digest(digest), digest)
    assert is_digest(digest.upper(), digest)
    assert not is_digest(digest[:8], digest)
    assert not is_digest("", "")
