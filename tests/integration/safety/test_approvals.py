"""An approval covers exactly what it was shown; a change of that requires another approval."""

from __future__ import annotations

import json
import re

import pytest
import yaml

from tests.chaos.world import NEW, OLD, ROOT, World
from tests.integration.safety.scene import (
    OFFICE,
    WAITING,
    change_list,
    configure,
    configure_part,
    entries,
    entry,
    policy,
)

pytestmark = pytest.mark.slow  # whole runs, in processes of their own

PAUSED = ("run", "--yes", "--pause-before", "remove-old")
RECORD = ("approve", "--record-only")
ACCEPT = ("run", "--yes", "--accept-changes")


@pytest.fixture
def here(here: World) -> World:
    """A world whose watch leaves enough time for a redemption on a busy machine."""
    configure(here, watch={"duration": "2s", "interval": "1s", "failures": 2})
    return here


@pytest.fixture
def paused(here: World) -> World:
    """A world whose run waits before remove-old."""
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
def test_an_old_range_that_no_approval_showed_stays(paused: World, first: str) -> None:
    configure(paused, old=[*OLD, "192.0.2.64-192.0.2.71"])
    commands = [RECORD, ACCEPT] if first == "approve" else [ACCEPT, ("approve",)]
    for words in commands:
        paused.call(*words)
    assert office_is_on_list(paused)


def test_old_cannot_change_after_add_new_has_started(here: World) -> None:
    here.call("run", "--yes", "--pause-before", "switch")
    configure(here, old=[*OLD, "192.0.2.64-192.0.2.71"])
    code, out = here.call(*ACCEPT)
    assert code == 2, out
    assert "old" in out
    assert here.switches == []


def test_new_cannot_change_after_the_switch(paused: World) -> None:
    sent = len(paused.emulator.deployments)
    configure(paused, new=[*NEW, "127.0.0.23"])
    paused.call(*RECORD)
    code, out = paused.call(*ACCEPT)
    assert code == 2, out
    assert len(paused.emulator.deployments) == sent
    assert paused.live == {*OLD, *NEW}
    assert paused.switches == ["apply"]


def test_a_new_address_is_listed_and_proven_before_the_switch(here: World) -> None:
    """The proxy does not use the added address, so that nothing can prove it."""
    here.call("run", "--yes", "--pause-before", "switch")
    configure(here, new=[*NEW, "127.0.0.23"])
    here.call(*ACCEPT)
    here.call("approve")
    assert here.switches == []


def test_an_added_policy_voids_the_approval(paused: World) -> None:
    code, out = paused.call(*RECORD)
    assert code == 0, out
    configure(paused, policies={"sessionTimeoutInMinutes": 30})
    code, out = paused.call(*ACCEPT)
    assert code == 75, out
    assert paused.live == {*OLD, *NEW}


def test_a_changed_template_voids_the_approval(paused: World) -> None:
    code, out = paused.call(*RECORD)
    assert code == 0, out
    text = (ROOT / "templates/package.xml.j2").read_text(encoding="utf-8")
    (paused.folder / "own").mkdir()
    (paused.folder / "own/package.xml.j2").write_text(text + "<!-- own -->\n", encoding="utf-8")
    code, out = paused.call(*ACCEPT, "--templates", "own")
    assert code == 75, out
    assert paused.live == {*OLD, *NEW}


def test_approve_expects_the_displayed_digest(here: World) -> None:
    _, out = here.call(*PAUSED)
    digest = digest_in(out)
    code, out = here.call("approve", "--expect", "0" * len(digest))
    assert code == 5, out
    assert here.live == {*OLD, *NEW}
    code, out = here.call("approve", "--expect", digest)
    assert code == 0, out
    assert here.live == set(NEW)


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


def test_the_user_who_accepted_a_change_is_recorded(paused: World) -> None:
    config = yaml.safe_load((paused.folder / "cutover.yaml").read_text(encoding="utf-8"))
    configure(paused, watch=config["watch"] | {"failures": 3})
    paused.environment["GITHUB_ACTOR"] = "octocat"
    code, out = paused.call(*ACCEPT)
    assert code in WAITING, out
    _, report = paused.call("report", "--format", "md")
    line = [one for one in report.splitlines() if "watch.failures" in one]
    assert line, report
    assert "octocat" in line[0]


def test_a_second_approval_is_no_error(paused: World) -> None:
    """A repeated CI job approves a step that is already approved and done."""
    words = ("approve", "--step", "remove-old")
    assert paused.call(*words)[0] == 0
    code, out = paused.call(*words)
    assert code == 0, out


