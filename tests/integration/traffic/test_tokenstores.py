"""Files and commands that keep a token, and everything that may be wrong with them."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from sfcutover.errors import ConfigError, ExitCode, OperationFailedError
from sfcutover.traffic import redeemer as tokens
from sfcutover.traffic import tokenstores as tokencommand
from sfcutover.traffic import tokenstores as tokenrecovery
from sfcutover.traffic.oauth import Outcome, TokenEndpoint
from sfcutover.traffic.redeemer import TokenStore, redeem_from
from sfcutover.traffic.tokenstores import FileStore
from sfcutover.util.http import new_session
from sfcutover.util.secrets import Secret
from tests.integration.traffic.rotation import FIRST, Grant, endpoint_at, store_of, write_token
from tests.support import StartServer

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
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setattr(tokenrecovery, "RETRY_SECONDS", (0.0, 0.001, 0.002))
    yield tmp_path / "state" / "sfcutover"
    tokens._close_all()


@pytest.fixture
def session() -> Iterator[requests.Session]:
    with new_session() as session:
        yield session


@pytest.fixture
def grant() -> Grant:
    return Grant()


@pytest.fixture
def endpoint(grant: Grant, start_server: StartServer) -> TokenEndpoint:
    return endpoint_at(start_server(grant.handle))


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    """What the commands keep the token in."""
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


def test_a_file_is_read_and_written(tmp_path: Path) -> None:
    store = file_store(write_token(tmp_path / "token"))
    assert store.writable
    assert store.read() == Secret(FIRST)
    store.write(NEW)
    assert store.read() == NEW
    assert (tmp_path / "token").read_text() == f"{NEW.reveal()}\n"


@pytest.mark.parametrize("mode", [0o604, 0o602, 0o640, 0o620, 0o601, 0o777])
def test_a_file_that_others_may_touch_is_refused(mode: int, tmp_path: Path) -> None:
    path = write_token(tmp_path / "token")
    path.chmod(mode)
    with pytest.raises(ConfigError, match="read or written by others") as caught:
        file_store(path).read()
    assert caught.value.hint == f"chmod 600 {path}"
    assert caught.value.exit_code is ExitCode.USAGE
    assert "5Aep861" not in str(caught.value)
    assert path.stat().st_mode & 0o777 == mode


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "is empty"),
        (b" \n\t\n", "is empty"),
        (bytes(range(256)), "binary"),
        (b"5Aep861\x00tail", "binary"),
        (b"\xff\xfe5\x00A\x00", "binary"),
        ("5Aep861-Grüße".encode(), "binary"),
        (b"5Aep861-one\n5Aep861-two\n", "more than one word"),
        (b"5Aep861" * 10_000, "binary, or more"),
    ],
)
def test_a_file_without_a_token_is_refused(content: bytes, why: str, tmp_path: Path) -> None:
    path = write_token(tmp_path / "token")
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=why) as caught:
        file_store(path).read()
    assert "5Aep861" not in str(caught.value) + caught.value.hint
    assert path.read_bytes() == content


def test_a_file_that_is_none_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo", 0o600)
    (tmp_path / "folder").mkdir()
    for name, why in [("fifo", "is no file"), ("folder", "is no file"), ("none", "can't be read")]:
        with pytest.raises(ConfigError, match=why):
            file_store(tmp_path / name).read()


def test_a_file_of_another_user_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_token(tmp_path / "token")
    monkeypatch.setattr(os, "geteuid", lambda: path.stat().st_uid + 1)
    with pytest.raises(ConfigError, match=r"another user|others own"):
        file_store(path).read()


def test_a_file_that_has_two_names_is_refused(tmp_path: Path) -> None:
    path = write_token(tmp_path / "token")
    (tmp_path / "other").hardlink_to(path)
    with pytest.raises(ConfigError, match="hard link"):
        file_store(path).read()


def test_a_file_in_a_folder_of_everybody_s_is_refused(tmp_path: Path) -> None:
    (tmp_path / "open").mkdir()
    path = write_token(tmp_path / "open" / "token")
    path.parent.chmod(0o777)
    with pytest.raises(ConfigError, match="everybody may replace it"):
        file_store(path).read()
    path.parent.chmod(0o1777)  # as /tmp is
    assert file_store(path).read() == Secret(FIRST)


def test_a_link_stays_a_link_and_shares_its_file_s_lock(tmp_path: Path) -> None:
    (tmp_path / "secrets").mkdir()
    path, link = write_token(tmp_path / "secrets" / "token"), tmp_path / "token"
    link.symlink_to(Path("secrets/token"))
    store = file_store(link)
    store.write(NEW)
    assert link.is_symlink()
    assert path.read_text().strip() == NEW.reveal()
    with store.locked():
        assert path.with_name(".token.lock").exists()
    path.unlink()
    path.symlink_to(write_token(tmp_path / "elsewhere"))  # a link where a file was
    with pytest.raises(ConfigError, match="can't be read"):
        store.read()


def test_a_link_in_place_of_the_lock_is_refused(tmp_path: Path) -> None:
    (tmp_path / ".token.lock").symlink_to(tmp_path / "elsewhere")
    with (
        pytest.raises(ConfigError, match="lock file"),
        file_store(write_token(tmp_path / "token")).locked(),
    ):
        pytest.fail("it is in")
    assert not (tmp_path / "elsewhere").exists()


def test_a_folder_that_takes_no_file_is_found_before_redeeming(tmp_path: Path) -> None:
    """A limit on file sizes fails a write as a full disk does."""
    path = write_token(tmp_path / "token")
    code = (
        "import resource, signal, sys; from tests.integration.traffic.rotation import store_of\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "with store_of(file=sys.argv[1]).locked(): print('it is in')"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, check=False)
    assert b"takes no new token: File too large" in done.stderr
    assert done.stdout == b""


def test_a_new_token_that_the_file_can_t_take_is_kept_elsewhere(
    grant: Grant,
    session: requests.Session,
    tmp_path: Path,
    state: Path,
    endpoint: TokenEndpoint,
) -> None:
    """The file becomes a folder while its token is being redeemed."""
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
    assert "5Aep861" not in str(caught.value) + caught.value.hint + caught.value.tokens

    grant.after = lambda: None
    (path / "inside").rmdir()
    path.rmdir()
    write_token(path)  # the old token, from a backup perhaps
    assert redeem_from(file_store(path), endpoint, session).outcome is Outcome.REDEEMED
    assert path.read_text().strip() == grant.current
    assert recovery_files(state) == []


def test_commands_get_and_put_the_token(
    kept: Path, grant: Grant, endpoint: TokenEndpoint, session: requests.Session, state: Path
) -> None:
    store = command_store(kept)
    assert store.writable
    for _ in range(3):
        assert redeem_from(store, endpoint, session).outcome is Outcome.REDEEMED
        assert kept.read_text().strip() == grant.current
    assert recovery_files(state) == []


def test_a_put_that_fails_twice_is_tried_again(
    kept: Path, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAILURES", "2")
    store = command_store(kept)
    assert store.read() == Secret(FIRST)
    store.write(NEW)
    assert store.read() == NEW
    assert kept.with_name("kept.calls").read_text() == "3"
    assert recovery_files(state) == []


def test_a_put_that_keeps_failing_leaves_the_token_in_a_file(
    kept: Path,
    grant: Grant,
    endpoint: TokenEndpoint,
    session: requests.Session,
    state: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Also through the process that keeps the token, which waits as long as for people."""
    monkeypatch.setenv("FAILURES", "5")
    with pytest.raises(OperationFailedError, match="exit code 3") as caught:
        redeem_from(command_store(kept), endpoint, session)
    (recovery,) = recovery_files(state)
    assert str(recovery) in str(caught.value)
    assert "old refresh token is void" in caught.value.tokens
    assert recovery.read_text().splitlines()[0] == grant.current
    assert stat.S_IMODE(recovery.stat().st_mode) == 0o600
    told = "".join([str(caught.value), caught.value.hint, caught.value.tokens, *capfd.readouterr()])
    assert "5Aep861" not in told
    assert kept.with_name("kept.calls").read_text() == "4"
    assert kept.read_text().strip() == FIRST

    assert redeem_from(command_store(kept), endpoint, session).outcome is Outcome.REDEEMED
    assert kept.read_text().strip() == grant.current
    assert recovery_files(state) == []


