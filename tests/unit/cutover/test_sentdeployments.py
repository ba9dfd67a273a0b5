"""Which deployments a target was sent, and which of them are this cutover's for certain."""

from __future__ import annotations

from sfcutover.allowlist.phases import Phase
from sfcutover.cutover.sentdeployments import SENT, SentDeployments
from sfcutover.runs.event import CommandLog


def test_a_deployment_found_in_the_org_is_not_certainly_this_cutovers() -> None:
    """Its answer was lost: another user may have sent it, so no restore cancels it."""
    log = CommandLog()
    for identifier, found in (("0Af1", {}), ("0Af2", {"found": True}), ("0Af3", {"found": False})):
        data = {"phase": "remove-old", "id": identifier} | found
        log.write(SENT, None, "packaging", data)
    sent = SentDeployments(log, "packaging", Phase.REMOVE_OLD)
    assert sent.ids == ["0Af1", "0Af2", "0Af3"]
    assert sent.certain == ["0Af1", "0Af3"]
