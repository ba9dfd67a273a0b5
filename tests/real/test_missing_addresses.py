"""On a machine whose loopback has only 127.0.0.1, as macOS, the emulator names what to add."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from sfcutover.emulator.loopback import adding_commands, require_addresses

pytestmark = pytest.mark.slow  # programs that others wrote

# In a network of its own, so that this machine keeps its addresses.
ALONE = (
    "ip link set lo up && ip address add 127.0.0.1/32 dev lo && ip address del 127.0.0.1/8 dev lo"
)
ADDRESSES = ("127.0.0.11", "127.0.0.12", "127.0.0.21", "127.0.0.22")


def alone(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a shell command where 127.0.0.1 is the only IPv4 address."""
    program = shutil.which("unshare")
    if program is None or shutil.which("ip") is None:
        pytest.skip("needs unshare and ip")
    done = subprocess.run(
        [program, "--map-root-user", "--net", "sh", "-c", f"{ALONE} || exit 99; {command}"],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=folder,
        check=False,
    )
    if done.returncode == 99 or done.stderr.startswith("unshare: "):
        pytest.skip(f"no network of its own can be made here: {done.stderr}")
    return done


@pytest.mark.parametrize("command", ["emulator", "demo"])
def test_the_commands_that_add_addresses_are_printed(command: str, tmp_path: Path) -> None:
    done = alone(f"exec {sys.executable} -m sfcutover {command}", tmp_path)
    assert done.returncode == 1
    assert f"this machine has no address {', '.join(ADDRESSES)}" in done.stderr
    for each in ADDRESSES:
        assert f"sudo ip address add {each}/32 dev lo" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_printed_commands_let_the_emulator_start(tmp_path: Path) -> None:
    commands = "; ".join(adding_commands(ADDRESSES, "linux")).replace("sudo ", "")
    check = f"from sfcutover.emulator.loopback import *; require_addresses({ADDRESSES})"
    done = alone(f'{commands}; exec {sys.executable} -c "{check}"', tmp_path)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("platform", ["darwin", "freebsd14"])
def test_other_systems_use_aliases_of_lo0(platform: str) -> None:
    assert adding_commands(["127.0.0.11", "::2"], platform) == [
        "sudo ifconfig lo0 alias 127.0.0.11 up",
        "sudo ifconfig lo0 inet6 alias ::2 up",
    ]


def test_an_address_outside_of_loopback_may_be_missing() -> None:
    require_addresses(["203.0.113.10", "2001:db8::1"])
