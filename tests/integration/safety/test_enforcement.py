"""Whether the org enforces the allowlist: the negative control, and stored but ignored entries."""

from __future__ import annotations

import json

import pytest

from sfcutover.allowlist.ranges import IpRange
from sfcutover.emulator import Edit, Entry, Fault
from tests.chaos.world import NEW, OLD, World
from tests.integration.safety.conftest import OpenWorld
from tests.integration.safety.scene import configure, configure_part, describe, entries

pytestmark = pytest.mark.slow  # whole runs, in processes of their own

Json = dict[str, object]


def control_of(here: World) -> Json:
    """What the negative control of the newest run found."""
    ended = ("step-ended", "control")
    (found,) = [each for each in here.events() if (each.get("kind"), each.get("step")) == ended]
    evidence = found["data"]["evidence"]  # type: ignore[index]
    assert isinstance(evidence, dict)
    return evidence


def refused_at_new(here: World) -> int:
    return sum(one.result == "blocked" and one.source in NEW for one in here.emulator.redemptions)


def report_of(here: World) -> Json:
    code, out = here.call("report", "--format", "json", "-q")
    assert code == 0, out
    document: Json = json.loads(out)
    return document


def test_a_block_before_add_new_shows_that_the_allowlist_is_enforced(here: World) -> None:
    code, out = here.call("run", "--yes")
    assert code == 0, out
    assert (
        "the allowlist blocks other addresses: a redemption from a new address was refused" in out
    )
    assert refused_at_new(here) == 1
    found = control_of(here)
    assert found["outcome"] == "shown"
    assert "ip restricted by app developer" in str(found["body"])
    assert "allowed after: 127.0.0.21" in out
    assert "BLOCKED" not in out  # the run's own refusal raises no alarm
    document = report_of(here)
    assert "nothing shows that the allowlist blocks" not in str(document["unproven"])


def test_an_unenforced_allowlist_requires_an_approval_that_is_recorded(
    open_world: OpenWorld,
) -> None:
    here = open_world(enforcement=False)
    code, out = here.call("run", "--yes")
    assert code == 75, out
    assert "succeeded although the address is not on the allowlist" in out
    code, out = here.call("run", "--yes", "--traffic-moved")  # which answers another question
    assert code == 75, out
    assert here.emulator.deployments == []
    code, out = here.call("approve")
    assert code == 0, out
    words = "nothing shows that the allowlist blocks: a redemption from a new address succeeded"
    assert words in str(report_of(here)["unproven"])


@pytest.mark.parametrize(
    ("fault", "outcome"),
    [
        (Fault(kind="ip_restricted_user", operation="redeem"), "inconclusive"),
        (Fault(kind="ip_restricted_older", operation="redeem"), "inconclusive"),
        (Fault(kind="authentication_failure", operation="redeem"), "inconclusive"),
    ],
)
def test_another_refusal_shows_nothing_and_stops_nothing(
    here: World, fault: Fault, outcome: str
) -> None:
    here.emulator.set_fault(fault)
    code, out = here.call("run", "--yes")
    assert code == 0, out
    assert control_of(here)["outcome"] == outcome
    assert "the control did not show whether the allowlist blocks" in out


def test_an_invalid_token_pauses_the_run_before_any_change(here: World) -> None:
    here.emulator.set_fault(Fault(kind="token_expired", operation="redeem", count=None))
    code, out = here.call("run", "--yes")
    assert code == 69, out
    assert here.emulator.deployments == []
    assert "control" in out


def test_an_address_that_is_already_listed_cannot_be_tested(here: World) -> None:
    here.emulator.set_edit(Edit(add=(Entry(range=NEW[0]),)))
    code, out = here.call("run", "--yes")
    assert code == 0, out
    assert f"{NEW[0]} is already on the allowlist" in out
    assert refused_at_new(here) == 0


