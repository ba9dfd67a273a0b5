"""A token endpoint that rotates tokens and punishes reuse, and processes to kill meanwhile."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from urllib.parse import parse_qs

from sfcutover.traffic.tokenanswer import TokenEndpoint
from sfcutover.traffic.tokenredemption import redeem_from
from sfcutover.util.http import new_session
from tests.support import answer
from tests.unit.traffic.stores import FIRST, store_of


@dataclass
class Grant:
    """One grant. before and after are called around the rotation; any of it may raise."""

    current: str | None = FIRST
    count: int = 0
    overlaps: int = 0
    before: Callable[[], None] = lambda: None
    after: Callable[[], None] = lambda: None
    rotates: bool = True
    _used: set[str] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _busy: int = 0

    def handle(self, request: BaseHTTPRequestHandler) -> None:
        token = parse_qs(request.body.decode())["refresh_token"][0]  # type: ignore[attr-defined]
        with self._lock:
            self._busy += 1
            self.overlaps += self._busy > 1
        self.before()
        status, body = self._redeem(token)
        self.after()
        with self._lock:
            self._busy -= 1
        answer(request, json.dumps(body).encode(), status)

    def _redeem(self, token: str) -> tuple[int, dict[str, str]]:
        with self._lock:
            if token != self.current:
                self.current = None  # reuse deletes the grant
                description = "expired access/refresh token"
                return 400, {"error": "invalid_grant", "error_description": description}
            self.count += 1
            body = {"access_token": f"an-access-token-{self.count}"}
            if self.rotates:
                self._used.add(token)
                self.current = body["refresh_token"] = f"5Aep861-token-{self.count}-of-the-tests"
            return 200, body


def endpoint_at(url: str) -> TokenEndpoint:
    return TokenEndpoint(url, "a client", None)


def redeem_until_killed(path: str, url: str) -> None:
    """Redeem until the process is killed."""
    store, endpoint = store_of(file=path), endpoint_at(url)
    with new_session() as session:
        while True:
            redeem_from(store, endpoint, session)


def redeem_once(path: str, url: str) -> None:
    with new_session() as session:
        redeem_from(store_of(file=path), endpoint_at(url), session)


def redeem_in_a_group(path: str, url: str) -> None:
    """Redeem as a command at a terminal: the leader of a process group of its own."""
    os.setpgid(0, 0)
    redeem_once(path, url)
