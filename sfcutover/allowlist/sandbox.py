"""A sandbox for templates from untrusted sources: plain values, and a budget.

Jinja's own keeps a template from Python's internals. This one also keeps it from the methods of
our objects, and from what can make much out of little; the rest counts what it makes, so that a
rendering ends within a second or so and some 100 MB.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime
from functools import wraps
from types import FunctionType
from typing import Any, TypeVar

from jinja2 import nodes, pass_eval_context
from jinja2.exceptions import SecurityError
from jinja2.filters import FILTERS
from jinja2.runtime import BlockReference, Context, LoopContext, Macro, markup_join, str_join
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.tests import TESTS
from jinja2.utils import Namespace
from jinja2.visitor import NodeTransformer
from markupsafe import soft_str

MAX_MADE = 40_000_000  # characters, entries and steps of one rendering, as counted here
_STEP = 80  # what a step counts
_CALL = 300  # what a call counts in addition
_MAX_NUMBER = 2**63
_MAX_DIGITS = 100
_WIDE = re.compile(r"\*|[0-9]{3}|\{[^}]*\{")  # a width that is large, or no part of the format
_FILTERS = re.compile(
    "abs|attr|capitalize|count|d|default|dictsort|e|escape|first|float|forceescape|groupby|int|"
    "items|join|last|length|list|lower|map|max|min|reject|rejectattr|replace|reverse|round|safe|"
    "select|selectattr|sort|string|sum|title|trim|truncate|unique|upper|urlencode"
)
_METHODS = re.compile(
    "capitalize|count|endswith|find|get|index|isoformat|items|keys|lower|lstrip|partition|removeprefix|"
    "removesuffix|rpartition|rsplit|rstrip|split|splitlines|startswith|strip|title|upper|values"
)
_SIZED = (str, list, tuple, dict, range)
_T = TypeVar("_T")
_left: ContextVar[list[float]] = ContextVar("left")


@contextmanager
def budget(amount: float) -> Iterator[None]:
    """What templates make in here may be so much."""
    token = _left.set([amount])
    try:
        yield
    finally:
        _left.reset(token)


def count(amount: int) -> None:
    """Count what is about to be made. Raises SecurityError where it is too much."""
    left = _left.get([MAX_MADE])
    left[0] -= amount
    if left[0] < 0:
        raise SecurityError("the template's output is too large, or it takes too long")


def _counted(value: _T) -> _T:
    """A value that was made, or is to be read through."""
    count(_STEP + (len(value) if isinstance(value, _SIZED) else 0))
    if isinstance(value, int) and abs(value) > _MAX_NUMBER:
        raise SecurityError("the number is too large")
    return value


def _counting(function: Callable[..., Any]) -> Callable[..., Any]:
    """A filter or test that counts what it reads and makes; it keeps what Jinja marks it with."""

    @wraps(function)
    def counting(*arguments: Any, **options: Any) -> Any:
        return _counted(function(*map(_counted, arguments), **options))

    return counting


@pass_eval_context
def _join(eval_ctx: Any, value: Iterable[Any], *arguments: Any, **options: Any) -> Any:
    entries = list(value)
    separator = len(soft_str(arguments[0] if arguments else options.get("d", "")))
    count(sum(len(soft_str(each)) + separator for each in entries))
    return FILTERS["join"](eval_ctx, entries, *arguments, **options)


@pass_eval_context
def _replace(eval_ctx: Any, text: object, old: object, new: object, *arguments: Any) -> Any:
    count(soft_str(text).count(soft_str(old)) * len(soft_str(new)))
    return FILTERS["replace"](eval_ctx, text, old, new, *arguments)


def _round(value: float, precision: int = 0, *arguments: Any) -> Any:
    if abs(precision) > _MAX_DIGITS:
        raise SecurityError("a number cannot have that many digits")
    return FILTERS["round"](value, precision, *arguments)


def _check_format(text: str, values: Iterable[object]) -> None:
    if _WIDE.search(text):
        raise SecurityError("a width in a format is too large, or not a literal")
    count(len(re.findall("[%{]", text)) * sum(len(str(each)) for each in values))


_OWN: dict[str, Callable[..., Any]] = {"join": _join, "replace": _replace, "round": _round}


class Sandbox(ImmutableSandboxedEnvironment):
    """Templates get values, and functions that are given to them on purpose."""

    intercepted_binops = frozenset({"+", "*", "**", "%"})

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        filters: dict[str, Callable[..., Any]] = FILTERS | _OWN
        self.filters = {
            name: _counting(each) for name, each in filters.items() if _FILTERS.fullmatch(name)
        }
        tests: Mapping[str, Any] = TESTS
        self.tests = {name: _counting(each) for name, each in tests.items()}
        self.globals = {"range": self.globals["range"], "dict": dict, "namespace": Namespace}

    def is_safe_callable(self, obj: Any) -> bool:
        owner = getattr(obj, "__self__", None)
        if isinstance(owner, (*_SIZED, datetime)):
            return _METHODS.fullmatch(obj.__name__) is not None
        if isinstance(obj, (FunctionType, Macro, LoopContext, BlockReference)):
            return True
        return isinstance(owner, (LoopContext, Sandbox)) or obj in (dict, Namespace)

    def call(__self, __context: Context, __obj: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: N805
        if not __self.is_safe_callable(__obj):
            raise SecurityError(f"a template cannot call {getattr(__obj, '__name__', 'this')}")
        count(_CALL)
        return _counted(__context.call(__obj, *args, **kwargs))

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        if operator == "%" and isinstance(left, str):
            _check_format(left, right if isinstance(right, tuple) else [right])
        elif operator == "**":
            raise SecurityError("a template cannot use powers")
        elif operator == "*" and not (_is_number(left) and _is_number(right)):
            raise SecurityError("only numbers can be multiplied")
        return _counted(super().call_binop(context, operator, _counted(left), _counted(right)))

    def wrap_str_format(self, value: Any) -> Callable[..., str] | None:
        wrapped = super().wrap_str_format(value)
        if wrapped is None:
            return None

        def format_(*args: Any, **options: Any) -> str:
            _check_format(value.__self__, [*args, *options.values()])
            return wrapped(*args, **options)

        return format_

    @staticmethod
    def concat(parts: Iterable[str]) -> str:
        """What a macro, a block or a set makes."""
        texts = list(parts)
        count(sum(map(len, texts)))
        return "".join(texts)

    def concatenated(self, *parts: object) -> str:
        """What ``~`` makes."""
        count(sum(len(soft_str(each)) for each in parts))
        return markup_join(parts) if self.autoescape else str_join(parts)

    def counted(self, value: object) -> object:
        """What is compared, or cut out of a sequence."""
        return _counted(value)

    def _generate(self, source: nodes.Template, *args: Any, **options: Any) -> str:
        return super()._generate(_Counting().visit(source), *args, **options)


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float))


class _Counting(NodeTransformer):
    """Has the environment count what the compiled code would do by itself."""

    def visit_For(self, node: nodes.For) -> nodes.Node:  # noqa: N802
        self.generic_visit(node)
        step = _call("counted", [nodes.Const(None)], node.lineno)
        node.body.insert(0, nodes.ExprStmt(step, lineno=node.lineno))
        return node

    def visit_Concat(self, node: nodes.Concat) -> nodes.Node:  # noqa: N802
        self.generic_visit(node)
        return _call("concatenated", node.nodes, node.lineno)

    def visit_Compare(self, node: nodes.Compare) -> nodes.Node:  # noqa: N802
        self.generic_visit(node)
        node.expr = _call("counted", [node.expr], node.lineno)
        for each in node.ops:
            each.expr = _call("counted", [each.expr], node.lineno)
        return node

    def visit_Getitem(self, node: nodes.Getitem) -> nodes.Node:  # noqa: N802
        self.generic_visit(node)
        is_slice = isinstance(node.arg, nodes.Slice)
        return _call("counted", [node], node.lineno) if is_slice else node


def _call(name: str, arguments: list[nodes.Expr], line: int) -> nodes.Call:
    function = nodes.EnvironmentAttribute(name, lineno=line)
    return nodes.Call(function, arguments, [], None, None, lineno=line)
