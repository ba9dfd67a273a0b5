"""Step 3, moving application traffic: a command does it, or a person says that they did."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from sfcutover.allowlist.ranges import IpRange
from sfcutover.config.cutover import Cutover
from sfcutover.config.traffic import Switch
from sfcutover.errors import ConfigError, InterruptedRunError, OperationFailedError, SfcutoverError
from sfcutover.util.files import try_lock, write_durably
from sfcutover.util.processes import Cause, Ended, child_environment, run_in_group

Direction = Literal["apply", "revert"]
DRAIN_SECONDS = 1.0  # LoginTime has whole seconds: a proof must not share one with old traffic
_TOKENS = (
    "the allowlist was not changed by this: traffic may leave by any address that stands on it; "
    "some of it may have moved already"
)


@dataclass(frozen=True)
class SwitchFacts:
    """What the command learns as SFCUTOVER_* variables; none of it is secret.

    direction: apply (traffic goes to new) or revert (back to old). old, new: ranges,
    separated by commas.
    """

    cutover: str
    app: str
    direction: Direction
    old: str
    new: str

    @classmethod
    def of_cutover(cls, cutover: Cutover, direction: Direction) -> SwitchFacts:
        change = cutover.change
        return cls.of(cutover.name, cutover.app, direction, change.old, change.new)

    @classmethod
    def of(
        cls,
        cutover: str,
        app: str,
        direction: Direction,
        old: Iterable[IpRange],
        new: Iterable[IpRange],
    ) -> SwitchFacts:
        return cls(cutover, app, direction, ",".join(map(str, old)), ",".join(map(str, new)))

    @property
    def variables(self) -> dict[str, str]:
        return {
            "SFCUTOVER_CUTOVER": self.cutover,
            "SFCUTOVER_APP": self.app,
            "SFCUTOVER_DIRECTION": self.direction,
            "SFCUTOVER_OLD": self.old,
            "SFCUTOVER_NEW": self.new,
        }

    @property
    def question(self) -> str:
        """What a person is asked who moves the traffic by hand."""
        to, away = (self.new, self.old) if self.direction == "apply" else (self.old, self.new)
        return f"Move the traffic of {self.app} to {to} (away from {away}). Is that done?"


@dataclass(frozen=True)
class SwitchResult:
    """A switch that was made. seconds: how long the command, or the person, took."""

    direction: Direction
    manual: bool
    seconds: float


def command_of(config: Switch, direction: Direction) -> tuple[str, ...]:
    """The argv that moves traffic there. Raises ConfigError if cutover.yaml has none."""
    argv = config.apply if direction == "apply" else config.revert
    if not argv:
        raise ConfigError(
            f"cutover.yaml has no command for switch.{direction}",
            where=config.where,
            hint=f"add {direction}: [argv] to switch:, or move the traffic by hand",
        )
    return argv


def run_switch(
    config: Switch,
    facts: SwitchFacts,
    secrets_env: frozenset[str],
    *,
    timeout: float,
    output: Callable[[str], None] = lambda _: None,
    ask: Callable[[str], bool] = lambda _: False,
) -> SwitchResult:
    """Run the command of facts.direction, or ask whether a person has moved the traffic.

    secrets_env: variables the command does not get. timeout: seconds for the command.
    output: gets each line it prints, secrets masked. ask: puts a question to a person.
    Raises ConfigError, OperationFailedError with the exit status, and
    InterruptedRunError after Ctrl-C, which the command gets too, or a no.
    """
    if config.manual:
        return _by_a_person(facts, ask)
    argv = command_of(config, facts.direction)
    try:
        environment = child_environment(secrets_env, facts.variables)
        ended = run_in_group(argv, environment, timeout=timeout, output=output)
    except OSError as error:
        raise ConfigError(
            f"the switch command {argv[0]} can't be run: {error.strerror}",
            where=config.where,
            hint="check its name, PATH and permissions; it runs without a shell",
        ) from None
    if ended.cut_short or ended.status:
        raise _failure(ended, argv[0], facts, config.where)
    return SwitchResult(facts.direction, False, ended.seconds)


def _by_a_person(facts: SwitchFacts, ask: Callable[[str], bool]) -> SwitchResult:
    begun = time.monotonic()
    if not ask(facts.question):
        raise InterruptedRunError(
            "nobody confirmed that the traffic has moved",
            hint=f"move it, then run this again at a terminal, where it asks: {facts.question}",
            tokens=_TOKENS,
        )
    return SwitchResult(facts.direction, True, time.monotonic() - begun)


def _failure(ended: Ended, program: str, facts: SwitchFacts, where: str) -> SfcutoverError:
    failed = command_failed(str(ended), program, facts.direction, where)
    if ended.cause is not Cause.INTERRUPTED:
        return failed
    message = f"interrupted; the switch command {program} was told and ended: {ended}"
    return InterruptedRunError(message, where=where, hint=failed.advice, tokens=_TOKENS)


def command_failed(
    how: str, program: str, direction: Direction, where: str
) -> OperationFailedError:
    """The error of a switch command that failed. how: how it ended, in words."""
    other = "--revert" if direction == "apply" else "without --revert"
    return OperationFailedError(
        f"the switch command {program} failed: {how}",
        where=where,
        hint=f"find out where traffic leaves now; then run this again, or the way back: {other}",
        tokens=_TOKENS,
    )


_LOOK_SECONDS = 0.05
_NOT_RUN = 127  # as a shell says it
_CHILD = (
    "import json, sys; job = json.load(sys.stdin); sys.path[:] = job['path']; "
    "from sfcutover.traffic.switch import serve; serve(job['record'], job['argv'], job['timeout'])"
)


@dataclass(frozen=True)
class SwitchRecord:
    """begun: seconds since 1970. status: the exit status, None until it has ended.

    words: how it ended, for a person. cut_short: ended by its time limit or a signal.
    """

    begun: float
    status: int | None = None
    seconds: float = 0.0
    cut_short: bool = False
    words: str = ""

    @property
    def succeeded(self) -> bool:
        return self.status == 0 and not self.cut_short


def read_record(path: Path) -> SwitchRecord | None:
    """What is on disk, None if nothing is."""
    with suppress(FileNotFoundError, ValueError, TypeError):
        return SwitchRecord(**json.loads(path.read_text(encoding="utf-8")))
    return None


def run_kept(
    argv: Sequence[str],
    environment: Mapping[str, str],
    record: Path,
    *,
    timeout: float,
    output: Callable[[str], None],
) -> None:
    """Run the command under a process that outlives this one; returns when it has ended.

    timeout: seconds for the command. output: gets each line it prints, as it is.
    """
    job = {"path": sys.path, "record": str(record), "argv": list(argv), "timeout": timeout}
    with subprocess.Popen(  # noqa: S603 - this program itself
        [sys.executable, "-c", _CHILD],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=dict(environment),
        start_new_session=True,
        encoding="utf-8",
        errors="replace",
    ) as process:
        if process.stdin is not None and process.stdout is not None:
            process.stdin.write(json.dumps(job))
            process.stdin.close()
            for line in process.stdout:
                output(line.rstrip("\n"))


def await_end(path: Path, timeout: float) -> SwitchRecord | None:
    """The record once nobody works on it any more: without a status if its keeper was killed.

    timeout: seconds to wait at most.
    """
    deadline = time.monotonic() + timeout
    while (descriptor := try_lock(_lock(path))) is None and time.monotonic() < deadline:
        time.sleep(_LOOK_SECONDS)
    if descriptor is not None:
        os.close(descriptor)
    return read_record(path)


def serve(record: str, argv: list[str], timeout: float) -> None:
    """The process itself. A second one for the same record finds it, and does nothing."""
    path = Path(record)
    while (descriptor := try_lock(_lock(path))) is None:
        time.sleep(_LOOK_SECONDS)
    try:
        if read_record(path) is None:
            _run(path, argv, timeout)
    finally:
        os.close(descriptor)


def _run(path: Path, argv: list[str], timeout: float) -> None:
    begun = time.time()
    _write(path, SwitchRecord(begun))
    try:
        ended = run_in_group(argv, os.environ, timeout=timeout, output=_pass_on)
    except OSError as error:
        reason = f"can't be run: {error.strerror}; check its name, PATH and permissions"
        _write(path, SwitchRecord(begun, _NOT_RUN, words=reason))
    else:
        _write(path, SwitchRecord(begun, ended.status, ended.seconds, ended.cut_short, str(ended)))


def _pass_on(line: str) -> None:
    """To the run, while somebody reads."""
    with suppress(OSError):
        print(line, flush=True)


def _write(path: Path, record: SwitchRecord) -> None:
    write_durably(path, json.dumps(vars(record)))


def _lock(path: Path) -> Path:
    return path.with_suffix(".lock")
