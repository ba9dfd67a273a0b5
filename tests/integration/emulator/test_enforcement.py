"""What the token endpoint makes of the list: when it is enforced, and whether it is."""

from __future__ import annotations

from sfcutover.emulator import Edit
from tests.integration.emulator.client import SteppedClock
from tests.integration.emulator.conftest import StartOrg
from tests.integration.emulator.traffic import new_proxy, redeem

ADD = Edit.model_validate({"add": [{"range": "127.0.0.20/30", "description": "new egress"}]})
UPDATE = Edit.model_validate({"describe": [{"range": "127.0.0.20/30", "description": "again"}]})


def test_an_added_entry_may_be_honoured_only_after_an_update(
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
