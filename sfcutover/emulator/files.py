"""The files that let every command be tried at once: variables, a cutover.yaml, a token."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path

from sfcutover.emulator.grants import TOKEN_HEAD
from sfcutover.emulator.scenario import Scenario

_MARK = "# Written by sfcutover emulator, which replaces this file while it is unchanged: "
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

# What shows that customers have left the old addresses; it must hold before they are removed.
quiet:
  - name: requests through the old proxy
    prometheus:
      url: {prometheus}
      query: 'proxy_requests_per_second{{proxy="old"}}'
      condition: "== 0"
    for: 0s  # only to try things out: 2m for an application that is not emulated

# After remove-old: keep redeeming for a while, and restore the old addresses if that fails.
watch:
  duration: 4s  # only to try things out: 15m for an org that is not emulated
  interval: 1s
  failures: 2
"""


class ForeignFileError(Exception):
    """A file is there that the emulator did not write, or that was changed since."""

    def __init__(self, path: Path) -> None:
        super().__init__(str(path))
        self.path = path


def sample_config(scenario: Scenario, url: str, echo_url: str, token_file: str) -> str:
    """The file's text; lists and names are quoted as JSON, which YAML reads."""
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
    """Write the variables, and a cutover.yaml with canary.token beside it, which it refers to.

    env_file has KEY=VALUE lines without quotes and mode 0600, as canary.token has: they hold
    secrets. config_text makes the cutover.yaml from the path of the token file. Raises
    ForeignFileError, before anything is written, if a file is there that was not written here
    or was changed since, and OSError.
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
    """ForeignFileError if write_files would refuse one of them. An empty file may be replaced."""
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
    """The text behind a line that tells whether it has been changed since."""
    return f"{_MARK}{hashlib.sha256(text.encode()).hexdigest()}\n{text}"


def _is_marked(text: str) -> bool:
    return text == _marked(text.partition("\n")[2])


def _write(path: Path, text: str, mode: int = 0o600) -> None:
    """Write all of a file at once: others wait until it is there."""
    part = path.with_name(f".{path.name}.part")
    part.unlink(missing_ok=True)  # an old file's mode would stay
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with open(descriptor, "w", encoding="utf-8") as file:  # noqa: PTH123
        file.write(text)
    part.replace(path)
