"""Checks by a command: its exit status is the verdict."""

from __future__ import annotations

import shutil

from sfcutover.checks import CheckResult, Look, Verdict
from sfcutover.config.traffic import Check
from sfcutover.errors import ConfigError
from sfcutover.util.processes import Ended, child_environment, run_in_group

_VERDICTS = {0: Verdict.PASSED, 1: Verdict.FAILED, 2: Verdict.INCONCLUSIVE}
_LONGEST_TEXT = 200  # characters of the command's last line


def command_check(config: Check, secrets_env: frozenset[str]) -> Look:
    """The check: exit status 0 passed, 1 failed, 2 inconclusive, anything else an error.

    The command gets no variable of secrets_env; config.timeout (seconds) ends it and all
    it has started. Raises ConfigError if there is no such program.
    """
    argv = config.command or ()
    if not argv or shutil.which(argv[0]) is None:
        raise ConfigError(
            f"there is no program {argv[0] if argv else ''}",
            where=config.where,
            hint="check the name and PATH; a command runs without a shell",
        )

    def look() -> CheckResult:
        last = _LastLine()
        try:
            environment = child_environment(secrets_env)
            ended = run_in_group(argv, environment, timeout=config.timeout, output=last.take)
        except OSError as error:
            detail = f"it can't be run: {error.strerror}"
            return CheckResult(config.title, Verdict.ERROR, detail)
        detail = f"{ended}: {last.text}" if last.text else str(ended)
        return CheckResult(config.title, _verdict(ended), detail)

    return look


class _LastLine:
    """Keeps the last line that is not blank."""

    text = ""

    def take(self, line: str) -> None:
        self.text = " ".join(line.split())[:_LONGEST_TEXT] or self.text


def _verdict(ended: Ended) -> Verdict:
    if ended.cut_short:
        return Verdict.ERROR
    return _VERDICTS.get(ended.status, Verdict.ERROR)
