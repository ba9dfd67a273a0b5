from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from sfcutover.allowlist.component import FileProperties
from sfcutover.allowlist.diff import ComponentDiffDocument, RangeDocument, compare
from sfcutover.allowlist.phases import LIST_PHASES, Phase
from sfcutover.allowlist.plan import DiffDocument, PhaseDocument, Planner, TargetDiffDocument
from sfcutover.allowlist.planfile import (
    MAX_PLAN_BYTES,
    PlanDocument,
    RecordedPlan,
    TargetPlan,
    make_plan,
    make_target_plan,
    read_plan,
    write_plan,
)
from sfcutover.allowlist.ranges import IpRange
from sfcutover.allowlist.snapshot import Snapshot, read_baseline
from sfcutover.allowlist.templates import Templates
from sfcutover.config.cutover import Cutover, load_config
from sfcutover.errors import (
    ConfigError,
    DriftError,
    ExitCode,
    LimitError,
    OperationFailedError,
    SfcutoverError,
)
from sfcutover.output.json import ErrorDocument
from sfcutover.util.document import Document

URL = "https://acme.my.salesforce.com"
ORG = "00D000000000001AAA"
NAME = "Acme_Connector_oauthSecurity"
SETTINGS = """\
<?xml version="1.0" encoding="UTF-8"?>
<ExtlClntAppOauthSecuritySettings xmlns="http://soap.sforce.com/2006/04/metadata">
    <externalClientApplication>Acme_Connector</externalClientApplication>
    <label>Müller &amp; "Söhne" &lt;eu></label>
    <tokenIpRanges>
        <description>office VPN</description>
        <endIpAddress>192.0.2.71</endIpAddress>
        <startIpAddress>192.0.2.64</startIpAddress>
    </tokenIpRanges>
    <tokenIpRanges>
        <endIpAddress>203.0.113.10</endIpAddress>
        <startIpAddress>203.0.113.10</startIpAddress>
    </tokenIpRanges>
    <unknownField><nested>kept</nested></unknownField>
</ExtlClntAppOauthSecuritySettings>
"""
POLICIES = """\
<?xml version="1.0" encoding="UTF-8"?>
<ExtlClntAppOauthConfigurablePolicies xmlns="http://soap.sforce.com/2006/04/metadata">
    <externalClientApplication>Acme_Connector</externalClientApplication>
    <ipRelaxationPolicyType>Bypass</ipRelaxationPolicyType>
</ExtlClntAppOauthConfigurablePolicies>
"""
CONFIG = """\
version: 1
name: move
app: Acme_Connector
old: [203.0.113.10]
new: [198.51.100.20, 198.51.100.21]
policies: {ipRelaxationPolicyType: Enforce}
targets:
  - {name: packaging, org: {alias: acme}}
"""

Edit = Callable[[Any], None]


