"""The report as HTML and as Markdown: complete, safe, and readable without color."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from lxml import etree
from lxml import html as lxml_html

from sfcutover.allowlist.templates import Templates
from sfcutover.errors import Command, ConfigError
from sfcutover.output.report.render import (
    changes,
    fullest,
    html,
    markdown,
    sentence,
    text_chart,
    waves_text,
)
from sfcutover.output.report.report import Report
from tests.unit.output.report.stories import (
    canary_only,
    document,
    done,
    failed,
    removed_by_hand,
    rolled_back,
)
from tests.unit.output.report.story import NEW, NOON, OLD, Story

HOSTILE = "<img src=http://evil.example/x onerror=alert(1)> | `a` *b* </script>\n# c"


def hostile() -> Story:
    """A run in which every text of an operator or an org tries to be markup."""
    story = Story()
    story.start()
    story.tell(5, "paused", "add-new", pause=1, reason="inconclusive", message=HOSTILE, next="")
    story.tell(6, "approved", "add-new", pause=1, who=HOSTILE, time=NOON + 6, note=HOSTILE)
    story.tell(7, "note", "add-new", "packaging", text=HOSTILE)
    story.step("add-new", 8, 9, "packaging", problem=HOSTILE)
    story.watch(9, (0, 1), outcome=None)
    story.end_step("watch", 10, "packaging", problem=HOSTILE)
    story.tell(10, "page", "page", message=HOSTILE, commands=[Command(HOSTILE)])
    story.end(11, "rolled-back", HOSTILE)
    return story


def page(story: Story) -> str:
    return html(Report.of(story.data()), Templates())


def text(story: Story) -> str:
    return markdown(Report.of(story.data()), Templates())


def tree(story: Story) -> etree._Element:
    return lxml_html.document_fromstring(page(story))


def elements(root: etree._Element, path: str) -> list[etree._Element]:
    found = root.xpath(path)
    assert isinstance(found, list)
    return [each for each in found if isinstance(each, etree._Element)]


def texts(root: etree._Element, path: str) -> list[str]:
    """The values of attributes or elements."""
    found = root.xpath(path)
    assert isinstance(found, list)
    return [str(each) for each in found]


def words(element: etree._Element) -> str:
    return " ".join("".join(map(str, element.itertext())).split())


def stories() -> dict[str, Story]:
    started = Story()
    started.start()
    return {
        "done": done(),
        "rolled back": rolled_back(),
        "twenty": done([f"org-{number}" for number in range(20)]),
        "hostile": hostile(),
        "started": started,
        "nothing": Story(),
        "by hand": removed_by_hand(),
        "failed": failed(),
        "canary only": canary_only(),
    }


@pytest.fixture(scope="module", params=stories())
def story(request: pytest.FixtureRequest) -> Story:
    return stories()[request.param]


@pytest.fixture(scope="module")
def root(story: Story) -> etree._Element:
    """The page of each story, rendered once."""
    return tree(story)


@pytest.fixture(scope="module")
def lines(story: Story) -> str:
    """The Markdown of each story, rendered once."""
    return text(story)


# The page


def test_the_page_loads_no_resource(root: etree._Element) -> None:
    assert not elements(root, "//script | //iframe | //object | //embed | //base | //form")
    for name in ("src", "srcset", "href", "data", "action", "poster", "background"):
        for value in texts(root, f"//@{name}"):
            assert value.startswith(("#", "data:,")), (name, value)
    assert "@import" not in "".join(texts(root, "//style/text() | //@style"))
    written = lxml_html.tostring(root, encoding="unicode")
    assert all(each.startswith("#") for each in re.findall(r"url\(([^)]*)\)", written))


def test_the_policy_of_the_page_forbids_loading(root: etree._Element) -> None:
    (policy,) = texts(root, '//meta[@http-equiv="Content-Security-Policy"]/@content')
    assert policy.startswith("default-src 'none';")
    assert "http" not in policy


def test_texts_of_others_stay_text() -> None:
    root = tree(hostile())
    assert not elements(root, "//img | //script | //*[@onerror]")
    assert "<img src=http://evil.example/x" in words(root)


def test_every_table_has_a_caption_and_headers(root: etree._Element) -> None:
    for table in elements(root, "//table"):
        (name,) = texts(table, "@aria-labelledby")
        (caption,) = elements(table, f"//*[@id='{name}']")
        assert words(caption)
        assert not elements(caption, "ancestor::*[@class='scroll']")  # it would scroll away
        assert elements(table, "ancestor::*[@class='scroll']")
        assert elements(table, "thead/tr/th[@scope='col']")
        assert elements(table, "tbody/tr/th[@scope]") or not elements(table, "tbody/tr")


def test_every_row_has_as_many_cells_as_the_head() -> None:
    for table in elements(tree(stories()["twenty"]), "//table"):
        width, held = len(elements(table, "thead/tr/th")), 0
        for row in elements(table, "tbody/tr"):
            cells = elements(row, "th | td")
            spans = sum(int(cell.get("colspan") or 1) for cell in cells)
            tall = sum(int(cell.get("rowspan") or 1) > 1 for cell in cells)
            held = tall or held
            assert spans in (width, width if tall else width - held)


def test_ids_are_unique_and_links_have_targets(root: etree._Element) -> None:
    ids = texts(root, "//@id")
    assert len(ids) == len(set(ids))
    assert {each[1:] for each in texts(root, "//a/@href")} <= set(ids)
    for names in texts(root, "//@aria-labelledby"):
        assert set(names.split()) <= set(ids)


def test_the_verdict_is_at_the_top() -> None:
    root = tree(rolled_back())
    (header,) = elements(root, "//main/*[1]")
    assert header.tag == "header"
    for part in ("Rolled back", "Remove-old: packaging: the watch rolled back", "Fine", "move.1"):
        assert part in words(header)


def test_the_chart_is_described_in_words() -> None:
    path = '//*[local-name()="svg"][contains(@class, "wide")]'
    (chart,) = elements(tree(rolled_back()), path)
    assert f"{NEW[1]} (new): 285 redeemed, 150 blocked." in words(chart)
    assert "▼ 150 blocked" in words(chart)
    assert "remove-old live 12:01:06" in words(chart)
    assert elements(chart, './/*[@class="mark"]')


def test_evidence_capacity_and_ids_are_shown() -> None:
    found = words(tree(done()))
    for part in (
        "0Afaddpackaging",
        "5 of 128",
        "12 of 256",
        "the org's LoginHistory",
        "Nothing, apart from the limits of every run",
        *OLD,
        *NEW,
    ):
        assert part in found


def entries(story: Story) -> list[list[str]]:
    """The cells of the table of the allowlist before and after."""
    rows = elements(tree(story), "//table[@class='entries']/tbody/tr")
    return [[words(cell) for cell in elements(row, "th | td")] for row in rows]


def test_the_allowlist_is_shown_before_and_after() -> None:
    expected = [
        *([each, "−removed", "–"] for each in OLD),
        *([each, "+added", "–"] for each in NEW),
    ]
    assert entries(done()) == expected
    for range_, change, description in expected:
        assert f"| {range_} | {change[0]} {change[1:]} | {description} |" in text(done())
    assert entries(rolled_back())[0] == [OLD[0], "kept", "–"]
    assert f"| {OLD[0]} | kept | – |" in text(rolled_back())


@pytest.mark.parametrize("name", ["failed", "started", "nothing", "hostile"])
def test_there_is_no_empty_chart(name: str) -> None:
    story = stories()[name]
    assert not elements(tree(story), "//figure")
    for found in (words(tree(story)), text(story)):
        assert "There is no chart: LoginHistory showed no redemption during the run." in found
    assert "```text" not in text(story)


def test_the_row_of_a_range_lists_its_addresses() -> None:
    story = Story(config={"new": [{"range": "198.51.100.0/26"}]})
    story.start()
    for number in range(64):
        story.traffic([number], f"198.51.100.{number}", count=2)
    (totals,) = elements(tree(story), "//table[@aria-labelledby='totals-c']")
    assert len(elements(totals, "tbody/tr")) == 3
    (members,) = elements(tree(story), "//details[@class='members']")
    assert len(elements(members, ".//tbody/tr")) == 64
    assert "| 198.51.100.63 | new | 2 | 0 | 0 |" in text(story)
    *_, title = elements(tree(story), "//*[@class='name']/*[local-name()='title']")
    assert words(title).endswith("198.51.100.62, 198.51.100.63")


def test_unproven_is_not_shown_as_blocked() -> None:
    root = tree(canary_only())
    (figure,) = elements(root, "//*[@class='figures']/li[a[@href='#unproven']]")
    assert figure.get("class") == "open"
    assert words(figure) == "1 ? point unproven"
    assert not elements(tree(done()), "//*[@class='figures']/li[@class='open']")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("the cutover is done", "The cutover is done"),
        ("remove-old: it failed", "Remove-old: it failed"),
        ("sfcutover run", "sfcutover run"),
        ("cutover.yaml:3: it differs", "cutover.yaml:3: it differs"),
        ("", ""),
    ],
)
def test_a_sentence_that_stands_alone_starts_with_a_capital(text: str, shown: str) -> None:
    assert sentence(text) == shown


def test_times_after_midnight_have_their_date() -> None:
    story = done()
    assert "12:00:09Z</time>" in page(story)
    late = rolled_back()
    late.started += 12 * 3600 - 60
    for number, event in enumerate(late.events):
        late.events[number] = type(event)(**{**vars(event), "time": event.time + 12 * 3600 - 60})
    late.ended = (late.ended or 0) + 12 * 3600 - 60
    assert "2026-11-24 00:00:40Z</time>" in page(late)


@pytest.mark.parametrize("render", [lambda story: words(tree(story)), lambda story: text(story)])
def test_a_removal_by_others_is_not_reported_as_live(render: Callable[[Story], str]) -> None:
    found = render(removed_by_hand())
    assert "this run changed nothing" in found
    assert re.search(r"Found at|\| found at", found)
    assert len(re.findall(r"[Ll]ive since", found)) == 1  # add-new's
    assert len(re.findall(r"[Ll]ive since", render(done()))) == 2


@pytest.mark.parametrize("render", [lambda story: words(tree(story)), lambda story: text(story)])
def test_the_share_of_the_canary_in_the_redemptions_is_shown(
    render: Callable[[Story], str],
) -> None:
    assert "11 of them by this run's canary" in render(canary_only())
    story = done()
    story.events = [each for each in story.events if each.step not in ("verify", "verify-new")]
    assert "up to 7 of them by this run's canary" in render(story)
    assert "of them by this run" not in render(failed())


@pytest.mark.parametrize("name", ["rolled back", "failed", "started", "hostile", "nothing"])
def test_an_unfinished_run_shows_no_green_limitation(name: str) -> None:
    assert not elements(tree(stories()[name]), "//*[@id='unproven']//*[@class='good']")
    assert elements(tree(done()), "//*[@id='unproven']//*[@class='good']")


def test_a_run_that_failed_immediately_changed_nothing() -> None:
    for found in (words(tree(failed())), text(failed())):
        assert "Nothing was changed: the run ended before a deployment." in found


def test_a_deployment_by_an_unknown_user_is_marked() -> None:
    assert "not read" in words(elements(tree(done()), "//*[@id='deployments']")[0])
    assert "| not read |" in text(done())


def test_a_phone_shows_the_important_parts_first() -> None:
    heads = {
        part: texts(tree(done()), f"//*[@id='{part}']//thead//th/text()")
        for part in ("deployments", "lists")
    }
    assert heads["deployments"][:2] == ["Phase", "Status"]
    assert heads["lists"][:3] == ["Target", "Old now", "New now"]


@pytest.mark.parametrize(
    ("sizes", "targets", "words"),
    [
        ([1, 5], 1, "1 target: one wave"),
        ([1, 5], 2, "2 targets: 2 waves, of 1 and 1"),
        ([1, 5], 7, "7 targets: 3 waves, of 1, 5 and 1"),
        ([9], 7, "7 targets: one wave"),
        ([1], 40, "40 targets: 40 waves, of 1, 1, 1, 1, 1, 1, 1, 1 and 32 more"),
        ([1, 5], 0, "of 1, 5 targets"),
    ],
)
def test_waves_are_those_of_the_targets_of_the_run(
    sizes: list[int], targets: int, words: str
) -> None:
    assert waves_text(sizes, targets) == words


# Markdown


def test_tables_have_as_many_cells_in_every_row(lines: str) -> None:
    for block in re.findall(r"(?:^\|.*\|\n)+", lines, re.MULTILINE):
        rows = [re.sub(r"\\\|", "", line).count("|") for line in block.splitlines()]
        assert len(set(rows)) == 1, block


def test_markdown_keeps_texts_of_others_in_a_code_span() -> None:
    found = text(hostile())
    assert "\n# c" not in found.split("\n", 1)[1]
    assert all("`" in line for line in found.splitlines() if "evil.example" in line)


def test_markdown_shows_the_same_as_the_page() -> None:
    found = text(rolled_back())
    assert found.startswith("# Rolled back: move.1\n\n")
    for part in (
        "- Impact: Fine",
        "2. 12:00:24Z switch",
        "| 198.51.100.21 | new | 285 | 150 | 0 |",
        "- added 203.0.113.10",
        "0Afrespackaging",
        "150 blocked",
    ):
        assert part in found


def test_no_line_of_markdown_ends_open(lines: str) -> None:
    assert "\n\n\n" not in lines
    assert not re.search(r"[ \t]$", lines, re.MULTILINE)
    assert lines.endswith("from the journal of the run.\n")


# The data of both formats


def test_the_same_change_on_many_targets_is_listed_once() -> None:
    names = [f"org-{number}" for number in range(20)]
    found = document(done(names))
    fuller = found.phases[3].components[0].capacity.model_copy(update={"ranges": 90})
    component = found.phases[3].components[0].model_copy(update={"capacity": fuller})
    found.phases[3] = found.phases[3].model_copy(update={"components": [component]})
    add, remove = changes(found)
    assert [each.capacity.ranges for _, each in add.targets][2:5] == [5, 90, 5]
    assert (add.phase.phase, [each.target for each, _ in add.targets]) == ("add-new", names)
    assert (remove.phase.phase, len(remove.targets)) == ("remove-old", 20)
    assert len(found.deployments) == 40
    room = fullest(found)
    assert room is not None
    assert (room.ranges, room.addresses) == (90, 12)
    assert [each.targets for each in found.steps if each.step == "add-new"] == [20]


def test_the_targets_of_a_change_are_in_the_order_of_the_run() -> None:
    story = Story(("one", "two"))
    story.start()
    for at, name in ((5, "two"), (15, "one")):
        story.deploy("add-new", at, OLD + NEW, name)
    (change,) = changes(document(story))
    assert [phase.target for phase, _ in change.targets] == ["one", "two"]


def test_the_text_chart_shows_the_same_as_the_drawn_one() -> None:
    lines = text_chart(Report.of(rolled_back().data()))
    ruler, *rows, _ = [line[19:] for line in lines]
    assert ruler.split() == ["1", "2", "3", "4", "5", "6"]
    assert [line[:19].strip() for line in lines[1:-1]] == [
        f"{OLD[0]} old",
        f"{OLD[1]} old",
        f"{NEW[0]} new",
        f"{NEW[1]} new",
        "blocked",
    ]
    assert rows[0].startswith("█████")
    assert set(rows[1].split()[0]) == {"·"}
    blocked = rows[4].index("x")
    assert rows[4].endswith("150 blocked")
    assert ruler.index("4") < blocked < ruler.index("5")


# Templates


def test_a_user_template_overrides_the_built_in_one(tmp_path: Path) -> None:
    (tmp_path / "report.md.j2").write_text("{{ report.verdict.title }} at {{ report.app }}\n")
    report = Report.of(done().data())
    assert markdown(report, Templates(tmp_path)) == "Done at Acme_Connector\n"


def test_an_error_in_a_template_names_its_line(tmp_path: Path) -> None:
    (tmp_path / "report.html.j2").write_text("<p>\n{{ report.verdct }}\n")
    with pytest.raises(ConfigError) as caught:
        html(Report.of(done().data()), Templates(tmp_path))
    assert caught.value.where == f"{tmp_path / 'report.html.j2'}:2"
