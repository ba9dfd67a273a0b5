"""state export and state import: a run that is resumed where only one file was handed over."""

from __future__ import annotations

import json
import shutil
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from sfcutover.emulator.scenario import Scenario
from tests.chaos.world import NEW, OLD, World, world
from tests.integration.cli.harness import SCHEMAS, Json

PAUSED = ("run", "--yes", "--pause-before", "remove-old")


@pytest.fixture
def here(tmp_path: Path) -> Iterator[World]:
    with world(tmp_path / "world", Scenario(deploy_seconds=0.5)) as one:
        yield one


def clone(here: World, folder: Path, home: Path | None = None) -> World:
    """The cutover's files in another folder, as a later job checks them out, with its own HOME."""
    shutil.copytree(here.folder, folder, ignore=shutil.ignore_patterns(".sfcutover", "xdg"))
    state = f"sqlite:///{folder}/.sfcutover/state.db"
    own = home or folder.with_name(f"{folder.name}-home")
    environment = {"STATE_URL": state, "XDG_STATE_HOME": str(own), "HOME": str(own)}
    return World(folder, here.emulator, state, here.environment | environment)


def paused_and_exported(here: World, artifact: Path) -> None:
    code, out = here.call(*PAUSED)
    assert code == 75, out
    code, out = here.call("state", "export", str(artifact))
    assert code == 0, out


def imported(here: World, folder: Path, artifact: Path) -> World:
    job = clone(here, folder)
    code, out = job.call("state", "import", str(artifact))
    assert code == 0, out
    return job


def refused(result: tuple[int, str], code: int, *parts: str) -> None:
    """Assert a complete error; it states an impact unless it is a usage or configuration error."""
    ended, out = result
    assert ended == code, out
    for part in (*parts, "  next:", f"  exit:   {code}"):
        assert part in out, out
    assert ("  impact:" in out) == (code != 2), out


@pytest.mark.slow
def test_a_run_is_resumed_in_another_job_with_the_file_alone(here: World, tmp_path: Path) -> None:
    artifact = tmp_path / "state.export"
    paused_and_exported(here, artifact)
    job = imported(here, tmp_path / "second", artifact)
    code, out = job.call("approve")
    assert code == 0, out
    assert job.live == set(NEW)
    assert job.phases == ["Succeeded", "Succeeded"]  # add-new once, remove-old once
    assert here.switches + job.switches == ["apply", "apply"]  # one, and its copy in the clone
    code, out = job.call("report", "--format", "md")
    assert "the run continues from export 1 of its state" in out


@pytest.mark.slow
def test_the_export_is_one_complete_file_that_only_its_owner_can_read(
    here: World, tmp_path: Path
) -> None:
    artifact = tmp_path / "state.export"
    paused_and_exported(here, artifact)
    assert stat.S_IMODE(artifact.stat().st_mode) == 0o600
    assert [each.name for each in tmp_path.glob("*state*")] == ["state.export"]
    assert not list(tmp_path.glob(".sfcutover-*"))
    with closing(sqlite3.connect(f"{artifact.as_uri()}?mode=ro&immutable=1", uri=True)) as file:
        assert file.execute("PRAGMA journal_mode").fetchone() == ("delete",)


@pytest.mark.slow
def test_the_export_contains_no_secret(here: World, tmp_path: Path) -> None:
    artifact = tmp_path / "state.export"
    paused_and_exported(here, artifact)
    text = artifact.read_bytes()
    planted = {
        name: value
        for name, value in {**here.emulator.environment, **here.environment}.items()
        if any(word in name for word in ("TOKEN", "SECRET", "AUTH_URL", "PASSWORD"))
        and not name.endswith("_URL")
    }
    assert planted
    for name, value in planted.items():
        assert value.encode() not in text, name
    assert (here.folder / "canary.token").read_bytes().strip() not in text


@pytest.mark.slow
def test_the_document_fits_its_schema(here: World, tmp_path: Path) -> None:
    artifact = tmp_path / "state.export"
    paused_and_exported(here, artifact)
    schema = json.loads((SCHEMAS / "state.schema.json").read_text(encoding="utf-8"))
    job = clone(here, tmp_path / "second")
    process = job.start("state", "import", str(artifact), "--json", "-q")
    document: Json = json.loads(process.communicate(timeout=60)[0])
    Draft202012Validator(schema).validate(document)
    assert (document["action"], document["number"]) == ("import", 1)
    assert [each["state"] for each in document["runs"]] == ["waiting"]


@pytest.mark.slow
def test_an_export_older_than_a_known_one_is_refused(here: World, tmp_path: Path) -> None:
    first, second = tmp_path / "first.export", tmp_path / "second.export"
    paused_and_exported(here, first)
    job = imported(here, tmp_path / "second", first)
    assert job.call("state", "export", str(second))[0] == 0
    refused(job.call("state", "import", str(first)), 2, "number 1 is older than number 2")
    fresh = clone(here, tmp_path / "third", home=tmp_path / "second-home")
    refused(fresh.call("state", "import", str(first)), 2, "number 1 is older than number 2")
    assert not (fresh.folder / ".sfcutover" / "state.db").exists()
    code, out = fresh.call("state", "import", str(second))
    assert code == 0, out


