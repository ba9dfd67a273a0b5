"""sfcutover watch: after step 5, look on and put the old addresses back if redemptions fail."""

from __future__ import annotations

import click

from sfcutover.allowlist.phases import Phase
from sfcutover.allowlist.plan import plan_phase
from sfcutover.allowlist.templates import Templates
from sfcutover.cli.context import Invocation, global_options, templates_option
from sfcutover.cli.rollback import on_every_target
from sfcutover.config.cutover import Target
from sfcutover.config.traffic import Watch
from sfcutover.config.values import secret_variables
from sfcutover.cutover.deployment import Rollout, RolloutOptions
from sfcutover.cutover.documents import RoundDocument, WatchDocument
from sfcutover.cutover.refusals import refused
from sfcutover.cutover.supportcase import require_self_serve
from sfcutover.cutover.watch import WatchPlan, WatchResult, WatchRound, failure_of, watch
from sfcutover.errors import Advice
from sfcutover.output.json import print_document
from sfcutover.output.progress import progress_for
from sfcutover.traffic.canary import Canary
from sfcutover.traffic.checks import Verdict, check_for
from sfcutover.traffic.oauth import Outcome
from sfcutover.util.clock import Clock

_COLORS = {Verdict.PASSED: "green", Verdict.FAILED: "red"}


@click.command("watch")
@templates_option
@global_options
@click.pass_context
def command(ctx: click.Context, templates: Templates) -> int:
    """Redeem through the new egress, and look at the checks, every interval for a while.

    Failures in a row put the old addresses back at once, before any diagnosis, and exit 5.
    """
    run = Invocation.of(ctx)
    require_self_serve(run.cutover, "watch")
    config = run.cutover.watch or Watch()
    canary = Canary(run.cutover)
    checks = [check_for(each, secret_variables(run.cutover)) for each in config.checks]
    rollback = Rollback(run, canary, templates)
    rollback.get_ready()
    run.console.note(
        f"watching for {config.duration:.0f} s, every {config.interval:.0f} s; "
        f"{config.failures} failures in a row put the old addresses back"
    )
    result = watch(
        WatchPlan.of(config), lambda: canary.redeem("new"), checks, rollback, Looks(run), Clock()
    )
    failure = failure_of(result)
    if run.settings.json:
        print_document(_document(run, result))
        if failure:
            run.console.warn(Advice(f"{failure}; next: ", failure.advice))
            return failure.exit_code
    if failure:
        raise failure
    run.console.data(f"done: the watch passed after {len(result.rounds)} rounds")
    return 0


class Looks:
    """Shows each round as a line."""

    def __init__(self, run: Invocation) -> None:
        self._console = run.console

    def looked(self, done: WatchRound) -> None:
        looks = ", ".join(
            f"{each.name} {click.style(each.verdict.value, fg=_COLORS.get(each.verdict, 'yellow'))}"
            + (f" ({each.detail})" if each.verdict is not Verdict.PASSED else "")
            for each in done.results
        )
        self._console.note(f"{done.time:%H:%M:%SZ} {done.elapsed:6.1f} s  {looks}")

    def rolling_back(self, reason: str) -> None:
        self._console.warn(f"rolling back: {reason}")


class Rollback:
    """Puts the old addresses back on every target, reads back, and redeems through them."""

    def __init__(self, run: Invocation, canary: Canary, templates: Templates) -> None:
        self._run = run
        self._canary = canary
        self._templates = templates

    def get_ready(self) -> None:
        """See that everything a rollback needs is there before it is needed."""
        self._canary.egress("new")
        self._canary.egress("old")
        self._canary.require_token()
        for target in self._run.targets:
            with self._run.connection(target) as connection:
                plan_phase(Phase.RESTORE_OLD, connection.read(), self._run.cutover, self._templates)

    def __call__(self) -> None:
        """Raises what deploying raises, and GateError if the old egress can't redeem.

        A target that fails keeps no other from being rolled back.
        """
        on_every_target(self._run, self._restore)
        redemption = self._canary.redeem("old")
        if redemption.outcome is not Outcome.REDEEMED:
            raise refused(redemption)
        self._run.console.note("a redemption through the old egress succeeded")

    def _restore(self, target: Target) -> None:
        with (
            self._run.connection(target) as connection,
            progress_for(target.name, self._run.settings) as progress,
        ):
            planned = plan_phase(
                Phase.RESTORE_OLD, connection.read(), self._run.cutover, self._templates
            )
            if planned.changed:
                Rollout(connection, planned, RolloutOptions(), progress).run()
            self._run.console.note(f"{target.name}: the old addresses are on the list again")


def _document(run: Invocation, result: WatchResult) -> WatchDocument:
    return WatchDocument(
        cutover=run.cutover.name,
        outcome=result.outcome.value,
        reasons=list(result.reasons),
        counts={verdict.value: count for verdict, count in result.counts.items()},
        rounds=[RoundDocument.of(each) for each in result.rounds],
    )
