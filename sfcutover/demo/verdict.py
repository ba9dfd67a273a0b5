"""Was everything as it should be? Every sentence here is a reason why it was not. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from sfcutover.demo.performance import Performance


def problems_of(done: Performance, deployments: Mapping[str, int]) -> Iterator[str]:
    """deployments: how many of each phase there should be."""
    for command in done.commands:
        if command.exit_code != command.expected:
            yield (
                f"{command.line} ended with exit code {command.exit_code}, not {command.expected}"
            )
    if not done.attempts:
        yield "the application redeemed nothing"
    if done.deployments != deployments:
        yield f"the org was sent {done.deployments or 'nothing'}, not {deployments or 'nothing'}"
    if done.logged_in != done.customers:
        yield f"only {done.logged_in} of {done.customers} customers are still logged in"
    yield from _traffic(done)


def _traffic(done: Performance) -> Iterator[str]:
    redeemed, seen = done.redemptions - done.failed, sum(each.redeemed for each in done.arrivals)
    if redeemed != seen:
        yield f"the application counts {redeemed} successes, and the org {seen}"
    if done.order == "right" and done.failed:
        yield f"{done.failed} redemptions failed"
    if done.order == "wrong" and not done.failed:
        yield "the wrong order showed no outage"
    if done.order == "right" and not done.report:
        yield "there is no report"
