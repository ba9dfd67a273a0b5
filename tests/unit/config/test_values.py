from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from sfcutover.config.values import RangeEntry, SecretReference, Text
from sfcutover.errors import ConfigError


def test_a_secret_is_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SF_TOKEN", "from-the-environment")
    assert SecretReference(env="SF_TOKEN").read().reveal() == "from-the-environment"


def test_a_secret_is_read_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("from-a-file\n")
    assert SecretReference(file=tmp_path / "token").read().reveal() == "from-a-file"


def test_the_file_of_a_secret_is_relative_to_the_working_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("token").write_text("beside-me")
    assert SecretReference(file=Path("token")).read().reveal() == "beside-me"


@pytest.mark.parametrize(
    "name", ["", "1A", "A-B", "A B", "A=B", "A\n", "$A", "Ä", "00Dxx0000000001!AQ8"]
)
def test_only_the_name_of_a_variable_is_accepted(name: str) -> None:
    with pytest.raises(ValidationError, match="must be the name of an environment variable"):
        SecretReference(env=name)
    with pytest.raises(ValidationError, match="must be the name of an environment variable"):
        Text(env=name)


def test_a_text_is_literal_or_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SF_CLIENT_ID", " 3MVG9 ")
    assert Text.model_validate("3MVG9").read() == "3MVG9"
    assert Text.model_validate({"env": "SF_CLIENT_ID"}).read() == "3MVG9"


@pytest.mark.parametrize("data", [{}, {"literal": "a", "env": "B"}, None, 5, ["a"], "", "\x1b"])
def test_a_text_has_exactly_one_source(data: object) -> None:
    with pytest.raises(ValidationError):
        Text.model_validate(data)


def test_a_text_from_an_unset_variable_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SF_CLIENT_ID", raising=False)
    with pytest.raises(ConfigError, match="variable SF_CLIENT_ID is not set"):
        Text(env="SF_CLIENT_ID").read()


@pytest.mark.parametrize(
    "url",
    [
        "https://me:pw@example.com",
        "postgresql+psycopg://me:@db/x",
        "postgresql+psycopg://db/x?user=me&password=pw",
        "postgresql+psycopg://me@db/x?sslpassword=pw",
    ],
)
def test_a_url_with_a_password_is_refused_as_plain_text(url: str) -> None:
    with pytest.raises(ValidationError, match="must not contain a password"):
        Text.model_validate(url)


@pytest.mark.parametrize("text", ["http://[", "a:b@c", "https://me@example.com", "//"])
def test_texts_that_resemble_urls_are_accepted(text: str) -> None:
    assert Text.model_validate(text).read() == text


def test_a_model_is_immutable() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        SecretReference(env="A").env = "B"  # type: ignore[misc]


def test_a_range_keeps_its_description() -> None:
    entry = RangeEntry.model_validate({"range": "203.0.113.8/30", "description": "Müller & <eu>"})
    assert str(entry.to_range()) == "203.0.113.8-203.0.113.11"
    assert entry.to_range().description == "Müller & <eu>"
    assert not entry.is_private


@pytest.mark.parametrize(
    ("text", "private"),
    [
        ("9.255.255.255", False),
        ("10.0.0.0", True),
        ("11.0.0.0", False),
        ("172.15.255.255", False),
        ("172.16.0.0/24", True),
        ("172.32.0.0", False),
        ("100.63.255.255", False),
        ("100.128.0.0", False),
        ("128.0.0.0", False),
        ("fbff::1", False),
        ("fdff:ffff::1", True),
        ("fe00::1", False),
        ("febf::1", True),
        ("fec0::1", False),
        ("::2", False),
    ],
)
def test_the_borders_of_private_space_are_exact(text: str, private: bool) -> None:
    assert RangeEntry(range=text).is_private is private
