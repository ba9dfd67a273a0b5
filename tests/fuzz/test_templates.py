"""User templates that override the built-in ones."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfcutover.allowlist.package import build_package
from sfcutover.allowlist.templates import Templates
from sfcutover.util.files import resource_folder
from tests.fuzz.hostile import cut, encoded, texts
from tests.fuzz.limits import FUZZ, fuzzed, must_end
from tests.fuzz.material import CUTOVER, snapshot

pytestmark = FUZZ
NAMES = ["token-ip-ranges.xml.j2", "package.xml.j2", "oauth-policies.xml.j2"]
BUILTIN = {name: (resource_folder("templates") / name).read_text("utf-8") for name in NAMES}

_VALUES = [
    "fields", "fields[0]", "allowlist", "range", "loop", "self", "x", "ns.s", "1", "-1",
    "10**9", "9999999", "'a'", "'%s'", "[1, 2]", "{}", "none", "range(90000)",
    "namespace(s='a')", "''.__class__", "full_name", "fields[0].of_text", "caller", "m",
    "dict(a=1)", "1.5", "allowlist.ranges", "'{:99999999}'", "types",
]  # fmt: skip
_OPERATORS = [
    "+",
    "*",
    "**",
    "%",
    "~",
    "-",
    "/",
    "//",
    "in",
    "==",
    "<",
    "and",
    "or",
    ".",
    "[",
    "is",
]
_FILTERS = [
    "join", "list", "replace('a', 'aa')", "sum", "map('upper')", "sort", "round(99)",
    "center(999)", "format(1)", "attr('__class__')", "first", "safe", "batch(2)", "indent(99)",
    "groupby('x')", "tojson", "pprint", "random", "int", "string", "length", "urlize",
    "wordwrap(1)",
]  # fmt: skip
_values = st.sampled_from(_VALUES)
_expressions = st.recursive(
    _values,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(_OPERATORS), inner).map(
            lambda e: f"({e[0]}) {e[1]} ({e[2]})"
        ),
        st.tuples(inner, st.sampled_from(_FILTERS)).map(lambda e: f"({e[0]}) | {e[1]}"),
        st.tuples(inner, inner).map(lambda e: f"({e[0]})[{e[1]}:]"),
        st.tuples(inner, inner).map(lambda e: f"({e[0]})({e[1]})"),
        inner.map(lambda e: f"'%s%s' % ({e}, {e})"),
    ),
    max_leaves=5,
)
_HEADS = [
    "{% for x in E %}B{% endfor %}", "{% set ns = namespace(s=E) %}B", "{% set ns.s = E %}B",
    "{% if E %}B{% endif %}", "{% macro m(x) %}B{{ m(E) }}{% endmacro %}{{ m(E) }}",
    "{% set x %}B{% endset %}{{ x }}", "{{ E }}B", "{% set x = E %}B", "{% include E %}",
    "{% import E as x %}B", "{% extends E %}B", "{% block b %}B{% endblock %}",
    "{% filter upper %}B{% endfilter %}", "{% with x = E %}B{% endwith %}",
    "{% call(x) m(E) %}B{% endcall %}", "{% for x in E recursive %}B{{ loop(E) }}{% endfor %}",
    "{# B #}", "{% raw %}B{% endraw %}", "<a>B</a>",
]  # fmt: skip


@st.composite
def _statements(draw: st.DrawFn) -> str:
    text = "B"
    for _ in range(draw(st.integers(1, 6))):
        head = draw(st.sampled_from(_HEADS))
        while "E" in head:
            head = head.replace("E", draw(_expressions), 1)
        text = text.replace("B", head, 1)
    return text.replace("B", draw(st.sampled_from(["", "x", "{{ x }}", "{{ ns.s }}"])))


_NESTED = [
    f"{{{{ {'(' * 20_000}1{')' * 20_000} }}}}", "{% if 1 %}" * 3000 + "{% endif %}" * 3000,
    "{{" * 30_000, "{% for x in [1] %}" * 25 + "{% endfor %}" * 25,
    "{{ " + "not " * 30_000 + "1 }}", "{{ " + "-" * 30_000 + "1 }}",
    "{{ " + "[" * 5000 + "]" * 5000 + " }}", "{{ " + "1+" * 30_000 + "1 }}", "{#" * 30_000,
    "{{ 'a" * 10_000, "{{ " + "x.y" * 20_000 + " }}", "{{ " + "9" * 60_000 + " }}",
    "{{ x" + "|list" * 10_000 + " }}", "{{ " + "'a' ~ " * 10_000 + "'b' }}", "\x00",
    "{% set a = 'a' * 9 %}" * 3000, "{% set s = 'aaaaaaaa' %}" + "{% set s = s ~ s %}" * 60,
    "{% set s = [1] %}" + "{% set s = s + s %}" * 60,
    "{% set s = 9 %}" + "{% set s = s * s %}" * 60,
    "{% for x in range(90000) %}{% for y in range(90000) %}{% endfor %}{% endfor %}",
]  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("templates")


@given(name=st.sampled_from(NAMES), data=st.data())
@fuzzed
def test_any_template_renders_or_is_refused(folder: Path, name: str, data: st.DataObject) -> None:
    texts_ = cut(BUILTIN[name]) | _statements() | st.sampled_from(_NESTED) | texts
    content = data.draw(encoded(texts_))
    for each in NAMES:
        (folder / each).unlink(missing_ok=True)
    (folder / name).write_bytes(content)
    components = snapshot({}).components
    must_end(lambda: build_package(components, CUTOVER.api_version, Templates(folder)))
