"""Drift as an issue: every difference, and texts of the org that stay texts."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from sfcutover.allowlist.diff import AllowlistDocument, RangeDocument
from sfcutover.allowlist.drift import DriftDocument, TargetDriftDocument, list_drifts
from sfcutover.output.markdown.drift import drift_markdown
from tests.unit.output.markdown.rendering import rendered, texts_outside_code
from tests.unit.output.markdown.test_gfm import HOSTILE

OFFICE = ("192.0.2.64", "office")
OLD, NEW = ("203.0.113.10", None), ("198.51.100.20", None)
Entries = Sequence[tuple[str, str | None]]


def drift(expected: Entries, live: Entries) -> DriftDocument:
    lists = list_drifts([kept(expected)], [kept(live)], "a file")
    target = TargetDriftDocument(
        target="packaging",
        instance_url="https://acme.my.salesforce.com",
        expected_from="list.ecaOauthSecurity",
        lists=lists,
    )
    return DriftDocument(
        cutover="move",
        app="Acme",
        checked="2026-11-26T10:15:30Z",
        changed=target.changed,
        targets=[target],
    )


def kept(entries: Entries) -> AllowlistDocument:
    ranges = [RangeDocument(range=each, description=text) for each, text in entries]
    return AllowlistDocument(path="a/Acme.suffix", carrier="token-ip-ranges", ranges=ranges)


def block_of(document: DriftDocument) -> list[str]:
    blocks = rendered(drift_markdown(document)).findall("pre")
    return [line for each in blocks for line in each.text_content().splitlines()]


@pytest.mark.parametrize(
    ("live", "lines"),
    [
        ([OFFICE, NEW], []),
        ([OFFICE, NEW, OLD], ["+ 203.0.113.10"]),
        ([NEW], ["- 192.0.2.64  # office"]),
        ([NEW, OFFICE], ["! 198.51.100.20: moved from 2 to 1"]),
        (
            [("192.0.2.64", "vpn"), NEW],
            ["! - 192.0.2.64  # office", "! + 192.0.2.64  # vpn"],
        ),
        ([OFFICE, NEW, NEW], ["+ 198.51.100.20"]),
    ],
    ids=["nothing", "added", "removed", "moved", "described", "twice"],
)
def test_every_difference_has_its_line(live: Entries, lines: list[str]) -> None:
    document = drift([OFFICE, NEW], live)
    assert block_of(document) == lines
    assert document.changed == bool(lines)


def test_no_difference_is_reported_with_the_same_marker() -> None:
    text = drift_markdown(drift([OFFICE], [OFFICE]))
    assert text.startswith("<!-- sfcutover:drift:move -->\n")
    assert "Every list is as it was expected, order and descriptions included." in text


@pytest.mark.parametrize("text", HOSTILE)
def test_a_description_cannot_become_markup_a_mention_or_a_link(text: str) -> None:
    body = rendered(drift_markdown(drift([OFFICE], [OFFICE, ("192.0.2.9", text)])))
    plain = rendered(drift_markdown(drift([OFFICE], [OFFICE, ("192.0.2.9", "x")])))
    assert [each.tag for each in body.iter()] == [each.tag for each in plain.iter()]
    assert texts_outside_code(body) == texts_outside_code(plain)
