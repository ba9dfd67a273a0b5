"""How long a step has been in progress, on any machine: measured by the org's clock."""

from __future__ import annotations

from sfcutover.cutover.context import StepContext
from sfcutover.util.serverclock import ServerTime

ORG_TIME = "org_time"  # seconds since 1970 by the org's clock, at the latest


def seconds_under_way(
    context: StepContext, kind: str, now: ServerTime | None, **data: object
) -> float:
    """Seconds, at least, since this try of the step started, perhaps in a process that has ended;
    0.0 where that is unknown.

    kind: of the event that records the start, which is written now for a new try. now: the
    org's time, None where the org has not said it. data: what the event says besides.
    """
    first = context.memory.last(kind, context.step, context.target_name)
    ended = context.memory.last("step-ended", context.step, context.target_name)
    if first is None or (ended is not None and ended.seq > first.seq):
        known = {} if now is None else {ORG_TIME: now.latest.timestamp()}
        context.tell(kind, **known, **data)
        return 0.0
    if now is None or ORG_TIME not in first.data:
        return 0.0
    return max(0.0, now.earliest.timestamp() - first.number(ORG_TIME))
