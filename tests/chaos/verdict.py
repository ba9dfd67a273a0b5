"""Whether a chaos run ended correctly, by the emulator's history."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise, product

from sfcutover.emulator.deployments import Deployment, Status
from tests.chaos.circumstances import COLLEAGUE, Circumstances
from tests.chaos.faults import Trouble
from tests.chaos.settings import Settings
from tests.chaos.world import NEW, OLD, Customers, World

_ENDS = ("done", "rolled-back", "failed")
_WAITING = "waiting"
_NOT_SHOWN = "nothing shows that the allowlist blocks"
_NEXT = re.compile(r"^\s*next:.*\bsfcutover (?:approve|run|rollback|runs|deployment)", re.MULTILINE)


def problems_of(
    here: World,
    customers: Customers,
    trouble: Trouble,
    around: Circumstances,
    settings: Settings,
    outcome: str,
    said: str,
) -> Iterator[str]:
    """The problems, a sentence each. said: everything that the commands printed."""
    here.emulator.clear_faults()
    by_colleague = around.takes_addresses(here.emulator)
    yield from _wrong_end(outcome, said)
    yield from () if by_colleague else _wrong_list(here, outcome)
    yield from _failed_customers(here, customers, trouble, by_colleague)
    yield from _unreported(here, around, said)
    twice = _sent_twice(here.emulator.deployments)
    if twice and not by_colleague:  # what a colleague removes is added again
        yield f"sent twice: {twice}"
    if not by_colleague:
        yield from _unproven(here, settings)
        yield from (f"{each}: the token is dead" for each in _dead_tokens(here, settings))
    if outcome == "done" and not settings.blocks and _NOT_SHOWN not in _report(here):
        yield "nothing is blocked, and the report does not say so"


def past_of(here: World) -> Iterator[str]:
    """The events in the org, a line each."""
    for version in here.emulator.allowlist_history:
        yield f"{version.time:%H:%M:%S.%f} {', '.join(map(str, version.allowlist))}"
    for one in here.emulator.deployments:
        yield f"{one.created:%H:%M:%S.%f} {one.id} {one.status}"


def _wrong_end(outcome: str, said: str) -> Iterator[str]:
    """A problem if the run neither ended nor states the next step."""
    if outcome not in (*_ENDS, _WAITING):
        yield f"the run is {outcome}"
    if outcome == _WAITING and not _NEXT.search(re.split("error:|paused:", said)[-1]):
        yield "the run waits and names no next action"


def _wrong_list(here: World, outcome: str) -> Iterator[str]:
    if outcome == "done" and here.live != set(NEW):
        yield f"done, but the list holds {here.live}"
    if outcome != "done" and not set(OLD) <= here.live:
        yield f"{outcome}, but the list holds {here.live}"
    if not set(NEW if here.side == "new" else OLD) <= here.live:
        yield f"traffic leaves by {here.side}, and the list holds {here.live}"


def _failed_customers(
    here: World, customers: Customers, trouble: Trouble, by_colleague: bool
) -> Iterator[str]:
    if customers.failures and not (trouble.at_application or by_colleague):
        yield f"customers failed: {customers.failures[:3]}"
    blocked = [one for one in here.emulator.redemptions if one.result == "blocked"]
    of_customers = [one for one in blocked if one.grant.startswith("customer")]
    if of_customers and not by_colleague:
        yield f"customers were blocked: {of_customers[:3]}"


def _unreported(here: World, around: Circumstances, said: str) -> Iterator[str]:
    """Others' entries that are lost and that neither the output nor the report names."""
    lost = list(around.lost_entries(here.emulator))
    if lost and COLLEAGUE not in said + _report(here):
        yield f"lost without a word: {lost}"


def _report(here: World) -> str:
    return here.call("report", "--format", "md")[1]


def _dead_tokens(here: World, settings: Settings) -> Iterator[str]:
    """The files of canaries whose token is invalid."""
    return (each for each in settings.tokens if not here.canary_redeems(each))


def _unproven(here: World, settings: Settings) -> Iterator[str]:
    """Each canary redeems from each new address between add-new and the removal."""
    history, emulator = here.emulator.allowlist_history, here.emulator
    removed = next((one.time for one in history if not all(map(one.holds, OLD))), None)
    added = next((one.time for one in history if all(map(one.holds, NEW))), removed)
    if removed is None or added is None:
        return
    proven = {
        (one.organization_id, one.source)
        for one in emulator.redemptions
        if one.result == "redeemed" and not one.is_of_customer and added < one.time < removed
    }
    homes = [emulator.organization_id]
    homes += [emulator.customer_orgs[0].organization_id] if settings.has_second else []
    for wanted in product(homes, NEW):
        if wanted not in proven:
            yield f"removed, though no canary has redeemed: {wanted}"


def _sent_twice(deployments: list[Deployment]) -> list[str]:
    """A package that was sent although the one before it was the same, and had been saved."""
    took = {Status.SUCCEEDED, Status.PENDING, Status.IN_PROGRESS, Status.FINALIZING}
    return [
        second.id
        for first, second in pairwise(deployments)
        if first.outcome.changes == second.outcome.changes
        and first.status in took
        and (first.fault is None or not first.fault.kind.startswith("save_"))
    ]
