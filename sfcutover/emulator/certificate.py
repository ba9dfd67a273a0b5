"""The certificate of a server with TLS, from an authority that exists for one run."""

from __future__ import annotations

import ssl
from pathlib import Path


def make_tls(folder: Path) -> tuple[ssl.SSLContext, Path]:
    """A context for loopback names, and the file of the authority that clients must trust."""
    import trustme

    authority = trustme.CA()
    bundle = folder / "ca.pem"
    authority.cert_pem.write_to_path(str(bundle))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1", "localhost").configure_cert(context)
    return context, bundle
