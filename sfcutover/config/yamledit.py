"""Changing one list of a YAML text and no other character of it. Pure.

The places come from the YAML nodes' marks. Forms this does not foresee (aliases, block
scalars) may come out wrong: whoever calls it reads the result again and compares.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import yaml


class UneditableError(ValueError):
    """The key is not there once, or holds no list."""


def edit_list(text: str, key: str, keep: Callable[[int], bool], added: Sequence[str]) -> str:
    """The text with items of a top-level list taken out and others put behind the rest.

    keep: which of the items, by index, stay as they are written, comments too. added: YAML of
    the new items. Raises UneditableError, and yaml.YAMLError for a text that is no YAML.
    """
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    pairs = root.value if isinstance(root, yaml.MappingNode) else []
    found = [(name, value) for name, value in pairs if name.value == key]
    if len(found) != 1:
        raise UneditableError(key)
    name, node = found[0]
    if node.start_mark.index < name.end_mark.index:  # an alias: it stands elsewhere
        raise UneditableError(key)
    if isinstance(node, yaml.ScalarNode) and node.value == "":
        return _fill(text, name, node, added)
    if not isinstance(node, yaml.SequenceNode):
        raise UneditableError(key)
    if not node.value:
        return _replace(text, node.start_mark.index, node.end_mark.index, _flow(added))
    kept = [index for index in range(len(node.value)) if keep(index)]
    edit = _edit_flow if node.flow_style else _edit_block
    return edit(text, node, kept, added)


def _fill(text: str, name: yaml.Node, node: yaml.Node, added: Sequence[str]) -> str:
    """A key without a value: the items in lines below it, its comment stays."""
    rest = text[node.end_mark.index :].split("\n", 1)[0].strip()
    if name.start_mark.column or (rest and not rest.startswith("#")):
        raise UneditableError(name.value)
    return _insert_lines(text, name.start_mark.line, [f"  - {item}" for item in added])


def _edit_flow(
    text: str, node: yaml.SequenceNode, kept: Sequence[int], added: Sequence[str]
) -> str:
    items = node.value
    if not kept:
        start, end = items[0].start_mark.index, items[-1].end_mark.index
        return _replace(text, start, end, ", ".join(added))
    last = items[kept[-1]].end_mark.index
    text = _replace(text, last, items[-1].end_mark.index, "".join(f", {one}" for one in added))
    for index in reversed(range(kept[-1])):
        if index not in kept:
            start, end = items[index].start_mark.index, items[index + 1].start_mark.index
            text = _replace(text, start, end, "")
    return text


def _edit_block(
    text: str, node: yaml.SequenceNode, kept: Sequence[int], added: Sequence[str]
) -> str:
    lines = text.splitlines(keepends=True)
    column = node.start_mark.column
    indent = lines[node.start_mark.line][:column]
    if indent.strip(" "):
        raise UneditableError(indent)
    spans = [(item.start_mark.line, _last_line(item)) for item in node.value]
    behind = spans[kept[-1]][1] if kept else spans[-1][1]
    text = _insert_lines(text, behind, [f"{indent}- {item}" for item in added])
    lines = text.splitlines(keepends=True)
    for index in reversed(range(len(spans))):
        if index not in kept:
            first, last = spans[index]
            shift = len(added) if first > behind else 0
            del lines[first + shift : last + shift + 1]
    return "".join(lines)


def _last_line(node: yaml.Node) -> int:
    """The last line with something of the node; block collections end where the next begins."""
    if isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        return _last_line(last[1] if isinstance(last, tuple) else last)
    return node.end_mark.line


def _insert_lines(text: str, behind: int, added: Sequence[str]) -> str:
    """Put lines behind a line (0-based), with the line end that the file has."""
    lines = text.splitlines(keepends=True)
    end = "\r\n" if lines[0].endswith("\r\n") else "\n"
    if not lines[behind].endswith(("\n", "\r")):
        lines[behind] += end
    return "".join([*lines[: behind + 1], *(line + end for line in added), *lines[behind + 1 :]])


def _flow(items: Sequence[str]) -> str:
    return f"[{', '.join(items)}]"


def _replace(text: str, start: int, end: int, by: str) -> str:
    return text[:start] + by + text[end:]