def test_while_put_runs_the_token_is_on_disk(kept: Path, state: Path) -> None:
    """A kill of everything at that instant loses nothing."""
    look = (
        "import pathlib, sys; token = sys.stdin.read()\n"
        "files = list(pathlib.Path(sys.argv[1]).glob('recovery-*'))\n"
        "sys.exit([f.read_text().split()[0] for f in files] != [token.strip()])"
    )
    store = command_store(kept, put=[sys.executable, "-c", look, str(state)])
    store.read()
    store.write(NEW)
    assert recovery_files(state) == []


def test_a_put_that_was_cut_off_is_done_by_the_next_read(kept: Path, state: Path) -> None:
    write_recovery(kept, replaced=Secret(FIRST))
    assert command_store(kept).read() == NEW
    assert kept.read_text().strip() == NEW.reveal()
    assert recovery_files(state) == []


def test_a_put_that_worked_before_the_cut_is_left_alone(kept: Path, state: Path) -> None:
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
    with pytest.raises(ConfigError, match="keeps a newer refresh token") as caught:
        command_store(kept).read()
    assert str(recovery) in str(caught.value)
    assert "5Aep861" not in str(caught.value) + caught.value.hint
    assert kept.read_text().strip() == "5Aep861-authorized-again"
    assert recovery.exists()


