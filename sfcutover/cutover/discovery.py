"""Finding the addresses behind the new egress, and writing them into cutover.yaml."""

from __future__ import annotations

import difflib
import ipaddress
from dataclasses import dataclass, replace
from pathlib import Path

import yaml

from sfcutover.allowlist.ranges import Address, IpRange, RangeError, subtract
from sfcutover.config.cutover import Cutover, parse_config
from sfcutover.config.yamledit import UneditableError, edit_list
from sfcutover.config.yamlfile import parse_yaml, read_text
from sfcutover.cutover.probe import (
    CONFIDENCE,
    ProbeResult,
    Progress,
    family_warnings,
    judge,
    probe,
    single,
)
from sfcutover.errors import ConfigError, LimitError, OperationFailedError
from sfcutover.traffic.egress import Egress
from sfcutover.util.files import write_durably

_KEY = "new"
# For a file whose new: is still empty; blocks for documentation (RFC 5737).
_STAND_INS = (ipaddress.ip_address("192.0.2.1"), ipaddress.ip_address("203.0.113.254"))


@dataclass(frozen=True)
class Discovery:
    """What was written. change: a unified diff, empty where the file said so already."""

    path: Path
    addresses: tuple[Address, ...]
    change: str


def load_for_discovery(path: Path) -> Cutover:
    """cutover.yaml, whose ``new:`` may still be empty. Raises ConfigError or LimitError."""
    text = read_text(path)
    try:
        return parse_config(text, str(path))
    except ConfigError:
        data = parse_yaml(text, str(path)).data
        if not isinstance(data, dict) or _KEY not in data or data[_KEY]:
            raise
    return _loadable(path, text, _STAND_INS)[1]


def discover(
    egress: Egress,
    echo_url: str,
    cutover: Cutover,
    *,
    confidence: float = CONFIDENCE,
    progress: Progress = lambda _: None,
) -> ProbeResult:
    """Ask until one address more than were seen is improbable; what was seen is expected."""
    nothing = replace(egress, expected=())
    observation = probe(nothing, echo_url, confidence=confidence, progress=progress).observation
    seen = tuple(single(address) for address in observation.seen)
    result = judge(replace(egress, expected=seen), echo_url, observation)
    warnings = family_warnings(cutover.change.old, observation, echo_url)
    warnings += [
        f"{entry} is one of the old addresses: is this the new proxy's URL?"
        for entry in seen
        if not subtract([entry], cutover.change.old)
    ]
    return replace(result, warnings=tuple(warnings))


def write_discovered(path: Path, seen: tuple[Address, ...]) -> Discovery:
    """Make ``new:`` exactly these addresses, and touch nothing else of the file.

    Entries whose addresses were all seen stay as they are written. The file is replaced
    durably and keeps its mode. Raises ConfigError or LimitError, and writes nothing, where
    the result would not load; OperationFailedError where it can't be written.
    """
    before = read_text(path)
    after, _ = _loadable(path, before, seen)
    if after != before:
        try:
            write_durably(path, after, path.stat().st_mode & 0o777)
        except OSError as error:
            raise OperationFailedError(
                f"the file was not written: {error.strerror}",
                where=str(path),
                hint="make room or correct the permissions, then run this again",
            ) from error
    return Discovery(path, seen, _diff(path.name, before, after))


def _loadable(path: Path, before: str, seen: tuple[Address, ...]) -> tuple[str, Cutover]:
    """The new text and its cutover; ConfigError or LimitError if it says anything else."""
    name = str(path)
    data = parse_yaml(before, name).data
    try:
        after = _edited(before, data, seen)
        changed = parse_yaml(after, name).data
        if _others(data) != _others(changed):
            raise UneditableError(_KEY)
    except (UneditableError, RangeError, yaml.YAMLError, ConfigError, LookupError):
        raise _by_hand(name, seen) from None
    try:
        cutover = parse_config(after, name)
    except (ConfigError, LimitError) as error:
        raise type(error)(
            f"nothing was written, as the file would not load: {error.message}",
            where=error.where,
            hint=error.advice,
        ) from None
    wanted = [single(address) for address in seen]
    if subtract(cutover.change.new, wanted) or subtract(wanted, cutover.change.new):
        raise _by_hand(name, seen)
    return after, cutover


def _edited(text: str, data: object, seen: tuple[Address, ...]) -> str:
    entries = data.get(_KEY) if isinstance(data, dict) else None
    ranges = [_range_of(entry) for entry in entries or []]
    wanted = [single(address) for address in seen]
    kept = [index for index, entry in enumerate(ranges) if not subtract([entry], wanted)]
    missing = subtract(wanted, [ranges[index] for index in kept])
    # In quotes, as YAML 1.1 takes some IPv6 addresses for numbers.
    return edit_list(text, _KEY, kept.__contains__, [f'"{entry}"' for entry in missing])


def _range_of(entry: object) -> IpRange:
    return IpRange.parse(str(entry["range"] if isinstance(entry, dict) else entry))


def _others(data: object) -> dict[object, object]:
    mapping = data if isinstance(data, dict) else {}
    return {key: value for key, value in mapping.items() if key != _KEY}


def _by_hand(name: str, seen: tuple[Address, ...]) -> ConfigError:
    listed = ", ".join(f'"{address}"' for address in seen)
    return ConfigError(
        f"{_KEY}: is written in a way that can't be changed safely; nothing was written",
        where=name,
        hint=f"write it by hand: {_KEY}: [{listed}]",
    )


def _diff(name: str, before: str, after: str) -> str:
    lines = difflib.unified_diff(
        before.splitlines(), after.splitlines(), name, f"{name} (now)", n=1, lineterm=""
    )
    return "\n".join(lines)
