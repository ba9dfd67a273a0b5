"""User files are read with limits on size and time."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from sfcutover.allowlist.carriers import CARRIERS
from sfcutover.allowlist.planfile import read_plan
from sfcutover.allowlist.snapshot import read_baseline
from sfcutover.config.cutover import load_config
from sfcutover.cutover.evidence import read_evidence
from sfcutover.errors import ConfigError, LimitError
from sfcutover.util import boundedfile
from sfcutover.util.boundedfile import read_bounded
from sfcutover.util.secretsources import secret_from_file


def _baseline(path: Path) -> object:
    return read_baseline([path], "Acme", [CARRIERS["token-ip-ranges"]], policies=False)


READERS: list[Callable[[Path], object]] = [
    load_config,
    read_plan,
    read_evidence,
    _baseline,
    lambda path: secret_from_file(path, "cutover.yaml:7"),
]


@pytest.fixture
def pipe(tmp_path: Path) -> Path:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    return path


def _write(path: Path, content: bytes) -> threading.Thread:
    def write() -> None:
        try:
            path.write_bytes(content)
        except BrokenPipeError:  # the reader had read enough
            return

    thread = threading.Thread(target=write, daemon=True)
    thread.start()
    return thread


@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize("path", ["/dev/zero", "/dev/full", "/dev/tty", "/"])
def test_an_endless_file_is_not_read(read: Callable[[Path], object], path: str) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        read(Path(path))


@pytest.mark.parametrize("read", READERS)
def test_a_pipe_without_a_writer_is_not_awaited_forever(
    read: Callable[[Path], object], pipe: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(boundedfile, "PIPE_SECONDS", 0.05)
    with pytest.raises(ConfigError, match=r"cannot be read: its end did not arrive within 0 s"):
        read(pipe)


def test_a_writer_that_does_not_end_is_not_awaited_forever(
    pipe: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(boundedfile, "PIPE_SECONDS", 0.05)
    writer = os.open(pipe, os.O_RDWR)
    os.write(writer, b"half")
    with pytest.raises(ConfigError, match="its end did not arrive"):
        read_bounded(pipe, 100, hint="")
    os.close(writer)


def test_a_pipe_is_read_to_its_end(pipe: Path) -> None:
    """Such as a shell's <(command)."""
    content = b"0123456789" * 20_000
    thread = _write(pipe, content)
    assert read_bounded(pipe, len(content), hint="") == content
    thread.join()


def test_a_pipe_that_is_already_open_is_read() -> None:
    reader, writer = os.pipe()
    os.write(writer, b"content")
    os.close(writer)
    assert read_bounded(Path(f"/dev/fd/{reader}"), 100, hint="") == b"content"
    os.close(reader)


def test_a_pipe_has_the_same_limit_as_a_file(pipe: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(bytes(101))
    _write(pipe, bytes(1_000_000))
    for path in (pipe, tmp_path / "file"):
        with pytest.raises(LimitError, match="larger than 100 bytes"):
            read_bounded(path, 100, hint="")
