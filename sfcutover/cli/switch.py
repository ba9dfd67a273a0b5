"""sfcutover switch: step 3, application traffic moves to the new addresses, or back."""

from __future__ import annotations

import sys

import click

from sfcutover.allowlist.phases import Phase, check_order
from sfcutover.cli.context import (
    Invocation,
    global_options,
    outside_run_option,
    require_no_open_run,
)
from sfcutover.config.traffic import Switch
from sfcutover.config.values import secret_variables
from sfcutover.cutover.documents import SwitchDocument
from sfcutover.cutover.probe import CONFIDENCE, probe
from sfcutover.cutover.refusals import refused
from sfcutover.cutover.supportcase import Confirmations
from sfcutover.errors import ConfigError, GateError
from sfcutover.output.json import print_document
from sfcutover.output.text import probe_text
from sfcutover.traffic.canary import Canary
from sfcutover.traffic.oauth import Outcome
from sfcutover.traffic.switch import DRAIN_SECONDS, Direction, SwitchFacts, run_switch
from sfcutover.util.clock import Clock


@click.command("switch")
@click.option("--revert", is_flag=True, help="Move the traffic back to the old addresses.")
@outside_run_option
@global_options
@click.pass_context
def command(ctx: click.Context, revert: bool, outside_run: bool) -> None:
    """Step 3: run the switch command, or ask a person, then see that the new path is right.

    Refused while a target's list lacks an address that traffic would move to. --revert goes
    back and proves the old path by a redemption.
    """
    run = Invocation.of(ctx)
    config = _config(run)
    direction: Direction = "revert" if revert else "apply"
    if not revert:
        if not outside_run:
            require_no_open_run(run, "no traffic was moved")
        _require_probe(run)
    _require_listed(run, direction)
    facts = SwitchFacts.of_cutover(run.cutover, direction)
    result = run_switch(
        config,
        facts,
        secret_variables(run.cutover),
        timeout=config.timeout,
        output=run.console.note,
        ask=lambda question: _at_terminal() and run.console.confirm(question),
    )
    if not revert:
        Clock().pause(DRAIN_SECONDS)  # what is under way may still leave by the old addresses
    proof = _prove_old(run) if revert else _probe_new(run)
    run.console.data(f"done: {direction} took {result.seconds:.0f} s; {proof}")
    if not revert:
        run.console.note(f"next: {run.command_line('verify', '--out', 'evidence.json')}")
    if run.settings.json:
        print_document(
            SwitchDocument(
                cutover=run.cutover.name,
                direction=direction,
                manual=result.manual,
                seconds=round(result.seconds, 3),
                proof=proof,
            )
        )


def _config(run: Invocation) -> Switch:
    if run.cutover.switch is None:
        raise ConfigError(
            "switch is not configured",
            where=run.cutover.where,
            hint="add switch: with apply: and revert: [argv], or manual: true",
        )
    return run.cutover.switch


def _at_terminal() -> bool:
    return sys.stdin is not None and sys.stdin.isatty()


def _require_probe(run: Invocation) -> None:
    """What the proof needs must be there before traffic moves; the way back waits for nothing."""
    Canary(run.cutover).egress("new")


def _require_listed(run: Invocation, direction: Direction) -> None:
    """Traffic goes only where every target's list allows it. Raises DriftError, or GateError
    where only a confirmed support case can say so."""
    needed = Phase.REMOVE_OLD if direction == "apply" else Phase.REMOVE_NEW
    for target in run.targets:
        with run.connection(target) as connection:
            if run.cutover.is_legacy:
                _require_confirmed(Confirmations.of(connection), direction)
                continue
            for component in connection.read().carriers:
                check_order(needed, component.allowlist, run.cutover.change)


def _require_confirmed(confirmations: Confirmations, direction: Direction) -> None:
    """A legacy app's list can't be read: what support was confirmed to have done counts."""
    if direction == "apply":
        confirmations.require("add-new")
    elif confirmations.find("remove-old") is not None:
        raise GateError(
            f"support was confirmed to have removed the old addresses for {confirmations.target}",
            where=str(confirmations.path("remove-old")),
            hint="ask support in that case to put them back; when it has, delete this file",
            tokens="no traffic was moved; redemptions from the old addresses would be refused",
        )


def _probe_new(run: Invocation) -> str:
    confidence = run.cutover.verify.confidence if run.cutover.verify else CONFIDENCE
    canary = Canary(run.cutover)
    result = probe(canary.egress("new"), canary.echo_url, confidence=confidence)
    run.console.note(probe_text(result))
    result.require_passed()
    return "the new egress shows exactly the new addresses"


def _prove_old(run: Invocation) -> str:
    redemption = Canary(run.cutover).redeem("old")
    if redemption.outcome is not Outcome.REDEEMED:
        raise refused(redemption)
    return "a redemption through the old egress succeeded"
