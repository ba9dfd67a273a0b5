"""The completion index of the shells, and the values that completion reads from files."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import click
import pytest
from click.shell_completion import ShellComplete

from sfcutover.cli import cli
from sfcutover.cli.completion import INDEX, index_text


class Words(ShellComplete):
    """Completion of the last word, as a shell asks for it."""

    name = "words"

    def of(self, *words: str) -> list[str]:
        return [each.value for each in self.get_completions(list(words[:-1]), words[-1])]


@pytest.fixture
def completing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Words:
    monkeypatch.chdir(tmp_path)
    return Words(cli, {}, "sfcutover", "_SFCUTOVER_COMPLETE")


def write_state(path: Path) -> None:
    path.parent.mkdir(exist_ok=True)
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("CREATE TABLE sfcutover_runs (id TEXT, started REAL)")
        database.execute("INSERT INTO sfcutover_runs VALUES ('move.1', 1), ('move.2', 2)")


def test_the_index_is_up_to_date() -> None:
    assert INDEX.read_text(encoding="utf-8") == index_text(), "run make schemas"


def test_every_command_and_its_help_are_offered(completing: Words) -> None:
    assert completing.of("") == cli.list_commands(click.Context(cli))
    offered = {each.value: each.help for each in completing.get_completions(["deploy"], "--ev")}
    assert offered == {
        "--evidence": "For remove-old and remove-new: use the evidence in this file, which verify "
        "--out wrote."
    }


def test_targets_come_from_the_file_that_is_named(completing: Words) -> None:
    Path("cutover.yaml").write_text("targets: [{name: packaging}]")
    Path("mine.yaml").write_text("targets: [{name: partner}, {org: {}}, 7]")
    assert completing.of("--target", "") == ["packaging"]
    assert completing.of("--config", "mine.yaml", "diff", "add-new", "--target", "") == ["partner"]
    assert completing.of("diff", "--config", "mine.yaml", "--target", "") == ["partner"]


@pytest.mark.parametrize("text", ["targets: 7", "[", "- 1", "\0", "targets: {a: b}", ""])
def test_an_invalid_file_offers_nothing(completing: Words, text: str) -> None:
    Path("cutover.yaml").write_text(text)
    assert completing.of("--target", "") == []
    assert completing.of("runs", "") == []


def test_runs_are_offered_newest_first_and_nothing_is_written(completing: Words) -> None:
    write_state(Path(".sfcutover/state.db"))
    assert completing.of("report", "") == ["move.2", "move.1"]
    assert [path.name for path in Path(".sfcutover").iterdir()] == ["state.db"]


def test_runs_are_offered_while_a_process_writes_them(completing: Words) -> None:
    path = Path(".sfcutover/state.db")
    write_state(path)
    with closing(sqlite3.connect(path)) as database:
        database.execute("INSERT INTO sfcutover_runs VALUES ('move.3', 3)")
        database.commit()
        database.execute("BEGIN IMMEDIATE")
        assert completing.of("approve", "") == ["move.3", "move.2", "move.1"]


def test_runs_are_read_from_the_state_that_the_file_names(
    completing: Words, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("there").mkdir()
    Path("there/cutover.yaml").write_text("state: {url: {env: THE_STATE}}")
    monkeypatch.setenv("THE_STATE", "sqlite+pysqlite:///kept/runs.db?timeout=3")
    write_state(Path("there/kept/runs.db"))
    assert completing.of("--config", "there/cutover.yaml", "cancel", "") == ["move.2", "move.1"]
    monkeypatch.setenv("THE_STATE", "postgresql+psycopg://host/database")
    assert completing.of("--config", "there/cutover.yaml", "cancel", "") == []


def test_an_invalid_state_offers_nothing_and_is_not_created(completing: Words) -> None:
    assert completing.of("runs", "") == []
    assert not Path(".sfcutover").exists()
    Path(".sfcutover").mkdir()
    assert completing.of("runs", "") == []
    assert list(Path(".sfcutover").iterdir()) == []
    Path(".sfcutover/state.db").write_text("no database")
    assert completing.of("runs", "") == []


def test_an_unknown_command_is_no_error(completing: Words) -> None:
    assert "deploy" in completing.of("deplyo", "")
