"""A run, a plan and evidence are bound to the org that was reached, not to its name."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from sfcutover.emulator import Emulator, Scenario
from tests.chaos.world import NEW, OLD, World, world
from tests.integration.cli.harness import SECURITY, SECURITY_NAME
from tests.integration.safety.conftest import OpenWorld
from tests.integration.safety.scene import configure, configure_part, entries

pytestmark = pytest.mark.slow  # whole runs, in processes of their own

BOTH = {"old": [*OLD, *NEW], "old_egress": list(OLD)}  # old and new are on its list
PAUSED = ("run", "--yes", "--pause-before", "remove-old")
EVIDENCE = ("deploy", "remove-old", "--yes", "--evidence", "evidence.json")


def from_environment(here: World) -> None:
    """Have everything that names the org come from environment variables."""
    org = {
        "access_token": {"env": "SF_ACCESS_TOKEN"},
        "instance_url": {"env": "SFCUTOVER_INSTANCE_URL"},
    }
    configure(here, targets=[{"name": "packaging", "org": org}])
    configure_part(here, "verify", token_url={"env": "SFCUTOVER_TOKEN_URL"})
    configure_part(here, "egress", echo_url={"env": "SFCUTOVER_ECHO_URL"})


def load(here: World, emulator: Emulator) -> None:
    """Load another org's environment and canary."""
    here.environment.update(emulator.environment)
    token = here.folder / "canary.token"
    token.write_text(emulator.environment["SF_REFRESH_TOKEN"], encoding="utf-8")


def refused_naming(code: int, out: str, *organizations: str) -> None:
    assert code == 4, out
    for organization in organizations:
        assert organization in out


@pytest.fixture
def bound(here: World) -> World:
    """A world whose cutover.yaml comes from environment variables only."""
    from_environment(here)
    return here


@pytest.fixture
def other(tmp_path: Path) -> Iterator[World]:
    """Another org, at another URL."""
    with world(tmp_path / "other", Scenario.model_validate(BOTH | {"pod": 2})) as one:
        yield one


@pytest.fixture
def replaced(open_world: OpenWorld) -> World:
    """A world in which another org can answer at the same URL."""
    here = open_world(second_org=BOTH)
    from_environment(here)
    return here


def replace_org(here: World) -> tuple[str, str]:
    """Have the other org answer at the URL, with its environment; return both organization ids."""
    first = here.emulator.organization_id
    here.emulator.use_org(2)
    load(here, here.emulator)
    return first, here.emulator.organization_id


def test_a_run_refuses_another_org_from_the_environment(bound: World, other: World) -> None:
    bound.call(*PAUSED)
    load(bound, other.emulator)
    before = entries(other.emulator)
    code, out = bound.call("approve")
    assert entries(other.emulator) == before
    refused_naming(code, out, bound.emulator.organization_id, other.emulator.organization_id)


def test_a_run_refuses_another_org_at_the_same_url(replaced: World) -> None:
    replaced.call(*PAUSED)
    organizations = replace_org(replaced)
    before = entries(replaced.emulator)
    code, out = replaced.call("approve")
    assert entries(replaced.emulator) == before
    refused_naming(code, out, *organizations)


def test_a_plan_refuses_another_org(open_world: OpenWorld) -> None:
    here = open_world(second_org={})
    from_environment(here)
    code, out = here.call("plan", "--out", "plan.json")
    assert code == 0, out
    organizations = replace_org(here)
    code, out = here.call("deploy", "add-new", "--plan", "plan.json", "--yes")
    assert here.emulator.deployments == []
    refused_naming(code, out, *organizations)


def test_evidence_of_another_org_is_refused(replaced: World) -> None:
    for words in (("deploy", "add-new", "--yes"), ("verify", "--out", "evidence.json")):
        code, out = replaced.call(*words)
        assert code == 0, out
    organizations = replace_org(replaced)
    code, out = replaced.call(*EVIDENCE)
    assert replaced.emulator.deployments == []
    refused_naming(code, out, *organizations)


def test_a_rollback_refuses_another_org(replaced: World) -> None:
    code, out = replaced.call("deploy", "add-new", "--yes")
    assert code == 0, out
    organizations = replace_org(replaced)
    code, out = replaced.call("rollback", "--to", "baseline", "--yes", "--traffic-moved")
    assert replaced.emulator.deployments == []
    refused_naming(code, out, *organizations)


def test_a_run_refuses_the_canary_of_another_user(here: World) -> None:
    here.call(*PAUSED)
    token = here.emulator.issue_grant("somebody-else")
    (here.folder / "canary.token").write_text(token, encoding="utf-8")
    code, out = here.call("approve")
    assert code == 4, out
    assert here.live == {*OLD, *NEW}


