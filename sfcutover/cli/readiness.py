"""What must be so before a run begins, or is called done."""

from __future__ import annotations

from sfcutover.allowlist.phases import Phase
from sfcutover.allowlist.plan import live_phase
from sfcutover.allowlist.templates import Templates
from sfcutover.cli.context import Invocation
from sfcutover.config.cutover import Cutover
from sfcutover.cutover.supportcase import require_self_serve
from sfcutover.errors import Advice, Command, ConfigError, DriftError
from sfcutover.runs.store import Run
from sfcutover.traffic.canary import Canary
from sfcutover.traffic.switch import command_of


def require_runnable(invocation: Invocation) -> None:
    """What every step needs must be there before the first one. Raises ConfigError."""
    cutover = invocation.cutover
    require_self_serve(cutover, "run")
    if invocation.settings.targets:
        raise ConfigError(
            "a run takes all targets: one switch moves the traffic of all of them",
            where="--target",
            hint=Advice(
                "leave --target out; single steps take it: ",
                Command("deploy", "add-new", "--target", "NAME"),
            ),
        )
    if missing := cutover.missing_for_run:
        raise ConfigError(
            f"{', '.join(missing)} {'is' if len(missing) == 1 else 'are'} not configured",
            where=cutover.where,
            hint="a run moves and proves traffic: add what is missing; the README shows each",
        )
    if cutover.switch is not None and not cutover.switch.manual:
        command_of(cutover.switch, "revert")  # a run goes back by itself


def require_secrets(cutover: Cutover) -> None:
    """What a run is going to prove with must be there before it begins. Nothing is redeemed.

    Raises ConfigError, and what reading the canary's token raises.
    """
    canary = Canary(cutover)
    for name in ("old", "new"):
        canary.egress(name)
    _ = canary.endpoint
    canary.store.read()


def require_still_done(invocation: Invocation, run: Run, templates: Templates) -> None:
    """Raises DriftError where a list is no longer as the run left it."""
    planner = invocation.cutover.planner(templates)
    for target in invocation.targets:
        with invocation.connection(target) as connection:
            live = connection.read()
            try:
                is_done = not planner.plan(Phase.REMOVE_OLD, live).changed
            except DriftError:
                is_done = False
            if not is_done:
                raise DriftError(
                    f"the run {run.id} has done this, but since then the list of {target.name} "
                    f"has changed; it is now {live_phase(live, invocation.cutover.change)}",
                    where=run.id,
                    hint=Advice(
                        Command("diff", "remove-old"),
                        " shows the live list; ",
                        Command("run", "--again"),
                        " starts anew",
                    ),
                )
