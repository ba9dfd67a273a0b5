"""A process that takes part in runs, as its id names it."""

from __future__ import annotations

import os
import socket
import uuid
from dataclasses import dataclass
from typing import Literal, Self

from sfcutover.errors import Advice, Command, LockLostError
from sfcutover.util.files import fingerprint

Role = Literal["run", "worker"]
_HOST_CHARACTERS = 22  # PostgreSQL cuts the name of a session off at 63 bytes


@dataclass(frozen=True)
class Process:
    """A process that takes part in the runs of a cutover. config: of its cutover.yaml, as
    config_key gives it. id: also its executor id."""

    id: str

    @classmethod
    def current(cls, role: Role, config: str) -> Self:
        """This one; each call gives another id."""
        host = socket.gethostname().replace(":", "-")[-_HOST_CHARACTERS:]
        return cls(f"{config}:{role}:{host}:{os.getpid()}:{uuid.uuid4().hex[:6]}")

    @property
    def config(self) -> str:
        return self.id.split(":")[0]

    @property
    def role(self) -> str:
        return self.id.split(":")[1]

    @property
    def place(self) -> str:
        """The machine and process, for display."""
        _, _, host, pid, _ = self.id.split(":")
        return f"{host}, process {pid}"


def config_key(config: str) -> str:
    """A short name for a text of config_text."""
    return fingerprint(config)[:8]


def lock_lost() -> LockLostError:
    """The error of a process that may act no more."""
    return LockLostError(
        "this process lost its lock, and another one may continue the run",
        hint=Advice("check which: ", Command("runs")),
        impact="this process changes nothing more",
    )
