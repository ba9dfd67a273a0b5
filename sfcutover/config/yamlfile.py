"""YAML with the line of every value, which errors name.

Only plain data is built: mappings, lists and scalars. Size, depth and the number of values are
bounded, so that a small file can't expand. No message, and no error that causes it, quotes a value,
which may be a secret.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from sfcutover.errors import Advice, Command, ConfigError
from sfcutover.util.boundedfile import read_bounded

MAX_BYTES = 1024 * 1024
_MAX_DEPTH = 20
_MAX_VALUES = 20_000
_MAX_KEY = 100
_MAX_PLAIN = 100  # characters of a number, a date, a truth value
_TEXT_TAG = "tag:yaml.org,2002:str"
# What PyYAML raises for a value that its tag doesn't fit.
_MISFITS = (yaml.YAMLError, ArithmeticError, AttributeError, LookupError, ValueError)
_NAME = re.compile(r" '[\w!-][^']+'")  # an alias or a tag; what else is quoted is the parser's own

Location = tuple[int | str, ...]
Value = object


@dataclass
class YamlFile:
    """A file's content and the line of each of its values.

    name: as given. data: the content. lines: 1-based, by location
    (``("old", 0, "range")``), of the key or of the list item.
    """

    name: str
    data: Value = None
    lines: dict[Location, int] = field(default_factory=dict)

    def line_of(self, location: Location) -> int:
        """The line of the value, or of the nearest one around it."""
        while location and location not in self.lines:
            location = location[:-1]
        return self.lines.get(location, 1)

    def where(self, location: Location) -> str:
        """``file:line`` of the value, or of the nearest one around it."""
        return f"{self.name}:{self.line_of(location)}"


def parse_yaml(text: str, name: str) -> YamlFile:
    """Read YAML. name: the file's, for errors. Raises ConfigError with file and line."""
    try:
        node = yaml.compose(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        problem = _NAME.sub("", error.problem or error.context or "")
        raise ConfigError(
            f"not valid YAML: {problem}",
            where=f"{name}:{mark.line + 1 if mark else 1}",
            hint="check the indentation and the quotes around this line",
        ) from None
    except yaml.reader.ReaderError as error:
        raise ConfigError(
            "not valid YAML: the file contains a control character",
            where=f"{name}:{_line_at(text, error.position)}",
            hint="remove it, or write it as an escape in double quotes",
        ) from None
    result = YamlFile(name)
    if node is not None:
        result.data = _Builder(result).build(node, ())
    return result


def read_text(path: Path) -> str:
    """The file's text, line ends as they are. Raises ConfigError, or LimitError over 1 MiB."""
    try:
        data = read_bounded(path, MAX_BYTES, hint="check the path and its permissions")
    except ConfigError as error:
        if not isinstance(error.__cause__, FileNotFoundError):
            raise
        raise ConfigError(
            f"no {path.name} in {path.absolute().parent}",
            hint=Advice("write one: ", Command("init"), ", or name another: --config FILE"),
        ) from error
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise ConfigError(
            "the file is not UTF-8",
            where=f"{path}:{_line_at(data.decode('latin-1'), error.start)}",
            hint="save the file as UTF-8",
        ) from None


def _line_at(text: str, position: int) -> int:
    return text.count("\n", 0, position) + 1


class _Loader(yaml.SafeLoader):
    """Enforces the bounds on depth and number while the file is parsed."""

    def __init__(self, stream: str) -> None:
        super().__init__(stream)
        self._depth = 0
        self._count = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        self._depth += 1
        self._count += 1
        if self._depth > _MAX_DEPTH + 1:
            raise yaml.MarkedYAMLError(
                problem="it is nested too deeply", problem_mark=self.get_mark()
            )
        if self._count > 2 * _MAX_VALUES:  # keys are counted here
            raise yaml.MarkedYAMLError(
                problem="it contains too many values", problem_mark=self.get_mark()
            )
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node


class _Builder:
    def __init__(self, result: YamlFile) -> None:
        self._result = result
        self._scalars = yaml.SafeLoader("")
        self._count = 0

    def build(self, node: yaml.Node, location: Location) -> Value:
        self._count += 1
        line = node.start_mark.line + 1
        if self._count > _MAX_VALUES or len(location) > _MAX_DEPTH:
            raise self._error(line, "the file is nested too deeply or contains too many values")
        self._result.lines.setdefault(location, line)
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, location)
        if isinstance(node, yaml.SequenceNode):
            return [self.build(item, (*location, i)) for i, item in enumerate(node.value)]
        return self._scalar(node, line)

    def _mapping(self, node: yaml.MappingNode, location: Location) -> dict[str, Value]:
        mapping: dict[str, Value] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            key = key_node.value if isinstance(key_node, yaml.ScalarNode) else ""
            if not key or len(key) > _MAX_KEY or not key.isprintable():
                raise self._error(line, "a key must be a short, non-empty string")
            if key in mapping:
                raise self._error(line, f"duplicate key {key}")
            self._result.lines[(*location, key)] = line
            mapping[key] = self.build(value_node, (*location, key))
        return mapping

    def _scalar(self, node: yaml.Node, line: int) -> Value:
        if node.tag != _TEXT_TAG and len(node.value) > _MAX_PLAIN:
            raise self._error(line, "invalid value; put a string in quotes")
        try:
            value: Value = self._scalars.construct_object(node)
        except _MISFITS:
            message = "invalid value; put a string in quotes"
            raise self._error(line, message) from None
        return value

    def _error(self, line: int, message: str) -> ConfigError:
        return ConfigError(
            message,
            where=f"{self._result.name}:{line}",
            hint=Advice("correct the file; ", Command("schema"), " describes its keys"),
        )
