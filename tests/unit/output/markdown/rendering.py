"""Markdown as GitHub's parser renders it, and plans of many targets."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from ipaddress import ip_address

import cmarkgfm
from cmarkgfm.cmark import Options
from lxml import html

from sfcutover.allowlist.carriers import CARRIERS, OAUTH_POLICIES
from sfcutover.allowlist.component import Component, Field
from sfcutover.allowlist.planfile import PlanDocument
from sfcutover.allowlist.ranges import Allowlist, IpRange
from sfcutover.allowlist.snapshot import Snapshot
from sfcutover.allowlist.templates import Templates
from sfcutover.config.cutover import Cutover
from sfcutover.cutover.plans import FoundTarget, make

# GitHub breaks lines in comments, and lets details and comments through.
_OPTIONS = Options.CMARK_OPT_HARDBREAKS | Options.CMARK_OPT_UNSAFE
Describe = Callable[[int, str], str | None]


def rendered(markdown: str) -> html.HtmlElement:
    """The comment's body."""
    text = cmarkgfm.github_flavored_markdown_to_html(markdown, options=_OPTIONS)
    return html.fragment_fromstring(text, create_parent="div")


def texts_outside_code(body: html.HtmlElement) -> str:
    """The texts in which GitHub detects mentions, references and addresses."""
    found = body.xpath(".//text()[not(ancestor::code) and not(ancestor::pre)]")
    return "".join(map(str, found))


def unfolded(body: html.HtmlElement) -> str:
    """What is shown before any section is unfolded."""
    return "".join(map(str, body.xpath(".//text()[not(ancestor::details)]")))


def addresses(first: str, count: int) -> list[str]:
    """This many addresses, none adjacent to another."""
    return [str(ip_address(first) + 2 * number) for number in range(count)]


def plan(
    *,
    old: Sequence[str] = ("203.0.113.10",),
    new: Sequence[str] = ("198.51.100.20",),
    foreign: Callable[[int], Sequence[str]] = lambda _: ("192.0.2.64",),
    describe: Describe = lambda _number, _address: None,
    targets: int = 1,
    carriers: Sequence[str] = ("token-ip-ranges",),
    live_policies: Mapping[str, str] | None = None,
    **settings: object,
) -> PlanDocument:
    """A plan whose targets hold the old addresses and those of others, each with a description."""
    cutover = Cutover.model_validate(
        {
            "version": 1,
            "name": "move",
            "app": "Acme",
            "old": [{"range": each} for each in old],
            "new": [{"range": each} for each in new],
            "carriers": list(carriers),
            "targets": [
                {"name": f"target-{number:02}", "org": {"alias": "acme"}}
                for number in range(targets)
            ],
            **settings,
        }
    )
    found = [
        FoundTarget(
            target.name,
            Snapshot(
                _lists([*old, *foreign(number)], number, describe, carriers),
                None if live_policies is None else _policies(live_policies),
            ),
            f"https://acme-{number:02}.my.salesforce.com",
            f"00D0000000000{number:02}AAA",
            {},
        )
        for number, target in enumerate(cutover.targets)
    ]
    return make(cutover, cutover.planner(Templates()), found).document


def _lists(
    ranges: Sequence[str], number: int, describe: Describe, carriers: Sequence[str]
) -> tuple[Component, ...]:
    entries = tuple(IpRange.parse(each, describe(number, each)) for each in ranges)
    rows = [CARRIERS[name] for name in carriers]
    return tuple(
        Component(row.component_type, f"Acme_{row.name}", (), row, Allowlist(entries))
        for row in rows
    )


def _policies(values: Mapping[str, str]) -> Component:
    fields = tuple(Field.of_text(name, text) for name, text in values.items())
    return Component(OAUTH_POLICIES, "Acme_plcy", fields)
