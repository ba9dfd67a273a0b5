"""Every relative link leads to an existing file, and to an existing heading."""

from __future__ import annotations

import re
from pathlib import Path

import cmarkgfm
import pytest
from lxml import html

from tests.docs.blocks import texts
from tests.docs.generated import ROOT

PAGES = [*texts(), *(ROOT / name for name in ("CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"))]


def _tree(page: Path) -> html.HtmlElement:
    return html.fromstring(cmarkgfm.github_flavored_markdown_to_html(page.read_text("utf-8")))


def links(page: Path) -> list[str]:
    """The targets of the page's links and pictures, without those on other hosts."""
    tree = _tree(page)
    found = [*tree.xpath("//a/@href"), *tree.xpath("//img/@src")]
    return [each for each in map(str, found) if not re.match(r"https?:|mailto:", each)]


def anchors(page: Path) -> set[str]:
    """The anchors of the page's headings, as code hosts and mkdocs generate them."""
    headings = _tree(page).xpath("//h1|//h2|//h3|//h4")
    return {anchor(each.text_content()) for each in headings}


def anchor(heading: str) -> str:
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_has_a_target(page: Path) -> None:
    for link in links(page):
        name, _, wanted = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        assert target.is_file(), link
        assert not wanted or wanted in anchors(target), link


@pytest.mark.parametrize("page", texts()[1:], ids=lambda page: page.name)
def test_every_page_is_linked_from_the_readme_or_the_index(page: Path) -> None:
    starts = (ROOT / "README.md", ROOT / "docs" / "index.md")
    reached = {
        (start.parent / link.partition("#")[0]).resolve()
        for start in starts
        for link in links(start)
    }
    assert page in reached | set(starts)


def test_every_page_is_in_the_navigation() -> None:
    listed = re.findall(
        r"^ +- (?:Home: )?([\w/-]+\.md)$", (ROOT / "mkdocs.yml").read_text("utf-8"), re.M
    )
    assert sorted(listed) == [str(each.relative_to(ROOT / "docs")) for each in texts()[1:]]


def test_a_page_loads_nothing_from_another_host() -> None:
    for page in texts():
        assert [str(each) for each in _tree(page).xpath("//img/@src") if ":" in str(each)] == []
