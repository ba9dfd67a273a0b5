"""The harmless change that makes an org honor a stored list: one description, changed and restored.

Salesforce Help, article 005387022: allowlist values that were recreated are honoured only after at
least one record was updated, its description or its IP value.
"""

from __future__ import annotations

from dataclasses import replace

from sfcutover.allowlist.ranges import Allowlist, IpRange

_MARK = "saved again"
_SUFFIX = f" ({_MARK})"


def mark_description(live: Allowlist, own: tuple[IpRange, ...]) -> Allowlist:
    """The list with a changed description on the first entry that the cutover has added.

    own: the ranges that it adds. The same list where it is changed already, or has no such entry.
    """
    entries = list(live)
    ours = [index for index, each in enumerate(entries) if Allowlist(own).covers([each])]
    if ours and not any(map(_is_marked, entries)):
        first = entries[ours[0]]
        text = f"{first.description}{_SUFFIX}" if first.description else _MARK
        entries[ours[0]] = replace(first, description=text)
    return Allowlist(tuple(entries))


def unmark_description(live: Allowlist, own: tuple[IpRange, ...]) -> Allowlist:
    """The list with that description as it was."""
    owned = Allowlist(own)
    return Allowlist(tuple(_unmarked(each) if owned.covers([each]) else each for each in live))


def _is_marked(entry: IpRange) -> bool:
    text = entry.description or ""
    return text == _MARK or text.endswith(_SUFFIX)


def _unmarked(entry: IpRange) -> IpRange:
    if not _is_marked(entry):
        return entry
    before = (entry.description or "").removesuffix(_SUFFIX)
    return replace(entry, description=None if before == _MARK else before)
