"""What the cutover.yaml of a run said, read from the text that the run keeps. Pure.

That text names no secret and holds durations in seconds, so it is no cutover.yaml again;
it may be of an older version of this tool, too.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from sfcutover.allowlist.phases import Change
from sfcutover.allowlist.ranges import Allowlist, IpRange
from sfcutover.config.cutover import Cutover
from sfcutover.config.traffic import Check, Verify, Watch
from sfcutover.documents.reports import Holds, RulesDocument, Side
from sfcutover.runs.store import Run

Json = Mapping[str, object]


@dataclass(frozen=True)
class Rules:
    """The cutover that a run performs."""

    app: str
    api_version: str
    carriers: tuple[str, ...]
    change: Change
    gates: RulesDocument

    @classmethod
    def of(cls, run: Run) -> Rules:
        data: Json = json.loads(run.config)
        return cls(
            app=str(data["app"]),
            api_version=str(_value(data, Cutover, "api_version")),
            carriers=tuple(map(str, _list(_value(data, Cutover, "carriers")))),
            change=Change(_ranges(data["old"]), _ranges(data["new"])),
            gates=_gates(data, run),
        )

    def side(self, address: str) -> Side:
        """Which side of the change an address is on."""
        one = IpRange.parse(address)
        old, new = (_contains(ranges, one) for ranges in (self.change.old, self.change.new))
        if old and new:
            return "kept"
        return "old" if old else "new" if new else "other"


def holds(live: Allowlist, wanted: tuple[IpRange, ...]) -> Holds:
    """How much of the ranges a list holds."""
    missing = live.uncovered(wanted)
    if not missing:
        return "all"
    return "none" if sum(each.size for each in missing) == _size(wanted) else "some"


def _size(ranges: tuple[IpRange, ...]) -> int:
    return sum(each.size for each in ranges)


def _contains(ranges: tuple[IpRange, ...], one: IpRange) -> bool:
    return any(each.contains(one) for each in ranges)


def _gates(data: Json, run: Run) -> RulesDocument:
    verify, watch = _mapping(data.get("verify")), _mapping(data.get("watch"))
    return RulesDocument(
        settle=_number(verify, Verify, "settle"),
        confidence=_number(verify, Verify, "confidence"),
        max_age=_number(verify, Verify, "max_age"),
        watch_duration=_number(watch, Watch, "duration"),
        watch_interval=_number(watch, Watch, "interval"),
        watch_failures=int(_number(watch, Watch, "failures")),
        watch_checks=[_title(_mapping(each)) for each in _list(watch.get("checks"))],
        waves=[int(str(each)) for each in _list(_value(data, Cutover, "waves"))],
        pause_before=list(run.options.pause_before),
    )


def _title(check: Json) -> str:
    """As Check.title has it."""
    query, argv = _mapping(check.get("prometheus")).get("query"), _list(check.get("command"))
    return str(check.get("name") or query or next(iter(argv), "command"))


def _value(data: Json, model: type[Cutover | Check | Verify | Watch], name: str) -> object:
    """What was set, or the default, which the text leaves out."""
    return data.get(name, model.model_fields[name].default)


def _number(data: Json, model: type[Verify | Watch], name: str) -> float:
    value = _value(data, model, name)
    return float(value) if isinstance(value, int | float) else 0.0


def _ranges(value: object) -> tuple[IpRange, ...]:
    entries = map(_mapping, _list(value))
    return tuple(
        IpRange.parse(str(each["range"]), _text(each.get("description"))) for each in entries
    )


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _mapping(value: object) -> Json:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[object]:
    return list(value) if isinstance(value, list | tuple) else []
