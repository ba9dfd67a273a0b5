"""Debug logging to stderr for -v and -vv, every line through the redaction."""

from __future__ import annotations

import logging
import sys

from sfcutover.credentials import redact


class RedactingFormatter(logging.Formatter):
    """Masks known secrets in the finished line, tracebacks included."""

    def format(self, record: logging.LogRecord) -> str:
        return redact(super().format(record))


def log_to_stderr(verbosity: int) -> None:
    """Log at INFO with -v, at DEBUG with -vv; nothing without.

    zeep stays at WARNING whatever is asked for: at DEBUG it logs whole envelopes.
    """
    if verbosity <= 0:
        return
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(RedactingFormatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO if verbosity == 1 else logging.DEBUG)
    logging.getLogger("zeep").setLevel(logging.WARNING)
