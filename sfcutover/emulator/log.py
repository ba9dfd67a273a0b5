"""The requests to the org, in order, for tests; contains no secrets."""

from __future__ import annotations

import threading

from sfcutover.emulator.formats import Clock, soap_time

Event = dict[str, str | int | bool | None]


class EventLog:
    """A thread-safe list of events, the oldest first.

    Every event has ``time`` (ISO 8601, true time), ``kind`` (soap, rest, oauth, echo),
    ``operation`` and ``source``, the address it came from. Those of the token endpoint have a
    ``result`` (redeemed, blocked, ...) and the ``grant``'s name where there is one; those about
    a deployment its ``deployment`` id. ``status`` is the HTTP status that was worked out, also
    where a fault kept it from the client; ``code`` an error code and ``fault`` the kind of
    fault that hit. Never a body, a header or a form field.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._events: list[Event] = []
        self._lock = threading.Lock()

    def add(
        self, kind: str, operation: str, fault: str | None = None, source: str | None = None
    ) -> Event:
        """Append one event and return it, so that its outcome can be filled in.

        All keys are there from the start: others may be reading.
        """
        event: Event = {
            "time": soap_time(self._clock()),
            "kind": kind,
            "operation": operation,
            "deployment": None,
            "check_only": None,
            "status": None,
            "code": None,
            "fault": fault,
            "source": source,
            "grant": None,
            "result": None,
        }
        with self._lock:
            self._events.append(event)
        return event

    def events(self) -> list[Event]:
        """Copies of all events so far."""
        with self._lock:
            return [dict(event) for event in self._events]
