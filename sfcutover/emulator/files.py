"""The files with which every command can be tried: variables, a cutover.yaml, a token."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path

from sfcutover.emulator.grants import TOKEN_HEAD
from sfcutover.emulator.scenario import Scenario

_MARK = "# The emulator replaces this file unless you edit it. SHA-256 of the lines above: "
_FLOOR = 67.0  # the first version that is sure to have the security settings

_TEMPLATE = """\
# The settings of sfcutover: replace addresses on the allowlist of an app in the emulated org.
# Its secrets come from the variables in the emulator's env file.
# All keys: docs/reference/cutover-yaml.md of sfcutover; editors read the schema below.
version: 1
name: emulated-cutover

# The External Client App, and where its allowlist is: token-ip-ranges is the Refresh Token IP
# Allowlist, in the app's security settings.
app: {app}
carriers: [token-ip-ranges]
api_version: "{api_version}"

# The old addresses are removed only after every new one has been proven.
old: {old}
new: {new}

targets:
  - name: packaging
    org:
      access_token: {{env: SF_ACCESS_TOKEN}}
      instance_url: {url}

# How traffic leaves before and after the switch, and a page that answers with its address.
egress:
  old:
    proxy: {{env: SFCUTOVER_OLD_PROXY_URL}}
  new:
    proxy: {{env: SFCUTOVER_NEW_PROXY_URL}}
  echo_url: {echo_url}

# The commands that move the application's traffic, and move it back: here, they do nothing.
# After a crash of the machine, a command may run a second time.
switch:
  apply: ["true"]
  revert: ["true"]

# The canary: a refresh token of your own, which is redeemed to prove every new address.
verify:
  token_url: {token_url}
  client_id: {{env: SF_CLIENT_ID}}
  client_secret: {{env: SF_CLIENT_SECRET}}
  refresh_token: {{file: {token_file}}}
  settle: 2s  # shortened; use 60s for a real org

# Shows that customers have left the old addresses; required before they are removed.
quiet:
  - name: requests through the old proxy
    prometheus:
      url: {prometheus}
      query: 'proxy_requests_per_second{{proxy="old"}}'
      condition: "== 0"
    for: 0s  # shortened; use 2m for a real application

# After remove-old: monitor redemptions, and restore the old addresses if they fail.
watch:
  duration: 4s  # shortened; use 15m for a real org
  interval: 1s
  failures: 2
"""


class ForeignFileError(Exception):
    """A file exists that the emulator did not write, or that has changed since."""

    def __init__(self, path: Path) -> None:
        super().__init__(str(path))
        self.path = path


def sample_config(scenario: Scenario, url: str, echo_url: str, token_file: str) -> str:
    """The text of cutover.yaml; lists and names are JSON, which is valid YAML."""
    return _TEMPLATE.format(
        app=json.dumps(scenario.app_name),
        api_version=f"{min(_FLOOR, scenario.max_api_version):.1f}",
        old=json.dumps(list(scenario.old)),
        new=json.dumps(list(scenario.new)),
        url=json.dumps(url),
        echo_url=json.dumps(echo_url),
        token_url=json.dumps(f"{url}/services/oauth2/token"),
        prometheus=json.dumps(f"{url}/prometheus"),
        token_file=json.dumps(token_file),
    )


def write_files(
    environment: Mapping[str, str],
    config_text: Callable[[str], str],
    env_file: Path | None,
    config_file: Path | None,
) -> None:
    """Write the variables, and a cutover.yaml with the canary.token that it refers to.

    env_file has KEY=VALUE lines without quotes and mode 0600, as canary.token has: they hold
    secrets. config_text makes the cutover.yaml from the path of the token file. Raises
    ForeignFileError, before anything is written, if a file exists that was not written here or has
    changed since, and OSError.
    """
    check_files(env_file, config_file)
    if env_file:
        lines = (f"{key}={value}\n" for key, value in environment.items())
        _write(env_file, _marked("".join(lines)))
    if config_file:
        token_file = _token_file(config_file)
        _write(token_file, environment["SF_REFRESH_TOKEN"] + "\n")
        _write(config_file, _marked(config_text(str(token_file))), mode=0o644)


def check_files(env_file: Path | None, config_file: Path | None) -> None:
    """Raises ForeignFileError if write_files would. An empty file may be replaced."""
    for path in (env_file, config_file):
        if path and (text := _read(path)) and not _is_marked(text):
            raise ForeignFileError(path)
    token = _read(_token_file(config_file)) if config_file else ""
    if config_file and token and not token.startswith(TOKEN_HEAD):
        raise ForeignFileError(_token_file(config_file))


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""


def _token_file(config_file: Path) -> Path:
    return config_file.resolve().with_name("canary.token")


def _marked(text: str) -> str:
    """The text, before a line by which a later change is detected."""
    return f"{text}{_MARK}{hashlib.sha256(text.encode()).hexdigest()}\n"


def _is_marked(text: str) -> bool:
    return text == _marked(text.rpartition(_MARK)[0])


def _write(path: Path, text: str, mode: int = 0o600) -> None:
    """Write a file atomically: another process may wait for it."""
    part = path.with_name(f".{path.name}.part")
    part.unlink(missing_ok=True)  # an old file's mode would stay
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with open(descriptor, "w", encoding="utf-8") as file:  # noqa: PTH123
        file.write(text)
    part.replace(path)
