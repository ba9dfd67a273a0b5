"""Files that hold a token, and their failures."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sfcutover.errors import ConfigError, ExitCode
from sfcutover.traffic.tokenstores import FileStore
from sfcutover.util.secrets import Secret
from tests.unit.traffic.stores import FIRST, store_of, write_token

NEW = Secret("5Aep861-a-new-token")


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


def file_store(path: Path) -> FileStore:
    store = store_of(file=str(path))
    assert isinstance(store, FileStore)
    return store


def test_a_file_is_read_and_written(tmp_path: Path) -> None:
    store = file_store(write_token(tmp_path / "token"))
    assert store.writable
    assert store.read() == Secret(FIRST)
    store.write(NEW, replaced=Secret(FIRST))
    assert store.read() == NEW
    assert (tmp_path / "token").read_text() == f"{NEW.reveal()}\n"


@pytest.mark.parametrize("mode", [0o604, 0o602, 0o640, 0o620, 0o601, 0o777])
def test_a_file_that_others_can_access_is_refused(mode: int, tmp_path: Path) -> None:
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


def test_a_path_that_is_not_a_regular_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo", 0o600)
    (tmp_path / "folder").mkdir()
    for name, why in [
        ("fifo", "is not a file"),
        ("folder", "is not a file"),
        ("none", "cannot be read"),
    ]:
        with pytest.raises(ConfigError, match=why):
            file_store(tmp_path / name).read()


def test_a_file_of_another_user_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_token(tmp_path / "token")
    monkeypatch.setattr(os, "geteuid", lambda: path.stat().st_uid + 1)
    with pytest.raises(ConfigError, match=r"another user|other users own"):
        file_store(path).read()


def test_a_file_with_two_hard_links_is_refused(tmp_path: Path) -> None:
    path = write_token(tmp_path / "token")
    (tmp_path / "other").hardlink_to(path)
    with pytest.raises(ConfigError, match="hard link"):
        file_store(path).read()


def test_a_file_in_a_world_writable_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "open").mkdir()
    path = write_token(tmp_path / "open" / "token")
    path.parent.chmod(0o777)
    with pytest.raises(ConfigError, match="any user may replace it"):
        file_store(path).read()
    path.parent.chmod(0o1777)  # as /tmp is
    assert file_store(path).read() == Secret(FIRST)


def test_a_symlink_stays_and_shares_the_lock_of_its_file(tmp_path: Path) -> None:
    (tmp_path / "secrets").mkdir()
    path, link = write_token(tmp_path / "secrets" / "token"), tmp_path / "token"
    link.symlink_to(Path("secrets/token"))
    store = file_store(link)
    store.write(NEW, replaced=Secret(FIRST))
    assert link.is_symlink()
    assert path.read_text().strip() == NEW.reveal()
    with store.locked():
        assert path.with_name(".token.lock").exists()
    path.unlink()
    path.symlink_to(write_token(tmp_path / "elsewhere"))  # a link where a file was
    with pytest.raises(ConfigError, match="cannot be read"):
        store.read()


def test_a_symlink_in_place_of_the_lock_is_refused(tmp_path: Path) -> None:
    (tmp_path / ".token.lock").symlink_to(tmp_path / "elsewhere")
    with (
        pytest.raises(ConfigError, match="lock file"),
        file_store(write_token(tmp_path / "token")).locked(),
    ):
        pytest.fail("the lock was taken")
    assert not (tmp_path / "elsewhere").exists()
