"""examples/secrets/: the canary's rotating token in secret managers, each with a stand-in."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from sfcutover.config.checks import Watch
from sfcutover.config.verify import TokenStore
from tests.chaos.world import NEW, ROOT, World, world
from tests.integration.emulator.traffic import redeem
from tests.integration.examples import standins

pytestmark = pytest.mark.slow  # managers of secrets, whose commands are processes

EXAMPLES = ROOT / "examples" / "secrets"
FILES = sorted(path.name for path in EXAMPLES.glob("*.yaml"))
GITHUB = "github-environment.yaml"


@dataclass
class Manager:
    """A world whose canary is in a secret manager, configured as an example's file."""

    world: World
    store: Path
    file: str

    @property
    def calls(self) -> list[list[str]]:
        log = self.store / "log"
        lines = log.read_text(encoding="utf-8").splitlines() if log.exists() else []
        return [json.loads(line) for line in lines]

    @property
    def puts(self) -> int:
        return sum(bool(standins.PUTS & set(call)) for call in self.calls)

    @property
    def token(self) -> str:
        """The token that the manager holds."""
        text = (self.store / "secret").read_text(encoding="utf-8")
        return str(json.loads(text)["token"] if text.startswith("{") else text).strip()

    @property
    def job_file(self) -> Path:
        return self.world.folder / "runner-temp" / "canary-token"

    def hold(self, token: str) -> None:
        text = json.dumps({"token": token}) if self.file == "vault.yaml" else token
        (self.store / "secret").write_text(text, encoding="utf-8")

    def start_job(self) -> None:
        """Start a job as GitHub does: the secret in its environment, and an empty folder."""
        folder = self.job_file.parent
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        self.world.environment |= {
            "CANARY_TOKEN": self.token,
            "CANARY_ENVIRONMENT": "salesforce",
            "GITHUB_REPOSITORY": "acme/packaging",
            "GH_TOKEN": "github_pat_of_the_tests",
            "RUNNER_TEMP": str(folder),
        }

    def redeems(self) -> bool:
        """True if the token that the manager holds is the grant's valid one."""
        proxy = self.world.emulator.environment["SFCUTOVER_NEW_PROXY_URL"]
        return redeem(self.world.emulator, self.token, proxy).ok


@pytest.fixture(params=FILES)
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Manager]:
    file, store = str(request.param), tmp_path / "store"
    store.mkdir()
    standins.install(tmp_path / "bin")
    example = yaml.safe_load((EXAMPLES / file).read_text(encoding="utf-8"))
    with world(tmp_path / "world") as here:
        path = here.folder / "cutover.yaml"
        config = yaml.safe_load(path.read_text(encoding="utf-8"))
        config["verify"] |= example["verify"]
        path.write_text(yaml.safe_dump(config), encoding="utf-8")
        shutil.copy(EXAMPLES / "github-canary", here.folder)
        here.environment["PATH"] = f"{tmp_path / 'bin'}{os.pathsep}{here.environment['PATH']}"
        here.environment["STANDIN_STORE"] = str(store)
        found = Manager(here, store, file)
        found.hold(here.emulator.environment["SF_REFRESH_TOKEN"])
        if file == GITHUB:
            found.start_job()
        yield found


def test_each_redemption_stores_its_new_token(manager: Manager) -> None:
    here = manager.world
    assert here.call("deploy", "add-new", "--yes")[0] == 0
    first = manager.token
    code, out = here.call("verify")
    assert code == 0, out
    assert manager.token != first
    assert manager.puts == len(here.emulator.redemptions) > 1
    assert manager.redeems()


def test_no_token_is_in_a_command_line_argument(manager: Manager) -> None:
    here = manager.world
    tokens = {manager.token}
    assert here.call("deploy", "add-new", "--yes")[0] == 0
    for _ in range(2):
        code, out = here.call("verify", "-vv")
        assert code == 0, out
        tokens.add(manager.token)
        assert not [token for token in tokens if token in out]
    words = {word for call in manager.calls for word in call}
    assert words
    assert not [word for word in words if any(token in word for token in tokens)]


def test_an_unresponsive_manager_loses_no_token(manager: Manager) -> None:
    """The redemption does not count, and the next command stores its token first."""
    here = manager.world
    assert here.call("deploy", "add-new", "--yes")[0] == 0
    (manager.store / "full").touch()
    code, out = here.call("verify", "--out", "evidence.json")
    assert code != 0, out
    assert "did not take the new refresh token" in out
    assert not (here.folder / "evidence.json").exists()
    (manager.store / "full").unlink()
    code, out = here.call("verify")
    assert code == 0, out
    assert manager.redeems()


@pytest.mark.parametrize("manager", [GITHUB], indirect=True)
def test_the_next_job_starts_with_the_newest_token(manager: Manager) -> None:
    here = manager.world
    assert here.call("deploy", "add-new", "--yes")[0] == 0
    for _ in range(2):
        code, out = here.call("verify")
        assert code == 0, out
        assert manager.job_file.read_text(encoding="utf-8").strip() == manager.token
        assert manager.job_file.stat().st_mode & 0o077 == 0
        manager.start_job()
        assert not manager.job_file.exists()


def test_a_whole_run_keeps_its_token_in_the_manager(manager: Manager) -> None:
    code, out = manager.world.call("run", "--yes")
    assert code == 0, out
    assert manager.world.live == set(NEW)
    assert manager.redeems()


@pytest.mark.parametrize("file", FILES)
def test_an_example_is_a_part_of_cutover_yaml(file: str) -> None:
    """It contains only what a user merges, and no shell besides the script's."""
    example = yaml.safe_load((EXAMPLES / file).read_text(encoding="utf-8"))
    assert example.keys() <= {"verify", "watch"}
    store = TokenStore.model_validate(example["verify"]["refresh_token"])
    assert store.get
    assert store.put
    Watch.model_validate(example.get("watch", {}))
