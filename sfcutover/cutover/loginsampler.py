"""All redemptions during a run, as the orgs' LoginHistory reports them.

For display only, in the live view and the report; no decision depends on them. An org
that doesn't answer, or doesn't show its LoginHistory, is left out.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial

from sqlalchemy.exc import SQLAlchemyError

from sfcutover.config.checks import Watch
from sfcutover.cutover.context import TargetContext
from sfcutover.errors import SfcutoverError
from sfcutover.salesforce.loginhistory import RESTRICTED, SUCCESS, Login, LoginHistory
from sfcutover.salesforce.org import Org
from sfcutover.util.threads import call_in_thread

_WORDS = {SUCCESS: "redeemed", RESTRICTED: "blocked"}
_LARGEST_INTERVAL = 5.0  # seconds
_SECONDS_A_TARGET = 0.2  # of an interval: a run of many targets spends little time on it
_LATE_SECONDS = 2.0  # LoginTime has whole seconds; one is counted when it is over


class TrafficSampler:
    """Polls the targets in turn, in a thread; each poll is an event with its counts.

    An event's ``buckets`` are rows of second (since 1970), address, status (redeemed, blocked,
    other) and count; ``through`` is the last second that was counted. Both are by the clock of
    this machine, which dates the journal, too: the org's is ``ahead`` of it by that many seconds.
    """

    def __init__(self, contexts: Sequence[TargetContext]) -> None:
        self._contexts = contexts
        self._through: dict[str, int] = {}  # by target: the last second of the org that was counted
        self._stopping = threading.Event()
        self._thread = threading.Thread(
            target=self._sample_until_finished, name="traffic", daemon=True
        )

    def start(self) -> None:
        self._thread.start()

    def finish(self) -> None:
        """Count what is left, and end."""
        self._stopping.set()
        self._thread.join(_LARGEST_INTERVAL)
        sampled = [
            call_in_thread(partial(self._sample, context, 1.0), "traffic")
            for context in self._contexts
        ]
        for each in sampled:
            each.result()

    def _sample_until_finished(self) -> None:
        while not self._stopping.wait(self._interval):
            for context in self._contexts:
                self._sample(context, -_LATE_SECONDS)

    @property
    def _interval(self) -> float:
        watch = self._contexts[0].cutover.watch or Watch()
        shortest = max(1.0, _SECONDS_A_TARGET * len(self._contexts))
        return min(_LARGEST_INTERVAL, max(shortest, watch.interval))

    def _sample(self, context: TargetContext, later: float) -> None:
        """Count the seconds that are over. later: what is added to the present."""
        try:
            with context.connection() as connection:
                ahead = _seconds_ahead(connection.org)
                after = self._counted(context, ahead)
                through = int(time.time() + ahead + later)
                rows = _rows(connection.org, context.cutover.api_version, after)
            counts = Counter(map(_key, (row for row in rows if after < _second(row) <= through)))
            if counts:
                buckets = [[key[0] - ahead, *key[1:], n] for key, n in sorted(counts.items())]
                context.tell("traffic", through=through - ahead, buckets=buckets, ahead=ahead)
                self._through[context.target.name] = through
        except (SfcutoverError, SQLAlchemyError) as error:
            logging.getLogger(__name__).info(
                "no LoginHistory of %s: %s", context.target.name, error
            )

    def _counted(self, context: TargetContext, ahead: int) -> int:
        """The last second of the org that was counted, also by a process that is gone."""
        if (through := self._through.get(context.target.name)) is not None:
            return through
        last = context.memory.last("traffic", target=context.target.name)
        if last is not None:
            return int(last.number("through") + last.number("ahead"))
        started = context.memory.last("run-started")
        return (int(started.time) - 1 if started else int(time.time())) + ahead


def _seconds_ahead(org: Org) -> int:
    """What the org's clock is ahead of this machine's, as far as whole seconds tell."""
    return round(org.now().middle.timestamp() - time.time())


def _rows(org: Org, api_version: str, after: int) -> list[Login]:
    return LoginHistory(org, api_version).redemptions(datetime.fromtimestamp(after, UTC)) or []


def _second(login: Login) -> int:
    return int(login.time.timestamp())


def _key(login: Login) -> tuple[int, str, str]:
    return _second(login), str(login.source), _WORDS.get(login.status, "other")
