"""Rendering through Jinja, where every fault names the template and its line."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from pathlib import Path

import jinja2
from lxml import etree
from markupsafe import Markup, escape

from sfcutover.errors import ConfigError
from sfcutover.resources import resource_folder

_SUFFIX = ".j2"
_HINT = "correct the template, or take it out of the --templates folder to use the built-in one"


class Templates:
    """The built-in templates, single ones overridden by files of the same name in a folder.

    Raises ConfigError when the folder is missing or holds a template that overrides nothing.
    """

    def __init__(self, override: Path | None = None) -> None:
        builtin = resource_folder("templates")
        if override is not None:
            _check_override(override, builtin)
        folders = [builtin] if override is None else [override, builtin]
        self._environment = jinja2.Environment(
            loader=jinja2.FileSystemLoader(folders),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            finalize=_keep_carriage_returns,
            keep_trailing_newline=True,
        )

    def render_xml(self, name: str, variables: dict[str, object]) -> bytes:
        """Render ``<name>.xml.j2`` to UTF-8.

        Raises ConfigError naming template and line for a fault in the template, for
        an undefined name, and for output that is not well-formed XML.
        """
        template = self._load(f"{name}.xml{_SUFFIX}")
        data = "".join(_generate(template, variables)).encode()
        problem = _xml_problem(data)
        if problem is not None:
            raise ConfigError(
                f"the output is not well-formed XML: {problem.msg}",
                where=f"{template.filename}:{_line_of_output(template, variables, problem)}",
                hint=_HINT,
            )
        return data

    def _load(self, name: str) -> jinja2.Template:
        try:
            return self._environment.get_template(name)
        except jinja2.TemplateSyntaxError as error:
            raise ConfigError(
                error.message or "template syntax error",
                where=f"{error.filename or name}:{error.lineno}",
                hint=_HINT,
            ) from error
        except (jinja2.TemplateNotFound, UnicodeDecodeError) as error:
            raise ConfigError(
                f"the template can't be read: {error}", where=name, hint=_HINT
            ) from error


def _generate(template: jinja2.Template, variables: dict[str, object]) -> Iterator[str]:
    stream = template.root_render_func(template.new_context(variables))
    try:
        yield from stream
    except (jinja2.TemplateError, TypeError, ValueError, ArithmeticError, LookupError) as error:
        raise ConfigError(
            str(error),
            where=f"{template.filename}:{_line_of_error(template, error)}",
            hint=_HINT,
        ) from error


def _line_of_error(template: jinja2.Template, error: Exception) -> int:
    """The deepest traceback entry that lies in the template's compiled code."""
    line, step = 1, error.__traceback__
    while step is not None:
        if step.tb_frame.f_code.co_filename == template.filename:
            line = template.get_corresponding_lineno(step.tb_lineno)
        step = step.tb_next
    return line


def _xml_problem(data: bytes) -> etree.XMLSyntaxError | None:
    try:
        etree.fromstring(data, etree.XMLParser(resolve_entities=False, no_network=True))
    except etree.XMLSyntaxError as error:
        return error
    return None


def _line_of_output(
    template: jinja2.Template, variables: dict[str, object], problem: etree.XMLSyntaxError
) -> int:
    """The template line that wrote the output's faulty line, found by rendering once more."""
    stream = template.root_render_func(template.new_context(variables))
    written, line = 1, 1
    for text in stream:
        frame = getattr(stream, "gi_frame", None)
        line = template.get_corresponding_lineno(frame.f_lineno) if frame else line
        written += text.count("\n")
        if written >= (problem.lineno or 1):
            break
    return line


def _keep_carriage_returns(value: object) -> object:
    """XML parsers turn a raw carriage return into a line feed, so it needs a reference."""
    if isinstance(value, str) and "\r" in value and not isinstance(value, Markup):
        return escape(value).replace("\r", Markup("&#13;"))
    return value


def _check_override(override: Path, builtin: Path) -> None:
    if not override.is_dir():
        raise ConfigError(
            "the templates folder does not exist", where=str(override), hint="check --templates"
        )
    known = sorted(path.name for path in builtin.glob(f"*{_SUFFIX}"))
    for path in sorted(override.glob(f"*{_SUFFIX}")):
        if path.name not in known:
            close = difflib.get_close_matches(path.name, known, n=1)
            raise ConfigError(
                "this template overrides nothing",
                where=str(path),
                hint=f"did you mean {close[0]}?" if close else f"known: {', '.join(known)}",
            )
