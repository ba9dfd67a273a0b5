"""``make bench``: the project's speed goals, as ratios within one run.

Machines differ and are shared, so nothing here is asserted by a test; the table says
what was measured and what the goal is.
"""

from __future__ import annotations

import os
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from sfcutover.allowlist.carriers import CARRIERS
from sfcutover.allowlist.component import Component, Field
from sfcutover.allowlist.package import build_package
from sfcutover.allowlist.ranges import Allowlist, IpRange
from sfcutover.allowlist.templates import Templates
from sfcutover.emulator.emulator import Emulator
from sfcutover.emulator.scenario import Scenario
from tests.bench.measure import Command, Sample, in_turn, median_memory, median_wall
from tests.bench.runs import run_overhead
from tests.bench.traffic import redemption_rate, rollback_latency
from tests.interop import install

SFCUTOVER = [sys.executable, "-m", "sfcutover"]
CONSOLE_SCRIPT = [str(Path(sys.executable).with_name("sfcutover"))]
Row = tuple[str, str, str]


def main() -> None:
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rows += help_against_click(folder)
        rows += deploy_against_official_cli(folder)
        rows += return_after_done(folder)
        rows += render_thousand()
        rows += redemption_rate()
        rows += rollback_latency(folder)
        rows += run_overhead(folder)
    width = max(len(row[0]) for row in rows)
    print(f"{'measured':<{width}}  {'result':>12}  goal")
    for what, result, goal in rows:
        print(f"{what:<{width}}  {result:>12}  {goal}")


def help_against_click(folder: Path) -> Iterator[Row]:
    environment = dict(os.environ)
    ours = Command([*CONSOLE_SCRIPT, "--help"], environment, folder)
    click = Command([sys.executable, "-c", "import click"], environment, folder)
    a, b = in_turn(ours, click, 15)
    ratio = median_wall(a) / median_wall(b)
    yield (
        f"sfcutover --help / python -c 'import click' ({ms(a)} / {ms(b)})",
        f"{ratio:.2f}x",
        "<= 2.5x",
    )


def deploy_against_official_cli(folder: Path) -> Iterator[Row]:
    """The same package into the same org, which takes no time of its own for it."""
    if not install.installation().exists():
        yield "deploy add-new / sf project deploy start", "not measured", "make interop installs it"
        return
    with Emulator(Scenario(), tls=False) as emulator:
        a, b = in_turn(*_deploy_commands(folder, emulator), 7)
    wall = median_wall(a) / median_wall(b)
    memory = median_memory(a) / median_memory(b)
    yield (
        f"deploy add-new / sf project deploy start, wall ({ms(a)} / {ms(b)})",
        f"{wall:.2f}x",
        "<= 0.25x",
    )
    yield (
        f"  the same, peak memory ({median_memory(a):.0f} / {median_memory(b):.0f} MiB)",
        f"{memory:.2f}x",
        "<= 0.5x",
    )


def _deploy_commands(folder: Path, emulator: Emulator) -> tuple[Command, Command]:
    """Ours begins with the baseline each time, as it would not deploy what is live already."""
    environment = {**os.environ, **emulator.environment}
    (folder / "cutover.yaml").write_text(emulator.config_text(), encoding="utf-8")
    name = ("ExtlClntAppOauthSecuritySettings", "Acme_Connector_oauthSecurity")
    baseline = emulator.component_xml(*name)
    Command([*SFCUTOVER, "render", "add-new", "--out", "packages"], environment, folder).run()
    ours = Command(
        [*SFCUTOVER, "deploy", "add-new", "--yes"],
        environment,
        folder,
        before=lambda: emulator.put_component(*name, baseline),
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


def return_after_done(folder: Path) -> Iterator[Row]:
    """Seconds from the org being done, with a deploy of 10 s, to the command's return."""
    with Emulator(Scenario(deploy_seconds=10), tls=False) as emulator:
        (folder / "cutover.yaml").write_text(emulator.config_text(), encoding="utf-8")
        environment = {**os.environ, **emulator.environment}
        sample = Command([*SFCUTOVER, "deploy", "add-new", "--yes"], environment, folder)
        sample.run()
        returned = datetime.now(UTC)
        done = emulator.deployments[-1].ended
    late = (returned - done).total_seconds() if done else float("nan")
    yield "return after the org is done, deploy of 10 s", f"{late:.2f} s", "<= 1 s"


def render_thousand() -> Iterator[Row]:
    """1,000 packages of 128 ranges, rendered, checked and zipped."""
    component, templates = _full_component(), Templates()
    for _ in range(20):
        build_package([component], "67.0", templates).to_zip()
    before, started = _peak_memory(), time.process_time()
    for _ in range(1000):
        build_package([component], "67.0", templates).to_zip()
    each, grown = (time.process_time() - started), _peak_memory() - before
    yield "render and zip a package of 128 ranges, CPU, mean of 1,000", f"{each:.2f} ms", "<= 5 ms"
    yield "  peak memory grown over the 1,000", f"{grown:.1f} MiB", "flat"


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
