"""A file that is written durably is on disk, text and name, before the call returns."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from sfcutover.util.files import make_folders_durably, write_durably


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
    """Records each os.fsync of this process, then lets it happen."""
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


def test_the_whole_text_is_synced_before_the_file_gets_its_name(
    tmp_path: Path, record_syncs: Callable[[Path], list[Sync]]
) -> None:
    """Else the rename may survive a power loss that the text does not."""
    path = tmp_path / "token"
    path.write_text("old")
    old, calls = path.stat().st_ino, record_syncs(path)
    write_durably(path, "new text")
    assert Sync(synced=path.stat().st_ino, size=len("new text"), named=old) in calls


def test_the_folder_is_synced_after_the_file_got_its_name(
    tmp_path: Path, record_syncs: Callable[[Path], list[Sync]]
) -> None:
    """Else the rename may be lost, and with it the only token that redeems."""
    path = tmp_path / "token"
    path.write_text("old")
    calls = record_syncs(path)
    write_durably(path, "new text")
    last = calls[-1]
    assert (last.synced, last.named) == (tmp_path.stat().st_ino, path.stat().st_ino)


def test_each_new_folder_is_synced_in_the_one_above_it(
    tmp_path: Path, record_syncs: Callable[[Path], list[Sync]]
) -> None:
    lower = tmp_path / "upper" / "lower"
    calls = record_syncs(lower)
    make_folders_durably(lower)
    above = [tmp_path.stat().st_ino, lower.parent.stat().st_ino]
    assert [one.synced for one in calls] == above
    assert calls[-1].named == lower.stat().st_ino
