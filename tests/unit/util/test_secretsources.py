from __future__ import annotations

import os
import traceback
from pathlib import Path

import pytest

from sfcutover.errors import ConfigError, ExitCode
from sfcutover.util import secrets as credentials
from sfcutover.util.secretsources import (
    MAX_SECRET_BYTES,
    environment_value,
    secret_from_environment,
    secret_from_file,
)

WHERE = "cutover.yaml:7"
VALUE = "hunter2/with+odd=parts"


@pytest.fixture(autouse=True)
def nothing_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forgets secrets of other tests, which would be masked here."""
    monkeypatch.setattr(credentials, "_known", set())


# From the environment


def test_a_variable_is_read_without_blanks_around_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SF_TOKEN", f" {VALUE}\r\n")
    assert secret_from_environment("SF_TOKEN", WHERE).reveal() == VALUE


@pytest.mark.parametrize(
    ("value", "state"), [(None, "is not set"), ("", "is empty"), (" \n", "is empty")]
)
def test_a_variable_without_a_value_is_named(
    monkeypatch: pytest.MonkeyPatch, value: str | None, state: str
) -> None:
    monkeypatch.delenv("SF_TOKEN", raising=False)
    if value is not None:
        monkeypatch.setenv("SF_TOKEN", value)
    for read in (secret_from_environment, environment_value):
        with pytest.raises(ConfigError) as caught:
            read("SF_TOKEN", WHERE)
        assert caught.value.message == f"the environment variable SF_TOKEN {state}"
        assert (caught.value.where, caught.value.exit_code) == (WHERE, ExitCode.USAGE)
        assert "export SF_TOKEN=" in caught.value.hint


def test_a_binary_variable_is_refused_without_its_content(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(os.environb, b"SF_TOKEN", b"hunter2\xff")
    with pytest.raises(ConfigError) as caught:
        secret_from_environment("SF_TOKEN", WHERE)
    assert caught.value.message == "the environment variable SF_TOKEN is not UTF-8"
    assert "hunter2" not in "".join(traceback.format_exception(caught.value))


# From a file


def test_a_file_is_read_without_blanks_around_it(tmp_path: Path) -> None:
    (tmp_path / "token").write_bytes(f"{VALUE}\r\n".encode())
    assert secret_from_file(tmp_path / "token", WHERE).reveal() == VALUE


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "No such file or directory"),
        (b"", "it is empty"),
        (b" \n\t\n", "it is empty"),
        (b"hunter2\xff\xfe", "it is not UTF-8"),
        (b"hunter2" * 10_000, "it is larger than 65,536 bytes"),
        ("ü".encode() * MAX_SECRET_BYTES, "it is larger than 65,536 bytes"),
    ],
    ids=["missing", "empty", "blank", "binary", "huge", "huge-text"],
)
def test_an_invalid_file_is_refused_without_its_content(
    tmp_path: Path, content: bytes | None, reason: str
) -> None:
    path = tmp_path / "token"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        secret_from_file(path, WHERE)
    assert caught.value.message == f"the secret's file {path} cannot be read: {reason}"
    assert (caught.value.where, caught.value.exit_code) == (WHERE, ExitCode.USAGE)
    assert "hunter2" not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize("path", [Path("/dev/zero"), Path("/"), Path("a\0b"), Path("x" * 300)])
def test_a_path_that_is_not_a_file_is_refused(path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        secret_from_file(path, WHERE)


def test_a_file_of_the_largest_size_is_read(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("x" * MAX_SECRET_BYTES)
    assert len(secret_from_file(tmp_path / "token", WHERE).reveal()) == MAX_SECRET_BYTES