def test_a_block_seen_while_waiting_for_an_address_counts(
    open_world: OpenWorld,
) -> None:
    here = open_world(propagation_seconds=6.0)
    configure_part(here, "verify", control=False)
    code, out = here.call("run", "--yes")
    assert code == 0, out
    assert refused_at_new(here) > 0
    assert control_of(here)["outcome"] == "off"
    assert "nothing shows that the allowlist blocks" not in str(report_of(here)["unproven"])


def test_a_disabled_control_is_recorded(here: World) -> None:
    configure_part(here, "verify", control=False)
    code, out = here.call("run", "--yes")
    assert code == 0, out
    assert refused_at_new(here) == 0
    assert "verify.control is false in cutover.yaml" in str(report_of(here)["unproven"])


@pytest.mark.parametrize(
    ("enforcement", "code", "words"),
    [(True, 0, "shown: a redemption"), (False, 5, "nothing shows that the allowlist blocks")],
)
def test_verify_runs_the_control(
    open_world: OpenWorld, enforcement: bool, code: int, words: str
) -> None:
    here = open_world(enforcement=enforcement)
    ended, out = here.call("verify", "--control")
    assert (ended, words in out) == (code, True), out
    ended, out = here.call("verify", "--control", "--json", "-q")
    document, _ = json.JSONDecoder().raw_decode(out[out.index("{\n") :])
    assert document["schema"] == "sfcutover/control/1"


def test_a_stored_but_ignored_list_is_saved_once_more(open_world: OpenWorld) -> None:
    here = open_world(honours="after-update")
    configure_part(here, "verify", patience="1s")
    before = entries(here.emulator)
    code, out = here.call("run", "--yes")
    assert code == 0, out
    assert "Help 005387022" in out
    assert len(here.emulator.deployments) == 4  # add-new, the save and the save back, remove-old
    assert [each for each in entries(here.emulator) if "saved again" in each] == []
    assert "Help 005387022" in str(report_of(here)["events"])
    assert before[-1] in entries(here.emulator)


def test_the_description_of_an_own_entry_is_unchanged_after_the_save(open_world: OpenWorld) -> None:
    here = open_world(honours="after-update")
    configure(here, new=[{"range": NEW[0], "description": "static proxy, new"}, NEW[1]])
    configure_part(here, "verify", patience="1s")
    code, out = here.call("run", "--yes")
    assert code == 0, out
    assert "127.0.0.21 127.0.0.21 static proxy, new" in entries(here.emulator)


def test_deploy_saves_once_more_on_request(open_world: OpenWorld) -> None:
    here = open_world(honours="after-update")
    code, out = here.call("deploy", "add-new", "--resave", "--yes")
    assert code == 4, out
    assert "nothing to save again" in out
    assert here.call("deploy", "add-new", "--yes")[0] == 0
    assert here.call("verify")[0] == 5
    describe(here.emulator, {NEW[1]: "theirs"})
    code, out = here.call("deploy", "add-new", "--resave", "--yes")
    assert code == 0, out
    code, out = here.call("verify")
    assert code == 0, out
    assert "127.0.0.22 127.0.0.22 theirs" in entries(here.emulator)


@pytest.mark.parametrize("words", [("remove-old", "--resave"), ("add-new", "--resave", "--async")])
def test_the_resave_option_requires_add_new(here: World, words: tuple[str, ...]) -> None:
    code, out = here.call("deploy", *words)
    assert (code, "--resave requires add-new" in out) == (2, True)


def test_restored_addresses_that_are_ignored_are_saved_once_more(open_world: OpenWorld) -> None:
    """The watch fails, and the org enforces the restored entries only after another save."""
    here = open_world(honours="after-update")
    configure_part(here, "verify", patience="1s")
    configure(here, checks=[{"command": ["false"], "name": "errors", "during": ["watch"]}])
    code, out = here.call("run", "--yes")
    assert code == 5, out
    assert here.live == {*OLD, *NEW}
    assert "packaging prove-old: done in" in out
    assert here.emulator.allowlist_history[-1].honoured.covers(
        tuple(IpRange.parse(each) for each in OLD)
    )
