"""YAML with the line of every value, so that an error can say where.

Only plain data is built: mappings, lists and scalars. Size, depth and the number
of values are bounded, so a file can't be made to grow while it is read.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import yaml

from sfcutover.errors import ConfigError, LimitError

MAX_BYTES = 1024 * 1024
_MAX_DEPTH = 20
_MAX_VALUES = 20_000

Location = tuple[int | str, ...]
Value = object


@dataclass
class YamlFile:
    """A file's content and where each of its values stands.

    name: as the person gave it. data: the content. lines: 1-based, by location
    (``("old", 0, "range")``), of the key or of the list item.
    """

    name: str
    data: Value = None
    lines: dict[Location, int] = field(default_factory=dict)
    lines_of_mappings: dict[int, int] = field(default_factory=dict)

    def line_of(self, location: Location) -> int:
        """The line of the value, or of the nearest one around it."""
        while location and location not in self.lines:
            location = location[:-1]
        return self.lines.get(location, 1)

    def where(self, location: Location) -> str:
        """``file:line`` of the value, or of the nearest one around it."""
        return f"{self.name}:{self.line_of(location)}"

    def where_mapping(self, mapping: object) -> str:
        """``file:line`` of a mapping in data, found by its identity."""
        return f"{self.name}:{self.lines_of_mappings.get(id(mapping), 1)}"


def read_yaml(path: Path) -> YamlFile:
    """Read a YAML file. Raises ConfigError with file and line, LimitError over 1 MiB."""
    name = str(path)
    text = _read_text(path, name)
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        result = YamlFile(name)
        if node is not None:
            result.data = _Builder(result).build(node, ())
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise ConfigError(
            f"not valid YAML: {error.problem or error.context}",
            where=f"{name}:{mark.line + 1 if mark else 1}",
            hint="check the indentation and the quotes around this line",
        ) from error
    except yaml.YAMLError as error:
        raise ConfigError(
            f"not valid YAML: {error}".splitlines()[0], where=name, hint="save the file as UTF-8"
        ) from error
    return result


def _read_text(path: Path, name: str) -> str:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise LimitError(
                f"the file is larger than {MAX_BYTES:,} bytes",
                where=name,
                hint="check that this is the right file",
            )
        return path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise ConfigError(
            "there is no such file",
            where=name,
            hint="sfcutover init writes one; --config names another",
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"can't be read: {error}", where=name, hint="check the file") from error


class _Builder:
    def __init__(self, result: YamlFile) -> None:
        self._result = result
        self._scalars = yaml.SafeLoader("")
        self._count = 0

    def build(self, node: yaml.Node, location: Location) -> Value:
        self._count += 1
        line = node.start_mark.line + 1
        if self._count > _MAX_VALUES or len(location) > _MAX_DEPTH:
            raise self._error(line, "the file nests too deep or holds too many values")
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
            if not key:
                raise self._error(line, "a key must be a plain word")
            if key in mapping:
                raise self._error(line, f"{key}: stands here twice")
            self._result.lines[(*location, key)] = line
            mapping[key] = self.build(value_node, (*location, key))
        self._result.lines_of_mappings[id(mapping)] = self._result.lines[location]
        return mapping

    def _scalar(self, node: yaml.Node, line: int) -> Value:
        try:
            value: Value = self._scalars.construct_object(node)
        except (yaml.YAMLError, ValueError) as error:
            raise self._error(line, f"{node.value!r} can't be read here") from error
        return value

    def _error(self, line: int, message: str) -> ConfigError:
        return ConfigError(
            message, where=f"{self._result.name}:{line}", hint="see the README's cutover.yaml"
        )
