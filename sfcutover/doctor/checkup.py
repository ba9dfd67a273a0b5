"""One line of the doctor, and how a look becomes one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from sfcutover.errors import ConfigError, ExitCode, SfcutoverError

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


def check(name: str, look: Callable[[], str]) -> Check:
    """What a look at what all targets share returns, or raises. Raises nothing of ours."""
    try:
        return Check(None, name, "ok", look())
    except ConfigError as error:  # a secret that another machine has is no failure here
        return Check(None, name, "warning", str(error), error.hint)
    except SfcutoverError as error:
        return Check(None, name, "failed", str(error), error.hint, error.exit_code)
