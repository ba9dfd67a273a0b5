"""A CI system's machine for the tests: the user's repository, fresh clones, and commands by bash.

What a real one brings along is on its PATH: sfcutover once ``pip install`` or ``pipx install`` has
been called, and stand-ins of programs that would reach the network. Nothing passes from one job to
the next but what the example hands on.
"""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

import yaml

from sfcutover.emulator import Emulator

EXAMPLES = Path(__file__).parents[3] / "examples"
JOB_SECONDS = 180.0
NONE: Mapping[str, str] = {}
_GIT = ("git", "-c", "user.name=Acme", "-c", "user.email=ci@acme.example", "-c", "gc.auto=0")
# Hosted Ubuntu machines have pipx; their own Python accepts no packages (PEP 668).
_INSTALLERS = {"pip": "install --quiet", "pipx": "install"}
_INSTALL = """\
if [ "$*" != "{line} sfcutover=={version}" ]; then
  echo "not the install line of this version: $*" >&2
  exit 1
fi
"""
# An environment without pip, which holds what is on PATH.
_PYTHON = f"""\
case "$1 $2 $3" in
  "-m venv "*) mkdir -p "$3/bin" && ln -sf "$(dirname "$0")"/{{pip,sfcutover}} "$3/bin/" &&
    ln -sf "$0" "$3/bin/python" ;;
  "-m pip install") ;;
  *) exec {shlex.quote(sys.executable)} "$@" ;;
esac
"""


@dataclass(frozen=True)
class Ended:
    """How a script ended, and what it printed on both streams."""

    code: int
    output: str
    signaled: bool = False


@dataclass
class Machine:
    """The user's repository, its secrets, and where jobs run.

    folder: all that the test writes. secrets: what the CI system keeps by name; a job gets only
    those that its example names.
    """

    folder: Path
    emulator: Emulator
    secrets: dict[str, str]
    log: list[Ended] = field(default_factory=list)
    _jobs: int = 0

    @property
    def origin(self) -> Path:
        return self.folder / "repository"

    @property
    def switches(self) -> list[str]:
        """Every call of the switch command: apply or revert."""
        file = self.folder / "switches"
        return file.read_text(encoding="utf-8").split() if file.exists() else []

    @property
    def output(self) -> str:
        """Everything that the jobs printed."""
        return "".join(ended.output for ended in self.log)

    def job(self, *, checked_out: bool = True) -> Job:
        """An empty home, and a fresh clone or an empty folder."""
        self._jobs += 1
        job = Job(self, self.folder / f"job-{self._jobs}")
        for folder in ("home", "clone"):
            (job.place / folder).mkdir(parents=True)
        if checked_out:
            job.check_out()
        return job

    def configure(self, **keys: object) -> None:
        """Change keys of the committed cutover.yaml."""
        file = self.origin / "cutover.yaml"
        config = yaml.safe_load(file.read_text(encoding="utf-8")) | keys
        self.commit({file.name: yaml.safe_dump(config, sort_keys=False)})

    def commit(self, files: Mapping[str, str]) -> None:
        """Commit these files to the repository."""
        for name, text in files.items():
            path = self.origin / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        _git("-C", str(self.origin), "add", "--all")
        commit = ("commit", "--quiet", "--allow-empty", "--message", "Describe the cutover")
        _git("-C", str(self.origin), *commit)

    def artifacts_gone(self) -> None:
        """Delete the artifacts, so that the next run of a workflow has none of this one's."""
        shutil.rmtree(self.folder / "artifacts", ignore_errors=True)

    def program(self, name: str, text: str) -> None:
        """Put a bash program on the PATH of every job."""
        path = self.folder / "bin" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/bash\n{text}", encoding="utf-8")
        path.chmod(0o755)


