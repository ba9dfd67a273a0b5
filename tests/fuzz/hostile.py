"""Hostile values, and valid documents with hostile parts."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator
from typing import Any

from hypothesis import strategies as st

DEEP = 100_000
_MOST = 5_000_000  # characters that one change adds: more would fill the machine, not the program
SCALARS = [
    "", " ", "\0", "\n", "\r\n", "\x1b[2J", "\ufeff", "\u202e", "\U0010ffff", "é" * 300,
    "ß\u0301", "0", "-1", "00", "1e999", "-1e999", "NaN", "Infinity", "0x1F", "1_000", "9" * 30,
    "9" * 5000, "9" * 70_000, "1." + "0" * 5000, "true", "false", "null", "None", "~", "yes",
    "[]", "{}", "2026-11-23T12:00:00.000Z", "2026-13-45T99:99:99Z", "0000-00-00T00:00:00Z",
    "9999-12-31T23:59:59", "2026-11-23T12:00:00+99:99", "10000-01-01T00:00:00.000+0000", "1",
    "12:34:56", "١٢٣", "203.0.113.1", "203.0.113.0/24", "203.0.113.9-203.0.113.1", "::/0",
    "::ffff:203.0.113.1", "fe80::1%eth0", "0.0.0.0/0", "999.1.1.1", "203.0.113.1/-1",
    "1" * 200 + ".1.1.1", "x" * 1000, "x" * 100_000, " " * 50_000 + "x", "-" * 50_000,
    "a:" * 20_000, "ip " * 20_000, "http://", "http://[", "http://[::1", "http://u:p@h:99999/",
    "https://a.example:port", "//", "..", "../../etc/passwd", "/dev/zero", "/dev/stdin",
    "C:\\x", "a/b", "%s%s%n", "{0.__class__}", "{{7*7}}", "${x}", "$(id)", "`id`", "<a>",
    "</a>", "&amp;", "&#0;", "&x;", "]]>", "<!-- -->", "<![CDATA[x]]>", "<?x?>",
    "!!python/object/apply:os.system [id]", "&a [*a]", "*a", "? x", "- - - -", "'", '"', "\\",
    "\\u0000", "\\ud800",
]  # fmt: skip
# What a pattern matches except its end, so that a backtracking one tries every path.
RUNS = [
    "x" * 60 + "\xe9", "x" * 60 + " ", "1" * 60 + "x", "a." * 40 + "!", "a1" * 40 + "-", "%" * 60,
    " " * 60 + "\0", "ip " * 20_000 + "!", "a:" * 40 + "/",
]  # fmt: skip
texts = st.sampled_from(SCALARS) | st.sampled_from(RUNS) | st.text(max_size=40)
scalars = (
    texts
    | st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.sampled_from([10**30, -(10**30), 2**63, 1e308, [], {}, [[]], {"": None}, [None] * 50])
)
json_values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)


@st.composite
def changed(draw: st.DrawFn, document: Any) -> Any:
    """The document with up to four of its values replaced, removed, renamed or added."""
    result = copy.deepcopy(document)
    for _ in range(draw(st.integers(1, 4))):
        places = list(_places(result))
        holder, key = draw(st.sampled_from(places)) if places else (None, None)
        match draw(st.sampled_from(["replace", "replace", "replace", "remove", "rename", "add"])):
            case _ if holder is None:
                result = copy.deepcopy(draw(json_values))
            case "replace":
                holder[key] = copy.deepcopy(draw(texts | json_values))
            case "remove":
                del holder[key]
            case "rename" | "add" if isinstance(holder, dict):
                holder[draw(texts)] = holder[key]
            case _:
                holder.insert(key, copy.deepcopy(draw(json_values)))
    return result


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every list or mapping in it, with a place in that container."""
    if not isinstance(value, (dict, list)):
        return
    for key, inner in list(value.items() if isinstance(value, dict) else enumerate(value)):
        yield value, key
        yield from _places(inner)


_NESTED = [
    '{"a":' * DEEP, "[" * DEEP, "[" * DEEP + "]" * DEEP, '{"a":' * DEEP + "1" + "}" * DEEP,
    "[" + "[]," * DEEP + "[]]", '"' + "\\u0041" * DEEP, "{" + '"a":1,' * DEEP + '"a":1}',
    "1" * 50_000, "-" * DEEP, "NaN", '{"a":NaN}', "\ufeff{}", '{"a":1e99999}', '"\\ud800"',
]  # fmt: skip


def json_texts(document: Any) -> st.SearchStrategy[str]:
    """JSON that is the changed document, another one, or invalid."""
    return (
        changed(document).map(_dumped)
        | json_values.map(_dumped)
        | st.sampled_from(_NESTED)
        | cut(json.dumps(document))
    )


def _dumped(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


_PARTS = re.compile(r"<[^<>]*>|\{[{%#].*?[}%#]\}|[\w.:-]+|\s+|.", re.DOTALL)


def cut(text: str) -> st.SearchStrategy[str]:
    """The text with up to four words or tags replaced, doubled or omitted, or cut off."""
    return _cut(_PARTS.findall(text))


_CUTS = ["replace", "replace", "insert", "remove", "repeat", "end", "swap"]


@st.composite
def _cut(draw: st.DrawFn, tokens: list[str]) -> str:
    result = list(tokens)
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, max(0, len(result) - 1)))
        match draw(
            st.sampled_from(["replace", "replace", "insert", "remove", "repeat", "end", "swap"])
        ):
            case "replace":
                result[place : place + 1] = [draw(texts)]
            case "insert":
                result.insert(place, draw(texts))
            case "remove":
                del result[place : place + draw(st.integers(1, 5))]
            case "repeat":
                some = result[place : place + draw(st.integers(1, 6))]
                times = draw(st.sampled_from([1, 2, 50, 3000]))
                result[place:place] = some * min(times, _MOST // max(1, sum(map(len, some))))
            case "end":
                del result[place:]
            case _:
                result[place : place + 2] = reversed(result[place : place + 2])
    return "".join(result)


_LAUGHS = "".join(f"<!ENTITY b{n} '{f'&b{n - 1};' * 10}'>" for n in range(1, 30))
_XML = [
    "<a>" * DEEP, "<a>" * DEEP + "</a>" * DEEP, "<a " + "b='1' " * DEEP + "/>", "<!DOCTYPE a>",
    "<a " + "".join(f"b{n}='1' " for n in range(20_000)) + "/>", "<a>&#xD800;</a>", "<?xml",
    '<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>',
    f"<!DOCTYPE a [<!ENTITY b0 'bbbbbbbbbb'>{_LAUGHS}]><a>&b29;</a>",
    "<a>" + "x" * 2_000_000 + "</a>", "<a>" + "<b/>" * DEEP + "</a>", "<?xml version='9.9'?><a/>",
    "<?xml version='1.0' encoding='x'?><a/>", "<a xmlns:b='" + "c" * DEEP + "' b:d='1'/>",
]  # fmt: skip


def xml_texts(text: str) -> st.SearchStrategy[str]:
    """XML that is the text with changes, or invalid."""
    return cut(text) | cut(text) | cut(text) | st.sampled_from(_XML) | texts


@st.composite
def encoded(draw: st.DrawFn, some: st.SearchStrategy[str]) -> bytes:
    """The text as bytes: mostly UTF-8, sometimes with an invalid byte."""
    data = draw(some).encode("utf-8", "surrogatepass")
    if draw(st.integers(0, 9)):
        return data
    place = draw(st.integers(0, len(data)))
    return data[:place] + draw(st.binary(max_size=6)) + data[place + draw(st.integers(0, 3)) :]
