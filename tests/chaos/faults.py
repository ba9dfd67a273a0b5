"""The faults of chaos runs."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from sfcutover.emulator.faults import Fault, Kind
from tests.chaos.databases import KINDS, RESTARTED
from tests.chaos.world import NEW, OLD

ASKED = ("deploy", "checkDeployStatus", "retrieve", "checkRetrieveStatus", "listMetadata")
LIMITS = ("REQUEST_LIMIT_EXCEEDED", "LIMIT_EXCEEDED")
BUSY = (
    "SERVER_UNAVAILABLE",
    "UNABLE_TO_LOCK_ROW",
    "REQUEST_RUNNING_TOO_LONG",
    "UNKNOWN_EXCEPTION",
    "ALREADY_IN_PROCESS",
)
Make = Callable[[random.Random], list[Fault]]


@dataclass(frozen=True)
class Trouble:
    """One kind of trouble.

    faults: enabled before the run. kill: the run's process is killed at a random moment, then
    started again. signals: it gets two signals close together instead. database: a failure of the
    PostgreSQL that keeps the state, one of SharedDatabases. another_org: the run pauses, and is
    resumed while another org answers in place of its own. at_application: the fault affects the
    application, too, so that its redemptions may fail.
    """

    name: str
    faults: Make = lambda _: []
    kill: bool = False
    signals: bool = False
    database: str = ""
    another_org: bool = False
    at_application: bool = False


def _at_the_org(kind: Kind) -> Make:
    def make(chance: random.Random) -> list[Fault]:
        operation = chance.choice(ASKED)
        count = chance.choice((1, 1, 2))
        seconds = chance.uniform(0.2, 1.5)
        return [
            Fault(
                kind=kind,
                operation=operation,
                skip=chance.randrange(4),
                count=count,
                seconds=seconds,
            )
        ]

    return make


def _at_a_deployment(kind: Kind, *, latest: int = 2) -> Make:
    def make(chance: random.Random) -> list[Fault]:
        return [Fault(kind=kind, operation="deploy", skip=chance.randrange(latest), count=1)]

    return make


def _refused(codes: tuple[str, ...]) -> Make:
    """Operations of the Metadata API are refused by temporary conditions."""

    def make(chance: random.Random) -> list[Fault]:
        operation, code = chance.choice(ASKED), chance.choice(codes)
        skip, count = chance.randrange(4), chance.choice((1, 1, 2))
        return [Fault(kind="refuse", operation=operation, code=code, skip=skip, count=count)]

    return make


def _ended(**how: str) -> Make:
    """A deployment ends as Failed by a temporary condition."""

    def make(chance: random.Random) -> list[Fault]:
        fault = {"kind": "failed", "operation": "deploy", "skip": chance.randrange(2)}
        return [Fault.model_validate(fault | how)]

    return make


def _try_again(chance: random.Random) -> list[Fault]:
    """The token endpoint requests a retry."""
    skip, count = chance.randrange(6), chance.choice((1, 2))
    return [Fault(kind="retry_request", operation="redeem", skip=skip, count=count)]


def _address_missing(chance: random.Random) -> list[Fault]:
    """The org loses an address when it saves add-new, once or every time."""
    address, count = chance.choice(NEW), chance.choice((1, 2))
    return [Fault(kind="save_drops_address", operation="deploy", count=count, address=address)]


def _address_dead(chance: random.Random) -> list[Fault]:
    """One address of a pair cannot send, for a while or permanently."""
    operation, address = chance.choice(
        [*(("new_proxy", each) for each in NEW), *(("old_proxy", each) for each in OLD)]
    )
    count = chance.choice((1, 3, None))
    skip = chance.choice((0, 25, 60))
    return [
        Fault(kind="address_reset", operation=operation, address=address, count=count, skip=skip)
    ]


TROUBLES = (
    Trouble("nothing"),
    Trouble("connection dropped before the effect", _at_the_org("drop_before")),
    Trouble("connection dropped after the effect", _at_the_org("drop_after")),
    Trouble("502", _at_the_org("http_502")),
    Trouble("503", _at_the_org("http_503")),
    Trouble("HTML body", _at_the_org("html_body")),
    Trouble("expired session", _at_the_org("expired_session")),
    Trouble("slow answers", _at_the_org("slow")),
    Trouble("a save that doesn't take", _at_a_deployment("save_does_not_take")),
    Trouble("Canceling", _at_a_deployment("canceling")),
    Trouble("SucceededPartial", _at_a_deployment("succeeded_partial")),
    Trouble("org locked", _at_the_org("org_locked")),
    Trouble("ended: ALREADY_IN_PROCESS", _ended(code="ALREADY_IN_PROCESS")),
    Trouble("ended: UNKNOWN_EXCEPTION", _ended(code="UNKNOWN_EXCEPTION")),
    Trouble("ended: a component is locked", _ended(message="admin operation already in progress")),
    Trouble("refused: a limit", _refused(LIMITS)),
    Trouble("refused: busy", _refused(BUSY)),
    Trouble("the token endpoint asks to retry", _try_again, at_application=True),
    Trouble("one proxy address dead", _address_dead, at_application=True),
    Trouble("one address missing from the list", _address_missing),
    Trouble("kill -9 of the runner", kill=True),
    Trouble("kill -9 and a dropped answer", _at_the_org("drop_after"), kill=True),
    Trouble("two signals", signals=True),
    Trouble("two signals and a lock", _ended(code="ALREADY_IN_PROCESS"), signals=True),
    Trouble("another org", another_org=True),
    *(Trouble(f"PostgreSQL {each}", database=each) for each in KINDS),
    Trouble("PostgreSQL restarted and kill -9", kill=True, database=RESTARTED),
)
ON_SQLITE = tuple(each for each in TROUBLES if not each.database)
