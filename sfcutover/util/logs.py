"""What the program and its libraries log, on stderr and without secrets."""

from __future__ import annotations

import logging
import sys

from sfcutover.util.ciprovider import inert
from sfcutover.util.secrets import redact


class RedactingFormatter(logging.Formatter):
    """Masks known secrets in the finished line, tracebacks included; CI systems obey none of it."""

    def format(self, record: logging.LogRecord) -> str:
        return inert(redact(super().format(record)))


def log_to_stderr(verbosity: int) -> None:
    """Log at INFO with -v, at DEBUG with -vv; nothing without.

    zeep always stays at WARNING: at DEBUG it logs whole envelopes. So does
    filelock, which logs every try.
    """
    if verbosity <= 0:
        return
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(RedactingFormatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO if verbosity == 1 else logging.DEBUG)
    for name in ("zeep", "filelock"):
        logging.getLogger(name).setLevel(logging.WARNING)
