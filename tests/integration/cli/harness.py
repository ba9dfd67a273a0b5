"""An operator at the command line: commands in this process or in a child process, and the org."""

from __future__ import annotations

import gc
import json
import os
import pty
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator
from lxml import etree

from sfcutover.__main__ import main
from sfcutover.emulator.emulator import Emulator
from sfcutover.output import cilog, cistep

SCHEMAS = Path(__file__).parents[3] / "schemas"
SECURITY = "ExtlClntAppOauthSecuritySettings"
SECURITY_NAME = "Acme_Connector_oauthSecurity"
SECURITY_PATH = f"extlClntAppOauthSecuritySettings/{SECURITY_NAME}.ecaOauthSecurity"
NAMESPACE = "http://soap.sforce.com/2006/04/metadata"
PROCESS_SECONDS = 120.0  # the demo, on a busy machine

Json = dict[str, Any]


@dataclass(frozen=True)
class Result:
    """A command's exit code and output."""

    code: int
    out: str
    err: str

    @property
    def error(self) -> str:
        """The first line of the error, without ``error: ``."""
        lines = [line for line in self.err.splitlines() if line.startswith("error: ")]
        assert lines, f"no error on stderr:\n{self.err}"
        return lines[0].removeprefix("error: ")

    @property
    def hint(self) -> str:
        return self._field("next:")

    @property
    def impact(self) -> str:
        """The impact that the error states; empty if it states none."""
        return self._field("impact:") if "\n  impact:" in self.err else ""

    def _field(self, name: str) -> str:
        found = [line.strip() for line in self.err.splitlines() if line.strip().startswith(name)]
        assert found, f"no {name} on stderr:\n{self.err}"
        return found[-1].removeprefix(name).strip()

    def json(self, name: str) -> Json:
        """The only document on stdout, validated against the schema of this name."""
        document: Json = json.loads(self.out)
        assert document["schema"] == f"sfcutover/{name}/1"
        schema = json.loads((SCHEMAS / f"{name}.schema.json").read_text(encoding="utf-8"))
        Draft202012Validator(schema).validate(document)
        return document

    def refused(self, code: int, *parts: str, impact: bool | None = None) -> None:
        """Assert a complete error: its exit code, these parts in its first line, and its other
        lines.

        impact: whether it states an impact; None: unless it is a usage or configuration error.
        """
        assert self.code == code, f"{self.out}\n{self.err}"
        for part in parts:
            assert part in self.error
        assert bool(self.impact) == (code != 2 if impact is None else impact), self.err
        assert self.hint
        assert f"  exit:   {code}\n" in self.err
        assert "Traceback" not in self.err


