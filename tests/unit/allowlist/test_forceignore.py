"""What .forceignore excludes; tests/integration/cli/test_tree_checks.py compares it with git."""

from __future__ import annotations

import pytest

from sfcutover.allowlist.forceignore import is_excluded, read_patterns

FILE = "force-app/main/default/settings/Acme.ecaOauthSecurity-meta.xml"
CASES = {
    "*.ecaOauthSecurity-meta.xml": True,
    "**/*.ecaOauthSecurity-meta.xml": True,
    "**.ecaOauthSecurity-meta.xml": True,
    "*.ecaOauthSecurity": False,
    "*.ecaoauthsecurity-meta.xml": False,
    "Acme*": True,
    "?cme.*": True,
    "[A-C]cme.*": True,
    "[!A]cme.*": False,
    "settings": True,
    "settings/": True,
    "**settings": True,
    "/settings": False,
    "default/settings": False,
    "**/default/settings": True,
    "**/settings/**": True,
    "force-app": True,
    "/force-app/": True,
    "force-app/*": True,
    "force-app/**": True,
    "force-app/**/settings": True,
    "force-app/**/default/**/*.xml": True,
    "force-app/**/Acme": False,
    "force-app/settings": False,
    "main/**": False,
    f"{FILE}/": False,
    FILE: True,
    f"/{FILE}": True,
    "**": True,
    "*": True,
    "/": False,
    "!": False,
    "# *": False,
    r"\#*": False,
    r"\!*": False,
    "   ": False,
    "*.xml   ": True,
    "*.xml\n!Acme*": False,
    "!Acme*\n*.xml": True,
    "*.xml\n!Other*": True,
}


@pytest.mark.parametrize(("text", "excluded"), CASES.items())
def test_the_last_pattern_that_matches_decides(text: str, excluded: bool) -> None:
    assert is_excluded(read_patterns(text), FILE) is excluded


def test_a_pattern_with_more_parts_than_the_path_does_not_match() -> None:
    assert not is_excluded(read_patterns("/a/a\n/a/a/a\n/a/a/a/a"), "a")


@pytest.mark.parametrize("part", ["*o", "**/", "*", "[!x]*"])
def test_no_pattern_backtracks_without_limit(part: str) -> None:
    patterns = read_patterns("\n".join([f"{part * 200}z"] * 20))
    assert not is_excluded(patterns, f"{'o/' * 200}{'o' * 250}")
