"""``policies:`` of cutover.yaml: one map for every phase, or a map by phase."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Annotated

from pydantic import PlainSerializer, PlainValidator, WithJsonSchema
from pydantic.config import JsonDict

from sfcutover.allowlist.phases import Phase
from sfcutover.allowlist.policies import POLICIES, Policies, PolicyType, policy_problem
from sfcutover.config.values import PlacedError, check_text

FORWARD = (Phase.ADD_NEW.value, Phase.REMOVE_OLD.value)
_PHASES = tuple(phase.value for phase in Phase)


def _read(value: object) -> Policies:
    """Raises PlacedError, or ValueError, for what is no policy or can't hold its value."""
    entries = _mapping(value)
    by_phase = [key for key, each in entries.items() if key in _PHASES or isinstance(each, dict)]
    if not by_phase:
        values = _values(entries)
        return Policies(values, values)
    for key in entries:
        _require_phase(key, by_phase[0])
    add_new, remove_old = (_values(_mapping(entries.get(key, {}), key), key) for key in FORWARD)
    return Policies(add_new, remove_old)


def _mapping(value: object, *place: str) -> Mapping[str, object]:
    if not isinstance(value, dict):
        raise PlacedError("this must be a mapping", *place)
    return value


def _require_phase(key: str, other: str) -> None:
    if key in FORWARD:
        return
    if key in _PHASES:
        raise PlacedError(
            "a way back has no policies of its own: it restores those that were there before", key
        )
    if key in POLICIES:
        raise PlacedError(
            f"this policy stands beside {other}; write one map for every phase, or a map by phase",
            key,
        )
    close = difflib.get_close_matches(key, FORWARD, n=1)
    meant = f"did you mean {close[0]}?" if close else f"known: {', '.join(FORWARD)}"
    raise PlacedError(f"there is no such phase; {meant}", key)


def _values(entries: Mapping[str, object], *place: str) -> dict[str, str]:
    return {name: _text(name, value, *place) for name, value in entries.items()}


def _text(name: str, value: object, *place: str) -> str:
    """A value as it stands in the file: true and false in lower case. Raises PlacedError."""
    if isinstance(value, bool):
        value = str(value).lower()
    if isinstance(value, int):
        value = str(value)
    if not isinstance(value, str):
        raise PlacedError("this must be a text; put it in quotes", *place, name)
    try:
        check_text(value)
    except ValueError as error:
        raise PlacedError(str(error), *place, name) from None
    if problem := policy_problem(name, value):
        raise PlacedError(problem, *place, name)
    return value


def _written(policies: Policies) -> dict[str, dict[str, str]]:
    every = zip(FORWARD, (policies.add_new, policies.remove_old), strict=True)
    return {phase: dict(values) for phase, values in every if values}


def _schema_of(policy: PolicyType) -> JsonDict:
    match policy.kind:
        case "boolean":
            return {"enum": [True, False, "true", "false"]}
        case "integer":
            return {"type": ["integer", "string"]}
        case _ if policy.values and not policy.is_open:
            return {"enum": list(policy.values)}
        case _:
            return {"type": "string", "minLength": 1}


_MAP: JsonDict = {
    "type": "object",
    "properties": {name: _schema_of(policy) for name, policy in POLICIES.items()},
    "additionalProperties": False,
}
_BY_PHASE: JsonDict = {
    "type": "object",
    "properties": dict.fromkeys(FORWARD, _MAP),
    "additionalProperties": False,
}
PhasePolicies = Annotated[
    Policies,
    PlainValidator(_read),
    PlainSerializer(_written),
    WithJsonSchema({"anyOf": [_MAP, _BY_PHASE], "title": "Policies"}),
]
