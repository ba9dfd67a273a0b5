"""``make bench``: the project's speed goals, as ratios within one run.

Machines differ and are shared, so no test asserts a figure; the table says what was measured
and what the goal is, and ``make bench`` writes it to docs/explanation/performance.md.
``make bench SHORT=1`` measures the same with few repetitions and without the official CLI, within
about a minute, and writes no page: its figures say little, but it fails where a measurement no
longer works.
"""

from __future__ import annotations

import argparse
import math
import os
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sfcutover.allowlist.carriers import CARRIERS
from sfcutover.allowlist.component import Component, Field
from sfcutover.allowlist.package import build_package
from sfcutover.allowlist.ranges import Allowlist, IpRange
from sfcutover.allowlist.templates import Templates
from sfcutover.emulator.emulator import Emulator
from sfcutover.emulator.scenario import Scenario
from tests.bench.measure import (
    Command,
    Sample,
    in_turn,
    median_cpu,
    median_memory,
    median_wall,
)
from tests.bench.page import PAGE, Occasion, Row, page_text
from tests.bench.runs import run_overhead
from tests.bench.traffic import redemption_rate, rollback_latency
from tests.interop import install

SFCUTOVER = [sys.executable, "-m", "sfcutover"]
_RETURNS = 3
_ALLOWLIST = ("ExtlClntAppOauthSecuritySettings", "Acme_Connector_oauthSecurity")
CONSOLE_SCRIPT = [str(Path(sys.executable).with_name("sfcutover"))]


@dataclass(frozen=True)
class Extent:
    """How much is measured. deploy_seconds: how long the org takes for the deployment."""

    starts: int
    deploy_seconds: float
    packages: int
    redemptions: int
    targets: int
    official_cli: bool


WHOLE = Extent(15, 10.0, 1000, 1000, 20, official_cli=True)
SHORT = Extent(3, 2.0, 50, 160, 3, official_cli=False)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench")
    parser.add_argument("--short", action="store_true", help="few repetitions, no official CLI")
    extent = SHORT if parser.parse_args().short else WHOLE
    with tempfile.TemporaryDirectory() as name:
        rows = list(measure(extent, Path(name)))
    print_table(rows)
    if extent is WHOLE:
        PAGE.parent.mkdir(parents=True, exist_ok=True)
        PAGE.write_text(page_text(rows, Occasion.here()), encoding="utf-8")


def measure(extent: Extent, folder: Path) -> Iterator[Row]:
    yield from help_against_click(folder, extent.starts)
    if extent.official_cli:
        yield from deploy_against_official_cli(folder)
    yield from return_after_done(folder, extent.deploy_seconds)
    yield from render_packages(extent.packages)
    yield from redemption_rate(extent.redemptions)
    yield from rollback_latency(folder)
    yield from run_overhead(folder, extent.targets)


def print_table(rows: list[Row]) -> None:
    width = max(len(row.what) for row in rows)
    print(f"{'measured':<{width}}  {'result':>12}  goal")
    for row in rows:
        print(f"{row.what:<{width}}  {row.result:>12}  {row.goal}")


def help_against_click(folder: Path, starts: int) -> Iterator[Row]:
    environment = dict(os.environ)
    ours = Command([*CONSOLE_SCRIPT, "--help"], environment, folder)
    click = Command([sys.executable, "-c", "import click"], environment, folder)
    a, b = in_turn(ours, click, starts)
    ours_cpu, click_cpu = median_cpu(a), median_cpu(b)
    yield Row(
        f"sfcutover --help / python -c 'import click', CPU "
        f"({ours_cpu * 1000:.0f} / {click_cpu * 1000:.0f} ms)",
        f"{ours_cpu / click_cpu:.2f}x",
        "<= 1.5x",
        "Help answers as fast as the command-line library that it needs loads.",
    )


def deploy_against_official_cli(folder: Path) -> Iterator[Row]:
    """The same package into the same org, which takes no time of its own for it."""
    with Emulator(Scenario(), tls=False) as emulator:
        a, b = in_turn(*_deploy_commands(folder, emulator), 7)
    wall = median_wall(a) / median_wall(b)
    memory = median_memory(a) / median_memory(b)
    yield Row(
        f"deploy add-new / sf project deploy start, wall ({ms(a)} / {ms(b)})",
        f"{wall:.2f}x",
        "<= 0.5x",
        "Reading, planning, deploying and reading back, against the deployment alone by the "
        "official CLI, whose log file is off.",
    )
    yield Row(
        f"the same, peak memory ({median_memory(a):.0f} / {median_memory(b):.0f} MiB)",
        f"{memory:.2f}x",
        "<= 0.5x",
        "What a CI job must provide.",
    )


