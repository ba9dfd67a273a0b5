"""The demo prints what its documentation page shows, and leaves its report and nothing else."""

from __future__ import annotations

import re
import signal
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import click
import pytest

from sfcutover.cli.demo.result import DemoFault
from tests.docs.recording import (
    PICTURE,
    demo_on_a_terminal,
    left_on_screen,
    lines_of,
    picture,
)
from tests.integration.cli.harness import Desk, Process, Result, environment

PAGE = (Path(__file__).parents[3] / "docs/reference/demo.md").read_text(encoding="utf-8")
ON_A_TERMINAL = ("demo",)
AT_ONCE = 3  # demos mostly wait; more would slow each other down
_EXAMPLE = re.compile(
    r"^\$ sfcutover (demo.*)\n((?:(?!\$ ).*\n)+)\$ echo \$\?\n(\d+)\n", re.MULTILINE
)
_VARIABLE = re.compile(
    r"(?P<address>\d+(?:\.\d+){3})|(?P<decimal>\d+\.\d)|(?P<number>\d+)"
    r"|(?P<folder>/tmp/sfcutover-demo-\w+)|(?P<spaces> +)"
)


@dataclass(frozen=True)
class Example:
    """A command of the page, its last lines and its exit code there."""

    words: tuple[str, ...]
    last: tuple[str, ...]
    code: int


def _examples() -> list[Example]:
    blocks = re.findall(r"```console\n(.*?)```", PAGE, re.DOTALL)
    return [
        Example(
            tuple(words.split()),
            tuple(line for line in shown.splitlines() if line != "…"),
            int(code),
        )
        for block in blocks
        for words, shown, code in _EXAMPLE.findall(block)
    ]


EXAMPLES = _examples()


def pattern_of(line: str) -> str:
    """A pattern of the line with other counts, seconds and folders.

    Zero stays zero, another number does not become zero, and an address stays as it is.
    """
    parts, end = [], 0
    for found in _VARIABLE.finditer(line):
        parts += [re.escape(line[end : found.start()]), _any_like(found)]
        end = found.end()
    return "".join([*parts, re.escape(line[end:])])


def _any_like(found: re.Match[str]) -> str:
    text = found[0]
    match found.lastgroup:
        case "address":
            return re.escape(text)
        case "decimal" | "number" if float(text) == 0:
            return re.escape(text)
        case "decimal":
            return r"(?!0\.0)\d+\.\d"
        case "number":
            return r"[1-9]\d*"
        case "folder":
            return r"/\S+/sfcutover-demo-\w+"
        case _:
            return " +"


@dataclass(frozen=True)
class Shown:
    """What a demo wrote, and what it left in its home folder and among temporary files."""

    result: Result
    home: list[Path]
    temporary: list[Path]


class Demos:
    """Runs several demos at a time, each with its own home and temporary folder."""

    def __init__(self, folder: Path, pool: ThreadPoolExecutor) -> None:
        self._folder = folder
        self._pool = pool
        self._shown: dict[tuple[str, ...], Future[Shown]] = {}

    def start_demo(self, words: tuple[str, ...]) -> None:
        folder = self._folder / str(len(self._shown))
        self._shown[words] = self._pool.submit(_show, words, folder)

    def shown(self, *words: str) -> Shown:
        return self._shown[words].result()


def _show(words: tuple[str, ...], folder: Path) -> Shown:
    result = _on_a_terminal(folder) if words == ON_A_TERMINAL else _piped(words, folder)
    return Shown(result, _left(folder / "home"), _left(folder / "tmp"))


def _on_a_terminal(folder: Path) -> Result:
    code, written = demo_on_a_terminal(folder / "work", _variables(folder))
    return Result(code, written, "")


def _piped(words: tuple[str, ...], folder: Path) -> Result:
    process = _started(words, folder)
    try:
        return process.result()
    finally:
        process.end()


def _started(words: tuple[str, ...], folder: Path) -> Process:
    return Process(words, cwd=folder / "work", env=_variables(folder))


def _variables(folder: Path) -> Mapping[str, str]:
    """The environment of a demo, whose folders are created."""
    for name in ("home", "tmp", "work"):
        (folder / name).mkdir(parents=True)
    return environment(
        HOME=str(folder / "home"),
        TMPDIR=str(folder / "tmp"),
        SFCUTOVER_CONFIG="not-for-the-demo.yaml",
        HTTPS_PROXY="http://127.0.0.1:9",
    )