@dataclass
class Job:
    """One job's clone, home and environment."""

    machine: Machine
    place: Path
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def clone(self) -> Path:
        return self.place / "clone"

    def check_out(self) -> None:
        """Clone the repository as it is now."""
        _git("clone", "--quiet", str(self.machine.origin), str(self.clone))

    def run(
        self,
        argv: Sequence[str],
        script: str,
        variables: Mapping[str, str] = NONE,
        folder: Path | None = None,
    ) -> Ended:
        """Run a script by this shell, as a file; {0} in argv stands for it."""
        with self._started(argv, script, variables, folder) as process:
            return self._ended(process)

    def cut_off(
        self, argv: Sequence[str], script: str, at: str, variables: Mapping[str, str] = NONE
    ) -> Ended:
        """Run a script; kill it with all its processes when it prints this text."""
        with self._started(argv, script, variables) as process:
            seen, _ = _read_until(process, at)
            os.killpg(process.pid, signal.SIGKILL)
            return self._ended(process, seen)

    def interrupt(
        self,
        argv: Sequence[str],
        script: str,
        at: str,
        variables: Mapping[str, str],
        folder: Path,
    ) -> Ended:
        """Run a script; cancel it as GitHub's runner does when it prints this text."""
        with self._started(argv, script, variables, folder) as process:
            seen, found = _read_until(process, at)
            if found:
                _cancel(process)
            return self._ended(process, seen, found)

    @contextmanager
    def _started(
        self,
        argv: Sequence[str],
        script: str,
        variables: Mapping[str, str],
        folder: Path | None = None,
    ) -> Iterator[subprocess.Popen[str]]:
        file = self.place / "script.sh"
        file.write_text(script, encoding="utf-8")
        process = subprocess.Popen(
            [each.replace("{0}", str(file)) for each in argv],
            cwd=folder or self.clone,
            env={**self._base(), **self.environment, **variables},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        watchdog = threading.Timer(JOB_SECONDS, os.killpg, (process.pid, signal.SIGKILL))
        watchdog.start()
        try:
            with process:
                yield process
        finally:
            watchdog.cancel()

    def _ended(
        self, process: subprocess.Popen[str], seen: str = "", signaled: bool = False
    ) -> Ended:
        out, _ = process.communicate()
        ended = Ended(process.returncode, seen + out, signaled)
        self.machine.log.append(ended)
        return ended

    def _base(self) -> dict[str, str]:
        """The environment of a CI machine; the emulator's authority represents a public one."""
        return {
            "HOME": str(self.place / "home"),
            "PATH": f"{self.machine.folder / 'bin'}:/usr/bin:/bin",
            "LANG": "C.UTF-8",
            "CI": "true",
            "REQUESTS_CA_BUNDLE": self.machine.emulator.environment["REQUESTS_CA_BUNDLE"],
        }


def _read_until(process: subprocess.Popen[str], text: str) -> tuple[str, bool]:
    """Everything printed up to this text or to the end, and whether the text was found."""
    assert process.stdout
    seen = ""
    while line := process.stdout.readline():
        seen += line
        if text in line:
            return seen, True
    return seen, False


def _cancel(process: subprocess.Popen[str]) -> None:
    """SIGINT, 7.5 s, SIGTERM, 2.5 s, SIGKILL to the tree (actions/runner, ProcessInvoker)."""
    for number, seconds in ((signal.SIGINT, 7.5), (signal.SIGTERM, 2.5)):
        process.send_signal(number)
        with suppress(subprocess.TimeoutExpired):
            process.wait(seconds)
            return
    os.killpg(process.pid, signal.SIGKILL)


def _git(*words: str) -> None:
    subprocess.run([*_GIT, *words], check=True, env={"PATH": os.environ["PATH"], "HOME": "/"})


def open_machine(folder: Path, emulator: Emulator) -> Machine:
    """A machine whose repository holds a cutover.yaml for this org, which has TLS."""
    values = emulator.environment
    machine = Machine(
        folder,
        emulator,
        {
            "SFDX_AUTH_URL": emulator.auth_url,
            "SF_CLIENT_ID": values["SF_CLIENT_ID"],
            "SF_CLIENT_SECRET": values["SF_CLIENT_SECRET"],
            "OLD_PROXY_URL": values["SFCUTOVER_OLD_PROXY_URL"],
            "NEW_PROXY_URL": values["SFCUTOVER_NEW_PROXY_URL"],
        },
    )
    machine.program("sfcutover", f'exec {shlex.quote(sys.executable)} -m sfcutover "$@"\n')
    for name, line in _INSTALLERS.items():
        machine.program(name, _INSTALL.format(line=line, version=version("sfcutover")))
    machine.program("python3", _PYTHON)
    (folder / "canary").write_text(values["SF_REFRESH_TOKEN"], encoding="utf-8")
    _git("init", "--quiet", "--initial-branch=main", str(machine.origin))
    machine.commit({"cutover.yaml": _cutover(folder, emulator), ".gitignore": "*.log\n"})
    return machine


def _cutover(folder: Path, emulator: Emulator) -> str:
    """cutover.yaml, with short timers and the canary in a store that outlives a job."""
    config = yaml.safe_load(emulator.config_text())
    config["allow_private"] = True
    config["targets"] = [{"name": "packaging", "org": {"auth_url": {"env": "SFDX_AUTH_URL"}}}]
    config["egress"]["old"] = {"proxy": {"env": "OLD_PROXY_URL"}}
    config["egress"]["new"] = {"proxy": {"env": "NEW_PROXY_URL"}}
    config["verify"] |= {
        "refresh_token": {
            "get": ["cat", f"{folder}/canary"],
            "put": ["sh", "-c", f"cat > {folder}/canary"],
        },
        "settle": "300ms",
        "login_history_wait": "2s",
    }
    # a round is also the time that an answer may take
    config["watch"] = {"duration": "3s", "interval": "1s", "failures": 2}
    switch = f'echo "$SFCUTOVER_DIRECTION" >> {folder}/switches'
    config["switch"] = {"apply": ["sh", "-c", switch], "revert": ["sh", "-c", switch]}
    return yaml.safe_dump(config, sort_keys=False)