def _deploy_commands(folder: Path, emulator: Emulator) -> tuple[Command, Command]:
    """Ours starts with the baseline each time, as it would not deploy what is live already."""
    environment = {**os.environ, **emulator.environment}
    (folder / "cutover.yaml").write_text(emulator.config_text(), encoding="utf-8")
    baseline = emulator.component_xml(*_ALLOWLIST)
    Command([*SFCUTOVER, "render", "add-new", "--out", "packages"], environment, folder).run()
    ours = Command(
        [*SFCUTOVER, "deploy", "add-new", "--yes"],
        environment,
        folder,
        before=lambda: emulator.put_component(*_ALLOWLIST, baseline),
    )
    official = _official_environment(folder / "home", emulator)
    login = ["org", "login", "access-token", "--instance-url", emulator.url, "--no-prompt"]
    Command(["sf", *login, "--alias", "bench"], official, folder).run()
    words = ["project", "deploy", "start", "--metadata-dir", str(folder / "packages/add-new")]
    return ours, Command(["sf", *words, "--target-org", "bench", "--json"], official, folder)


def _official_environment(home: Path, emulator: Emulator) -> dict[str, str]:
    home.mkdir()
    return {
        "HOME": str(home),
        "PATH": os.pathsep.join((install.search_path(), os.environ["PATH"])),
        "SF_ACCESS_TOKEN": emulator.environment["SF_ACCESS_TOKEN"],
        "SF_AUTOUPDATE_DISABLE": "true",
        "SF_DISABLE_AUTOUPDATE": "true",
        "SF_DISABLE_LOG_FILE": "true",
        "SF_DISABLE_TELEMETRY": "true",
        "SF_SKIP_NEW_VERSION_CHECK": "true",
        "SF_USE_GENERIC_UNIX_KEYCHAIN": "true",
    }


def return_after_done(folder: Path, seconds: float) -> Iterator[Row]:
    """From the org being done, with a deployment of so many seconds, to the command's return."""
    with Emulator(Scenario(deploy_seconds=seconds), tls=False) as emulator:
        (folder / "cutover.yaml").write_text(emulator.config_text(), encoding="utf-8")
        environment = {**os.environ, **emulator.environment}
        baseline = emulator.component_xml(*_ALLOWLIST)
        command = Command(
            [*SFCUTOVER, "deploy", "add-new", "--yes"],
            environment,
            folder,
            before=lambda: emulator.put_component(*_ALLOWLIST, baseline),
        )
        late = statistics.median(_seconds_late(command, emulator) for _ in range(_RETURNS))
    yield Row(
        f"return after the org is done, deploy of {seconds:.0f} s, median of {_RETURNS}",
        f"{late:.2f} s",
        "<= 0.5 s",
        "What the interval of the polls and reading back add to a deployment.",
    )


def _seconds_late(command: Command, emulator: Emulator) -> float:
    command.run()
    returned, done = datetime.now(UTC), emulator.deployments[-1].ended
    return (returned - done).total_seconds() if done else math.nan


def render_packages(count: int) -> Iterator[Row]:
    """Packages of 128 ranges, rendered, checked and zipped."""
    component, templates = _full_component(), Templates()
    for _ in range(20):
        build_package([component], "67.0", templates).to_zip()
    before, started = _peak_memory(), time.process_time()
    for _ in range(count):
        build_package([component], "67.0", templates).to_zip()
    each, grown = (time.process_time() - started) * 1000 / count, _peak_memory() - before
    yield Row(
        f"render and zip a package of 128 ranges, CPU, mean of {count:,}",
        f"{each:.2f} ms",
        "<= 3 ms",
        "The largest allowlist costs no time that an operator notices.",
    )
    yield Row(
        f"peak memory grown over the {count:,}",
        f"{grown:.1f} MiB",
        "flat",
        "A worker that renders for months keeps its size.",
    )


def _full_component() -> Component:
    carrier = CARRIERS["token-ip-ranges"]
    entries = tuple(IpRange.parse(f"198.51.100.{i}", f"proxy {i}") for i in range(128))
    fields = (Field.of_text("externalClientApplication", "Acme_Connector"),)
    return Component(
        carrier.component_type, "Acme_Connector_oauthSecurity", fields, carrier, Allowlist(entries)
    )


def _peak_memory() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def ms(samples: list[Sample]) -> str:
    return f"{median_wall(samples) * 1000:.0f} ms"


if __name__ == "__main__":
    main()
