"""One line of the doctor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from sfcutover.errors import ExitCode

Status = Literal["ok", "warning", "failed", "skipped"]


@dataclass(frozen=True)
class Check:
    """What was checked, how it came out, and the fix where it did not pass."""

    target: str | None
    name: str
    status: Status
    detail: str
    fix: str | None = None
    exit_code: ExitCode = ExitCode.DONE