def test_a_new_address_added_before_the_switch_is_proven_and_used(here: World) -> None:
    """The egress gets its second address while the run waits."""
    both = here.environment["SFCUTOVER_NEW_PROXY_URL"]
    here.environment["SFCUTOVER_NEW_PROXY_URL"] = here.emulator.proxy_url_for(NEW[0])
    configure(here, new=[NEW[0]])
    code, out = here.call("run", "--yes", "--pause-before", "switch")
    assert code == 75, out
    assert here.live == {*OLD, NEW[0]}
    here.environment["SFCUTOVER_NEW_PROXY_URL"] = both
    configure(here, new=list(NEW))
    code, out = here.call(*ACCEPT)
    assert code == 75, out
    assert here.live == {*OLD, *NEW}
    assert here.switches == []
    assert f"leaves from {', '.join(NEW)}" in out
    code, out = here.call("approve")
    assert code == 0, out
    assert here.switches == ["apply"]
    assert here.live == set(NEW)


def test_a_new_address_cannot_be_omitted_after_it_was_listed(here: World) -> None:
    here.call("run", "--yes", "--pause-before", "switch")
    configure(here, new=[NEW[0]])
    code, out = here.call(*ACCEPT)
    assert code == 2, out
    assert "new: can only grow" in out
    assert here.switches == []


def test_old_can_change_until_add_new_has_started_and_is_shown(here: World) -> None:
    here.call("run", "--yes", "--pause-before", "add-new", "--pause-before", "remove-old")
    configure(here, old=[OLD[0]])
    code, out = here.call(*ACCEPT)
    assert code == 75, out
    code, out = here.call("approve", "--step", "add-new")
    assert code == 75, out
    assert f"remove-old removes {OLD[0]} from the allowlist" in out


def test_changes_by_others_void_no_approval_and_are_shown(paused: World) -> None:
    """A colleague saves the allowlist in Setup between the announcement and the approval."""

    def save(xml: bytes) -> bytes:
        return xml.replace(OLD[0].encode(), b"192.0.2.99")

    change_list(paused.emulator, save)
    code, out = paused.call("approve")
    assert code == 0, out
    assert "other users have added 192.0.2.99 and removed 127.0.0.11" in out
    assert "192.0.2.99 was saved by " in out
    assert paused.live == set(NEW)
    assert entry("192.0.2.99") in entries(paused.emulator)


def test_a_plan_before_any_change_shows_the_digests_that_a_run_announces(here: World) -> None:
    code, out = here.call("plan", "--json")
    assert code == 0, out
    digests = json.loads(out[out.index("{") :])["digests"]
    words = ("run", "--yes", "--pause-before", "add-new", "--pause-before", "remove-old")
    code, out = here.call(*words)
    assert digests["add-new"].startswith(digest_in(out))
    code, out = here.call("approve", "--expect", digests["add-new"])
    assert code == 75, out
    assert digests["remove-old"].startswith(digest_in(out.rpartition("paused:")[2]))


def test_a_process_that_dies_after_the_approval_removes_only_what_was_approved(
    paused: World,
) -> None:
    """Between the approval and the removal another cutover.yaml is accepted."""
    paused.call("approve", point="write journal wave#1")
    configure(paused, policies={"sessionTimeoutInMinutes": 30})
    code, out = paused.call(*ACCEPT)
    assert code == 75, out
    assert "sessionTimeoutInMinutes from" in out
    assert paused.live == {*OLD, *NEW}
    code, out = paused.call("approve")
    assert code == 0, out
    assert policy(paused.emulator, "sessionTimeoutInMinutes") == "30"


def test_another_switch_command_voids_the_approval_of_the_switch(here: World) -> None:
    here.call("run", "--yes", "--pause-before", "switch")
    here.call(*RECORD)
    configure_part(here, "switch", apply=["sh", "-c", "echo other >> switches"])
    code, out = here.call(*ACCEPT)
    assert code == 75, out
    assert here.switches == []


def test_a_change_outside_of_an_approval_does_not_void_it(paused: World) -> None:
    code, _ = paused.call(*RECORD)
    configure(paused, max_rollbacks=7)
    code, out = paused.call(*ACCEPT)
    assert code == 0, out
    assert paused.live == set(NEW)


def test_the_report_names_a_void_approval(paused: World) -> None:
    paused.call(*RECORD, "--note", "change 4711")
    configure(paused, policies={"sessionTimeoutInMinutes": 30})
    paused.call(*ACCEPT)
    _, report = paused.call("report", "--format", "json")
    decisions = json.loads(report[report.index("{") :])["decisions"]
    assert [each["decision"] for each in decisions] == ["void", "open"]
    assert decisions[0]["digest"] != decisions[1]["digest"]


def test_the_digest_of_a_finished_step_is_accepted(here: World) -> None:
    _, out = here.call(*PAUSED)
    words = ("approve", "--step", "remove-old", "--expect")
    digest = digest_in(out)
    for given, expected in ((digest, 0), (digest, 0), ("0" * len(digest), 5)):
        code, out = here.call(*words, given)
        assert code == expected, out


def test_a_repeated_approval_is_recorded_once(paused: World) -> None:
    for _ in range(2):
        code, out = paused.call(*RECORD)
        assert code == 0, out
    assert "approved already" in out
    code, out = paused.call("run", "--yes")
    assert code == 0, out
