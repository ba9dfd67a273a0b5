"""The cutover.yaml and templates that a run was started with, and what differs in others. Pure."""

from __future__ import annotations

import hashlib
import json

from sfcutover.allowlist.templates import Templates
from sfcutover.config.cutover import Cutover

Flat = dict[str, str]


def config_text(cutover: Cutover, templates: Templates) -> str:
    """What the file says, without its layout; the place of the state may differ.

    With it goes what the --templates folder holds, as both decide what is deployed.
    """
    data = cutover.model_dump(mode="json", exclude={"state"}, exclude_defaults=True)
    if templates.overrides:
        data["templates"] = templates.overrides
    return json.dumps(data, sort_keys=True, ensure_ascii=False)


def fingerprint(text: str) -> str:
    """128 bits of SHA-256, as hexadecimal digits."""
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def differences(before: str, after: str) -> list[str]:
    """What differs between two texts of config_text, one line for each value."""
    old, new = _flat(json.loads(before)), _flat(json.loads(after))
    return [
        f"{key}: {old.get(key, 'unset')} -> {new.get(key, 'unset')}"
        for key in dict.fromkeys((*old, *new))
        if old.get(key) != new.get(key)
    ]


# What the flow of a run is made of: with another of these, it would be another flow.
_FIXED = ("name", "app", "carriers", "targets", "waves", "switch.manual")


def fixed(before: str, after: str) -> list[str]:
    """The differences with which a run that was begun can't go on."""
    return [each for each in differences(before, after) if _is_fixed(each.partition(":")[0])]


def share_a_list(one: str, other: str) -> bool:
    """True for two cutovers that change a list of the same app in the same org."""
    first, second = json.loads(one), json.loads(other)
    orgs = [[each.get("org") for each in config["targets"]] for config in (first, second)]
    return first["app"] == second["app"] and any(org in orgs[1] for org in orgs[0])


def is_of_a_template(difference: str) -> bool:
    """True for a difference of the --templates folder."""
    return difference.startswith("templates.")


def _is_fixed(key: str) -> bool:
    if key.startswith("targets["):
        return key.endswith((".name", "]")) or key.count(".") == 0
    return any(key == each or key.startswith((f"{each}.", f"{each}[")) for each in _FIXED)


def _flat(value: object, path: str = "") -> Flat:
    match value:
        case dict():
            parts = [_flat(each, f"{path}.{key}".lstrip(".")) for key, each in value.items()]
        case list():
            parts = [_flat(each, f"{path}[{index}]") for index, each in enumerate(value)]
        case _:
            return {path: json.dumps(value, ensure_ascii=False)}
    return {key: text for part in parts for key, text in part.items()}
