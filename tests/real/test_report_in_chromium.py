"""The report's page in a browser: it requests nothing, and is readable everywhere."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sfcutover.allowlist.templates import Templates
from sfcutover.errors import Command
from sfcutover.output.report.render import html
from sfcutover.output.report.report import Report
from tests.real import chromium
from tests.unit.output.report.stories import done, rolled_back
from tests.unit.output.report.story import NEW, NOON, Story

pytestmark = pytest.mark.slow  # programs that others wrote

if REASON := chromium.missing():  # one line for all, or a failure where SFCUTOVER_REQUIRE_REAL is 1
    if os.environ.get("SFCUTOVER_REQUIRE_REAL") == "1":
        pytest.fail(REASON, pytrace=False)
    pytest.skip(REASON, allow_module_level=True)

LOADS = {
    "a.png": '<img src="http://loads.example/a.png">',
    "b.css": '<link rel="stylesheet" href="https://loads.example/b.css">',
    "c.woff": "<style>@font-face{font-family:f;src:url(http://loads.example/c.woff)}"
    "p{font-family:f}</style>",
    "d.js": '<script src="https://fonts.googleapis.com/d.js"></script>',
    "ws://loads.example/e": '<script>new WebSocket("ws://loads.example/e")</script>',
}
FIT = """
const charts = [...document.querySelectorAll('svg.chart')];
return {
  wider: document.documentElement.scrollWidth - window.innerWidth,
  charts: charts.filter(e => e.getBoundingClientRect().width).map(e => e.classList[1]),
};
"""
LABELS = """
const chart = [...document.querySelectorAll('svg.chart')].find(e => e.clientWidth);
const outer = chart.getBoundingClientRect();
const labels = [...chart.querySelectorAll('text.label')];
const boxes = labels.map(e => e.getBoundingClientRect());
const across = (a, b) => a.left < b.right && b.left < a.right;
const touch = (a, b) => across(a, b) && a.top + 2 < b.bottom && b.top + 2 < a.bottom;
return {
  labels: labels.length,
  overlaps: boxes.flatMap((a, i) => boxes.slice(i + 1).filter(b => touch(a, b))).length,
  outside: boxes.filter(b => b.left < outer.left - 1 || b.right > outer.right + 1).length,
  letters: parseFloat(getComputedStyle(labels[0]).fontSize)
    * outer.width / chart.viewBox.baseVal.width,
};
"""
CROSSED = """
const chart = [...document.querySelectorAll('svg.chart')].find(e => e.clientWidth);
const scale = chart.getBoundingClientRect().width / chart.viewBox.baseVal.width;
const top = chart.getBoundingClientRect().top, left = chart.getBoundingClientRect().left;
const boxes = [...chart.querySelectorAll('text')].map(e => e.getBoundingClientRect());
const parts = [...chart.querySelectorAll('path.marker')].flatMap(e =>
  [...e.getAttribute('d').matchAll(/M([\\d.]+) ([\\d.]+)V([\\d.]+)/g)].map(m =>
    ({x: left + m[1] * scale, from: top + m[2] * scale, to: top + m[3] * scale})));
const dots = [...chart.querySelectorAll('rect.idle')].map(e => e.getBoundingClientRect());
const crosses = (p, b) => b.left < p.x && p.x < b.right
  && p.from < b.bottom - 3 && b.top + 3 < p.to;
const covers = (d, b) => d.left < b.right && b.left < d.right
  && d.top < b.bottom - 3 && b.top + 3 < d.bottom;
