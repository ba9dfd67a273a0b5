"""state: of cutover.yaml: the URLs of databases."""

from __future__ import annotations

import pytest

from sfcutover.config.state import State
from sfcutover.errors import ConfigError


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("postgres://u:hunter2@host/db", "starts with postgres://; write postgresql+"),
        ("POSTGRES://host/db", "starts with postgres://"),
        ("mysql+pymysql://host/db", "starts with mysql+pymysql:, but only SQLite and"),
        ("redis://u:hunter2@host", "starts with redis:"),
        ("host/database", "is not a URL"),
        ("sqlite://state.db", "needs three slashes before a relative path"),
        ("sqlite:state.db", "needs three slashes"),
    ],
)
def test_a_database_of_another_kind_is_named(
    url: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STATE_URL", url)
    state = State.model_validate({"url": {"env": "STATE_URL"}})
    with pytest.raises(ConfigError) as caught:
        state.database_url()
    assert caught.value.message.startswith(f"state.url {words}")
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    ["sqlite:///state.db", "sqlite:////tmp/state.db", "postgresql://h/d", "postgresql+psycopg://h"],
)
def test_a_database_of_a_known_kind_is_read(url: str) -> None:
    assert State.model_validate({"url": url}).database_url() == url