def write_recovery(kept: Path, replaced: Secret) -> Path:
    store = command_store(kept)
    assert isinstance(store, tokencommand.CommandStore)
    recovery = store._recovery()
    recovery.save(NEW, replaced)
    return recovery.path


def test_a_put_that_takes_too_long_has_failed(
    kept: Path, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tokencommand, "COMMAND_TIMEOUT_SECONDS", 0.05)
    monkeypatch.setattr(tokenrecovery, "RETRY_SECONDS", ())
    store = command_store(kept, put=["sleep", "30"])
    with pytest.raises(OperationFailedError, match="took longer than"):
        store.write(NEW)
    assert len(recovery_files(state)) == 1


def test_a_put_that_is_not_there_has_failed(kept: Path, state: Path) -> None:
    store = command_store(kept, put=["no-such-command-here"])
    with pytest.raises(OperationFailedError, match="No such file"):
        store.write(NEW)
    assert len(recovery_files(state)) == 1


def test_a_token_that_can_be_kept_nowhere_is_called_lost(
    kept: Path, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = command_store(kept, put=["false"])
    store.read()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tokenrecovery, "write_durably", full)
    with pytest.raises(OperationFailedError, match="kept nowhere") as caught:
        store.write(NEW)
    assert "No space left" in str(caught.value)
    assert "this grant is lost" in caught.value.tokens
    assert NEW.reveal() not in str(caught.value)


def test_a_command_without_put_takes_no_token(kept: Path) -> None:
    store = command_store(kept, put=[])
    assert not store.writable
    assert store.read() == Secret(FIRST)
    with pytest.raises(OperationFailedError, match="has no put"):
        store.write(NEW)


@pytest.mark.parametrize("argv", [["true"], ["false"], ["no-such-command"], ["echo", "two words"]])
def test_a_get_without_a_token_is_refused(argv: list[str], kept: Path) -> None:
    with pytest.raises(ConfigError):
        command_store(kept, get=argv).read()


def test_what_a_get_says_comes_through_the_keeper(
    kept: Path, endpoint: TokenEndpoint, session: requests.Session
) -> None:
    with pytest.raises(ConfigError, match="exit code 1"):
        redeem_from(command_store(kept, get=["false"]), endpoint, session)


def test_a_token_never_stands_in_a_repr(kept: Path, tmp_path: Path) -> None:
    for store in (command_store(kept), file_store(write_token(tmp_path / "token"))):
        store.read()
        assert "5Aep861" not in repr(store)