class HeldClock:
    """The org's clock, which stops until a test advances it."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> datetime:
        return datetime(2026, 11, 23, 12, tzinfo=UTC) + timedelta(seconds=self.seconds)


class Process:
    """sfcutover in a child process. Tests can wait for its lines; it never outlives a test.

    module: False if the words are Python's own arguments.
    """

    def __init__(self, words: tuple[str, ...], *, module: bool = True, **options: Any) -> None:
        pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        command = [sys.executable, *(["-m", "sfcutover"] if module else []), *words]
        self._process = subprocess.Popen(command, text=True, **{**pipes, **options})
        self._seen = ""
        self._watchdog = threading.Timer(PROCESS_SECONDS, self._process.kill)
        self._watchdog.start()

    def wait_for(self, text: str, stream: str = "stderr") -> str:
        """Read the stream up to the line that contains the text; return that line."""
        source = getattr(self._process, stream)
        for line in source:
            self._seen += line if stream == "stderr" else ""
            if text in line:
                return str(line)
        raise AssertionError(f"the process ended without {text!r}:\n{self._seen}")

    def send(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def result(self) -> Result:
        """Wait for the end."""
        out, err = self._process.communicate(timeout=PROCESS_SECONDS)
        return Result(self._process.returncode, out or "", self._seen + (err or ""))

    def end(self) -> None:
        self._watchdog.cancel()
        if self._process.poll() is None:
            self._process.kill()
        self._process.communicate()


@dataclass
class Desk:
    """A folder with a cutover.yaml for an emulated org, and commands run in it."""

    emulator: Emulator
    folder: Path
    clock: HeldClock
    monkeypatch: pytest.MonkeyPatch
    capsys: pytest.CaptureFixture[str]
    processes: list[Process] = field(default_factory=list)

    def run(self, *words: str) -> Result:
        """Run the command in this process, exactly as the console script runs it."""
        self.monkeypatch.setattr(sys, "argv", ["sfcutover", *words])
        self.capsys.readouterr()
        cilog.restart()
        cistep.restart()
        with restored_signals(), restored_collector(), pytest.raises(SystemExit) as stop:
            main()
        out, err = self.capsys.readouterr()
        return Result(int(stop.value.code or 0), out, err)

    def start(self, *words: str, **options: Any) -> Process:
        """Start the command in a child process."""
        process = Process(words, cwd=self.folder, **options)
        self.processes.append(process)
        return process

    def call(self, *words: str, **options: Any) -> Result:
        """Run the command in a child process until it ends."""
        return self.start(*words, **options).result()

    @property
    def config(self) -> Path:
        return self.folder / "cutover.yaml"

    def configure(self, **keys: object) -> None:
        """Change keys of cutover.yaml; None removes one."""
        data = yaml.safe_load(self.config.read_text(encoding="utf-8")) | keys
        kept = {key: value for key, value in data.items() if value is not None}
        self.config.write_text(yaml.safe_dump(kept, sort_keys=False), encoding="utf-8")

    def add_target(self, name: str, emulator: Emulator) -> None:
        """Add a second org to cutover.yaml, with its token in a variable of its own."""
        variable = f"TOKEN_OF_{name.upper()}"
        self.monkeypatch.setenv(variable, emulator.environment["SF_ACCESS_TOKEN"])
        org = {"access_token": {"env": variable}, "instance_url": emulator.url}
        targets = yaml.safe_load(self.config.read_text(encoding="utf-8"))["targets"]
        self.configure(targets=[*targets, {"name": name, "org": org}])

    def replace(self, old: str, new: str) -> int:
        """Replace text in cutover.yaml; return the number of the first changed line."""
        text = self.config.read_text(encoding="utf-8")
        assert old in text
        self.config.write_text(text.replace(old, new), encoding="utf-8")
        return text[: text.index(old)].count("\n") + 1

    def write(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def baseline(self, name: str = f"{SECURITY_NAME}.ecaOauthSecurity") -> Path:
        """Write the live security settings to a file."""
        path = self.folder / name
        path.write_bytes(self.emulator.component_xml(SECURITY, SECURITY_NAME))
        return path

    def asked(self, operation: str) -> int:
        """How many requests of this operation the org received, whatever their result."""
        return sum(event["operation"] == operation for event in self.emulator.log)

    def live(self) -> list[str]:
        """The live allowlist: first address, last address and description of each entry."""
        root = etree.fromstring(self.emulator.component_xml(SECURITY, SECURITY_NAME))
        return [_entry(each) for each in root.iterfind(f"{{{NAMESPACE}}}tokenIpRanges")]

    def put_live(self, change: Callable[[bytes], bytes]) -> None:
        """Change the live component directly in the org, without a deployment."""
        xml = self.emulator.component_xml(SECURITY, SECURITY_NAME)
        self.emulator.put_component(SECURITY, SECURITY_NAME, change(xml))


@contextmanager
def terminal() -> Iterator[tuple[int, int]]:
    """The two ends of a pseudo-terminal: the operator's and the process's."""
    operator, process = pty.openpty()
    try:
        yield operator, process
    finally:
        for end in (operator, process):
            with suppress(OSError):
                os.close(end)


def at_terminal(desk: Desk, typed: str, *words: str) -> Result:
    """Run the command with a terminal as its standard input, at which an operator types."""
    with terminal() as (operator, process):
        os.write(operator, typed.encode())
        return desk.start(*words, stdin=process).result()


def _entry(element: etree._Element) -> str:
    texts = [
        element.findtext(f"{{{NAMESPACE}}}{name}")
        for name in ("startIpAddress", "endIpAddress", "description")
    ]
    return " ".join(text for text in texts if text is not None)


def range_xml(start: str, end: str, description: str | None = None) -> bytes:
    """One entry of an allowlist as the org stores it."""
    text = f"<description>{description}</description>" if description else ""
    addresses = f"<endIpAddress>{end}</endIpAddress><startIpAddress>{start}</startIpAddress>"
    return f"<tokenIpRanges>{text}{addresses}</tokenIpRanges>".encode()


def with_entry(entry: bytes) -> Callable[[bytes], bytes]:
    """A change that appends an entry."""

    def change(xml: bytes) -> bytes:
        end = xml.rindex(b"</")
        return xml[:end] + entry + xml[end:]

    return change


@contextmanager
def restored_collector() -> Iterator[None]:
    """Leave garbage to the end of the test process: a command turns the collector off."""
    try:
        yield
    finally:
        gc.unfreeze()
        gc.enable()


@contextmanager
def restored_signals() -> Iterator[None]:
    """Restore the signal handlers that a command installs in this process."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGALRM)
    before = {number: signal.getsignal(number) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def eventually(holds: Callable[[], bool]) -> None:
    """Block until the condition is true, for as long as a process may take."""
    pause = threading.Event()
    for _ in range(int(PROCESS_SECONDS * 100)):
        if holds():
            return
        pause.wait(0.01)
    raise AssertionError("the condition was never true")


def environment(**more: str) -> Mapping[str, str]:
    """This process's environment with additions."""
    return {**os.environ, **more}
