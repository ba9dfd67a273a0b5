"""What is asked of the token endpoint, how it refuses, and what it remembers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime


class TokenError(Exception):
    """Answered as ``{"error": …, "error_description": …}``, mostly with status 400.

    result: what the log calls it.
    """

    def __init__(self, error: str, description: str, result: str = "", status: int = 400) -> None:
        super().__init__(description)
        self.error = error
        self.result = result or error
        self.status = status


@dataclass(frozen=True)
class Redemption:
    """A refresh token that was presented.

    grant: its name, or ``unknown``. source: the address it came from. result: redeemed,
    blocked, token_dead, reuse_detected, or the error.
    """

    time: datetime
    source: str
    grant: str
    result: str


@dataclass(frozen=True)
class TokenRequest:
    """A request to the token endpoint; basic is the pair of an Authorization header."""

    form: Mapping[str, str]
    basic: tuple[str, str] | None
    source: str

    @property
    def grant_type(self) -> str:
        return self.form.get("grant_type", "")

    @property
    def client(self) -> tuple[str, str]:
        """Client id and secret."""
        return self.basic or (self.form.get("client_id", ""), self.form.get("client_secret", ""))
