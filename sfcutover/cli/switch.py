"""sfcutover switch: step 3, move application traffic to the new addresses, or back."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path

import click

from sfcutover.allowlist.phases import Change
from sfcutover.allowlist.snapshot import Snapshot
from sfcutover.cli.context import Invocation, at_terminal, command_step, pass_invocation
from sfcutover.cli.options import out_option, outside_run_option
from sfcutover.cutover.context import StepContext
from sfcutover.cutover.probe import probe_egress
from sfcutover.cutover.resending import await_idle
from sfcutover.cutover.supportcase import Confirmations
from sfcutover.cutover.switch import (
    SwitchDocument,
    configured_switch,
    forget_switches,
    record_switch,
    switch,
)
from sfcutover.cutover.verify import prove_old
from sfcutover.errors import Advice, Command, DriftError, GateError, InterruptedRunError
from sfcutover.output.json import print_document
from sfcutover.output.text import probe_text
from sfcutover.runs.event import moment_text
from sfcutover.traffic.egress import egress_of
from sfcutover.traffic.switch import DRAIN_SECONDS, SWITCH_IMPACT, Direction, question_of
from sfcutover.util.clock import Clock


@click.command("switch")
@click.option("--revert", is_flag=True, help="Move the traffic back to the old addresses.")
@outside_run_option
@out_option
@pass_invocation
def command(run: Invocation, revert: bool, outside_run: bool, out: Path | None) -> None:
    """Step 3: move the traffic by the switch command, or ask the operator to move it; then probe
    the new egress.

    Refused while a target's allowlist lacks an address that traffic would use. --revert moves
    the traffic back, and proves the old egress by a redemption if egress.old is configured.
    """
    run.require_addresses("switch")
    direction: Direction = "revert" if revert else "apply"
    with command_step(run, "switch") as context:
        config = configured_switch(context)
        if not revert:
            if not outside_run:
                run.require_no_open_run("no traffic was moved")
            _require_probe(run)
        _require_listed(run, context, direction)
        by = partial(_switched_by_hand, run) if config.manual else _switched
        started = time.time()
        seconds = by(context, direction)
        ended = time.time()
        if not revert:
            Clock().pause(DRAIN_SECONDS)  # running requests may still leave by the old addresses
        proof = _prove_old(context) if revert else _probe_new(run)
    did = "the operator moved the traffic" if config.manual else f"the {direction} command ran"
    run.console.data(f"done: {did} ({seconds:.0f} s); {proof}")
    if not revert:
        run.console.note(f"next: {run.command_line('verify', '--out', 'evidence.json')}")
    document = SwitchDocument(
        cutover=run.cutover.name,
        direction=direction,
        manual=config.manual,
        started=moment_text(started),
        ended=moment_text(ended),
        seconds=round(seconds, 3),
        proof=proof,
    )
    run.save(document, out)
    if run.settings.json:
        print_document(document)


def _switched(context: StepContext, direction: Direction) -> float:
    """Run the switch command; the seconds it took."""
    try:
        return switch(context, direction).seconds
    finally:
        forget_switches(context)


def _switched_by_hand(run: Invocation, context: StepContext, direction: Direction) -> float:
    """Ask whether the operator has moved the traffic; the seconds until the answer."""
    started = time.monotonic()
    if direction == "apply":
        record_switch(context, direction)
    question = question_of(run.cutover, direction)
    if not (at_terminal() and run.console.confirm(question)):
        raise InterruptedRunError(
            "the operator has not confirmed that the traffic has moved",
            hint=f"run the command again at a terminal and confirm: {question}",
            impact=SWITCH_IMPACT,
        )
    seconds = time.monotonic() - started
    if direction == "revert":  # a revert does not wait for the state
        record_switch(context, direction)
    return seconds


def _require_probe(run: Invocation) -> None:
    """What the proof needs must be configured before traffic moves."""
    egress_of(run.cutover, "new")


def _require_listed(run: Invocation, context: StepContext, direction: Direction) -> None:
    """Require that every target's allowlist has the addresses that traffic would use. Raises
    DriftError, or for a legacy app, GateError without a confirmed support case."""
    for target in run.targets:
        with context.at(target).connection() as connection:
            if run.cutover.is_legacy:
                _require_confirmed(Confirmations.of(connection), direction)
                continue
            if direction == "apply":
                await_idle(connection, context.clock, context.note)
            _require_on(connection.read(), run.cutover.change, direction)


def _require_on(live: Snapshot, change: Change, direction: Direction) -> None:
    """Raises DriftError naming the first allowlist without an address that traffic would use."""
    side, ranges, fix = (
        ("new", change.new, Advice("deploy add-new first: ", Command("deploy", "add-new")))
        if direction == "apply"
        else ("old", change.old, Advice("restore them first: ", Command("rollback", "--yes")))
    )
    for component in live.carriers:
        if missing := component.allowlist.uncovered(ranges):
            one = len(missing) == 1
            named = f"{side} address{'' if one else 'es'} {', '.join(map(str, missing))}"
            raise DriftError(
                f"traffic from the {named} would be refused: {'it is' if one else 'they are'} not "
                "on the allowlist",
                where=component.path,
                hint=fix,
                impact="no traffic was moved",
            )


def _require_confirmed(confirmations: Confirmations, direction: Direction) -> None:
    """Require a confirmed support case, as a legacy app's allowlist can't be read."""
    if direction == "apply":
        confirmations.require("add-new")
    elif confirmations.find("remove-old") is not None:
        raise GateError(
            f"Support has removed the old addresses for {confirmations.target}, as recorded here",
            where=str(confirmations.path("remove-old")),
            hint="ask Support in that case to restore them; once it has, delete this file",
            impact="no traffic was moved; redemptions from the old addresses would be refused",
        )


def _probe_new(run: Invocation) -> str:
    result = probe_egress(run.cutover, "new")
    run.console.note(probe_text(result))
    result.require_passed()
    return "traffic through the new egress leaves from exactly the new addresses"


def _prove_old(context: StepContext) -> str:
    return prove_old(context, context.cutover.targets).sentence
