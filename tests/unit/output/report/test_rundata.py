"""The settings of a run, from its recorded configuration."""

from __future__ import annotations

from tests.unit.output.report.stories import document, done
from tests.unit.output.report.story import Story


def test_the_settings_include_the_defaults() -> None:
    rules = document(done()).rules
    assert (rules.settle, rules.watch_duration, rules.watch_interval) == (30, 60, 10)
    assert (rules.confidence, rules.max_age, rules.watch_failures) == (0.999999, 86400, 2)
    assert (rules.waves, rules.checks, rules.quiet) == ([1, 5], [], [])
    prometheus = {"url": "http://127.0.0.1:9090", "query": "up", "condition": "> 0"}
    named = {"name": "n", "command": ["./b"]}
    checks = {"checks": [{"command": ["./a"]}, {"prometheus": prometheus}, named]}
    assert document(Story(config=checks)).rules.checks == ["./a", "up", "n"]