return {
  parts: parts.length > 0,
  dots: dots.length > 0,
  crossed: parts.filter(p => boxes.some(b => crosses(p, b))).length,
  covered: dots.filter(d => boxes.some(b => covers(d, b))).length,
};
"""
SEEN = """
const inside = e => e.getBoundingClientRect().right <= window.innerWidth;
const heads = id => [...document.querySelectorAll(`#${id} thead th`)].filter(inside);
return {
  cut: [...document.querySelectorAll('.caption')].filter(e => !inside(e)).length,
  deployments: heads('deployments').map(e => e.textContent).slice(0, 3),
  lists: heads('lists').map(e => e.textContent).slice(0, 3),
};
"""
CONTRAST = """
const channel = v => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
const light = c => 0.2126 * channel(c[0]) + 0.7152 * channel(c[1]) + 0.0722 * channel(c[2]);
const parse = text => text.match(/[\\d.]+/g).map(Number);
const ground = e => {
  for (; e; e = e.parentElement) {
    const c = parse(getComputedStyle(e).backgroundColor);
    if (c.length < 4 || c[3] > 0) return c;
  }
  return [255, 255, 255];
};
const poor = [];
for (const e of document.querySelectorAll('main *, footer')) {
  const own = [...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim());
  const inside = e.closest('desc, title, style, script');
  if (!own || inside || !e.getClientRects().length) continue;
  const style = getComputedStyle(e);
  const [a, b] = [light(parse(e.closest('svg') ? style.fill : style.color)), light(ground(e))];
  const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  if (ratio < 4.5) poor.push([e.tagName, e.textContent.trim().slice(0, 40), ratio]);
}
return {poor: poor};
"""


def busy() -> Story:
    """A crowded run: waits, a rollback, twenty targets, long words, IPv6."""
    story = rolled_back()
    story.targets = [f"customer-number-{number}" for number in range(20)]
    story.start()
    for name in story.targets:
        story.snapshot(2, name)
        story.deploy("add-new", 3, NEW, name)
        story.prove("verify", 27, name)
    note = "https://tracker.example/" + "long-without-a-break" * 12
    story.tell(40, "paused", "remove-old", pause=1, reason="pause-before", message=note, next="")
    story.tell(58, "approved", "remove-old", pause=1, who="ann", time=NOON + 58, note=note)
    story.traffic(range(50, 60), "2001:db8:aaaa:bbbb:cccc:dddd:eeee:ffff")
    story.traffic(range(70, 75), "192.0.2.9", "other")
    story.tell(111, "page", "page", message=note, commands=[Command("rollback", "--yes")])
    return story


@pytest.fixture(params=["done", "busy"])
def page(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    story = {"done": done, "busy": busy}[request.param]()
    return written(tmp_path, html(Report.of(story.data()), Templates()))


def written(folder: Path, text: str) -> Path:
    path = folder / "report.html"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_page_requests_nothing_from_the_network(page: Path, tmp_path: Path) -> None:
    """In both color schemes and in print. The images stay in tmp_path, to be looked at."""
    looks = [
        chromium.screenshot(page, tmp_path / f"{width}-{dark}.png", width, 2000, dark=dark)
        for width in (400, 1200)
        for dark in (False, True)
    ]
    looks.append(chromium.printed(page, tmp_path / "report.pdf"))
    for look in looks:
        assert look.requests == set()
        assert look.complaints == []  # its policy would report refused requests here
    light, dark = (chromium.size_and_corner(look.written) for look in looks[2:4])
    assert light == (1200, 2000, (0xF3, 0xF5, 0xF8))
    assert dark == (1200, 2000, (0x0E, 0x11, 0x16))
    assert looks[4].written.read_bytes().startswith(b"%PDF")


def test_a_page_that_loads_something_is_detected(tmp_path: Path) -> None:
    """Without its policy the report would load it as any page; with it, no request is sent."""
    text = html(Report.of(done().data()), Templates())
    text = text.replace("<main>", f"<main>{''.join(LOADS.values())}")
    opened = written(tmp_path, text.replace("Content-Security-Policy", "x"))
    requests = chromium.screenshot(opened, tmp_path / "a.png", 600, 600).requests
    for part in LOADS:
        assert any(part in each for each in requests), (part, requests)
    closed = chromium.screenshot(written(tmp_path, text), tmp_path / "b.png", 600, 600)
    assert closed.requests == set()
    assert len(closed.complaints) >= len(LOADS) - 1  # fonts that nothing uses are not missed


@pytest.mark.parametrize(("width", "chart"), [(400, "narrow"), (800, "middle"), (1200, "wide")])
def test_the_page_fits_the_width_and_shows_the_chart_for_it(
    page: Path, width: int, chart: str
) -> None:
    assert chromium.measured(page, FIT, width) == {"wider": 0, "charts": [chart]}


@pytest.mark.parametrize("width", [400, 800, 1200])
def test_labels_of_the_chart_do_not_overlap(width: int, tmp_path: Path) -> None:
    page = written(tmp_path, html(Report.of(busy().data()), Templates()))
    found = chromium.measured(page, LABELS, width)
    assert (found["labels"], found["overlaps"], found["outside"]) == (7, 0, 0)
    assert isinstance(found["letters"], float)
    assert found["letters"] >= 10  # pixels


@pytest.mark.parametrize("width", [400, 800, 1200])
def test_no_line_and_no_dotted_time_crosses_a_text(width: int, tmp_path: Path) -> None:
    page = written(tmp_path, html(Report.of(busy().data()), Templates()))
    expected = {"parts": True, "dots": True, "crossed": 0, "covered": 0}
    assert chromium.measured(page, CROSSED, width) == expected


def test_a_phone_shows_every_caption_and_the_important_columns(tmp_path: Path) -> None:
    page = written(tmp_path, html(Report.of(done().data()), Templates()))
    assert chromium.measured(page, SEEN, 400) == {
        "cut": 0,
        "deployments": ["Phase", "Status", "Target"],
        "lists": ["Target", "Old now", "New now"],
    }


@pytest.mark.parametrize("dark", [False, True])
def test_everything_is_readable_against_its_background(page: Path, dark: bool) -> None:
    assert chromium.measured(page, CONTRAST, 1200, dark=dark)["poor"] == []
