"""What must hold while watching, beside the canary: a Prometheus query, or a command.

A check says one of four things, which are never mixed: that it holds, that it does not,
that nobody can tell from what was seen, or that it could not look at all.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sfcutover.config.traffic import Check


class Verdict(enum.StrEnum):
    """What one look at a check says."""

    PASSED = "passed"
    FAILED = "failed"
    INCONCLUSIVE = "inconclusive"
    ERROR = "error"


@dataclass(frozen=True)
class CheckResult:
    """One look. detail: one line for people; it may quote what was seen."""

    name: str
    verdict: Verdict
    detail: str


Look = Callable[[], CheckResult]


def check_for(config: Check, secrets_env: frozenset[str] = frozenset()) -> Look:
    """The check as something to call again and again; a call never raises.

    secrets_env: variables that a check's command does not get.
    Raises ConfigError for what can't work at all: an unset variable, a URL that is
    none, a program that is not there.
    """
    if config.prometheus is not None:
        from sfcutover.checks.prometheus import prometheus_check

        return prometheus_check(config.prometheus, config.title, config.timeout)
    from sfcutover.checks.command import command_check

    return command_check(config, secrets_env)
