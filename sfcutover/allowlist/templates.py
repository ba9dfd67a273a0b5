"""Rendering through Jinja, where every fault names the template and its line."""

from __future__ import annotations

import difflib
import hashlib
import math
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import jinja2
from jinja2.ext import Extension
from jinja2.lexer import Token, TokenStream
from lxml import etree
from markupsafe import Markup, escape

from sfcutover.allowlist.sandbox import MAX_MADE, Sandbox, budget, count
from sfcutover.errors import ConfigError
from sfcutover.util.boundedfile import read_bounded
from sfcutover.util.files import resource_folder

_SUFFIX = ".j2"
MAX_TEMPLATE_BYTES = 128 * 1024
_HINT = "correct the template, or remove it from the --templates folder to use the built-in one"
# What a template's own code may raise: names, filters, arithmetic, calls, includes without end.
_FAULTS = (
    jinja2.TemplateError,
    ArithmeticError,
    AttributeError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
)
# What compiling may raise for a text that the parser took.
_UNCOMPILED = (SyntaxError, RecursionError, MemoryError, ValueError)
# What CommonMark reads as markup inside a line; an underscore within a word is none of it.
_MARKUP = re.compile(r"[\\`*\[\]<>|~&#]|\b_|_\b|(?<!\w)_|_(?!\w)")
_MARK = re.compile(r"\0(\d+):([^\0]*)\0")


@dataclass(frozen=True)
class _File:
    path: Path
    data: bytes


class Templates:
    """The built-in templates, single ones overridden by files of the same name in a folder.

    All are read once, when this is made; with an override, all are rendered in a sandbox and
    within a budget. overrides: SHA-256 of every template in that folder, by its name. Raises
    ConfigError when the folder is missing, or holds a template that overrides nothing or can't be
    read, and LimitError for one over 128 KiB. Threads may share it.
    """

    def __init__(self, override: Path | None = None) -> None:
        builtin = resource_folder("templates")
        if override is not None:
            _check_override(override, builtin)
        self._builtin = _read(builtin)
        overrides = {} if override is None else _read(override)
        self.overrides = _digests(overrides)
        self._files = self._builtin | overrides
        kind = Sandbox if overrides else jinja2.Environment  # the built-in ones are this project's
        self._environment = kind(
            loader=jinja2.FunctionLoader(self._source),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            finalize=_keep_carriage_returns,
            keep_trailing_newline=True,
        )
        self._text_environment = self._environment.overlay(autoescape=False, finalize=_as_markdown)
        self._loading = threading.Lock()  # threads would each compile the same template

    @property
    def fingerprints(self) -> list[str]:
        """Name and SHA-256 of every template that a package may be made with."""
        packages = {
            name: digest
            for name, digest in _digests(self._builtin).items()
            if name.endswith(f".xml{_SUFFIX}")
        }
        every = packages | self.overrides
        return [f"{name} {digest}" for name, digest in sorted(every.items())]

    def render_xml(self, name: str, variables: dict[str, object]) -> bytes:
        """Render ``<name>.xml.j2`` to UTF-8.

        Raises ConfigError naming template and line for a fault in the template, for
        an undefined name, and for output that is not well-formed XML.
        """
        template = self._load(f"{name}.xml{_SUFFIX}")
        # A lone surrogate passes here, for the check to find it.
        data = self._output(template, variables).encode(errors="surrogatepass")
        problem = _xml_problem(data)
        if problem is not None:
            lines = self._lines_of_output(f"{name}.xml{_SUFFIX}", variables)
            raise ConfigError(
                f"the output is not well-formed XML: {lines.message(problem)}",
                where=lines.where(*problem.position),
                hint=_HINT,
            )
        return data

    def render_text(self, name: str, variables: dict[str, object]) -> str:
        """Render ``<name>.md.j2``: text for readers, plain or as Markdown.

        Every value stays on one line; one that Markdown would take for markup goes into
        a code span, and ``| safe`` leaves it as it is. Raises ConfigError naming template
        and line for a fault in the template and for an undefined name.
        """
        template = self._load(f"{name}.md{_SUFFIX}", self._text_environment)
        return self._output(template, variables)

    def render_html(self, name: str, variables: dict[str, object]) -> str:
        """Render ``<name>.html.j2``; every value is escaped.

        Raises ConfigError naming template and line for a fault in the template and for an
        undefined name.
        """
        return self._output(self._load(f"{name}.html{_SUFFIX}"), variables)

    def origin(self, name: str) -> str:
        """The file that ``<name>.xml.j2`` is read from."""
        return str(self._load(f"{name}.xml{_SUFFIX}").filename)

    def _lines_of_output(self, file_name: str, variables: dict[str, object]) -> _OutputLines:
        """Render once more, with every line marked by the template line that writes it."""
        marking = self._environment.overlay(extensions=[_LineMarks])
        template = marking.get_template(file_name)
        return _OutputLines(self._output(template, variables), str(template.filename))

    def _output(self, template: jinja2.Template, variables: dict[str, object]) -> str:
        try:
            with budget(MAX_MADE if self.overrides else math.inf):
                parts = template.root_render_func(template.new_context(variables))
                return template.environment.concat(parts)
        except _FAULTS as error:
            raise ConfigError(
                _message_of(error), where=_place_of(error, template), hint=_HINT
            ) from error

    def _load(self, name: str, environment: jinja2.Environment | None = None) -> jinja2.Template:
        try:
            with self._loading:
                return (environment or self._environment).get_template(name)
        except jinja2.TemplateSyntaxError as error:
            raise ConfigError(
                error.message or "template syntax error",
                where=f"{error.filename or name}:{error.lineno}",
                hint=_HINT,
            ) from error
        except jinja2.TemplateNotFound as error:
            raise _unreadable(name, error) from error
        except jinja2.TemplateRuntimeError as error:  # of a constant, computed while it is compiled
            raise ConfigError(
                _message_of(error), where=str(self._files[name].path), hint=_HINT
            ) from error
        except _UNCOMPILED as error:
            raise _unreadable(name, f"it is too large or nests too deep ({error})") from error

    def _source(self, name: str) -> tuple[str, str, None] | None:
        file = self._files.get(name)
        if file is None:
            return None
        try:
            return file.data.decode(), str(file.path), None
        except UnicodeDecodeError as error:
            raise _unreadable(name, error) from error


