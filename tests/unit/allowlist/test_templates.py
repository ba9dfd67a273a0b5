from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import given
from lxml import etree
from markupsafe import Markup

from sfcutover.allowlist.component import Field
from sfcutover.allowlist.diff import RangeDocument
from sfcutover.allowlist.sandbox import MAX_MADE
from sfcutover.allowlist.templates import MAX_TEMPLATE_BYTES, Templates
from sfcutover.errors import ConfigError, ExitCode, LimitError
from tests.unit.strategies import TRICKY, xml_text

NAME = "package"
FILE = "package.xml.j2"


def fault(folder: Path, text: str, **variables: object) -> ConfigError:
    """The error of rendering an overriding template; its place is relative to folder."""
    (folder / FILE).write_text(text)
    with pytest.raises(ConfigError) as caught:
        Templates(folder).render_xml(NAME, variables)
    error = caught.value
    assert error.exit_code is ExitCode.USAGE
    assert "--templates" in error.hint
    assert "\n" not in str(error)
    return error


def line(folder: Path, error: ConfigError, file: str = FILE) -> int:
    path, _, number = str(error.where).rpartition(":")
    assert path == str(folder / file)
    return int(number)


# What is rendered


@given(xml_text)
def test_values_are_escaped_and_keep_every_character(text: str) -> None:
    data = Templates().render_xml(NAME, {"types": [], "api_version": text})
    assert (etree.fromstring(data)[-1].text or "") == text


def test_the_manifest_is_rendered() -> None:
    types = [{"name": "T", "members": ["A", TRICKY]}]
    assert Templates().render_xml(NAME, {"types": types, "api_version": "67.0"}).decode() == (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<Package xmlns="http://soap.sforce.com/2006/04/metadata">\n'
        "    <types>\n"
        "        <members>A</members>\n"
        "        <members>Müller &amp; &#34;Söhne&#34; &lt;eu&gt;</members>\n"
        "        <name>T</name>\n"
        "    </types>\n"
        "    <version>67.0</version>\n"
        "</Package>\n"
    )


def test_a_folder_overrides_single_templates(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text("<mine/>")
    (tmp_path / "README.md").write_text("notes")
    templates = Templates(tmp_path)
    assert templates.render_xml(NAME, {}) == b"<mine/>"
    assert b"ConfigurablePolicies" in templates.render_xml(
        "oauth-policies", {"fields": [], "attributes": ""}
    )
    assert templates.origin(NAME) == str(tmp_path / FILE)
    assert Path(templates.origin("oauth-policies")).parent != tmp_path


# Faults that stop the rendering


def test_a_missing_variable_is_named_with_its_line(tmp_path: Path) -> None:
    error = fault(tmp_path, "<a>\n\n{{ nope }}\n</a>")
    assert line(tmp_path, error) == 3
    assert error.message == "'nope' is undefined"


def test_an_undefined_name_in_a_loop_has_the_line_in_the_loop(tmp_path: Path) -> None:
    text = "<a>\n{% for x in xs %}\n<b/>\n{{ x }}{{ nope }}\n{% endfor %}</a>"
    error = fault(tmp_path, text, xs=[1])
    assert line(tmp_path, error) == 4


def test_an_undefined_attribute_is_named_with_its_line(tmp_path: Path) -> None:
    error = fault(tmp_path, "<a>\n{% for x in xs -%}\n\n{{ x.nope }}\n{% endfor %}</a>", xs=[1])
    assert line(tmp_path, error) == 4
    assert "has no attribute 'nope'" in error.message


@pytest.mark.parametrize("text", ["{{ x ~ nope }}", "{{ nope[1:] }}"])
def test_an_undefined_name_in_a_counted_expression_has_its_line(tmp_path: Path, text: str) -> None:
    assert line(tmp_path, fault(tmp_path, f"<a>\n\n{text}\n</a>", x="x")) == 3


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("<a>\n{% for x in %}", "Expected an expression"),
        ("<a>\n{% fo x in y %}", "unknown tag 'fo'"),
        ("<a>\n{{ x }</a>", "unexpected '}'"),
        ("<a>\n{{ x | nofilter }}</a>", "No filter named 'nofilter'"),
        ("<a>\n{{ x is notest }}</a>", "No test named 'notest'"),
    ],
)
def test_a_syntax_error_is_named_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    error = fault(tmp_path, text, x=1)
    assert line(tmp_path, error) == 2
    assert message in error.message


