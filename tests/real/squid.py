"""Debian's squid as the proxy of a test: two addresses that alternate at random, a password."""

from __future__ import annotations

import hashlib
import os
import pwd
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.real import daemon
from tests.real.daemon import PATHS, free_port

HELPERS = Path("/usr/lib/squid")
USER, PASSWORD = "acme", "open@sesame:21"

# Where things are in Debian 12 (squid 5.7). The random acl is evaluated for each connection.
CONFIG = """\
http_port 127.0.0.1:{port}
auth_param basic program {helper} {folder}/passwords
auth_param basic realm cutover
acl known proxy_auth REQUIRED
http_access allow known
http_access deny all
acl half random 0.5
tcp_outgoing_address {first} half
tcp_outgoing_address {second}
server_persistent_connections off
cache deny all
cache_mem 0 MB
access_log none
cache_log {folder}/cache.log
pid_filename {folder}/squid.pid
coredump_dir {folder}
netdb_filename none
pinger_enable off
shutdown_lifetime 0 seconds
dns_nameservers 127.0.0.1
visible_hostname squid.example
"""


def missing() -> str | None:
    """What would have to be installed, or None."""
    if shutil.which("squid", path=PATHS) and (HELPERS / "basic_ncsa_auth").exists():
        return None
    return "squid is not installed: apt-get install squid"


@contextmanager
def running(first: str, second: str) -> Iterator[int]:
    """A squid whose traffic leaves from either address, on a free port; ended by its pid."""
    with tempfile.TemporaryDirectory(prefix="sfcutover-squid-") as name:
        folder, port = Path(name), free_port()
        helper = HELPERS / "basic_ncsa_auth"
        digest = hashlib.md5(PASSWORD.encode()).hexdigest()  # a form its helper takes
        (folder / "passwords").write_text(f"{USER}:{digest}\n")
        (folder / "squid.conf").write_text(
            CONFIG.format(port=port, helper=helper, folder=folder, first=first, second=second)
        )
        _hand_over(folder)
        squid = shutil.which("squid", path=PATHS) or "squid"
        command = [squid, "-N", "-f", str(folder / "squid.conf")]
        with daemon.running(command, port, folder / "cache.log"):
            yield port


def _hand_over(folder: Path) -> None:
    """Let ``proxy``, the user of a squid started by root, access its files."""
    if os.geteuid() == 0:
        proxy = pwd.getpwnam("proxy")
        for path in (folder, *folder.iterdir()):
            os.chown(path, proxy.pw_uid, proxy.pw_gid)
