"""A grant that rotates, the endpoint that redeems it, and a state folder of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from sfcutover.traffic import tokenredemption
from sfcutover.traffic.tokenanswer import TokenEndpoint
from sfcutover.util.http import new_session
from tests.integration.traffic.rotation import Grant, endpoint_at
from tests.support import StartServer


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    yield tmp_path / "state" / "sfcutover"
    tokenredemption._helpers.close_idle()


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