def test_an_unclosed_block_is_a_syntax_error(tmp_path: Path) -> None:
    assert "endfor" in fault(tmp_path, "<a>\n{% for x in xs %}\n").message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{{ 1 / 0 }}", "division by zero"),
        ("{{ x() }}", "cannot call this"),
        ("{{ x + '1' }}", "unsupported operand"),
        ("{{ x | round(method='no') }}", "method"),
        ('{% include "typo.xml.j2" %}', "'typo.xml.j2' not found"),
        (f'{{% include "{FILE}" %}}', "without end"),
        ("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", "without end"),
    ],
)
def test_a_fault_while_rendering_is_named_with_its_line(
    tmp_path: Path, text: str, message: str
) -> None:
    error = fault(tmp_path, f"<a>\n\n{text}\n</a>", x=1)
    assert line(tmp_path, error) == 3
    assert message in error.message


@pytest.mark.parametrize("text", ["\n\n\n{{ nope }}", "\n\n\n{{ nope }"])
def test_a_fault_in_an_included_template_has_its_line(tmp_path: Path, text: str) -> None:
    (tmp_path / "oauth-policies.xml.j2").write_text(text)
    error = fault(tmp_path, '<a>\n{% include "oauth-policies.xml.j2" %}</a>')
    assert line(tmp_path, error, "oauth-policies.xml.j2") == 4


# Output that is not XML


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<a>\n<b>\n</c>\n</a>", 3),
        ("<a>\n{% for x in xs %}\n<b>{{ x }}</c>\n{% endfor %}\n</a>", 3),
        ("<a>\n{% for x in xs %}\n<b>{{ x }}</b>\n{% endfor %}\n<c>\n</d>\n</a>", 6),
        ("<a>\n{%- for x in xs %}\n<b/>\n{%- endfor %}\n\n</c>\n</a>", 6),
        ("<a>\n{% for x in xs -%}\n\n\n</b>\n{% endfor %}\n</a>", 5),
        ("<a>\n{# a\ncomment #}\n{% if xs %}\n</b>{% endif %}\n</a>", 5),
        ("<a>\n{{ many }}\n</b>\n</a>", 3),
        ("<a>\n\n{{ '</b>' | safe }}\n</a>", 3),
        ("<a>\n\n{{ tag | safe }}\n</a>", 3),
        ("<a>\n\n<b>{{ control }}</b>\n</a>", 3),
        ("<a>\n\n<b>{{ nul }}</b>\n</a>", 3),
        ("<a>\n\n<b>{{ surrogate }}</b>\n</a>", 3),
        ("<a>\n{% macro m() %}\n</b>{% endmacro %}\n\n{{ m() }}</a>", 3),
        ("<a>\n{% set s %}\n</b>{% endset %}\n\n{{ s }}</a>", 3),
        ("\n<?xml version='1.0'?>\n<a/>", 2),
        ("", 1),
        ("<a/>\n<b/>", 2),
    ],
)
def test_ill_formed_output_is_traced_to_the_line_of_the_template(
    tmp_path: Path, text: str, expected: int
) -> None:
    variables = {
        "xs": [1, 2, 3],
        "many": "1\n2\n3\n4",
        "tag": "</b>",
        "control": "\x01",
        "nul": "\0",
        "surrogate": "\ud800",
    }
    error = fault(tmp_path, text, **variables)
    assert line(tmp_path, error) == expected
    assert error.message.startswith("the output is not well-formed XML: ")


def test_the_message_of_the_parser_refers_to_template_lines(tmp_path: Path) -> None:
    text = "<a>\n{% for x in xs %}\n<b/>\n{% endfor %}\n<c>\n</d>\n</a>"
    error = fault(tmp_path, text, xs=[1, 2, 3])
    assert error.message.endswith("Opening and ending tag mismatch: c line 5 and d")


