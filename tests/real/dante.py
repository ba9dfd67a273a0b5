"""Debian's dante-server as the SOCKS5 proxy of a test: one address, a password."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.real import daemon
from tests.real.daemon import PATHS, free_port

USER, PASSWORD = "acme", "open@sesame:21"
_HASH = "$5$emulated$D5008CEmRBXSpWTTU1yJfB3o9/JqItHOdiYy.Es2gV7"  # of the password
_NOWHERE = "192.0.2.0/24"  # a network that the rules block

# Dante 1.4.2 of Debian 12. Its users are those of the system.
CONFIG = """\
logoutput: {folder}/log
internal: 127.0.0.1 port = {port}
external: {address}
clientmethod: none
socksmethod: username
{users}
client pass {{
  from: 127.0.0.0/8 to: 0.0.0.0/0
}}
socks block {{
  from: 0.0.0.0/0 to: {nowhere}
}}
socks pass {{
  from: 127.0.0.0/8 to: 0.0.0.0/0
  command: connect
}}
"""
_AS_ROOT = "user.privileged: root\nuser.unprivileged: nobody"


def missing() -> str | None:
    """What would have to be installed, or None."""
    if shutil.which("danted", path=PATHS) and _wrapper():
        return None
    return "dante is not installed: apt-get install dante-server libnss-wrapper"


@contextmanager
def running(address: str) -> Iterator[int]:
    """A danted whose traffic leaves from the address, on a free port; ended by its pid."""
    with tempfile.TemporaryDirectory(prefix="sfcutover-dante-") as name:
        folder, port = Path(name), free_port()
        config = folder / "danted.conf"
        users = _AS_ROOT if os.geteuid() == 0 else ""
        config.write_text(
            CONFIG.format(folder=folder, port=port, address=address, users=users, nowhere=_NOWHERE)
        )
        command = [shutil.which("danted", path=PATHS) or "danted", "-f", str(config)]
        with daemon.running(command, port, folder / "log", _own_users(folder)):
            yield port


def _own_users(folder: Path) -> dict[str, str]:
    """The variables that give a process other users than those of the system."""
    own = f"{os.geteuid()}:{os.getegid()}"
    (folder / "passwd").write_text(
        f"root:x:0:0::/:/bin/false\nnobody:x:65534:65534::/:/bin/false\n"
        f"{USER}:x:{own}::/:/bin/false\n"
    )
    (folder / "group").write_text("root:x:0:\nnogroup:x:65534:\n")
    (folder / "shadow").write_text(f"{USER}:{_HASH}:20000:0:99999:7:::\n")
    return {
        "LD_PRELOAD": str(_wrapper()),
        **{
            f"NSS_WRAPPER_{each.upper()}": str(folder / each)
            for each in ("passwd", "group", "shadow")
        },
    }


def _wrapper() -> Path | None:
    return next(iter(Path("/usr/lib").glob("*/libnss_wrapper.so")), None)
