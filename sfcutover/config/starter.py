"""The cutover.yaml that ``init`` writes: filled in from the org, with comments."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from sfcutover.allowlist.policies import POLICIES
from sfcutover.allowlist.ranges import Allowlist, IpRange


def starter_text(
    name: str,
    app: str,
    api_version: str,
    org: str,
    live: Allowlist,
    old: Sequence[str],
    new: Sequence[str],
    policies: Mapping[str, str],
) -> str:
    """The file's text. org: the YAML of the target's org. policies: the app's current ones.

    Without old, it contains the live allowlist, commented out, from which the operator chooses
    the entries to remove.
    """
    return _TEXT.format(
        name=name,
        app=app,
        api_version=api_version,
        org=org,
        hint="" if old else _CHOOSE,
        old=_entries(old) or "\n".join(map(_candidate, live)),
        new=_entries(new) or "  # - 198.51.100.20",
        these=" These are the app's now:" if policies else "",
        policies="\n".join(_policy(*each) for each in policies.items()) or _SOME_POLICY,
    )


def _entries(ranges: Sequence[str]) -> str:
    return "\n".join(f"  - {json.dumps(text)}" for text in ranges)


def _candidate(entry: IpRange) -> str:
    description = f", description: {json.dumps(entry.description)}" if entry.description else ""
    return f"  # - {{range: {json.dumps(str(entry))}{description}}}"


def _policy(name: str, text: str) -> str:
    is_text = POLICIES[name].kind == "text"
    return f"#   {name}: {json.dumps(text) if is_text else text}"


_SOME_POLICY = "#   ipRelaxationPolicyType: Enforce"
_CHOOSE = """
# These are on the allowlist now. Uncomment the entries that the cutover removes."""
_TEXT = """\
# The settings of sfcutover: replace addresses on a Salesforce Refresh Token IP Allowlist.
# Fill in old: and new:, then check the file with: sfcutover doctor
# All keys: docs/reference/cutover-yaml.md of sfcutover; editors read cutover.schema.json.
version: 1
name: {name}
app: {app}                   # full name of the External Client App
carriers: [token-ip-ranges]   # add trusted-ip-ranges to change both lists
api_version: "{api_version}"

# The addresses that traffic uses now. The cutover removes only these; every other entry of the
# live allowlist belongs to others and stays.{hint}
old:
{old}

# The addresses that traffic will use: single, CIDR or first-last, IPv4 or IPv6.
new:
{new}

# OAuth policies to deploy with each phase; all others stay as they are. Or per phase:
# policies: {{add-new: {{...}}, remove-old: {{...}}}}.{these}
# policies:
{policies}

targets:
  - name: packaging
    org: {org}

# The commands probe, switch, verify, watch and run need the following keys; deploy add-new does
# not. This file never contains a secret: {{env: NAME}}, {{file: PATH}} or {{command: [argv]}}.

# How traffic leaves, now (old) and after the switch (new): through a proxy, from this machine
# (direct: true), or as a command prints it (probe: [argv]). Without old, a rollback is unproven.
# egress:
#   old: {{proxy: {{env: OLD_PROXY_URL}}}}
#   new: {{proxy: {{env: NEW_PROXY_URL}}}}
#   echo_url: http://ip.quotaguard.com   # a page that answers with the client's address

# The commands that move the application's traffic (argv, no shell). Or {{manual: true}}, if the
# operator moves it.
# switch:
#   apply: ["heroku", "config:set", "PROXY=new"]
#   revert: ["heroku", "config:set", "PROXY=old"]

# A canary: a refresh token of your own, which is redeemed to prove each address.
# verify:
#   client_id: {{env: SF_CLIENT_ID}}
#   client_secret: {{env: SF_CLIENT_SECRET}}
#   refresh_token: {{file: .secrets/canary}}   # rewritten when the org rotates it

# How long redemptions are monitored after the old addresses are removed.
# watch: {{duration: 15m, interval: 15s, failures: 2}}

# Receivers of notifications, such as when a run is paused or has ended.
# notify:
#   - slack: {{url: {{env: SLACK_WEBHOOK_URL}}}}
#     events: [waiting, page, failed, rolled-back, interrupted]
"""