class _LineMarks(Extension):
    """Puts ``\\0line:file\\0`` at the start of every line and value that a template writes."""

    def filter_stream(self, stream: TokenStream) -> Iterator[Token]:
        def mark(line: int) -> str:
            return f"\0{line}:{stream.filename}\0"

        for token in stream:
            if token.type == "data":
                lines = str(token.value).split("\n")
                marked = [mark(token.lineno + number) + line for number, line in enumerate(lines)]
                yield Token(token.lineno, "data", "\n".join(marked))
            elif token.type == "variable_begin":
                yield Token(token.lineno, "data", mark(token.lineno))
                yield token
            else:
                yield token


class _OutputLines:
    """Says for a place in an output which template line wrote it."""

    def __init__(self, marked: str, file: str) -> None:
        self._starts = [0]  # of the output's lines
        self._marks = [(0, file, "1")]  # offset in the output, file, line
        offset, end = 0, 0
        for found in _MARK.finditer(marked):
            self._count_lines(marked[end : found.start()], offset)
            offset, end = offset + found.start() - end, found.end()
            self._marks.append((offset, found[2], found[1]))
        self._count_lines(marked[end:], offset)

    def _count_lines(self, text: str, offset: int) -> None:
        self._starts += [offset + found.end() for found in re.finditer("\n", text)]

    def where(self, line: int, column: int) -> str:
        """Template file and line. A parser's column is the one after what it complains of."""
        return ":".join(self._written_by(line, column - 2))

    def message(self, problem: etree.XMLSyntaxError) -> str:
        """The parser's message, its output lines turned into template lines."""
        text, _, _ = " ".join(problem.msg.split()).partition(f", line {problem.lineno}, column")
        return re.sub(
            r"\bline (\d+)\b",
            lambda found: f"line {self._written_by(int(found[1]), 0)[1]}",
            text.strip(),
        )

    def _written_by(self, line: int, column: int) -> tuple[str, str]:
        start = self._starts[min(line, len(self._starts)) - 1]
        offset = start + max(column, 0)
        _, file, number = [mark for mark in self._marks if mark[0] <= offset][-1]
        return file, number


def _message_of(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "the template includes or calls itself without end"
    if isinstance(error, jinja2.TemplateSyntaxError) and error.message:
        return error.message  # as text it would also quote the source
    if isinstance(error, jinja2.TemplateNotFound):
        return f"{error.name!r} not found"
    return " ".join(str(error).split()) or type(error).__name__


def _place_of(error: Exception, template: jinja2.Template) -> str:
    """File and line of the deepest traceback entry in a template: it may be an included one."""
    if isinstance(error, jinja2.TemplateSyntaxError):
        return f"{error.filename or template.filename}:{error.lineno}"
    place, step = f"{template.filename}:1", error.__traceback__
    while step is not None:
        inner = step.tb_frame.f_globals.get("__jinja_template__")
        if isinstance(inner, jinja2.Template):
            place = f"{inner.filename}:{inner.get_corresponding_lineno(step.tb_lineno)}"
        step = step.tb_next
    return place


def _xml_problem(data: bytes) -> etree.XMLSyntaxError | None:
    try:
        etree.fromstring(data, etree.XMLParser(resolve_entities=False, no_network=True))
    except etree.XMLSyntaxError as error:
        return error
    return None


def _keep_carriage_returns(value: object) -> object:
    """XML parsers turn a raw carriage return into a line feed, so it needs a reference."""
    count(len(value) if isinstance(value, str) else 0)
    if isinstance(value, str) and "\r" in value and not isinstance(value, Markup):
        return escape(value).replace("\r", Markup("&#13;"))
    return value


def _as_markdown(value: object) -> object:
    """One line that reads the same as plain text and as Markdown (CommonMark's code spans)."""
    count(len(value) if isinstance(value, str) else 0)
    if not isinstance(value, str) or isinstance(value, Markup):
        return value
    line = " ".join("".join(char if char.isprintable() else " " for char in value).split())
    if not _MARKUP.search(line):
        return line
    fence = "`" * (max((len(run) for run in re.findall("`+", line)), default=0) + 1)
    pad = " " if line.startswith("`") or line.endswith("`") else ""
    return f"{fence}{pad}{line}{pad}{fence}"


def _read(folder: Path) -> dict[str, _File]:
    """By name; of what may be included, too: all templates, also in folders within it."""
    paths = sorted(each for each in folder.rglob(f"*{_SUFFIX}") if not each.is_dir())
    return {
        path.relative_to(folder).as_posix(): _File(
            path, read_bounded(path, MAX_TEMPLATE_BYTES, hint=_HINT)
        )
        for path in paths
    }


def _digests(files: dict[str, _File]) -> dict[str, str]:
    return {name: hashlib.sha256(file.data).hexdigest() for name, file in files.items()}


def _unreadable(name: str, reason: object) -> ConfigError:
    return ConfigError(f"the template cannot be read: {reason}", where=name, hint=_HINT)


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
