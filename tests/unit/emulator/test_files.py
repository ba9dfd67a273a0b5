"""The files of an emulator in the foreground: what it writes, and what it never overwrites."""

from __future__ import annotations

from pathlib import Path

import pytest

from sfcutover.emulator.files import ForeignFileError, write_files

TOKEN = "5Aep861.emulated.first"  # as the emulator's own files start


def write(folder: Path, url: str = "http://127.0.0.1:1", token: str = TOKEN) -> None:
    environment = {"SFCUTOVER_INSTANCE_URL": url, "SF_REFRESH_TOKEN": token}
    write_files(
        environment,
        lambda token_file: f"url: {url}\ntoken: {token_file}\n",
        folder / "env",
        folder / "cutover.yaml",
    )


def test_the_files_hold_what_a_client_needs(tmp_path: Path) -> None:
    write(tmp_path)
    token_file = tmp_path / "canary.token"
    assert "SFCUTOVER_INSTANCE_URL=http://127.0.0.1:1\n" in (tmp_path / "env").read_text()
    assert token_file.read_text() == f"{TOKEN}\n"
    assert f"token: {token_file}\n" in (tmp_path / "cutover.yaml").read_text()
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        *("canary.token", "cutover.yaml", "env")
    ]


def test_files_with_secrets_are_readable_by_their_owner_only(tmp_path: Path) -> None:
    (tmp_path / "env").touch(0o644)
    write(tmp_path)
    for name in ("env", "canary.token"):
        assert (tmp_path / name).stat().st_mode & 0o777 == 0o600


def test_own_files_are_replaced(tmp_path: Path) -> None:
    write(tmp_path)
    write(tmp_path, "http://127.0.0.1:2", "5Aep861.emulated.second")
    assert "url: http://127.0.0.1:2\n" in (tmp_path / "cutover.yaml").read_text()
    assert (tmp_path / "canary.token").read_text() == "5Aep861.emulated.second\n"


@pytest.mark.parametrize("name", ["env", "cutover.yaml"])
def test_an_edited_file_is_kept(tmp_path: Path, name: str) -> None:
    write(tmp_path)
    path = tmp_path / name
    path.write_text(path.read_text() + "# a note\n")
    before = {each: each.read_text() for each in tmp_path.iterdir()}
    with pytest.raises(ForeignFileError, match=name):
        write(tmp_path, "http://127.0.0.1:2", "5Aep861.emulated.second")
    assert {each: each.read_text() for each in tmp_path.iterdir()} == before


@pytest.mark.parametrize("name", ["env", "cutover.yaml", "canary.token"])
def test_a_file_from_elsewhere_is_kept(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_text("5Aep861 of a real org\n")
    with pytest.raises(ForeignFileError, match=name):
        write(tmp_path)
    assert path.read_text() == "5Aep861 of a real org\n"
    assert list(tmp_path.iterdir()) == [path]
