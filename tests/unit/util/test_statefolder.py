"""Where this tool's state is."""

from __future__ import annotations

from pathlib import Path

import pytest

from sfcutover.errors import ConfigError
from sfcutover.util.files import state_folder


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
    with pytest.raises(ConfigError, match="others own or can write"):
        state_folder()


def test_a_folder_that_can_t_be_made_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    (tmp_path / "sfcutover").write_text("in the way")
    with pytest.raises(ConfigError, match="no folder for this tool's state"):
        state_folder()
