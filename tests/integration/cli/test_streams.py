"""Readers that exit, full disks and closed streams do not stop a deployment."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

import pytest

from tests.integration.cli.harness import PROCESS_SECONDS, Desk, environment, range_xml, with_entry
from tests.integration.cli.test_deploy import OVERLAP, YES


@contextmanager
def _pipe_without_reader() -> Iterator[int]:
    """A pipe whose reader has exited."""
    reader, writer = os.pipe()
    os.close(reader)
    yield writer
    os.close(writer)


@pytest.fixture
def full_disk() -> Iterator[IO[bytes]]:
    with open("/dev/full", "wb") as file:  # noqa: PTH123
        yield file


@pytest.mark.parametrize("words", [("plan",), ("plan", "--json")])
def test_a_reader_that_exits_is_not_an_error(desk: Desk, words: tuple[str, ...]) -> None:
    with _pipe_without_reader() as pipe:
        result = desk.call(*words, stdout=pipe)
    assert (result.code, "Traceback" in result.err) == (0, False)


def test_the_exit_code_of_the_command_is_kept(desk: Desk) -> None:
    with _pipe_without_reader() as pipe:
        assert desk.call("diff", "add-new", "--exit-code", stdout=pipe).code == 3
        assert desk.call("--config", "missing.yaml", "plan", "--json", stdout=pipe).code == 2


@pytest.mark.parametrize("streams", [("stdout",), ("stderr",), ("stdout", "stderr")])
def test_a_reader_that_exits_does_not_stop_a_deployment(
    desk: Desk, streams: tuple[str, ...]
) -> None:
    with _pipe_without_reader() as pipe:
        result = desk.call(*YES, **dict.fromkeys(streams, pipe))
    assert result.code == 0
    assert desk.live() == OVERLAP


def test_a_full_disk_behind_stderr_does_not_stop_a_deployment(
    desk: Desk, full_disk: IO[bytes]
) -> None:
    result = desk.call("-vv", *YES, stderr=full_disk)
    assert result.code == 0
    assert "done: add-new is live" in result.out
    assert desk.live() == OVERLAP


def test_an_error_on_a_full_disk_keeps_its_exit_code(desk: Desk, full_disk: IO[bytes]) -> None:
    assert desk.call("--config", "missing.yaml", "plan", stderr=full_disk).code == 2


@pytest.mark.parametrize("option", [(), ("--json",)])
def test_a_full_disk_behind_stdout_is_an_error(
    desk: Desk, full_disk: IO[bytes], option: tuple[str, ...]
) -> None:
    result = desk.call("plan", *option, stdout=full_disk)
    result.refused(1, "standard output: the output can't be written: No space left on device")
    assert "stays changed" in result.impact


def test_a_deployment_with_unwritable_output_is_not_reported_as_unchanged(
    desk: Desk, full_disk: IO[bytes]
) -> None:
    result = desk.call(*YES, "--json", stdout=full_disk)
    result.refused(1, "standard output")
    assert "nothing was changed" not in result.impact
    assert desk.live() == OVERLAP


@pytest.mark.parametrize("closed", [">&-", "<&- >&- 2>&-"])
def test_closed_streams_do_not_matter(desk: Desk, closed: str) -> None:
    command = f'exec "$0" -m sfcutover deploy add-new --yes {closed}'
    done = subprocess.run(
        ["/bin/sh", "-c", command, sys.executable],
        cwd=desk.folder,
        capture_output=True,
        text=True,
        timeout=PROCESS_SECONDS,
        check=False,
    )
    assert done.returncode == 0
    assert "Traceback" not in done.stderr
    assert desk.live() == OVERLAP


def test_a_closed_stdin_requires_yes(desk: Desk) -> None:
    code = "import sys; sys.stdin = None; from sfcutover.__main__ import main; main()"
    result = desk.call("-c", code, "deploy", "add-new", module=False)
    result.refused(2, "confirmation is required")


@pytest.mark.parametrize("option", [(), ("--format", "markdown"), ("--json",)])
def test_a_locale_without_our_characters_gets_replacements(
    desk: Desk, option: tuple[str, ...]
) -> None:
    desk.put_live(with_entry(range_xml("192.0.2.9", "192.0.2.9", "Büro – Köln")))
    variables = environment(PYTHONIOENCODING="ascii", LC_ALL="C")
    result = desk.call("diff", "add-new", *option, env=variables)
    assert (result.code, result.err) == (0, "")
    if option == ("--json",):
        assert result.json("diff")["changed"]


def test_commands_need_no_home(desk: Desk) -> None:
    variables = {name: value for name, value in os.environ.items() if name != "HOME"}
    assert desk.call(*YES, env=variables).code == 0


def test_json_writes_only_the_document_to_stdout(desk: Desk) -> None:
    result = desk.call("-vv", *YES, "--json")
    assert result.json("deploy")["targets"][0]["outcome"] == "deployed"
    assert "+ 127.0.0.21" in result.err


def test_progress_is_on_stderr_and_data_on_stdout(desk: Desk) -> None:
    result = desk.call(*YES)
    assert "Waiting for the org" in result.err
    assert "Waiting for the org" not in result.out
    assert "127.0.0.21" not in result.err
