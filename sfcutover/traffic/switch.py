"""Step 3, moving application traffic: what the switch command learns, and running it."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Literal

from sfcutover.allowlist.ranges import IpRange
from sfcutover.config.cutover import Cutover
from sfcutover.config.egress import Switch
from sfcutover.errors import ConfigError, OperationFailedError
from sfcutover.traffic.switchhelper import serve
from sfcutover.util.knownsecrets import SECRET_PLACES
from sfcutover.util.processes import python_call
from sfcutover.util.secrets import redact

Direction = Literal["apply", "revert"]
DRAIN_SECONDS = 1.0  # LoginTime has whole seconds: a proof must not share one with old traffic
SWITCH_IMPACT = "the allowlist was not changed; some traffic may already have moved"


def facts_of(cutover: Cutover, direction: Direction) -> dict[str, str]:
    """What the command learns; none of it is secret. The ranges are separated by commas.

    direction: apply (traffic goes to new) or revert (back to old).
    """
    return {
        "SFCUTOVER_CUTOVER": cutover.name,
        "SFCUTOVER_APP": cutover.app,
        "SFCUTOVER_DIRECTION": direction,
        "SFCUTOVER_OLD": _joined(cutover.change.old),
        "SFCUTOVER_NEW": _joined(cutover.change.new),
    }


def question_of(cutover: Cutover, direction: Direction) -> str:
    """The question to an operator who moves the traffic by hand."""
    away, to = _joined(cutover.change.old), _joined(cutover.change.new)
    if direction == "revert":
        away, to = to, away
    return f"Move the traffic of {cutover.app} to {to} (away from {away}). Is this done?"


def _joined(ranges: Sequence[IpRange]) -> str:
    return ",".join(map(str, ranges))


def command_of(config: Switch, direction: Direction) -> tuple[str, ...]:
    """The argv that moves traffic there. Raises ConfigError if cutover.yaml has none."""
    argv = config.apply if direction == "apply" else config.revert
    if not argv:
        raise ConfigError(
            f"there is no command for switch.{direction}",
            where=config.where,
            hint=f"add {direction}: [argv] to switch:, or move the traffic by hand",
        )
    return argv


class SwitchNotRunError(ConfigError):
    """The switch command can't be started: no traffic was moved by it."""


def command_failed(
    how: str, program: str, direction: Direction, where: str
) -> OperationFailedError:
    """The error of a switch command that failed. how: how it ended, in words."""
    other = (
        "with --revert to move traffic back"
        if direction == "apply"
        else "without --revert to move traffic to the new addresses"
    )
    return OperationFailedError(
        f"the switch command {program} failed: {how}",
        where=where,
        hint=f"find out where traffic leaves now; then run this again, or run it {other}",
        impact=SWITCH_IMPACT,
    )


def run_in_helper(
    argv: Sequence[str],
    environment: Mapping[str, str],
    record: Path,
    *,
    timeout: float,
    output: Callable[[str], None],
) -> None:
    """Run the command in a helper process that outlives this one; returns when it has ended.

    Ctrl-C is passed on to the command, and raised here. timeout: seconds for the command.
    output: gets each line it prints, secrets masked: all that cutover.yaml names are known before
    it starts.
    """
    SECRET_PLACES.learn()
    with subprocess.Popen(  # noqa: S603 - this Python, no shell
        python_call(f"{serve.__module__}:{serve.__name__}", str(record), str(timeout), *argv),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=dict(environment),
        start_new_session=True,
        encoding="utf-8",
        errors="replace",
    ) as process:
        try:
            _show_lines(process, output)
        except KeyboardInterrupt:
            process.send_signal(signal.SIGINT)  # the helper passes it on, and records the end
            _show_lines(process, output)
            process.wait()
            raise


def _show_lines(process: subprocess.Popen[str], output: Callable[[str], None]) -> None:
    for line in process.stdout or ():
        output(redact(line.rstrip("\n")))