def test_the_same_org_at_another_url_is_accepted(bound: World) -> None:
    for words in (("deploy", "add-new", "--yes"), ("verify", "--out", "evidence.json")):
        code, out = bound.call(*words)
        assert code == 0, out
    bound.environment["SFCUTOVER_INSTANCE_URL"] = bound.emulator.url.replace(
        "127.0.0.1", "localhost"
    )
    code, out = bound.call(*EVIDENCE)
    assert code == 0, out
    assert bound.live == set(NEW)


@pytest.mark.parametrize(
    "words",
    [
        ("plan",),
        ("diff", "remove-old"),
        ("verify",),
        ("switch",),
        ("watch",),
        ("deploy", "restore-old", "--yes"),
        ("rollback", "--yes"),
        ("deployment", "cancel", "0Af000000000001AAA"),
        ("run", "--yes"),
    ],
    ids=" ".join,
)
def test_every_command_refuses_another_org(replaced: World, words: tuple[str, ...]) -> None:
    code, out = replaced.call("deploy", "add-new", "--yes")
    assert code == 0, out
    organizations = replace_org(replaced)
    code, out = replaced.call(*words)
    assert replaced.emulator.deployments == []
    assert replaced.switches == []
    refused_naming(code, out, *organizations)


def test_a_run_is_bound_before_its_first_deployment(replaced: World) -> None:
    replaced.call("run", "--yes", "--pause-before", "add-new")
    organizations = replace_org(replaced)
    code, out = replaced.call("approve")
    assert replaced.emulator.deployments == []
    refused_naming(code, out, *organizations)


def test_a_refused_run_can_be_resumed_in_the_right_org(replaced: World) -> None:
    right = dict(replaced.environment)
    replaced.call(*PAUSED)
    token = (replaced.folder / "canary.token").read_text(encoding="utf-8")
    replace_org(replaced)
    code, out = replaced.call("approve")
    assert code == 4, out
    replaced.emulator.use_org(1)
    replaced.environment = right
    (replaced.folder / "canary.token").write_text(token, encoding="utf-8")
    code, out = replaced.call("approve")
    assert code == 0, out
    assert replaced.live == set(NEW)


def test_a_recreated_component_is_refused(here: World) -> None:
    code, out = here.call("deploy", "add-new", "--yes")
    assert code == 0, out
    before = component_id(here)
    here.emulator.recreate_component(SECURITY, SECURITY_NAME)
    code, out = here.call("deploy", "remove-old", "--yes")
    refused_naming(code, out, before, component_id(here))
    assert here.live == {*OLD, *NEW}


def test_addresses_are_restored_on_a_recreated_component(here: World) -> None:
    code, out = here.call("run", "--yes")
    assert code == 0, out
    here.emulator.recreate_component(SECURITY, SECURITY_NAME)
    code, out = here.call("rollback", "--yes")
    assert code == 0, out
    assert here.live == {*OLD, *NEW}


def test_a_plan_from_files_is_bound_by_its_first_deployment(replaced: World) -> None:
    file = replaced.folder / f"{SECURITY_NAME}.ecaOauthSecurity"
    file.write_bytes(replaced.emulator.component_xml(SECURITY, SECURITY_NAME))
    plan = ("--plan", "plan.json", "--yes")
    for words in (
        ("plan", "--baseline", file.name, "--out", "plan.json"),
        ("deploy", "add-new", *plan),
    ):
        code, out = replaced.call(*words)
        assert code == 0, out
    organizations = replace_org(replaced)
    code, out = replaced.call("deploy", "remove-old", *plan)
    assert replaced.emulator.deployments == []
    refused_naming(code, out, *organizations)


def test_evidence_of_another_canary_is_refused(here: World) -> None:
    for words in (("deploy", "add-new", "--yes"), ("verify", "--out", "evidence.json")):
        code, out = here.call(*words)
        assert code == 0, out
    file = here.folder / "evidence.json"
    evidence = json.loads(file.read_text(encoding="utf-8"))
    (canary,) = evidence["targets"][0]["canaries"]
    bound, other = canary["user_id"], here.emulator.user_id("customer-1")
    canary["user_id"] = other
    file.write_text(json.dumps(evidence), encoding="utf-8")
    code, out = here.call(*EVIDENCE)
    refused_naming(code, out, bound, other)
    assert here.live == {*OLD, *NEW}


def test_a_later_verify_refuses_the_canary_of_another_user(here: World) -> None:
    for words in (("deploy", "add-new", "--yes"), ("verify",)):
        code, out = here.call(*words)
        assert code == 0, out
    token = here.emulator.issue_grant("somebody-else")
    (here.folder / "canary.token").write_text(token, encoding="utf-8")
    code, out = here.call("deploy", "remove-old", "--yes")
    assert code == 4, out
    assert here.live == {*OLD, *NEW}


def component_id(here: World) -> str:
    return next(one.id for one in here.emulator.components if one.full_name == SECURITY_NAME)
