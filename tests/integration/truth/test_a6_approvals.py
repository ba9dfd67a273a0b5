"""A6: an approval covers exactly what it was shown; what changes that asks again."""

from __future__ import annotations

import re

import pytest
import yaml

from tests.chaos.world import NEW, OLD, ROOT, World
from tests.integration.truth.scene import OFFICE, WAITING, configure

PAUSED = ("run", "--yes", "--pause-before", "remove-old")
RECORD = ("approve", "--record-only")
ACCEPT = ("run", "--yes", "--accept-changes")


@pytest.fixture
def paused(here: World) -> World:
    """A run that waits before remove-old."""
    code, out = here.call(*PAUSED)
    assert code in WAITING, out
    return here


def digest_in(text: str) -> str:
    """The digest that a text shows."""
    found = re.search(r"digest\W+([0-9a-f]{8,64})\b", text)
    assert found, f"no digest in:\n{text}"
    return found[1]


def office_is_on_list(here: World) -> bool:
    return here.emulator.allowlist_history[-1].holds(OFFICE)


@pytest.mark.parametrize("first", ["approve", "accept"])
@pytest.mark.xfail(
    strict=True,
    raises=AssertionError,
    reason="A6: an old range that is added at the pause leaves the list without being shown",
)
def test_an_old_range_that_no_approval_showed_stays(paused: World, first: str) -> None:
    configure(paused, old=[*OLD, "192.0.2.64-192.0.2.71"])
    commands = [RECORD, ACCEPT] if first == "approve" else [ACCEPT, ("approve",)]
    for words in commands:
        paused.call(*words)
    assert office_is_on_list(paused)


@pytest.mark.xfail(
    strict=True,
    raises=AssertionError,
    reason="A6: old: may change after add-new has begun",
)
def test_old_is_fixed_once_add_new_has_begun(here: World) -> None:
    here.call("run", "--yes", "--pause-before", "switch")
    configure(here, old=[*OLD, "192.0.2.64-192.0.2.71"])
    code, out = here.call(*ACCEPT)
    assert code == 2, out
    assert "old" in out
    assert here.switches == []


@pytest.mark.xfail(
    strict=True,
    raises=AssertionError,
    reason="A6: new: may change after the switch; the run then rolls production back",
)
def test_new_is_fixed_after_the_switch(paused: World) -> None:
    sent = len(paused.emulator.deployments)
    configure(paused, new=[*NEW, "127.0.0.23"])
    paused.call(*RECORD)
    code, out = paused.call(*ACCEPT)
    assert code == 2, out
    assert len(paused.emulator.deployments) == sent
    assert paused.live == {*OLD, *NEW}
    assert paused.switches == ["apply"]


def test_a_new_address_is_on_the_list_and_proven_before_the_switch(here: World) -> None:
    """The proxy does not leave by the address that was added, so nothing can prove it."""
    here.call("run", "--yes", "--pause-before", "switch")
    configure(here, new=[*NEW, "127.0.0.23"])
    here.call(*ACCEPT)
    here.call("approve")
    assert here.switches == []


@pytest.mark.xfail(
    strict=True,
    raises=AssertionError,
    reason="A6: an approval holds although a policy is added to what it covers",
)
def test_a_policy_that_is_added_voids_the_approval(paused: World) -> None:
    code, out = paused.call(*RECORD)
    assert code == 0, out
    configure(paused, policies={"sessionTimeoutInMinutes": 30})
    code, out = paused.call(*ACCEPT)
    assert code == 75, out
    assert paused.live == {*OLD, *NEW}


@pytest.mark.xfail(
    strict=True,
    raises=AssertionError,
    reason="A6: an approval holds although a template of what it covers changes",
)
def test_a_template_that_changes_voids_the_approval(paused: World) -> None:
    code, out = paused.call(*RECORD)
    assert code == 0, out
    text = (ROOT / "templates/package.xml.j2").read_text(encoding="utf-8")
    (paused.folder / "own").mkdir()
    (paused.folder / "own/package.xml.j2").write_text(text + "<!-- own -->\n", encoding="utf-8")
    code, out = paused.call(*ACCEPT, "--templates", "own")
    assert code == 75, out
    assert paused.live == {*OLD, *NEW}


@pytest.mark.xfail(
    strict=True,
    raises=AssertionError,
    reason="A6: no announcement shows a digest, and approve has no --expect",
)
def test_approve_expects_the_digest_that_was_shown(here: World) -> None:
    _, out = here.call(*PAUSED)
    digest = digest_in(out)
    code, out = here.call("approve", "--expect", "0" * len(digest))
    assert code == 5, out
    assert here.live == {*OLD, *NEW}
    code, out = here.call("approve", "--expect", digest)
    assert code == 0, out
    assert here.live == set(NEW)


@pytest.mark.xfail(
    strict=True,
    raises=AssertionError,
    reason="A6: plan, journal and report show no digest",
)
def test_plan_journal_and_report_show_the_same_digest(here: World) -> None:
    """The announcement's digest, which names the same removal everywhere."""
    _, announced = here.call(*PAUSED)
    digest = digest_in(announced)
    _, journal = here.call("runs", "--follow", "--json")
    _, report = here.call("report", "--format", "json")
    _, plan = here.call("plan")
    assert digest in journal
    assert digest in report
    assert digest in plan


@pytest.mark.xfail(
    strict=True,
    raises=AssertionError,
    reason="A6: the report does not say who accepted which change of cutover.yaml",
)
def test_who_accepted_which_change_is_recorded(paused: World) -> None:
    config = yaml.safe_load((paused.folder / "cutover.yaml").read_text(encoding="utf-8"))
    configure(paused, watch=config["watch"] | {"failures": 3})
    paused.environment["GITHUB_ACTOR"] = "octocat"
    code, out = paused.call(*ACCEPT)
    assert code in WAITING, out
    _, report = paused.call("report", "--format", "md")
    line = [one for one in report.splitlines() if "watch.failures" in one]
    assert line, report
    assert "octocat" in line[0]


@pytest.mark.xfail(
    strict=True,
    raises=AssertionError,
    reason="A6: approve of what is approved already is refused",
)
def test_a_second_approval_is_no_error(paused: World) -> None:
    """A CI job that is started again approves what was approved, and done, already."""
    words = ("approve", "--step", "remove-old")
    assert paused.call(*words)[0] == 0
    code, out = paused.call(*words)
    assert code == 0, out
