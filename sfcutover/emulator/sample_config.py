"""A cutover.yaml that fits a scenario, so that every command can be tried at once."""

from __future__ import annotations

import json

from sfcutover.emulator.scenario import Scenario

_FLOOR = 67.0  # the first version that is sure to have the security settings

_TEMPLATE = """\
# A cutover against the emulated org. Its secrets come from the variables that stand in
# the emulator's env file.
version: 1
name: emulated-cutover

# The external client app whose list changes, and where the list lives: in the security
# settings, which hold the Refresh Token IP Allowlist.
app: {app}
carriers: [token-ip-ranges]
api_version: "{api_version}"

# The old addresses leave the list only after every new one has been proven.
old: {old}
new: {new}

targets:
  - name: packaging
    org:
      access_token: {{env: SF_ACCESS_TOKEN}}
      instance_url: {url}

# How traffic leaves before and after the cutover, and a page that shows by which address.
egress:
  old:
    proxy: {{env: SFCUTOVER_OLD_PROXY_URL}}
  new:
    proxy: {{env: SFCUTOVER_NEW_PROXY_URL}}
  echo_url: {echo_url}

# What moves the application's traffic, and back: here, nothing. It may be run again after a
# crash of the machine.
switch:
  apply: ["true"]
  revert: ["true"]

# The canary: a grant of your own, redeemed to prove every new address.
verify:
  token_url: {token_url}
  client_id: {{env: SF_CLIENT_ID}}
  client_secret: {{env: SF_CLIENT_SECRET}}
  refresh_token: {{file: {token_file}}}
  settle: 2s  # only to try things out: leave it at 60s for an org that is not emulated

# After remove-old: redeem on for a while, and put the old addresses back if that fails.
watch:
  duration: 4s  # only to try things out: 15m for an org that is not emulated
  interval: 1s
  failures: 2
"""


def write_config(scenario: Scenario, url: str, echo_url: str, token_file: str) -> str:
    """The file's text; lists and names are quoted as JSON, which YAML reads."""
    return _TEMPLATE.format(
        app=json.dumps(scenario.app_name),
        api_version=f"{min(_FLOOR, scenario.max_api_version):.1f}",
        old=json.dumps(list(scenario.old)),
        new=json.dumps(list(scenario.new)),
        url=json.dumps(url),
        echo_url=json.dumps(echo_url),
        token_url=json.dumps(f"{url}/services/oauth2/token"),
        token_file=json.dumps(token_file),
    )
