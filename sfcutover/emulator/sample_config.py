"""A cutover.yaml that fits a scenario, so that every command can be tried at once."""

from __future__ import annotations

import json

from sfcutover.emulator.scenario import Scenario

_FLOOR = 67.0  # the first version that is sure to have the security settings

_TEMPLATE = """\
# A cutover against the emulated org. Secrets come from the variables that the emulator
# wrote to its env file; everything else is here.
version: 1
name: emulated-cutover
app: {app}                   # the external client app
carriers: [token-ip-ranges]           # the Refresh Token IP Allowlist itself
api_version: "{api_version}"
old: {old}      # off the list in the end
new: {new}      # on it before anything comes off
targets:
  - name: packaging
    org:
      access_token: {{env: SF_ACCESS_TOKEN}}
      instance_url: {url}
"""


def write_config(scenario: Scenario, url: str) -> str:
    """The file's text; lists and names are quoted as JSON, which YAML reads."""
    return _TEMPLATE.format(
        app=json.dumps(scenario.app_name),
        api_version=f"{min(_FLOOR, scenario.max_api_version):.1f}",
        old=json.dumps(list(scenario.old)),
        new=json.dumps(list(scenario.new)),
        url=json.dumps(url),
    )
