"""The changes that make a mutant: a node of the code, and what stands in its place.

Each change is one that a slip could make: a wrong comparison, a lost ``not``, a limit that is off
by one, a missing statement, a lock that is not taken. Texts of messages are left alone.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from copy import copy

_COMPARISONS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
_OPERATORS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.FloorDiv,
    ast.BitOr: ast.BitAnd,
    ast.BitAnd: ast.BitOr,
}
_OPPOSITES = {"min": "max", "max": "min", "any": "all", "all": "any"}
_WORD = re.compile(r"[A-Za-z_][\w.-]*")  # a key, a name of the org, a state; no sentence
_TEXT_CALLS = {"Advice", "Command", "Text"}
_TEXT_KEYWORDS = {"hint", "encoding", "help", "title", "description", "indent"}


def replacements(node: ast.AST) -> Iterator[ast.AST]:
    """What may stand in a node's place, each a mutant."""
    match node:
        case ast.expr():
            yield from _expressions(node)
        case ast.stmt():
            yield from _statements(node)
        case ast.comprehension(ifs=[_, *_]):
            yield _with(node, ifs=[])
        case ast.match_case(guard=ast.expr()):
            yield _with(node, guard=None)
        case ast.ExceptHandler() if not isinstance(node.body[-1], ast.Raise):
            yield _with(node, body=[ast.Raise()])


def is_text(node: ast.AST) -> bool:
    """True for what holds words for people, or nothing that runs: no mutant changes it."""
    match node:
        case ast.Raise() | ast.JoinedStr() | ast.Import() | ast.ImportFrom() | ast.Assert():
            return True
        case ast.Expr(value=ast.Constant()):
            return True
        case ast.keyword(arg=name):
            return name in _TEXT_KEYWORDS
        case ast.Call():
            name = _called(node)
            return name in _TEXT_CALLS or name.endswith("Error") or _logs(node)
        case ast.If(test=ast.Name(id="TYPE_CHECKING")):
            return True
    return False


def _expressions(node: ast.expr) -> Iterator[ast.AST]:
    match node:
        case ast.Compare(ops=[op]):
            yield from (_with(node, ops=[other()]) for other in _COMPARISONS[type(op)])
        case ast.BoolOp():
            yield _with(node, op=ast.Or() if isinstance(node.op, ast.And) else ast.And())
        case ast.UnaryOp(op=ast.Not() | ast.USub()):
            yield node.operand
        case ast.BinOp() if type(node.op) in _OPERATORS:
            yield _with(node, op=_OPERATORS[type(node.op)]())
        case ast.Constant():
            yield from _constants(node)
        case ast.IfExp():
            yield _with(node, test=_negated(node.test))
        case ast.Call():
            yield from _calls(node)


def _constants(node: ast.Constant) -> Iterator[ast.AST]:
    match node.value:
        case bool():
            yield _with(node, value=not node.value)
        case int():
            yield _with(node, value=node.value + 1)
        case float():  # a time: one more second would rarely show
            yield _with(node, value=2 * node.value + 1)
        case str() if _WORD.fullmatch(node.value):
            yield _with(node, value=f"XX{node.value}")


def _calls(node: ast.Call) -> Iterator[ast.AST]:
    if is_text(node):
        return
    match node.args:
        case [first, second, *rest] if not isinstance(first, ast.Starred | ast.Constant):
            if not isinstance(second, ast.Starred):
                yield _with(node, args=[second, first, *rest])
    for each in node.keywords:
        if each.arg and not is_text(each):
            yield _with(node, keywords=[other for other in node.keywords if other is not each])
    if isinstance(node.func, ast.Name) and node.func.id in _OPPOSITES:
        yield _with(node, func=_with(node.func, id=_OPPOSITES[node.func.id]))


def _statements(node: ast.stmt) -> Iterator[ast.AST]:
    match node:
        case ast.Return(value=ast.expr() as value) if not isinstance(value, ast.Constant):
            yield _with(node, value=ast.Constant(None))
        case ast.Expr(value=ast.Call() | ast.Await()) if not _logs(node.value):
            yield ast.Pass()
        case ast.Raise() | ast.Continue():
            yield ast.Pass()
        case ast.Break():
            yield ast.Continue()
        case ast.If():
            yield _with(node, test=_negated(node.test))
        case ast.Assign(targets=[ast.Attribute() | ast.Subscript()]):
            yield ast.Pass()
        case ast.AugAssign() if type(node.op) in _OPERATORS:
            yield _with(node, op=_OPERATORS[type(node.op)]())
        case ast.With() if all(item.optional_vars is None for item in node.items):
            yield ast.If(test=ast.Constant(True), body=node.body, orelse=[])


def _negated(test: ast.expr) -> ast.expr:
    return ast.UnaryOp(op=ast.Not(), operand=test)


def _called(node: ast.Call) -> str:
    match node.func:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
    return ""


def _logs(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and "logging." in ast.unparse(node.func)


def _with(node: ast.AST, **fields: object) -> ast.AST:
    changed = copy(node)
    for name, value in fields.items():
        setattr(changed, name, value)
    return changed
