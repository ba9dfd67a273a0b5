"""The certificate of a server with TLS, from an authority that exists for one run."""

from __future__ import annotations

import ssl
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import trustme


def make_tls(folder: Path) -> tuple[ssl.SSLContext, Path]:
    """A context for loopback names, and the file of the authority that clients must trust."""
    import trustme

    authority = trustme.CA()
    bundle = folder / "ca.pem"
    authority.cert_pem.write_to_path(str(bundle))
    return _context(authority), bundle


@cache
def untrusted_tls() -> ssl.SSLContext:
    """A context for the same names, by an authority that nobody can get to know."""
    import trustme

    return _context(trustme.CA())


def _context(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1", "::1", "localhost").configure_cert(context)
    return context
