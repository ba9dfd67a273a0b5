"""The cutover.yaml that ``init`` writes: filled in from the org, commented for a person."""

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
    """The file's text. org: the YAML of the target's org. policies: those that the app has now.

    Without old or new it holds the live list, commented out: which of its entries the cutover
    may remove is for a person to say.
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
# These are on the list now: remove the # from those that are yours and are to go."""
_TEXT = """\
# One change of addresses on a Refresh Token IP Allowlist. Next: sfcutover doctor
version: 1
name: {name}
app: {app}                   # full name of the External Client App
carriers: [token-ip-ranges]   # add trusted-ip-ranges to keep both lists in step
api_version: "{api_version}"

# The addresses that traffic leaves now and in future no more. The cutover removes only
# these; every other entry of the live list belongs to others and stays.{hint}
old:
{old}

# The addresses that traffic will leave in future: single, CIDR, first-last, IPv4 or IPv6.
new:
{new}

# OAuth policies to deploy with each phase; all others stay as they are. Or by phase:
# policies: {{add-new: {{...}}, remove-old: {{...}}}}.{these}
# policies:
{policies}

targets:
  - name: packaging
    org: {org}

# What follows is for probe, switch, verify, watch and run; deploy add-new does without it.
# This file never holds secrets: {{env: NAME}}, {{file: PATH}} or {{command: [argv]}}.

# How traffic leaves, now and in future: by a proxy, from this machine (direct: true), or as a
# command shows it (probe: [argv]). Without old, the way back is not proven.
# egress:
#   old: {{proxy: {{env: OLD_PROXY_URL}}}}
#   new: {{proxy: {{env: NEW_PROXY_URL}}}}
#   echo_url: http://ip.quotaguard.com   # a page that answers with the address it sees

# What moves the application's traffic: argv, no shell. Or {{manual: true}}: a person does.
# switch:
#   apply: ["heroku", "config:set", "PROXY=new"]
#   revert: ["heroku", "config:set", "PROXY=old"]

# A canary: a grant of your own, whose refresh token is redeemed to prove each address.
# verify:
#   client_id: {{env: SF_CLIENT_ID}}
#   client_secret: {{env: SF_CLIENT_SECRET}}
#   refresh_token: {{file: .secrets/canary}}   # rewritten when the org rotates it

# How long redemptions are watched after the old addresses are removed.
# watch: {{duration: 15m, interval: 15s, failures: 2}}

# Who is told when a run needs a person or has ended.
# notify:
#   - slack: {{url: {{env: SLACK_WEBHOOK_URL}}}}
#     events: [waiting, page, failed, rolled-back, interrupted]
"""