class Desk:
    """A folder with a cutover.yaml and a plan made from it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / "plan.json"
        self.templates = Templates()
        self.cutover = self.configure(CONFIG)
        self.live = self.snapshot(SETTINGS)
        self.write()

    def configure(self, text: str) -> Cutover:
        path = self.folder / "cutover.yaml"
        path.write_text(text, encoding="utf-8")
        return load_config(path)

    def snapshot(self, settings: str, policies: str = POLICIES) -> Snapshot:
        files = {f"{NAME}.ecaOauthSecurity": settings, "Acme_Connector_plcy.ecaOauthPlcy": policies}
        for name, text in files.items():
            (self.folder / name).write_text(text, encoding="utf-8")
        paths = [self.folder / name for name in files]
        return read_baseline(
            paths, "Acme_Connector", self.cutover.carrier_rows, policies=bool(self.cutover.policies)
        )

    def plan(self) -> PlanDocument:
        target = make_target_plan(
            "packaging", self.live, self.planner, instance_url=URL, organization_id=ORG
        )
        return make_plan(self.planner, [target], {"remove-old": "0" * 64})

    def write(self) -> None:
        write_plan(self.plan(), self.path)

    def edit(self, change: Edit) -> None:
        content = json.loads(self.path.read_text(encoding="utf-8"))
        change(content)
        self.path.write_text(json.dumps(content), encoding="utf-8")

    def open(self, name: str = "packaging") -> TargetPlan:
        return TargetPlan(read_plan(self.path), self.path, name, self.planner)

    @property
    def planner(self) -> Planner:
        return self.cutover.planner(self.templates)

    def refuses(self, kind: type[SfcutoverError], phase: Phase = Phase.ADD_NEW) -> SfcutoverError:
        """Assert that opening the plan for a phase fails; place and hint are always the same."""
        with pytest.raises(kind) as caught:
            self.open().planned(phase)
        error = caught.value
        assert str(error.where).startswith(str(self.path))
        assert len(str(error).splitlines()) == 1
        assert error.hint
        return error


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def target(content: Any) -> Any:
    return content["targets"][0]


# Reading a written plan


def test_a_plan_is_read_as_it_was_written(desk: Desk) -> None:
    plan = desk.plan().model_copy(update={"created": "2026-11-23T12:00:00Z"})
    write_plan(plan, desk.path)
    assert read_plan(desk.path) == plan
    assert desk.path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("phase", LIST_PHASES)
def test_every_phase_of_a_plan_is_the_one_that_was_shown(desk: Desk, phase: Phase) -> None:
    planned = desk.open().planned(phase)
    shown = next(each for each in desk.plan().targets[0].phases if each.phase == phase)
    assert PhaseDocument.of(planned) == shown


def test_a_plan_holds_the_whole_baseline(desk: Desk) -> None:
    assert desk.open().baseline == desk.live


def test_a_plan_made_with_an_extending_template_can_be_used(desk: Desk) -> None:
    folder = desk.folder / "templates"
    folder.mkdir()
    built_in = Path(desk.templates.origin("token-ip-ranges")).read_text(encoding="utf-8")
    name, _, rest = built_in.partition("\n</")
    added = f"{name}\n    <zzzAdded>x</zzzAdded>\n</{rest}"
    (folder / "token-ip-ranges.xml.j2").write_text(added, encoding="utf-8")
    desk.templates = Templates(folder)
    desk.write()
    planned = desk.open().planned(Phase.ADD_NEW)
    assert any(b"<zzzAdded>x" in file.data for file in planned.package.files)
    desk.open().check_live(planned, desk.live)


def test_an_unwritable_plan_is_an_error(desk: Desk) -> None:
    with pytest.raises(OperationFailedError, match="the plan was not written") as caught:
        write_plan(desk.plan(), desk.folder / "missing" / "plan.json")
    assert caught.value.where == str(desk.folder / "missing" / "plan.json")


# Differences from the plan


def set_(name: str, value: object) -> Edit:
    return lambda content: content.update({name: value})


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (set_("cutover", "another"), "the plan is for another of Acme_Connector"),
        (set_("app", "Acme_Other"), "the plan is for move of Acme_Other"),
        (lambda content: target(content).update(name="other"), "the plan has no target 'packagi"),
        (set_("targets", []), "the plan has no target 'packaging'"),
    ],
)
def test_a_plan_for_something_else_is_drift(desk: Desk, edit: Edit, message: str) -> None:
    desk.edit(edit)
    error = desk.refuses(DriftError)
    assert error.message.startswith(message)
    assert error.exit_code == ExitCode.DRIFT
    assert error.hint == (f"make a new plan and have it reviewed: sfcutover plan --out {desk.path}")


def tamper_hash(content: Any) -> None:
    phase = target(content)["phases"][0]
    phase["package_sha256"] = phase["package_sha256"][::-1]


def tamper_diff(content: Any) -> None:
    """Show the reviewer one address fewer than is deployed."""
    target(content)["phases"][0]["components"][0]["added"].pop()


def tamper_notes(content: Any) -> None:
    target(content)["phases"][0]["notes"].append("approved by everybody")


def drop_phase(content: Any) -> None:
    target(content)["phases"].pop(0)


def swap_hashes(content: Any) -> None:
    one, other = target(content)["phases"][:2]
    one["package_sha256"], other["package_sha256"] = other["package_sha256"], one["package_sha256"]


def rename_component(content: Any) -> None:
    target(content)["baseline"][0]["full_name"] = "Another"


@pytest.mark.parametrize("edit", [tamper_hash, tamper_diff, tamper_notes, drop_phase, swap_hashes])
def test_a_plan_that_shows_another_package_is_drift(desk: Desk, edit: Edit) -> None:
    desk.edit(edit)
    assert desk.refuses(DriftError).exit_code == ExitCode.DRIFT


def edit_xml(old: str, new: str) -> Edit:
    def edit(content: Any) -> None:
        first = target(content)["baseline"][0]
        assert old in first["xml"]
        first["xml"] = first["xml"].replace(old, new)

    return edit


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (edit_xml("192.0.2.71", "192.0.2.72"), "was edited after it was recorded"),
        (edit_xml("office VPN", "office"), "was edited after it was recorded"),
        (edit_xml("kept", "lost"), "was edited after it was recorded"),
        (edit_xml("</tokenIpRanges>", ""), "not well-formed"),
        (edit_xml("ExtlClntAppOauthSecuritySettings", "ConnectedApp"), "ConnectedApp"),
        (edit_xml("192.0.2.71", "192.0.2.300"), "192.0.2.300"),
        (edit_xml("<?xml", "<!DOCTYPE x><?xml"), ""),
        (lambda content: target(content)["baseline"][0].update(carrier=None), ""),
        (lambda content: target(content)["baseline"][0].update(carrier="unheard-of"), ""),
        (lambda content: target(content)["baseline"][0].update(fingerprint=""), "was edited"),
        (rename_component, "was edited after it was recorded"),
    ],
)
def test_an_edited_baseline_is_refused(desk: Desk, edit: Edit, message: str) -> None:
    desk.edit(edit)
    error = desk.refuses(ConfigError)
    assert message in error.message
    assert error.exit_code == ExitCode.USAGE


def test_a_baseline_without_its_policies_is_drift(desk: Desk) -> None:
    desk.edit(lambda content: target(content)["baseline"].pop())
    desk.refuses(DriftError)


@pytest.mark.parametrize(
    ("old", "new", "phase"),
    [
        ("198.51.100.21", "198.51.100.22", Phase.ADD_NEW),
        ("[203.0.113.10]", "[192.0.2.64-192.0.2.71]", Phase.REMOVE_OLD),
        ("Enforce", "Bypass", Phase.ADD_NEW),
        ("version: 1\n", 'version: 1\napi_version: "68.0"\n', Phase.ADD_NEW),
        ("[198.51.100.20,", "[{range: 198.51.100.20, description: new},", Phase.ADD_NEW),
    ],
)
def test_an_edited_cutover_is_drift(desk: Desk, old: str, new: str, phase: Phase) -> None:
    assert old in CONFIG
    desk.cutover = desk.configure(CONFIG.replace(old, new))
    error = desk.refuses(DriftError, phase)
    assert error.message.startswith(f"the package of {phase} is no longer the one")


@pytest.mark.parametrize(("old", "new"), [("name: move", "name: other"), ("Acme_", "Other_")])
def test_a_plan_belongs_to_one_cutover(desk: Desk, old: str, new: str) -> None:
    desk.cutover = desk.configure(CONFIG.replace(old, new))
    assert desk.refuses(DriftError).message == "the plan is for move of Acme_Connector"


@pytest.mark.parametrize("name", ["package", "token-ip-ranges", "oauth-policies"])
def test_a_changed_template_is_drift(desk: Desk, name: str) -> None:
    folder = desk.folder / "templates"
    folder.mkdir()
    built_in = Path(desk.templates.origin(name)).read_text(encoding="utf-8")
    (folder / f"{name}.xml.j2").write_text(built_in + "\n", encoding="utf-8")
    desk.templates = Templates(folder)
    assert "is no longer the one that was planned" in desk.refuses(DriftError).message


# A whole plan


def phases_of(desk: Desk) -> list[Phase]:
    plan = read_plan(desk.path)
    recorded = RecordedPlan(plan, desk.path, desk.planner)
    recorded.require_digests(plan.digests)
    return [phase for each in plan.targets for phase in recorded.phases_of(each)]


def test_every_phase_of_a_whole_plan_is_recomputed(desk: Desk) -> None:
    assert phases_of(desk) == list(LIST_PHASES)


def test_an_earlier_plan_is_recomputed(desk: Desk) -> None:
    desk.edit(set_("created", "2024-05-06T07:08:09Z"))
    assert phases_of(desk) == list(LIST_PHASES)


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (
            lambda content: target(content).update(live="add-new"),
            "the plan's description of packag",
        ),
        (
            lambda content: target(content)["phases"].reverse(),
            "the plan's description of packaging",
        ),
        (tamper_diff, "the plan's description of add-new"),
        (tamper_hash, "the package of add-new"),
        (drop_phase, "the package of add-new"),
        (
            lambda content: content["old"].pop(),
            "the plan's ranges differ from those in cutover.yaml",
        ),
        (
            lambda content: content["new"].reverse(),
            "the plan's ranges differ from those in cutover",
        ),
        (
            lambda content: content["targets"].append(target(content) | {"live": ""}),
            "the plan's description",
        ),
    ],
)
def test_an_altered_plan_is_drift(desk: Desk, edit: Edit, message: str) -> None:
    desk.edit(edit)
    with pytest.raises(DriftError) as caught:
        phases_of(desk)
    assert caught.value.message.startswith(message)


def test_digests_that_differ_from_those_of_the_phases_are_drift(desk: Desk) -> None:
    plan = read_plan(desk.path)
    recorded = RecordedPlan(plan, desk.path, desk.planner)
    with pytest.raises(DriftError, match="the plan's digests do not match"):
        recorded.require_digests({"remove-old": "1" * 64})


# The live org


def test_an_org_at_the_start_or_the_end_of_the_plan_is_accepted(desk: Desk) -> None:
    plan = desk.open()
    for phase in LIST_PHASES:
        planned = plan.planned(phase)
        plan.check_live(planned, planned.start)
        plan.check_live(planned, planned.after)


DRIFTED = [
    SETTINGS.replace("192.0.2.71", "192.0.2.72"),
    SETTINGS.replace("office VPN", "office"),
    SETTINGS.replace("kept", "lost"),
    SETTINGS.replace("<label>", "<label>New "),
]


@pytest.mark.parametrize("settings", DRIFTED)
def test_an_org_that_changed_since_is_drift(desk: Desk, settings: str) -> None:
    plan = desk.open()
    with pytest.raises(DriftError, match="the org has changed since the plan was made") as caught:
        plan.check_live(plan.planned(Phase.ADD_NEW), desk.snapshot(settings))
    assert caught.value.exit_code == ExitCode.DRIFT
    assert f"{NAME}.ecaOauthSecurity" in caught.value.message
    assert "ecaOauthPlcy" not in caught.value.message


@pytest.mark.parametrize("phase", [Phase.ADD_NEW, Phase.REMOVE_OLD, Phase.REMOVE_NEW])
def test_drift_is_detected_before_every_phase_that_starts_elsewhere(
    desk: Desk, phase: Phase
) -> None:
    plan = desk.open()
    planned = plan.planned(phase)
    changed = planned.start.carriers[0].with_values({"label": "another"})
    with pytest.raises(DriftError, match="since the plan was made") as caught:
        plan.check_live(planned, Snapshot((changed,), planned.start.policies))
    assert caught.value.message.endswith(
        f"{changed.path}: <label> is 'another', not 'Müller &amp; \"Söhne\" &lt;eu&gt;'"
    )


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (
            "192.0.2.71",
            "192.0.2.72",
            "added 192.0.2.64-192.0.2.72 (office VPN), removed 192.0.2.64",
        ),
        (
            "office VPN",
            "office",
            "192.0.2.64-192.0.2.71 is described as 'office', not 'office VPN'",
        ),
        ("<description>office VPN</description>", "", "is described as unset, not 'office VPN'"),
        ("Bypass", "Enforce", "ecaOauthPlcy: <ipRelaxationPolicyType> is 'Enforce', not 'Bypass'"),
    ],
)
def test_drift_names_the_entries_that_changed(desk: Desk, old: str, new: str, words: str) -> None:
    plan = desk.open()
    live = desk.snapshot(SETTINGS.replace(old, new), POLICIES.replace(old, new))
    with pytest.raises(DriftError) as caught:
        plan.check_live(plan.planned(Phase.ADD_NEW), live)
    assert words in caught.value.message


def test_drift_of_a_list_that_reached_the_phase_names_the_changes_of_others(desk: Desk) -> None:
    plan = desk.open()
    planned = plan.planned(Phase.ADD_NEW)
    reached = planned.after.carriers[0]
    foreign = reached.with_allowlist(reached.allowlist.add([IpRange.parse("192.0.2.9", "theirs")]))
    with pytest.raises(DriftError) as caught:
        plan.check_live(planned, Snapshot((foreign,), planned.after.policies))
    assert caught.value.message.endswith(f"{reached.path}: added 192.0.2.9 (theirs)")


def test_changed_policies_are_drift(desk: Desk) -> None:
    plan = desk.open()
    live = desk.snapshot(SETTINGS, POLICIES.replace("Bypass", "Bypass_2factor"))
    with pytest.raises(DriftError, match="ecaOauthPlcy"):
        plan.check_live(plan.planned(Phase.ADD_NEW), live)


def test_a_missing_component_is_drift(desk: Desk) -> None:
    plan = desk.open()
    with pytest.raises(DriftError, match="ecaOauthPlcy"):
        plan.check_live(plan.planned(Phase.ADD_NEW), Snapshot(desk.live.carriers))


def test_phases_are_not_deployed_out_of_order(desk: Desk) -> None:
    plan = desk.open()
    with pytest.raises(DriftError):
        plan.check_live(plan.planned(Phase.REMOVE_OLD), desk.live)


def test_a_change_of_order_alone_is_no_drift(desk: Desk) -> None:
    plan = desk.open()
    first, second = desk.live.carriers[0].allowlist.ranges
    turned = desk.live.carriers[0].allowlist.__class__((second, first))
    live = Snapshot((desk.live.carriers[0].with_allowlist(turned),), desk.live.policies)
    plan.check_live(plan.planned(Phase.ADD_NEW), live)


@pytest.mark.parametrize("settings", [SETTINGS, *DRIFTED])
def test_drift_never_prevents_restoring_old_addresses(desk: Desk, settings: str) -> None:
    plan = desk.open()
    plan.check_live(plan.planned(Phase.RESTORE_OLD), desk.snapshot(settings))


def test_a_plan_names_its_org_and_its_components(desk: Desk) -> None:
    plan = desk.open()
    assert plan.organization_id == ORG
    assert plan.component_ids == {}  # of files


def test_a_plan_of_an_org_names_its_components(desk: Desk) -> None:
    moment = datetime(2026, 11, 23, tzinfo=UTC)
    properties = FileProperties("0Xx000000000001AAA", moment, "Jo")
    component = replace(desk.live.carriers[0], properties=properties)
    desk.live = Snapshot((component,), desk.live.policies)
    desk.write()
    assert desk.open().component_ids == {component.path: "0Xx000000000001AAA"}


# Invalid plans


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b'"plan"',
        b"{}",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"schema": "sfcutover/plan/1"}',
        b'{"schema": "\\ud800"}',
        b"version: 1\n",
    ],
)
def test_an_invalid_plan_is_refused(desk: Desk, content: bytes) -> None:
    desk.path.write_bytes(content)
    error = desk.refuses(ConfigError)
    assert error.message.startswith("not a plan file of this version: ")
    assert error.exit_code == ExitCode.USAGE


@pytest.mark.parametrize(
    "edit",
    [
        set_("schema", "sfcutover/plan/2"),
        set_("schema", "sfcutover/diff/1"),
        set_("later", True),
        lambda content: target(content).update(later=True),
        lambda content: target(content)["phases"][0].update(phase="add-more"),
        lambda content: content.pop("schema"),
    ],
)
def test_a_plan_of_another_version_is_refused(desk: Desk, edit: Edit) -> None:
    desk.edit(edit)
    error = desk.refuses(ConfigError)
    assert error.message.startswith("not a plan file of this version: ")


@pytest.mark.parametrize("name", [".", "missing.json", "x" * 300])
def test_an_unreadable_plan_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError, match=r"cannot be read: [A-Z]") as caught:
        read_plan(tmp_path / name)
    assert caught.value.where == str(tmp_path / name)


def test_a_huge_plan_is_refused_as_too_large(tmp_path: Path) -> None:
    (tmp_path / "plan.json").write_bytes(bytes(MAX_PLAN_BYTES + 1))
    with pytest.raises(LimitError, match="larger than 16,777,216 bytes"):
        read_plan(tmp_path / "plan.json")


# Documents and their schemas


def valid(document: Document) -> Any:
    """The document as JSON, validated by its schema, which allows no other key."""
    content = json.loads(document.model_dump_json(by_alias=True))
    schema = type(document).model_json_schema(by_alias=True, mode="serialization")
    checker = jsonschema.Draft202012Validator(schema)
    checker.check_schema(schema)
    checker.validate(content)
    assert not checker.is_valid({**content, "later": 1})
    for key in content:
        assert not checker.is_valid({name: content[name] for name in content if name != key}), key
    return content


def test_a_plan_fits_its_schema(desk: Desk) -> None:
    content = valid(desk.plan())
    assert content["schema"] == "sfcutover/plan/1"
    assert content["old"] == [{"range": "203.0.113.10", "description": None}]
    assert [phase["phase"] for phase in target(content)["phases"]] == [
        "add-new",
        "remove-old",
        "restore-old",
        "remove-new",
    ]
    assert target(content)["live"].endswith("(phase add-new is not live)")


def test_a_plan_counts_and_shows_what_a_phase_does(desk: Desk) -> None:
    security, policies = target(valid(desk.plan()))["phases"][0]["components"]
    assert [each["range"] for each in security["added"]] == ["198.51.100.20", "198.51.100.21"]
    assert (security["removed"], security["unchanged"], security["fields"]) == ([], 2, [])
    assert security["capacity"] == {
        "ranges": 4,
        "addresses": 11,
        "max_ranges": 128,
        "max_addresses": 256,
    }
    assert policies["carrier"] is None
    assert policies["fields"] == [
        {"name": "ipRelaxationPolicyType", "before": "Bypass", "after": "Enforce"}
    ]


def test_a_diff_fits_its_schema(desk: Desk) -> None:
    planned = desk.open().planned(Phase.REMOVE_OLD)
    phase = PhaseDocument.of(planned)
    one = TargetDiffDocument(target="packaging", instance_url=None, on_top_of=None, phase=phase)
    content = valid(DiffDocument(cutover="move", changed=planned.changed, targets=[one]))
    assert content["changed"] is True


def test_the_diff_of_an_unchanged_component_is_empty(desk: Desk) -> None:
    one = desk.live.carriers[0]
    document = ComponentDiffDocument.of(compare(one, one))
    assert document.unchanged == 2
    assert (document.added, document.removed, document.fields) == ([], [], [])


@pytest.mark.parametrize("where", [None, "cutover.yaml:7"])
def test_an_error_fits_its_schema(where: str | None) -> None:
    content = valid(ErrorDocument.of(DriftError("it changed", hint="look", where=where)))
    assert content == {
        "schema": "sfcutover/error/1",
        "error": "it changed",
        "where": where,
        "also": [],
        "impact": DriftError.default_impact,
        "next": "look",
        "exit_code": 4,
    }


def test_a_document_cannot_be_changed_or_extended() -> None:
    document = RangeDocument.model_validate(IpRange.parse("203.0.113.10"))
    with pytest.raises(ValueError, match="frozen"):
        document.range = "203.0.113.11"  # type: ignore[misc]
    with pytest.raises(ValueError, match="Extra inputs"):
        RangeDocument.model_validate({"range": "203.0.113.10", "later": 1})
