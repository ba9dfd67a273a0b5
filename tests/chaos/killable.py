"""The command line in a process that kills itself with SIGKILL at one point of a run.

``python -m tests.chaos.killable POINT WORDS...``. A point is a durable write that is about to be
made, or a request to the org that is about to be sent or has just been answered; the hooks are in
the libraries, not in the program. With ``record:FILE`` as the point, nothing is killed and every
point is written to the file.
"""

from __future__ import annotations

import os
import re
import signal
import sys
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import sqlalchemy as sa
import urllib3.connectionpool
from urllib3.response import BaseHTTPResponse

from sfcutover.__main__ import main

_WRITES = re.compile(r"\s*(?:INSERT INTO|UPDATE) \S*?(journal|runs|operation_outputs)")
_OPERATION = re.compile(rb"<(?:[\w-]+:)?Body[^>]*>\s*<(?:[\w-]+:)?(\w+)")
_TIMED = ("", "traffic")  # written at times, not in the order of steps
_ECHOES = (1, 20)  # of the many requests to the echo, which change nothing


class Points:
    """Counts the points by name; name and number identify the point."""

    def __init__(self, reached: Callable[[str], None]) -> None:
        self._reached = reached
        self._seen: Counter[str] = Counter()
        self._lock = threading.Lock()

    def pass_(self, name: str) -> None:
        with self._lock:
            self._seen[name] += 1
            if name.endswith("GET ip") and self._seen[name] not in _ECHOES:
                return
            self._reached(f"{name}#{self._seen[name]}")


def install(points: Points) -> None:
    """Install the hooks in SQLAlchemy and urllib3."""

    def before_write(
        _c: object, _cursor: object, statement: str, parameters: object, *_: object
    ) -> None:
        found = _WRITES.match(statement)
        if found and (what := _what(parameters)) not in _TIMED:
            points.pass_(f"write {found[1]} {what}")

    sa.event.listen(sa.Engine, "before_cursor_execute", before_write)
    original = urllib3.connectionpool.HTTPConnectionPool.urlopen

    def urlopen(
        pool: urllib3.connectionpool.HTTPConnectionPool,
        method: str,
        url: str,
        *args: object,
        **options: object,
    ) -> BaseHTTPResponse:
        name = _request(method, url, options.get("body"))
        if name.startswith("GET /services"):  # the sampler's, at any time
            return original(pool, method, url, *args, **options)  # type: ignore[arg-type]
        points.pass_(f"before {name}")
        response: BaseHTTPResponse = original(pool, method, url, *args, **options)  # type: ignore[arg-type]
        points.pass_(f"after {name}")
        return response

    urllib3.connectionpool.HTTPConnectionPool.urlopen = urlopen  # type: ignore[assignment, method-assign]


def _what(parameters: object) -> str:
    """The kind of an event, or the name of a step, found in a statement's values."""
    values = list(parameters.values()) if isinstance(parameters, dict) else list(_flat(parameters))
    words = [
        each for each in values if isinstance(each, str) and re.fullmatch(r"[a-zA-Z.-]{3,30}", each)
    ]
    known = [each for each in words if each not in ("utf8", "portable_json")]
    return known[0] if known else ""


def _flat(value: object) -> list[object]:
    return list(value) if isinstance(value, list | tuple) else []


def _request(method: str, url: str, body: object) -> str:
    found = _OPERATION.search(body) if isinstance(body, bytes) else None
    if found:
        return found[1].decode()
    path = re.sub(r"[?].*", "", url)
    return f"{method} {path.rpartition('/')[2] or path}"


def kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def run(point: str, words: list[str]) -> None:
    """Run the command up to the point."""
    if point.startswith("record:"):
        file = Path(point.removeprefix("record:"))

        def record(name: str) -> None:
            with file.open("a", encoding="utf-8") as out:
                out.write(f"{name}\n")

        install(Points(record))
    else:
        install(Points(lambda name: kill() if name == point else None))
    sys.argv = ["sfcutover", *words]
    main()


if __name__ == "__main__":
    run(sys.argv[1], sys.argv[2:])
