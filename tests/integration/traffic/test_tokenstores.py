"""Files and commands that keep a token, and their failures."""

from __future__ import annotations

import stat
import subprocess
import sys
from pathlib import Path

import pytest
import requests

from sfcutover.errors import ConfigError, OperationFailedError
from sfcutover.traffic import tokenstores
from sfcutover.traffic.redemption import RedemptionOutcome
from sfcutover.traffic.tokenanswer import TokenEndpoint
from sfcutover.traffic.tokenredemption import redeem_from
from sfcutover.traffic.tokenstores import FileStore, TokenStore
from sfcutover.util.secrets import Secret
from tests.integration.traffic.rotation import Grant
from tests.unit.traffic.stores import FIRST, store_of, write_token

NEW = Secret("5Aep861-a-new-token")
HELPER = """
import os, pathlib, sys
kept, calls = pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[2] + ".calls")
if sys.argv[1] == "get":
    print(kept.read_text())
else:
    token = sys.stdin.read()
    seen = " ".join(sys.argv) + " ".join(f"{k}={v}" for k, v in os.environ.items())
    count = int(calls.read_text()) + 1 if calls.exists() else 1
    calls.write_text(str(count))
    if token.strip() in seen or count <= int(os.environ.get("FAILURES", "0")):
        print(token, file=sys.stderr)
        sys.exit(3)
    kept.write_text(token)
"""


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokenstores, "RETRY_SECONDS", (0.0, 0.001, 0.002))


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    """The file in which the commands keep the token."""
    (tmp_path / "helper.py").write_text(HELPER)
    return write_token(tmp_path / "kept")


def command_store(kept: Path, **config: object) -> TokenStore:
    helper = [sys.executable, str(kept.with_name("helper.py"))]
    argv = {"get": [*helper, "get", str(kept)], "put": [*helper, "put", str(kept)]}
    return store_of(**(argv | config))


def file_store(path: Path) -> FileStore:
    store = store_of(file=str(path))
    assert isinstance(store, FileStore)
    return store


def recovery_files(state: Path) -> list[Path]:
    return sorted(state.glob("recovery-*"))


