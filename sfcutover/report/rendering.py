"""A report as HTML and as Markdown, through the templates."""

from __future__ import annotations

import re
from collections.abc import Callable

from sfcutover.allowlist.templates import Templates
from sfcutover.report.changes import changes, fullest
from sfcutover.report.chart import draw
from sfcutover.report.document import Report
from sfcutover.report.durations import clock, date_and_clock, duration, moment
from sfcutover.report.own import canary_text
from sfcutover.report.textchart import text_chart
from sfcutover.report.waves import waves_text

# The page shows the one that fits: a chart that is scaled has letters nobody can read.
_WIDTHS = {"wide": 1000.0, "middle": 640.0, "narrow": 340.0}


def html(report: Report, templates: Templates) -> str:
    """One file that needs nothing else. Raises ConfigError for a faulty template."""
    charts = [draw(report, name, width) for name, width in _WIDTHS.items()]
    return templates.render_html("report", {**_variables(report), "charts": charts})


def markdown(report: Report, templates: Templates) -> str:
    """The same for a pull request or a ticket. Raises ConfigError for a faulty template."""
    variables = {**_variables(report), "chart": text_chart(report), "cell": _cell}
    text = templates.render_text("report", variables)
    return re.sub("\n{3,}", "\n\n", text)  # where a part of the template said nothing


def _variables(report: Report) -> dict[str, object]:
    document = report.document
    succeeded = sum(each.redeemed for each in document.traffic)
    return {
        "report": document,
        "changes": changes(document),
        "fullest": fullest(document),
        "at": _clock_of(report),
        "canary": canary_text(document.canary, succeeded),
        "waves": waves_text(document.rules.waves, len(document.targets)),
        "date_and_clock": date_and_clock,
        "duration": duration,
    }


def _clock_of(report: Report) -> Callable[[str], str]:
    """A time of day; with its date where the run passed midnight."""
    start, end = moment(report.scale.start), moment(report.scale.end)
    return clock if start.date() == end.date() else date_and_clock


def _cell(text: object) -> str:
    """What stands in a table: a bar within it would end the cell, even in a code span."""
    return str(text).replace("|", r"\|")
