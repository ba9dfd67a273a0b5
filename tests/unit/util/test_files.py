"""Files that are written durably, content and name, and the folder for state."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from sfcutover.errors import ConfigError
from sfcutover.util.files import (
    make_folders_durably,
    replace_files,
    state_folder,
    write_durably,
)


@dataclass(frozen=True)
class Sync:
    """One call of os.fsync: what was synced, and which file the path named at that moment.

    synced, named: inode numbers; named is None while the path names no file.
    """

    synced: int
    size: int
    named: int | None


@pytest.fixture
def record_syncs(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], list[Sync]]:
    """Records each os.fsync of this process, then executes it."""
    fsync = os.fsync

    def record(path: Path) -> list[Sync]:
        calls: list[Sync] = []

        def recorded(descriptor: int) -> None:
            status = os.fstat(descriptor)
            named = path.stat().st_ino if path.exists() else None
            calls.append(Sync(status.st_ino, status.st_size, named))
            fsync(descriptor)

        monkeypatch.setattr(os, "fsync", recorded)
        return calls

    return record


def test_the_content_is_synced_before_the_file_gets_its_name(
    tmp_path: Path, record_syncs: Callable[[Path], list[Sync]]
) -> None:
    """Otherwise the rename may survive a power loss and the content may not."""
    path = tmp_path / "token"
    path.write_text("old")
    old, calls = path.stat().st_ino, record_syncs(path)
    write_durably(path, "new text")
    assert Sync(synced=path.stat().st_ino, size=len("new text"), named=old) in calls


def test_the_folder_is_synced_after_the_file_got_its_name(
    tmp_path: Path, record_syncs: Callable[[Path], list[Sync]]
) -> None:
    """Otherwise the rename may be lost, and with it the only valid token."""
    path = tmp_path / "token"
    path.write_text("old")
    calls = record_syncs(path)
    write_durably(path, "new text")
    last = calls[-1]
    assert (last.synced, last.named) == (tmp_path.stat().st_ino, path.stat().st_ino)


def test_each_new_folder_is_synced_in_its_parent(
    tmp_path: Path, record_syncs: Callable[[Path], list[Sync]]
) -> None:
    lower = tmp_path / "upper" / "lower"
    calls = record_syncs(lower)
    make_folders_durably(lower)
    above = [tmp_path.stat().st_ino, lower.parent.stat().st_ino]
    assert [one.synced for one in calls] == above
    assert calls[-1].named == lower.stat().st_ino


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_new_file_is_readable_by_its_owner_only(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        write_durably(tmp_path / "token", "Grüße\n")
    finally:
        os.umask(before)
    assert (tmp_path / "token").read_text(encoding="utf-8") == "Grüße\n"
    assert mode(tmp_path / "token") == 0o600


def test_an_old_file_is_replaced_and_made_private(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("old and longer")
    path.chmod(0o644)
    write_durably(path, "new")
    assert path.read_text() == "new"
    assert mode(path) == 0o600
    assert os.listdir(tmp_path) == ["token"]  # noqa: PTH208


def test_a_reader_of_the_old_file_is_not_disturbed(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("old")
    with path.open() as reader:
        write_durably(path, "new")
        assert reader.read() == "old"


def test_a_symlink_stays_and_its_target_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "secrets").mkdir()
    behind, link = tmp_path / "secrets" / "token", tmp_path / "token"
    behind.write_text("old")
    link.symlink_to(Path("secrets/token"))
    write_durably(link, "new")
    assert link.is_symlink()
    assert behind.read_text() == "new"


def test_a_relative_path_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_durably(Path("token"), "new")
    assert (tmp_path / "token").read_text() == "new"


def test_the_longest_name_is_accepted(tmp_path: Path) -> None:
    write_durably(tmp_path / ("x" * 255), "new")
    assert (tmp_path / ("x" * 255)).read_text() == "new"


@pytest.mark.parametrize("target", ["folder", "missing/token", "file/token", "x" * 256])
def test_a_path_that_cannot_be_replaced_raises_and_leaves_nothing(
    tmp_path: Path, target: str
) -> None:
    (tmp_path / "folder" / "inside").mkdir(parents=True)
    (tmp_path / "file").touch()
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(OSError, match=r"\w"):
        write_durably(tmp_path / target, "hunter2")
    assert sorted(tmp_path.rglob("*")) == before


def test_a_text_that_cannot_be_encoded_leaves_only_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("old")
    with pytest.raises(UnicodeEncodeError):
        write_durably(path, "\ud800")
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["token"]  # noqa: PTH208


def test_the_state_folder_is_below_xdg_state_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "missing" / "state"))
    assert state_folder() == tmp_path / "missing" / "state" / "sfcutover"
    assert state_folder().stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("value", [None, "", "relative/state"])
def test_without_an_absolute_xdg_state_home_it_is_below_the_home_folder(
    value: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_STATE_HOME")
    if value is not None:
        monkeypatch.setenv("XDG_STATE_HOME", value)
    assert state_folder() == tmp_path / ".local" / "state" / "sfcutover"


def test_a_folder_that_others_can_write_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    (tmp_path / "sfcutover").mkdir()
    (tmp_path / "sfcutover").chmod(0o777)
    with pytest.raises(ConfigError, match="other users own or can write"):
        state_folder()


def test_a_folder_that_cannot_be_created_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    (tmp_path / "sfcutover").write_text("in the way")
    with pytest.raises(ConfigError, match="no folder for this tool's state"):
        state_folder()


# Several files at once


def tree(folder: Path) -> dict[str, bytes | None]:
    """Everything below a folder; None for a folder."""
    return {
        str(path.relative_to(folder)): None if path.is_dir() else path.read_bytes()
        for path in folder.rglob("*")
    }


def test_files_are_replaced_with_their_modes_and_created_with_their_folders(tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "a" / "b" / "new"
    old.write_bytes(b"before")
    old.chmod(0o604)
    replace_files({old: b"after\r\n", new: b"\xff"})
    assert tree(tmp_path) == {"old": b"after\r\n", "a": None, "a/b": None, "a/b/new": b"\xff"}
    assert mode(old) == 0o604
    assert mode(new) == 0o666 & ~_umask()


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def test_every_file_is_synced_before_the_first_gets_its_name(
    tmp_path: Path, record_syncs: Callable[[Path], list[Sync]]
) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    calls = record_syncs(first)
    replace_files({first: b"1", second: b"22"})
    inodes = first.stat().st_ino, second.stat().st_ino
    assert [Sync(inode, size, None) for inode, size in zip(inodes, (1, 2), strict=True)] == calls[
        :2
    ]
    assert (calls[-1].synced, calls[-1].named) == (tmp_path.stat().st_ino, first.stat().st_ino)


def test_a_file_that_cannot_be_replaced_restores_those_before_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "old").write_bytes(b"before")
    (tmp_path / "last").write_bytes(b"last")
    before = tree(tmp_path)
    replace = Path.replace

    def refuse(self: Path, target: Path) -> Path:
        if target.name == "last":
            raise PermissionError(errno.EACCES, "refused")
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", refuse)
    files = {tmp_path / "old": b"1", tmp_path / "a" / "new": b"2", tmp_path / "last": b"3"}
    with pytest.raises(PermissionError):
        replace_files(files)
    assert tree(tmp_path) == before


def test_a_folder_in_place_of_a_file_changes_nothing(tmp_path: Path) -> None:
    (tmp_path / "old").write_bytes(b"before")
    (tmp_path / "folder").mkdir()
    before = tree(tmp_path)
    with pytest.raises(IsADirectoryError):
        replace_files({tmp_path / "old": b"1", tmp_path / "folder": b"2"})
    assert tree(tmp_path) == before
