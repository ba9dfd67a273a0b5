"""Every key of cutover.yaml, from the models' JSON Schema."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypedDict, cast

from sfcutover.cli.schemas import schema_text
from tests.docs.markdown import code, table

Node = TypedDict(
    "Node",
    {
        "$ref": str,
        "$defs": dict[str, "Node"],
        "type": str | list[str],
        "description": str,
        "default": object,
        "enum": list[str],
        "const": object,
        "examples": list[str],
        "anyOf": list["Node"],
        "items": "Node",
        "properties": dict[str, "Node"],
        "additionalProperties": "bool | Node",
        "required": list[str],
    },
    total=False,
)
_NAMES = {"string": "text", "array": "list", "object": "map", "boolean": "true or false"}
_SCALARS = {
    "Text": "text or `{env: NAME}`",
    "RangeEntry": "range, or `{range, description}`",
    "SecretReference": "[secret](#secrets)",
}
_SPAN = {3600.0: "h", 60.0: "m", 1.0: "s"}


@dataclass(frozen=True)
class Section:
    """A map of the file: its first place, and its node."""

    path: str
    node: Node

    @property
    def keys(self) -> dict[str, Node]:
        return self.node.get("properties", {})


def keys() -> str:
    """A section for each map of the file: key, value, default and meaning."""
    root = cast(Node, json.loads(schema_text("cutover")))
    models = root.get("$defs", {})
    found = list(_sections(Section("", root), models))
    paths = dict.fromkeys(each.path for each in found)
    return "\n\n".join(_described(path, models, found) for path in paths)


def _sections(start: Section, models: dict[str, Node]) -> Iterator[Section]:
    """The maps within one, each at its first place."""
    waiting, met = [start], list[dict[str, Node]]()
    while waiting:
        section = waiting.pop(0)
        if section.keys in met:
            continue
        met.append(section.keys)
        yield section
        for name, node in section.keys.items():
            path = f"{section.path}.{name}".removeprefix(".")
            waiting += [Section(path + suffix, inner) for suffix, inner in _maps(node, models)]


def _maps(node: Node, models: dict[str, Node]) -> Iterator[tuple[str, Node]]:
    """The maps that a value may be, with the suffix of its path: [] for an entry of a list."""
    model = node.get("$ref", "").rpartition("/")[2]
    if model and model not in _SCALARS:
        yield "", models[model]
    elif "properties" in node and not model:
        yield "", node
    for each in node.get("anyOf", []):
        yield from _maps(each, models)
    if "items" in node:
        yield from (("[]" + more, inner) for more, inner in _maps(node["items"], models))


def _described(path: str, models: dict[str, Node], found: list[Section]) -> str:
    """The schema at one path: mostly one map, or one of several."""
    here = [each for each in found if each.path == path]
    rows = [
        (
            code(name),
            _type(node, models, found),
            "required" if name in each.node.get("required", []) else _default(node),
            node.get("description", ""),
        )
        for each in here
        for name, node in each.keys.items()
    ]
    title = f"## {code(path)}" if path else "## Top level"
    about = here[0].node.get("description", "") if path else ""
    body = table(("key", "value", "default", "meaning"), rows)
    return "\n\n".join(each for each in (title, _sentence(about), body) if each)


def _sentence(text: str) -> str:
    return " ".join(text.split())


def _type(node: Node, models: dict[str, Node], found: list[Section]) -> str:
    linked = [
        f"[{code(each.path)}](#{anchor(each.path)})"
        for _, inner in _maps(node, models)
        for each in found
        if each.keys == inner.get("properties")
    ]
    if linked:
        listed = "list of " if _is_list(node) else ""
        return listed + " or ".join(dict.fromkeys(linked))
    return _scalar(node)


def _is_list(node: Node) -> bool:
    return "items" in node or any("items" in each for each in node.get("anyOf", []))


def _scalar(node: Node) -> str:
    model = node.get("$ref", "").rpartition("/")[2]
    if model:
        return _SCALARS.get(model, "map")
    if "anyOf" in node:
        each = (_scalar(one) for one in node["anyOf"] if one.get("type") != "null")
        return " or ".join(dict.fromkeys(each))
    if {str(one).lower() for one in node.get("enum", [])} == {"true", "false"}:
        return _NAMES["boolean"]
    if "enum" in node:
        return ", ".join(code(str(one)) for one in node["enum"])
    if "items" in node:
        return f"list of {_scalar(node['items'])}"
    if "60s" in node.get("examples", []):
        return "time, such as `60s`"
    if "const" in node:
        return code(str(node["const"]))
    types = node.get("type", "string")
    named = [types] if isinstance(types, str) else types
    return " or ".join(_NAMES.get(each, each) for each in named)


def _default(node: Node) -> str:
    match node.get("default"):
        case None | []:
            return ""
        case bool() as value:
            return code(str(value).lower())
        case float() as seconds if "60s" in node.get("examples", []):
            return code(_span(seconds))
        case {"literal": str(text)}:
            return code(text)
        case value:
            return code(json.dumps(value).replace('"', ""))


def _span(seconds: float) -> str:
    unit = next(each for each in _SPAN if seconds % each == 0)
    return f"{seconds / unit:g}{_SPAN[unit]}"


def anchor(path: str) -> str:
    """The anchor of a section's heading, as mkdocs and code hosts generate it."""
    return path.lower().replace(".", "").replace("[]", "")