def test_an_unwritable_folder_is_detected_before_redeeming(tmp_path: Path) -> None:
    """A limit on file sizes fails a write as a full disk does."""
    path = write_token(tmp_path / "token")
    code = (
        "import resource, signal, sys; from tests.integration.traffic.rotation import store_of\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "with store_of(file=sys.argv[1]).locked(): print('it is in')"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, check=False)
    assert b"cannot store a new token: File too large" in done.stderr
    assert done.stdout == b""


def test_a_new_token_that_the_file_cannot_hold_is_kept_elsewhere(
    grant: Grant,
    session: requests.Session,
    tmp_path: Path,
    state: Path,
    endpoint: TokenEndpoint,
) -> None:
    """The file becomes a folder during the redemption."""
    path = write_token(tmp_path / "token")

    def spoil() -> None:
        path.unlink()
        (path / "inside").mkdir(parents=True)

    grant.after = spoil
    with pytest.raises(OperationFailedError, match="did not take") as caught:
        redeem_from(file_store(path), endpoint, session)
    (recovery,) = recovery_files(state)
    assert str(recovery) in str(caught.value)
    assert recovery.read_text().splitlines()[0] == grant.current
    assert stat.S_IMODE(recovery.stat().st_mode) == 0o600
    assert "5Aep861" not in str(caught.value) + caught.value.hint + caught.value.impact

    grant.after = lambda: None
    (path / "inside").rmdir()
    path.rmdir()
    write_token(path)  # the old token, from a backup perhaps
    assert redeem_from(file_store(path), endpoint, session).outcome is RedemptionOutcome.REDEEMED
    assert path.read_text().strip() == grant.current
    assert recovery_files(state) == []


def test_commands_get_and_put_the_token(
    kept: Path, grant: Grant, endpoint: TokenEndpoint, session: requests.Session, state: Path
) -> None:
    store = command_store(kept)
    assert store.writable
    for _ in range(3):
        assert redeem_from(store, endpoint, session).outcome is RedemptionOutcome.REDEEMED
        assert kept.read_text().strip() == grant.current
    assert recovery_files(state) == []


def test_a_put_that_fails_twice_is_retried(
    kept: Path, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAILURES", "2")
    store = command_store(kept)
    assert store.read() == Secret(FIRST)
    store.write(NEW, replaced=Secret(FIRST))
    assert store.read() == NEW
    assert kept.with_name("kept.calls").read_text() == "3"
    assert recovery_files(state) == []


def test_a_put_that_keeps_failing_leaves_the_token_in_a_recovery_file(
    kept: Path,
    grant: Grant,
    endpoint: TokenEndpoint,
    session: requests.Session,
    state: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Also through the helper process."""
    monkeypatch.setenv("FAILURES", "5")
    with pytest.raises(OperationFailedError, match="exit code 3") as caught:
        redeem_from(command_store(kept), endpoint, session)
    (recovery,) = recovery_files(state)
    assert str(recovery) in str(caught.value)
    assert "old refresh token is void" in caught.value.impact
    assert recovery.read_text().splitlines()[0] == grant.current
    assert stat.S_IMODE(recovery.stat().st_mode) == 0o600
    told = "".join([str(caught.value), caught.value.hint, caught.value.impact, *capfd.readouterr()])
    assert "5Aep861" not in told
    assert kept.with_name("kept.calls").read_text() == "4"
    assert kept.read_text().strip() == FIRST

    assert redeem_from(command_store(kept), endpoint, session).outcome is RedemptionOutcome.REDEEMED
    assert kept.read_text().strip() == grant.current
    assert recovery_files(state) == []


def test_the_token_is_on_disk_while_put_runs(kept: Path, state: Path) -> None:
    """Killing everything at that moment loses nothing."""
    look = (
        "import pathlib, sys; token = sys.stdin.read()\n"
        "files = list(pathlib.Path(sys.argv[1]).glob('recovery-*'))\n"
        "sys.exit([f.read_text().split()[0] for f in files] != [token.strip()])"
    )
    store = command_store(kept, put=[sys.executable, "-c", look, str(state)])
    store.read()
    store.write(NEW, replaced=Secret(FIRST))
    assert recovery_files(state) == []


def test_an_interrupted_put_is_completed_by_the_next_read(kept: Path, state: Path) -> None:
    write_recovery(kept, replaced=Secret(FIRST))
    assert command_store(kept).read() == NEW
    assert kept.read_text().strip() == NEW.reveal()
    assert recovery_files(state) == []


def test_a_put_that_succeeded_before_the_interruption_is_not_repeated(
    kept: Path, state: Path
) -> None:
    write_recovery(kept, replaced=Secret(FIRST))
    write_token(kept, NEW.reveal())
    assert command_store(kept).read() == NEW
    assert not kept.with_name("kept.calls").exists()
    assert recovery_files(state) == []


@pytest.mark.parametrize("content", [None, "5Aep861-one-word", "three 5Aep861-words here", ""])
def test_a_store_that_was_repaired_meanwhile_is_not_overwritten(
    content: str | None, kept: Path, state: Path
) -> None:
    recovery = write_recovery(kept, replaced=Secret(FIRST))
    write_token(kept, "5Aep861-authorized-again")
    if content is not None:
        recovery.write_text(content)
    with pytest.raises(ConfigError, match="holds a newer refresh token") as caught:
        command_store(kept).read()
    assert str(recovery) in str(caught.value)
    assert "5Aep861" not in str(caught.value) + caught.value.hint
    assert kept.read_text().strip() == "5Aep861-authorized-again"
    assert recovery.exists()


def write_recovery(kept: Path, replaced: Secret) -> Path:
    store = command_store(kept)
    assert isinstance(store, tokenstores.CommandStore)
    recovery = store._recovery()
    recovery.save(NEW, replaced)
    return recovery.path


def test_a_put_that_takes_too_long_fails(
    kept: Path, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tokenstores, "COMMAND_TIMEOUT_SECONDS", 0.05)
    monkeypatch.setattr(tokenstores, "RETRY_SECONDS", (0.0,))
    store = command_store(kept, put=["sleep", "30"])
    with pytest.raises(OperationFailedError, match="took longer than"):
        store.write(NEW, replaced=Secret(FIRST))
    assert len(recovery_files(state)) == 1


def test_a_missing_put_program_fails(kept: Path, state: Path) -> None:
    store = command_store(kept, put=["no-such-command-here"])
    with pytest.raises(OperationFailedError, match="No such file"):
        store.write(NEW, replaced=Secret(FIRST))
    assert len(recovery_files(state)) == 1


def test_a_token_that_cannot_be_kept_anywhere_is_reported_as_lost(
    kept: Path, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = command_store(kept, put=["false"])
    store.read()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tokenstores, "write_durably", full)
    with pytest.raises(OperationFailedError, match="not be stored anywhere") as caught:
        store.write(NEW, replaced=Secret(FIRST))
    assert "No space left" in str(caught.value)
    assert "this grant is lost" in caught.value.impact
    assert NEW.reveal() not in str(caught.value)


def test_a_command_without_put_accepts_no_token(kept: Path) -> None:
    store = command_store(kept, put=[])
    assert not store.writable
    assert store.read() == Secret(FIRST)
    with pytest.raises(OperationFailedError, match="has no put"):
        store.write(NEW, replaced=Secret(FIRST))


@pytest.mark.parametrize("argv", [["true"], ["false"], ["no-such-command"], ["echo", "two words"]])
def test_a_get_without_a_token_is_refused(argv: list[str], kept: Path) -> None:
    with pytest.raises(ConfigError):
        command_store(kept, get=argv).read()


def test_the_error_of_get_comes_through_the_helper_process(
    kept: Path, endpoint: TokenEndpoint, session: requests.Session
) -> None:
    with pytest.raises(ConfigError, match="exit code 1"):
        redeem_from(command_store(kept, get=["false"]), endpoint, session)


def test_a_token_is_never_in_a_repr(kept: Path, tmp_path: Path) -> None:
    for store in (command_store(kept), file_store(write_token(tmp_path / "token"))):
        store.read()
        assert "5Aep861" not in repr(store)
