"""Cassettes: their folder, what is kept of a request, and the recorded org."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from vcr import VCR  # type: ignore[import-untyped]

from sfcutover.config.cutover import load_config
from sfcutover.salesforce.deployer import Deployer
from sfcutover.salesforce.metadata import MetadataClient
from sfcutover.salesforce.org import Org
from sfcutover.salesforce.retriever import Retriever
from sfcutover.salesforce.sessions import SessionProvider, provider_for
from sfcutover.util.clock import Clock
from tests.integration.salesforce.scrubbing import (
    APP,
    APP_VARIABLE,
    ORG_URL,
    SCRUBBED,
    same_operation,
    scrub_request,
    scrub_response,
)
from tests.support import FakeTime, StartEmulator, one_session

CASSETTES = Path(__file__).parents[3] / "cassettes"
_LOGIN = """\
version: 1
name: cassettes
app: {app}
old: [203.0.113.10]
new: [198.51.100.20]
targets:
  - name: recorded
    org:
      client_credentials:
        client_id: {{env: SF_CLIENT_ID}}
        client_secret: {{env: SF_CLIENT_SECRET}}
        login_url: {{env: SFCUTOVER_INSTANCE_URL}}
"""


@dataclass(frozen=True)
class RecordedOrg:
    """The org of a cassette: in replay there is none, and no time passes."""

    url: str
    app: str
    access_token: str
    clock: Clock
    folder: Path

    def client(
        self, provider: SessionProvider | None = None, api_version: str = "67.0"
    ) -> MetadataClient:
        return MetadataClient(
            Org(provider or one_session(self.url, self.access_token)), api_version
        )

    def retriever(self) -> Retriever:
        return Retriever(self.client(), self.clock)

    def deployer(self) -> Deployer:
        return Deployer(self.client(), self.clock)

    def client_credentials(self) -> SessionProvider:
        """A provider that logs in at the token endpoint, by the environment's client."""
        file = self.folder / "cutover.yaml"
        file.write_text(_LOGIN.format(app=self.app), encoding="utf-8")
        return provider_for(load_config(file).targets[0].org)


RecordAgainst = Callable[..., RecordedOrg]


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "emulated: a cassette that a real org can't be made to give")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Skip before fixtures run, because pytest-recording removes the old cassette in one."""
    if config.getoption("--record-mode") is None or "SFCUTOVER_INSTANCE_URL" not in os.environ:
        return
    for item in items:
        if item.get_closest_marker("emulated"):
            item.add_marker(pytest.mark.skip(reason="recorded from the emulator only"))


def pytest_recording_configure(config: pytest.Config, vcr: VCR) -> None:
    vcr.register_matcher("operation", same_operation)


@pytest.fixture
def vcr_config() -> dict[str, object]:
    return {
        "before_record_request": scrub_request,
        "before_record_response": scrub_response,
        "decode_compressed_response": True,
        "match_on": ["method", "path", "operation"],
    }


@pytest.fixture(scope="module")
def vcr_cassette_dir() -> str:
    return str(CASSETTES)


@pytest.fixture
def record_against(
    record_mode: str,
    start_emulator: StartEmulator,
    time_: FakeTime,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> RecordAgainst:
    """The org to record from; keywords are the emulator's scenario, if it is recorded from."""

    def record(**scenario: object) -> RecordedOrg:
        if record_mode == "none":
            monkeypatch.setenv("SFCUTOVER_INSTANCE_URL", ORG_URL)
            monkeypatch.setenv("SF_CLIENT_ID", SCRUBBED)
            monkeypatch.setenv("SF_CLIENT_SECRET", SCRUBBED)
            return RecordedOrg(ORG_URL, APP, SCRUBBED, time_.clock, tmp_path)
        if "SFCUTOVER_INSTANCE_URL" in os.environ:
            url, token = os.environ["SFCUTOVER_INSTANCE_URL"], os.environ["SF_ACCESS_TOKEN"]
            return RecordedOrg(url, os.environ[APP_VARIABLE], token, Clock(), tmp_path)
        emulator = start_emulator(**scenario)
        for name, value in emulator.environment.items():
            monkeypatch.setenv(name, value)
        token = emulator.environment["SF_ACCESS_TOKEN"]
        return RecordedOrg(emulator.url, APP, token, time_.clock, tmp_path)

    return record