def _left(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


JSON = ("demo", "--order", "wrong", "--json")


@pytest.fixture(scope="module")
def demos(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demos]:
    with ThreadPoolExecutor(AT_ONCE) as pool:
        demos = Demos(tmp_path_factory.mktemp("demos"), pool)
        for words in (JSON, *(example.words for example in EXAMPLES)):
            demos.start_demo(words)
        yield demos


def test_the_page_shows_every_variant() -> None:
    faults = [("demo", "--fault", name) for name in get_args(DemoFault)]
    shown = [example.words for example in EXAMPLES]
    assert shown == [("demo",), ("demo", "--order", "wrong"), *faults]


@pytest.mark.slow
@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: " ".join(example.words))
def test_each_variant_ends_as_the_page_shows(demos: Demos, example: Example) -> None:
    result = demos.shown(*example.words).result
    assert result.code == example.code, result.out + result.err
    lines = click.unstyle(result.out).splitlines()[-len(example.last) :]
    for line, expected in zip(lines, example.last, strict=True):
        assert re.fullmatch(pattern_of(expected), line), (line, expected)
    assert "Traceback" not in result.err


@pytest.mark.slow
@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: " ".join(example.words))
def test_each_variant_leaves_its_report_and_nothing_else(demos: Demos, example: Example) -> None:
    shown = demos.shown(*example.words)
    assert shown.home == []
    (report,) = shown.temporary
    assert shown.result.out.endswith(f"\nreport: {report}\n")
    assert "<html" in report.read_text(encoding="utf-8")


@pytest.mark.slow
def test_the_picture_in_the_readme_is_up_to_date(demos: Demos) -> None:
    result = demos.shown(*ON_A_TERMINAL).result
    assert result.code == 0, result.out
    shown = picture(left_on_screen(result.out))
    assert words_of(PICTURE.read_text(encoding="utf-8")) == words_of(shown), "make recording"


def words_of(svg: str) -> list[str]:
    """The picture's words without numbers, which decide the order of some lines."""
    return sorted(re.sub(r"\d+", "0", " ".join(lines_of(svg))).split())


@pytest.mark.slow
def test_demo_states_that_timers_are_shortened(demos: Demos) -> None:
    assert "Timers are shortened: settle 2 s (default 60 s)" in demos.shown("demo").result.out


@pytest.mark.slow
def test_demo_shows_the_refusal_of_the_wrong_order(demos: Demos) -> None:
    result = demos.shown("demo", "--order", "wrong").result
    assert "$ sfcutover deploy remove-old --yes\n(exit code 4)\n" in result.out
    assert "the new addresses 127.0.0.21, 127.0.0.22 are not on the live allowlist" in result.err


@pytest.mark.slow
def test_json_holds_both_orders_in_one_document(demos: Demos) -> None:
    result = demos.shown(*JSON).result
    document = result.json("demo")
    assert (result.code, document["ok"], document["problems"]) == (0, True, [])
    assert Path(document["report"]).exists()
    right, wrong = document["performances"]
    assert (right["order"], right["failed"], right["outage_seconds"]) == ("right", 0, 0)
    assert right["deployments"] == {"add-new": 1, "remove-old": 1}
    assert wrong["failed"] > 0
    assert wrong["outage_seconds"] > 0  # how long depends on the machine, too
    failed = {each["phase"]: each["failed"] for each in wrong["phases"]}
    assert failed["before"] == 0
    assert min(failed["remove-old"], failed["add-new"]) > 0  # until the traffic moves
    assert (wrong["commands"][0]["exit_code"], wrong["deployments"]) == (4, {})
    last = right["phases"][-1]
    assert last["phase"] == "watch"
    assert {each["address"] for each in last["addresses"]} == {"127.0.0.21", "127.0.0.22"}
    assert "done: run emulated-cutover.1" in result.err


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_demo_leaves_nothing(tmp_path: Path, number: signal.Signals) -> None:
    process = _started(("demo",), tmp_path)
    try:
        process.wait_for("probe: done")
        process.send(number)
        result = process.result()  # the inner run holds stderr, so it has ended, too
    finally:
        process.end()
    result.refused(9, "interrupted")
    assert list((tmp_path / "tmp").iterdir()) == []
    assert list((tmp_path / "home").iterdir()) == []


def test_fault_and_wrong_order_exclude_each_other(desk: Desk) -> None:
    result = desk.run("demo", "--order", "wrong", "--fault", "crash")
    result.refused(2, "--fault and --order wrong exclude each other")


@pytest.mark.parametrize(
    ("written", "shown", "fits"),
    [
        ("0 of 303 failed", "0 of 7 failed", True),
        ("0 of 303 failed", "1 of 303 failed", False),
        ("9 refused", "0 refused", False),
        ("outage 4.1 s", "outage 12.0 s", True),
        ("outage 4.1 s", "outage 0.0 s", False),
        ("saw 127.0.0.22", "saw 127.0.0.21", False),
        ("all      10   0", "all     103   0", True),
        ("report: /tmp/sfcutover-demo-a1/r", "report: /var/x/sfcutover-demo-b_2/r", True),
        ("done", "DONE", False),
    ],
)
def test_examples_may_differ_only_in_counts_seconds_and_folders(
    written: str, shown: str, fits: bool
) -> None:
    assert bool(re.fullmatch(pattern_of(written), shown)) == fits
