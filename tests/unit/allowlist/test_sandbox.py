"""Limits of user templates: their output is counted, and refused before it takes memory."""

from __future__ import annotations

import tracemalloc

import pytest
from jinja2 import Environment, Template
from jinja2.exceptions import SecurityError
from markupsafe import Markup

from sfcutover.allowlist.sandbox import Sandbox, budget

LONG = "x" * 3000
VALUES = {"x": LONG, "percent": "%(a)s" * 3000, "braces": "{0}" * 3000}
BUDGET = 100_000


def render(text: str, amount: int = BUDGET) -> str:
    return render_template(Sandbox().from_string(text), amount)


def render_template(template: Template, amount: int = BUDGET) -> str:
    with budget(amount):
        return template.render(VALUES)


@pytest.mark.parametrize(
    "text",
    [
        "{{ x|replace('x', x) }}",
        "{{ x|join(x) }}",
        "{{ x|join(d=x) }}",
        "{{ percent % {'a': x} }}",
        "{{ braces.format(x) }}",
        "{{ " + " ~ ".join(["x"] * 3000) + " }}",
    ],
)
def test_excessive_output_is_refused_before_it_is_made(text: str) -> None:
    render("{{ x|length }}")  # what Jinja creates the first time does not count
    template = Sandbox().from_string(text)  # to compile 3,000 operands takes memory, too
    tracemalloc.start()
    try:
        with pytest.raises(SecurityError, match="output is too large, or it takes too long"):
            render_template(template)
        assert tracemalloc.get_traced_memory()[1] < len(LONG) ** 2 // 4  # it would be LONG squared
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "text",
    [
        "{% set s = x ~ x %}" + "{% set s = s ~ s %}" * 6,
        "{% set s = x + x %}" + "{% set s = s + s %}" * 6,
        "{% for a in range(40) %}{% if x < x %}{% endif %}{% endfor %}",
        "{% for a in range(40) %}{% if x < '' %}{% endif %}{% endfor %}",
        "{% for a in range(40) %}{% if x[1:] %}{% endif %}{% endfor %}",
        "{% for a in range(2000) %}{% endfor %}",
        "{% for a in range(40) %}{% set s %}{{ x }}{% endset %}{% endfor %}",
    ],
)
def test_all_output_counts(text: str) -> None:
    with pytest.raises(SecurityError, match="output is too large, or it takes too long"):
        render(text)
    assert render(text, 100 * BUDGET).strip() == ""


def test_numbers_are_limited() -> None:
    assert render("{{ 4 * 9007199254740992 }}") == str(2**55)
    with pytest.raises(SecurityError, match="number is too large"):
        render("{{ 1024 * 9007199254740992 * 2 }}")
    with pytest.raises(SecurityError, match="cannot use powers"):
        render("{{ 2 ** 2 }}")
    with pytest.raises(SecurityError, match="only numbers can be multiplied"):
        render("{{ x * 2 }}")


@pytest.mark.parametrize("autoescape", [True, False])
def test_joined_values_are_escaped_as_outside_the_sandbox(autoescape: bool) -> None:
    sandbox, outside = (
        kind(autoescape=autoescape)
        .from_string("{{ safe ~ text }}")
        .render(safe=Markup("<b>"), text="<i>")
        for kind in (Sandbox, Environment)
    )
    assert sandbox == outside
    assert sandbox == ("<b>&lt;i&gt;" if autoescape else "<b><i>")
