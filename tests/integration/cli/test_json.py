"""The --json document of every command, and of its errors, fits its schema."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import click
import pytest
from jsonschema import Draft202012Validator, FormatChecker
from pydantic import JsonValue

from sfcutover.cli import cli
from tests.chaos.world import RUN_SECONDS, World, world
from tests.integration.cli.harness import SCHEMAS, Desk
from tests.integration.cli.test_case import set_up

# Without a document: worker serves until it is ended, and schema prints a schema.
WITHOUT = {"worker", "schema"}
ELSEWHERE = {"case", "emulator", "demo"}  # below, and the demo's in test_demo.py


FORMATS = FormatChecker(formats=())


@FORMATS.checks("date-time", raises=ValueError)
def _is_time(value: object) -> bool:
    return not isinstance(value, str) or datetime.fromisoformat(value).tzinfo is not None


@dataclass(frozen=True)
class Row:
    """A command, the schema of each document that it prints, and its exit code.

    Words that start with $ stand for what an earlier command printed.
    """

    words: str
    schema: str
    code: int = 0


# A cutover step by step and its rollback, then a canceled run, and an approved one.
JOURNEY = [
    Row("init --instance-url $url --config new.yaml", "init"),
    Row("doctor", "doctor"),
    Row("plan --out plan.json", "plan"),
    Row("plan --show plan.json", "plan"),
    Row("render --out packages", "render"),
    Row("render add-new --out packages.zip --zip", "render"),
    Row("diff add-new", "diff"),
    Row("diff add-new --exit-code", "diff", 3),
    Row("probe", "probe"),
    Row("verify --control", "control"),
    Row("deploy add-new --yes --dry-run", "deploy"),
    Row("deploy add-new --yes --plan plan.json", "deploy"),
    Row("deploy add-new --yes", "deploy"),
    Row("deployment report $deployment", "deployment"),
    Row("deployment wait $deployment", "deployment"),
    Row("deployment cancel $deployment", "deployment", 1),  # it has ended already
    Row("switch", "switch"),
    Row("verify --out evidence.json", "evidence"),
    Row("deploy remove-old --yes --evidence evidence.json --traffic-moved", "deploy"),
    Row("watch", "watch"),
    Row("rollback --yes", "deploy"),
    Row("switch --revert", "switch"),
    Row("rollback --to baseline --yes --traffic-moved", "deploy"),
    Row("run --yes --pause-before switch --traffic-moved", "event", 75),
    Row("report", "report"),
    Row("runs", "runs"),
    Row("cancel", "event"),
    Row("run --yes --again --pause-before switch --traffic-moved", "event", 75),
    Row("state export state.export", "state"),
    Row("state import state.export", "state"),
    Row("approve", "event"),
    Row("diff --exact", "drift"),
    Row("report --from plan.json evidence.json", "report"),
    Row("runs --follow", "event"),
    Row("runs $run", "runs"),
    Row("report --format json", "report"),
]


def leaves(command: click.Command, *path: str) -> Iterator[tuple[str, ...]]:
    """Every command that runs something, by its words."""
    if not isinstance(command, click.Group):
        yield path
        return
    context = click.Context(command)
    for name in command.list_commands(context):
        found = command.get_command(context, name)
        assert found is not None
        yield from leaves(found, *path, name)


LEAVES = [" ".join(path) for path in leaves(cli)]


def validated(out: str, schema: str) -> list[JsonValue]:
    """The documents on stdout, one or one a line, of this schema; an error document may follow."""
    try:
        documents = [json.loads(out)]
    except ValueError:
        documents = [json.loads(line) for line in out.splitlines()]
    names = [document["schema"] for document in documents]
    assert set(names[:1] + names[:-1]) == {f"sfcutover/{schema}/1"}
    assert names[-1] in (f"sfcutover/{schema}/1", "sfcutover/error/1")
    for document in documents:
        name = document["schema"].split("/")[1]
        content = json.loads((SCHEMAS / f"{name}.schema.json").read_text(encoding="utf-8"))
        Draft202012Validator(content, format_checker=FORMATS).validate(document)
    return documents


def called(here: World, words: Sequence[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "sfcutover", *words, "--json"],
        cwd=here.folder,
        env=here.environment,
        capture_output=True,
        text=True,
        timeout=RUN_SECONDS,
        check=False,
    )


def test_every_command_has_a_row_for_its_document() -> None:
    tried = {
        leaf for leaf in LEAVES if any(f"{row.words} ".startswith(f"{leaf} ") for row in JOURNEY)
    }
    assert set(LEAVES) == tried | ELSEWHERE | WITHOUT


@pytest.mark.slow
def test_every_document_of_a_cutover_fits_its_schema(tmp_path: Path) -> None:
    with world(tmp_path / "world") as here:
        known = {"$url": here.emulator.url, "$run": "emulated-cutover.1"}
        for row in JOURNEY:
            words = [known.get(word, word) for word in row.words.split()]
            done = called(here, words)
            assert done.returncode == row.code, f"{row.words}\n{done.stdout}\n{done.stderr}"
            assert validated(done.stdout, row.schema), row.words
            if here.emulator.deployments:
                known["$deployment"] = here.emulator.deployments[-1].id


def test_the_documents_of_a_support_case_fit_their_schemas(desk: Desk) -> None:
    legacy = set_up(desk)
    validated(legacy.run("case", "add-new", "--json").out, "case")
    legacy.emulator.support_sets_allowlist(["127.0.0.11", "127.0.0.12", "127.0.0.21", "127.0.0.22"])
    validated(legacy.run("case", "add-new", "--confirmed", "--json").out, "case")


def test_the_document_of_the_emulator_fits_its_schema(desk: Desk) -> None:
    command = [sys.executable, "-m", "sfcutover", "emulator", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=desk.folder) as process:
        assert process.stdout is not None
        lines = list(until_closed(process.stdout))
        process.send_signal(signal.SIGTERM)
    assert process.returncode == 0
    validated("".join(lines), "emulator")


def until_closed(lines: Iterable[str]) -> Iterator[str]:
    """The lines of one document; the command that prints them does not end."""
    for line in lines:
        yield line
        if line == "}\n":
            return


WRONG = {
    "init": ("--app", "Acme"),
    "schema": ("nothing",),
    "emulator": ("--scenario", "missing.yaml"),
    "demo": ("--fault", "none-such"),
    "render": ("--out", "packages"),
    "diff": ("add-new",),
    "deploy": ("add-new",),
    "case": ("add-new",),
}


@pytest.mark.parametrize("leaf", LEAVES)
def test_every_command_reports_an_error_as_a_document(desk: Desk, leaf: str) -> None:
    deployment = ("0AfKB00000Cvz1r",) if leaf.startswith("deployment") else ()
    words = (*leaf.split(), *WRONG.get(leaf, deployment))
    result = desk.run("--config", "missing.yaml", *words, "--json")
    assert result.code == 2, result.err
    (document,) = validated(result.out, "error")
    assert isinstance(document, dict)
    assert document["exit_code"] == 2
    assert "Traceback" not in result.err
