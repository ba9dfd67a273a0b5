"""A plan as a comment: its order, what is folded, what is never truncated, and its size."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest

from sfcutover.allowlist.diff import RangeDocument
from sfcutover.allowlist.planfile import PlanDocument, PlanTargetDocument
from sfcutover.errors import LimitError
from sfcutover.output.markdown.detail import LONGEST
from sfcutover.output.markdown.plan import plan_markdown
from tests.unit.output.markdown.rendering import (
    addresses,
    plan,
    rendered,
    texts_outside_code,
    unfolded,
)
from tests.unit.output.markdown.test_gfm import HOSTILE

LONG = " ".join(["a long description"] * 11)


def removed_in(document: PlanDocument) -> set[str]:
    return {
        entry.range
        for target in document.targets
        for phase in target.phases
        for component in phase.components
        for entry in component.removed
    }


def test_the_comment_starts_with_its_marker() -> None:
    assert plan_markdown(plan()).startswith("<!-- sfcutover:plan:move -->\n")


def test_removals_are_above_additions_and_not_folded() -> None:
    lines = unfolded(rendered(plan_markdown(plan()))).splitlines()
    signs = [line[:14] for line in lines if line[:2] in ("- ", "+ ")]
    assert signs == ["- 203.0.113.10", "- 198.51.100.2", "+ 198.51.100.2", "+ 203.0.113.10"]


def test_every_phase_has_its_counts_and_its_capacity() -> None:
    rows = [
        [cell.text_content() for cell in row]
        for row in rendered(plan_markdown(plan())).iter("tr")
        if row[0].text_content() in ("add-new", "remove-old", "restore-old", "remove-new")
    ]
    list_ = "token-ip-ranges"
    assert rows == [
        ["add-new", "target-00", list_, "0", "1", "2", "3 of 128", "3 of 256"],
        ["remove-old", "target-00", list_, "1", "0", "2", "2 of 128", "2 of 256"],
        ["restore-old", "target-00", list_, "0", "1", "2", "3 of 128", "3 of 256"],
        ["remove-new", "target-00", list_, "1", "0", "2", "2 of 128", "2 of 256"],
    ]


def test_the_comment_names_org_app_time_and_the_next_approval() -> None:
    document = plan()
    text = plan_markdown(document, ("--plan", "plan.json"))
    made = document.created.replace("T", " ").replace("Z", " UTC")
    assert f"App `Acme`, 1 target, planned {made}" in text
    assert "| `target-00` | `https://acme-00.my.salesforce.com` `00D000000000000AAA` |" in text
    digest = document.digests["add-new"][:16]
    assert f"\nsfcutover approve --step add-new --expect {digest}\n" in text
    assert "\nsfcutover deploy add-new --plan plan.json\n" in text


def test_policies_that_change_are_shown_with_their_old_value_first() -> None:
    name = "ipRelaxationPolicyType"
    document = plan(live_policies={name: "Bypass"}, policies={name: "Enforce"})
    text = plan_markdown(document)
    shown = text[text.index("#### OAuth policies") :]
    assert f"- {name}: Bypass\n+ {name}: Enforce\n" in shown
    assert "**add-new** on `target-00`, OAuth policies: 1 policy set" in shown


def test_the_rest_of_a_split_entry_is_shown_with_its_removal() -> None:
    document = plan(old=("203.0.113.10-203.0.113.11",), new=("203.0.113.11",))
    text = plan_markdown(document)
    removal = text[: text.index("#### Additions")]
    assert "- 203.0.113.10-203.0.113.11\n+ 203.0.113.11\n" in removal


def test_targets_with_equal_changes_are_grouped() -> None:
    text = plan_markdown(plan(targets=20))
    assert text.count("- 203.0.113.10") == 1
    assert "**remove-old** on all 20 targets, token-ip-ranges: 1 removed" in text


def test_targets_that_differ_are_named() -> None:
    text = plan_markdown(plan(targets=3, describe=lambda number, _: f"proxy {number % 2}"))
    assert "**remove-old** on `target-00`, `target-02`, token-ip-ranges" in text
    assert "**remove-old** on `target-01`, token-ip-ranges" in text


# Texts of the org stay texts


@pytest.mark.parametrize("text", [each for each in HOSTILE if "\x1b" not in each])
def test_a_description_cannot_become_markup_a_mention_or_a_link(text: str) -> None:
    described, other = plan(describe=lambda _number, _address: text), plan()
    body = rendered(plan_markdown(described))
    plain = rendered(plan_markdown(other.model_copy(update={"created": described.created})))
    assert [each.tag for each in body.iter()] == [each.tag for each in plain.iter()]
    outside = texts_outside_code(body)
    assert outside == texts_outside_code(plain)
    assert not [each for each in ("@", "http", "#", "www") if each in outside]


# Its size

LARGE: dict[str, Callable[[], PlanDocument]] = {
    "alike": lambda: plan(
        targets=20,
        old=addresses("203.0.113.0", 60),
        new=addresses("198.51.100.0", 60),
        foreign=lambda _: addresses("192.0.2.0", 8),
        describe=lambda _number, address: f"{address} {LONG}",
    ),
    "all different": lambda: plan(
        targets=20,
        old=addresses("203.0.113.0", 60),
        new=addresses("198.51.100.0", 60),
        foreign=lambda number: addresses(f"192.0.{number}.0", 8 - number % 3),
        describe=lambda number, address: f"{number} {address} {LONG}",
    ),
    "IPv6 and all different": lambda: plan(
        targets=20,
        old=addresses("2001:db8:1111:2222:3333:4444:5555:0", 60),
        new=addresses("2001:db8:1111:2222:3333:4444:6666:0", 60),
        foreign=lambda number: addresses(f"2001:db8:1111:2222:3333:4444:{number}:0", 8),
        describe=lambda number, address: f"{number} {address} {LONG}",
    ),
    "almost all removed": lambda: plan(
        targets=20,
        old=addresses("203.0.113.0", 63),
        new=addresses("198.51.100.0", 1),
        foreign=lambda number: addresses(f"192.0.{number}.0", 64 - number),
        describe=lambda number, address: f"{number} {address} {LONG}",
    ),
    "two lists": lambda: plan(
        targets=20,
        carriers=("token-ip-ranges", "trusted-ip-ranges"),
        old=addresses("203.0.113.0", 60),
        new=addresses("198.51.100.0", 60),
        foreign=lambda number: addresses(f"192.0.{number}.0", 8),
        describe=lambda number, address: f"{number} {address} {LONG}",
    ),
}


QUICK = "all different"  # each takes seconds to plan


@pytest.fixture(
    scope="module",
    params=[
        each if each == QUICK else pytest.param(each, marks=pytest.mark.slow) for each in LARGE
    ],
)
def large(request: pytest.FixtureRequest) -> PlanDocument:
    return LARGE[request.param]()


def test_128_ranges_on_20_targets_fit_one_comment(large: PlanDocument) -> None:
    text = plan_markdown(large, ("--plan", "plan.json"))
    assert len(text) <= LONGEST
    lines = set(unfolded(rendered(text)).splitlines())
    assert all(
        any(line == f"- {each}" or line.startswith(f"- {each}  # ") for line in lines)
        for each in removed_in(large)
    )


def test_omitted_parts_are_stated_and_folded_parts_counted(large: PlanDocument) -> None:
    text = plan_markdown(large)
    entries = sum(
        each["xml"].count("</startIpAddress>")
        for target in large.model_dump()["targets"]
        for each in target["baseline"]
    )
    assert f"The lists as they were read: {entries:,} entries" in text
    if LONG not in text:
        assert "To fit one comment, " in text


def repeated(document: PlanDocument, count: int, name: str = "target") -> PlanDocument:
    """The plan with its first target repeated this many times, each with a name of its own."""
    first = document.targets[0]
    names = [f"{name}-{number}" for number in range(count)]
    targets = [first.model_copy(update={"name": each}) for each in names]
    return document.model_copy(update={"targets": targets})


def split(target: PlanTargetDocument, number: int) -> PlanTargetDocument:
    """The target with its removals as other entries of the same addresses."""
    ends = [-1, *range(number, 63), 63]
    parts = [f"203.0.113.{start + 1}-203.0.113.{end}" for start, end in itertools.pairwise(ends)]
    removed = [RangeDocument(range=each) for each in parts]
    phases = [
        phase.model_copy(
            update={
                "components": [
                    each.model_copy(update={"removed": removed if each.removed else []})
                    for each in phase.components
                ]
            }
        )
        for phase in target.phases
    ]
    return target.model_copy(update={"phases": phases})


def test_many_different_removals_are_shown_as_addresses() -> None:
    """As entries they would not fit; no address is omitted."""
    document = repeated(plan(old=("203.0.113.0-203.0.113.63",)), 60)
    targets = [split(each, number) for number, each in enumerate(document.targets)]
    text = plan_markdown(document.model_copy(update={"targets": targets}))
    assert len(text) <= LONGEST
    assert "- 203.0.113.0-203.0.113.63\n" in text
    assert "removals are shown as addresses, neighbours joined" in text


def test_removals_that_do_not_fit_are_never_truncated() -> None:
    with pytest.raises(LimitError, match="the removals alone need more than 65,000"):
        plan_markdown(repeated(plan(), 700, "a-long-name" * 10))
