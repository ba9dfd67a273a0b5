"""What a step of a run is going to do, in words, for whoever lets it go on. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from sfcutover.allowlist.ranges import IpRange
from sfcutover.config.cutover import Cutover


def announcement(step: str, cutover: Cutover, targets: Sequence[str]) -> str:
    """For one of the steps a run may wait before. targets: their names."""
    new, old = _listed(cutover.change.added), _listed(cutover.change.removed)
    lists = f"the list{'s' if len(targets) > 1 else ''} of {', '.join(targets)}"
    match step:
        case "add-new":
            return f"it puts {new} on {lists}"
        case "switch":
            return f"{_moves(cutover)}; traffic then leaves by {_listed(cutover.change.new)}"
        case "verify":
            return f"it redeems through each of {_listed(cutover.change.new)}"
        case "remove-old":
            return f"it takes {old} off {lists}"
    raise ValueError(step)


def _moves(cutover: Cutover) -> str:
    if cutover.switch is None or not cutover.switch.apply:
        return "a person moves the traffic"
    return f"it runs {shlex.join(cutover.switch.apply)}"


def _listed(ranges: Sequence[IpRange]) -> str:
    return ", ".join(map(str, ranges)) or "nothing"
