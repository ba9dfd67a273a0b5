"""How the token endpoint enforces the allowlist: when, and whether at all."""

from __future__ import annotations

from sfcutover.emulator import Edit, Emulator
from tests.integration.emulator.client import Client, SteppedClock
from tests.integration.emulator.conftest import StartOrg
from tests.integration.emulator.traffic import legacy, new_proxy, redeem

ADD = Edit.model_validate({"add": [{"range": "127.0.0.20/30", "description": "new egress"}]})
UPDATE = Edit.model_validate({"describe": [{"range": "127.0.0.20/30", "description": "again"}]})


def test_an_added_entry_may_be_enforced_only_after_an_update(
    start_org: StartOrg, clock: SteppedClock
) -> None:
    emulator, _ = start_org(honours="after-update", propagation_seconds=30)
    emulator.set_edit(ADD)
    clock.forward(3600)
    answer = redeem(emulator, proxy=new_proxy(emulator))
    assert answer.json()["error_description"] == "ip restricted by app developer"
    emulator.set_edit(UPDATE)
    clock.forward(29)
    assert redeem(emulator, proxy=new_proxy(emulator)).status_code == 400
    clock.forward(1)
    assert redeem(emulator, proxy=new_proxy(emulator)).status_code == 200
    assert redeem(emulator).status_code == 200
    assert [one.holds("127.0.0.21") for one in emulator.allowlist_history] == [False, True, True]


def test_enforcement_can_be_disabled_and_enabled_again(org: tuple[Emulator, Client]) -> None:
    emulator, client = org
    assert redeem(emulator, proxy=new_proxy(emulator)).status_code == 400
    emulator.set_enforcement(False)
    assert redeem(emulator, proxy=new_proxy(emulator)).status_code == 200
    assert redeem(emulator, proxy=new_proxy(emulator), **legacy(emulator)).status_code == 200
    assert client.admin(emulator, "GET", "enforcement") == {"is_on": False}
    client.admin(emulator, "POST", "enforcement", {"is_on": True})
    assert emulator.enforcement
    assert redeem(emulator, proxy=new_proxy(emulator)).status_code == 400


def test_enforcement_can_be_disabled_at_the_start_and_is_separate_for_each_org(
    start_org: StartOrg,
) -> None:
    emulator, _ = start_org(enforcement=False)
    emulator.use_org(2)
    emulator.set_enforcement(True)
    emulator.use_org(1)
    assert not emulator.enforcement
    emulator.set_enforcement(True)
    assert redeem(emulator, proxy=new_proxy(emulator)).status_code == 400