@pytest.mark.slow
def test_a_newer_state_is_not_overwritten(here: World, tmp_path: Path) -> None:
    artifact = tmp_path / "state.export"
    paused_and_exported(here, artifact)
    code, out = here.call("approve")
    assert code == 0, out
    refused(here.call("state", "import", str(artifact)), 2, "has changed since the export")
    assert here.runs()[0]["state"] == "done"


@pytest.mark.slow
def test_an_unrelated_state_is_not_overwritten(here: World, tmp_path: Path) -> None:
    artifact = tmp_path / "state.export"
    paused_and_exported(here, artifact)
    with world(tmp_path / "other") as other:
        assert other.call("run", "--yes", "--pause-before", "add-new")[0] == 75
        refused(other.call("state", "import", str(artifact)), 2, "has runs of its own")


@pytest.mark.slow
def test_a_forked_state_is_detected_before_anything_is_sent(here: World, tmp_path: Path) -> None:
    artifact = tmp_path / "state.export"
    paused_and_exported(here, artifact)
    one = imported(here, tmp_path / "one", artifact)
    two = imported(here, tmp_path / "two", artifact)
    code, out = one.call("approve")
    assert code == 0, out
    sent = len(here.emulator.deployments)
    redeemed = len(here.emulator.redemptions)
    refused(two.call("approve"), 4, here.emulator.deployments[-1].id, "does not contain")
    refused(two.call("run"), 4, here.emulator.deployments[-1].id)
    assert len(here.emulator.deployments) == sent
    assert len(here.emulator.redemptions) == redeemed
    assert two.runs()[0]["state"] == "waiting"


@pytest.mark.slow
def test_a_fork_made_before_the_first_deployment_is_detected(here: World, tmp_path: Path) -> None:
    artifact = tmp_path / "state.export"
    code, out = here.call("run", "--yes", "--pause-before", "add-new")
    assert code == 75, out
    assert here.call("state", "export", str(artifact))[0] == 0
    one, two = (imported(here, tmp_path / name, artifact) for name in ("one", "two"))
    assert one.call("approve")[0] == 0
    refused(two.call("approve"), 4, here.emulator.deployments[0].id)
    assert two.live == set(NEW)


@pytest.mark.slow
def test_state_commands_are_refused_while_a_process_executes_the_run(
    here: World, tmp_path: Path
) -> None:
    artifact = tmp_path / "state.export"
    process = here.start(*PAUSED, "--stay")
    here.wait_for("paused")
    refused(here.call("state", "export", str(artifact)), 69, "the cutover's run is in progress at")
    assert not artifact.exists()
    process.kill()
    process.communicate()
    assert here.call("state", "export", str(artifact))[0] == 0


@pytest.mark.parametrize(
    ("content", "part"),
    [
        (None, "the file does not exist"),
        (b"<html>", "cannot be read"),
        (b"", "not an exported state"),
    ],
)
def test_a_file_that_is_not_an_export_is_refused(
    content: bytes | None, part: str, here: World, tmp_path: Path
) -> None:
    artifact = tmp_path / "state.export"
    if content is not None:
        artifact.write_bytes(content)
    refused(here.call("state", "import", str(artifact)), 2, part)


@pytest.mark.slow
def test_a_state_file_in_use_is_not_an_export(here: World, tmp_path: Path) -> None:
    paused_and_exported(here, tmp_path / "state.export")
    job = clone(here, tmp_path / "second")
    state = here.folder / ".sfcutover" / "state.db"
    refused(job.call("state", "import", str(state)), 2, "a state in use")


@pytest.mark.slow
def test_a_damaged_export_is_refused(here: World, tmp_path: Path) -> None:
    artifact = tmp_path / "state.export"
    paused_and_exported(here, artifact)
    whole = artifact.read_bytes()
    artifact.write_bytes(whole[: len(whole) // 2])
    job = clone(here, tmp_path / "second")
    refused(job.call("state", "import", str(artifact)), 2)
    assert not (job.folder / ".sfcutover" / "state.db").exists()


@pytest.mark.slow
def test_an_export_of_another_version_is_refused(here: World, tmp_path: Path) -> None:
    artifact = tmp_path / "state.export"
    paused_and_exported(here, artifact)
    with closing(sqlite3.connect(artifact)) as file:
        file.execute("UPDATE sfcutover_state SET version = '0'")
        file.commit()
    job = clone(here, tmp_path / "second")
    result = job.call("state", "import", str(artifact))
    refused(result, 2, f"{artifact}: the file has the state version 0")


@pytest.mark.parametrize("verb", ["export", "import"])
def test_state_commands_refuse_postgresql_as_unnecessary(
    verb: str, here: World, tmp_path: Path
) -> None:
    here.environment["STATE_URL"] = "postgresql+psycopg://nowhere.invalid/runs"
    result = here.call("state", verb, str(tmp_path / "state.export"))
    refused(result, 2, "which every job can reach")


@pytest.mark.slow
def test_old_addresses_stay_until_the_approval(here: World, tmp_path: Path) -> None:
    artifact = tmp_path / "state.export"
    paused_and_exported(here, artifact)
    job = imported(here, tmp_path / "second", artifact)
    assert job.live == {*OLD, *NEW}