def test_ill_formed_output_of_an_included_template_has_its_line(tmp_path: Path) -> None:
    (tmp_path / "oauth-policies.xml.j2").write_text("<x/>\n\n</b>")
    error = fault(tmp_path, '<a>\n\n\n\n{% include "oauth-policies.xml.j2" %}</a>')
    assert line(tmp_path, error, "oauth-policies.xml.j2") == 3


# Folders


def test_a_missing_templates_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        Templates(tmp_path / "nope")
    assert str(caught.value) == f"{tmp_path / 'nope'}: the templates folder does not exist"
    assert caught.value.hint == "check --templates"


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("token-ip-range.xml.j2", "did you mean token-ip-ranges.xml.j2?"),
        ("Package.xml.j2", "did you mean package.xml.j2?"),
        ("zzzzzz.j2", "known: connected-app.xml.j2, "),
    ],
)
def test_a_template_that_overrides_nothing_is_refused(tmp_path: Path, name: str, hint: str) -> None:
    (tmp_path / name).write_text("<a/>")
    with pytest.raises(ConfigError) as caught:
        Templates(tmp_path)
    assert str(caught.value) == f"{tmp_path / name}: this template overrides nothing"
    assert caught.value.hint.startswith(hint)


def test_an_unknown_template_is_named() -> None:
    with pytest.raises(ConfigError, match=r"^nope\.xml\.j2: the template cannot be read"):
        Templates().render_xml("nope", {})


def test_a_binary_template_is_named(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"<a>\xff</a>")
    with pytest.raises(ConfigError, match=rf"^{FILE}: the template cannot be read"):
        Templates(tmp_path).render_xml(NAME, {})


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="needs /proc")
def test_an_unreadable_template_is_named(tmp_path: Path) -> None:
    (tmp_path / FILE).symlink_to("/proc/self/mem")
    with pytest.raises(ConfigError, match=rf"{FILE}: cannot be read"):
        Templates(tmp_path)


# Hostile templates


@pytest.mark.parametrize(
    "text",
    [
        "{{ ''.__class__.__mro__[1].__subclasses__() }}",
        "{{ cycler.__init__.__globals__.os.popen('id').read() }}",
        "{{ self.__init__.__globals__.__builtins__.exit(0) }}",
        "{{ lipsum.__globals__['os'].popen('id').read() }}",
        "{{ (fields | map(attribute='__class__') | first).__base__.__subclasses__() }}",
        "{{ fields[0] | attr('__class__') | attr('__init__') }}",
        "{{ fields[0].of_text('a', 'b').xml }}",
        "{{ '{0.__class__}'.format(fields[0]) }}",
        "{{ document.parse_raw('x', proto='pickle', allow_pickle=True) }}",
        "{{ document.model_dump() }}",
        "{{ fields.append(1) }}",
    ],
)
def test_a_template_cannot_escape_from_its_values(tmp_path: Path, text: str) -> None:
    variables: dict[str, object] = {
        "fields": [Field.of_text("a", "b")],
        "document": RangeDocument(range="203.0.113.1"),
    }
    assert line(tmp_path, fault(tmp_path, f"<a>\n{text}</a>", **variables)) == 2


@pytest.mark.parametrize("name", ["__class__", "nothing"])
@pytest.mark.parametrize(
    "text", ["{{ (''.NAME) and x }}", "{% if not ''.NAME %}{% endif %}", "{{ ''.NAME ~ 'a' }}"]
)
def test_a_constant_that_cannot_be_computed_is_a_template_error(
    tmp_path: Path, text: str, name: str
) -> None:
    error = fault(tmp_path, f"<a>\n{text.replace('NAME', name)}</a>")
    assert error.where is not None
    assert error.where.startswith(str(tmp_path / FILE))
    assert name in error.message


LOOP = "{% for a in range(90000) %}"
NEST = f"{LOOP}{LOOP}{{% endfor %}}{{% endfor %}}"
DOUBLE = "{% set ns = namespace(s='a' , n=3) %}{% for i in range(90) %}"


