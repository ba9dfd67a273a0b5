"""The steps of a run: their names in order, and their titles on a screen."""

from __future__ import annotations

FORWARDS = (
    "probe",
    "snapshot",
    "control",
    "add-new",
    "resave",
    "verify-new",
    "switch",
    "verify",
    "settle",
    "remove-old",
    "watch",
)
OCCASIONAL = ("resave",)  # steps forwards that most runs do without
BACK = ("restore-old", "check-new", "switch-back", "prove-old", "remove-new", "restore-policies")
TITLES = {
    "probe": "1 probe: traffic leaves from the new addresses",
    "snapshot": "  snapshot: read the allowlists",
    "control": "  control: a new address is still refused",
    "add-new": "2 deploy add-new, read back",
    "resave": "  resave: save the allowlist once more",
    "verify-new": "  verify-new: a redemption before traffic moves",
    "switch": "3 switch: traffic moves",
    "verify": "4 verify: a redemption through each new address",
    "settle": "  settle: wait after the last proof",
    "remove-old": "5 deploy remove-old, read back",
    "watch": "  watch: monitor redemptions",
    "restore-old": "rollback: deploy restore-old, read back",
    "check-new": "rollback: check-new, do new addresses redeem?",
    "switch-back": "rollback: switch-back, traffic to old addresses",
    "prove-old": "rollback: prove-old, redeem from old addresses",
    "remove-new": "rollback: deploy remove-new, read back",
    "restore-policies": "rollback: deploy restore-policies, read back",
}
