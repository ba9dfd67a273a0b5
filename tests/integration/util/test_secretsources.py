"""Secrets that a command prints."""

from __future__ import annotations

import sys

import pytest

from sfcutover.errors import ConfigError, ExitCode
from sfcutover.util import secrets as credentials
from sfcutover.util import secretsources
from sfcutover.util.secretsources import secret_from_command

WHERE = "cutover.yaml:7"
VALUE = "hunter2/with+odd=parts"


@pytest.fixture(autouse=True)
def nothing_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forgets secrets of other tests, which would be masked here."""
    monkeypatch.setattr(credentials, "_known", set())


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def test_the_stdout_of_a_command_is_the_secret_and_its_stderr_is_not() -> None:
    code = f"import sys; print({VALUE!r}); print('note', file=sys.stderr)"
    assert secret_from_command(python(code), WHERE).reveal() == VALUE


def test_a_command_is_run_without_a_shell() -> None:
    code = "import sys; print(sys.argv[1])"
    command = [*python(code), "$HOME; `id` && 'x'"]
    assert secret_from_command(command, WHERE).reveal() == "$HOME; `id` && 'x'"


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("print('hunter2'); raise SystemExit(3)", "exit code 3"),
        ("print('hunter2'); import os, sys; sys.stdout.flush(); os.abort()", "exit code -6"),
        ("raise ValueError('hunter2')", "exit code 1"),
        ("import sys; print('hunter2', file=sys.stderr)", "it is empty"),
        ("print(' \\n')", "it is empty"),
        ("import sys; sys.stdout.buffer.write(b'hunter2\\xff')", "it is not UTF-8"),
        ("while True: print('hunter2' * 1000)", "it is larger than 65,536 bytes"),
    ],
)
def test_a_failed_command_is_refused_without_its_output(
    capfd: pytest.CaptureFixture[str], code: str, reason: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        secret_from_command(python(code), WHERE)
    error = caught.value
    assert error.message == f"the command {sys.executable} returned no secret: {reason}"
    assert (error.where, error.exit_code) == (WHERE, ExitCode.USAGE)
    assert "hunter2" not in error.message + error.hint + str(error.__cause__ or "")
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    "code",
    [
        "import time; print('hunter2', flush=True); time.sleep(60)",
        "import os, time; print('hunter2', flush=True); os.close(1); time.sleep(60)",
        "import os, time; os.fork() and os._exit(0); time.sleep(3)",
    ],
    ids=["silent", "closed", "left-behind"],
)
def test_a_command_that_hangs_is_killed(monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    monkeypatch.setattr(secretsources, "COMMAND_TIMEOUT_SECONDS", 0.3)
    with pytest.raises(ConfigError, match=r"returned no secret: it took longer than 0\.3 s"):
        secret_from_command(python(code), WHERE)


@pytest.mark.parametrize(
    ("argv", "reason"),
    [
        (["no-such-command-anywhere"], "No such file or directory"),
        (["/"], "Permission denied"),
        (["a\0b"], "embedded null byte"),
    ],
)
def test_a_command_that_cannot_be_run_is_refused(argv: list[str], reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        secret_from_command(argv, WHERE)