@pytest.mark.parametrize(
    "text",
    [
        NEST,
        f"{LOOP}{LOOP}x{{% endfor %}}{{% endfor %}}",
        f"{{% set x %}}{LOOP}{LOOP}x{{% endfor %}}{{% endfor %}}{{% endset %}}",
        f"{{% macro m() %}}{NEST}{{% endmacro %}}{{{{ m() }}}}",
        f"{DOUBLE}{{% set ns.s = ns.s ~ ns.s %}}{{% endfor %}}",
        f"{DOUBLE}{{% set ns.s = ns.s + ns.s %}}{{% endfor %}}",
        f"{DOUBLE}{{% set ns.s = [ns.s, ns.s] | join %}}{{% endfor %}}",
        f"{DOUBLE}{{% set ns.s = ns.s | replace('a', 'aaaa') %}}{{% endfor %}}",
        f"{DOUBLE}{{% set ns.s = '%s%s' % (ns.s, ns.s) %}}{{% endfor %}}",
        f"{DOUBLE}{{% set ns.s = '{{0}}{{0}}'.format(ns.s) %}}{{% endfor %}}",
        f"{DOUBLE}{{% set ns.n = ns.n * ns.n %}}{{% endfor %}}",
        f"{LOOP}{{% set x = range(90000) | sum %}}{{% endfor %}}",
        f"{{% set r = range(90000) | list %}}{LOOP}{{{{ 1 if 'x' in r }}}}{{% endfor %}}",
        f"{{% set r = range(90000) | list %}}{LOOP}{{% set x = r[1:] %}}{{% endfor %}}",
        "{{ 'a' * 10 ** 10 }}",
        "{{ '%9999999999d' % 1 }}",
        "{{ '%*d' % (9999999999, 1) }}",
        "{{ '{:9999999999}'.format(1) }}",
        "{{ '{:{}}'.format(1, 9999999999) }}",
        "{{ 'a'.ljust(9999999999) }}",
        "{{ 'a' | center(9999999999) }}",
        "{{ 1.5 | round(9999999) }}",
        "{{ range(9999999999) | list }}",
        "{% macro m(n) %}{{ m(n - 1) ~ m(n - 1) if n }}{% endmacro %}{{ m(60) }}",
        f"{{{{ {'9' * 5000} }}}}",
        f"{{{{ {'(' * 5000}1{')' * 5000} }}}}",
        f"{'{% for a in [1] %}' * 30}{'{% endfor %}' * 30}",
    ],
)
def test_a_template_cannot_run_forever_or_fill_the_memory(tmp_path: Path, text: str) -> None:
    started = time.thread_time()
    fault(tmp_path, f"<a>{text}</a>")
    assert time.thread_time() - started < 5


def test_excessive_text_is_refused_before_all_of_it_is_made(tmp_path: Path) -> None:
    (tmp_path / "support-case.md.j2").write_text("{% for x in xs %}{{ x }}{% endfor %}")
    values = iter([Markup("x" * (MAX_MADE // 10))] * 100)
    with pytest.raises(ConfigError, match="output is too large"):
        Templates(tmp_path).render_text("support-case", {"xs": values})
    assert len(list(values)) >= 89


def test_the_check_of_the_output_opens_no_file(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("<not well-formed")
    text = f'<!DOCTYPE a [<!ENTITY b SYSTEM "{secret.as_uri()}">]><a>&b;</a>'
    (tmp_path / FILE).write_text(text)
    assert Templates(tmp_path).render_xml(NAME, {}) == text.encode()


def test_the_size_of_a_template_is_limited(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(bytes(MAX_TEMPLATE_BYTES + 1))
    with pytest.raises(LimitError, match="larger than 131,072 bytes"):
        Templates(tmp_path)


def test_an_endless_template_is_not_read(tmp_path: Path) -> None:
    (tmp_path / FILE).symlink_to("/dev/zero")
    with pytest.raises(ConfigError, match="cannot be read: it is neither a file nor a pipe"):
        Templates(tmp_path)


def test_the_digest_covers_what_is_rendered(tmp_path: Path) -> None:
    """An approval covers the templates as they were read; nothing else can be included."""
    (tmp_path / FILE).write_text("<a/>")
    templates = Templates(tmp_path)
    (tmp_path / FILE).write_text("<b/>")
    assert templates.render_xml(NAME, {}) == b"<a/>"
    (tmp_path / "words.txt").write_text("<c/>")
    error = fault(tmp_path, '<a>{% include "words.txt" %}</a>')
    assert "'words.txt' not found" in error.message
