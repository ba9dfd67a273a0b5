"""The mutants of a file: where each is, what it changes, and how it becomes the running code.

A mutant in a function exchanges the code of the function objects that exist, so that the tests
that are imported already meet it. A mutant in a constant of a module (``LIMIT = 128``) rebinds it
wherever it was imported. What is evaluated while a module or class is made (decorators, defaults,
fields) has no mutants.
"""

from __future__ import annotations

import ast
import gc
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import CodeType, FunctionType

from tests.mutants.changes import is_text, replacements

Functions = dict[tuple[str, str, int], list[FunctionType]]
_UNCHANGED = {"annotation", "returns", "decorator_list", "args", "type_comment", "ctx"}
_SHOWN = 100  # characters of a change


class NotApplicableError(Exception):
    """The running code cannot become this mutant."""


@dataclass(frozen=True)
class Owner:
    """The outermost function that holds a change, or the constant of a module.

    line: the function's first, its decorators counted; 0 for a constant.
    """

    name: str
    line: int


@dataclass(frozen=True)
class Mutant:
    """One change. file: from the project's folder. statement: the first line of its statement."""

    file: Path
    line: int
    statement: int
    owner: Owner
    change: str
    tree: ast.Module
    place: Callable[[ast.AST], None]
    before: ast.AST
    after: ast.AST

    @property
    def name(self) -> str:
        return f"{self.file}:{self.line}: {self.change}"

    def become(self, functions: Functions) -> None:
        """Change the running code. Raises NotApplicableError if that cannot be done."""
        self.place(self.after)
        try:
            tree = ast.fix_missing_locations(self.tree)
            code = compile(tree, str(self.file.absolute()), "exec", dont_inherit=True)
        finally:
            self.place(self.before)
        if self.owner.line:
            _exchange(functions, self.owner, code)
        else:
            _rebind(self.file, self.owner.name, code)


def mutants_of(file: Path) -> Iterator[Mutant]:
    """Every mutant of a file, in the order of its text."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    for statement in tree.body:
        yield from _top(file, tree, statement, "")


def loaded_functions() -> Functions:
    """All function objects, by the file, name and line of their code."""
    gc.unfreeze()  # a command that was called while tests were collected has hidden them
    found: Functions = {}
    for each in gc.get_objects():
        if isinstance(each, FunctionType):
            code = each.__code__
            key = (code.co_filename, code.co_qualname, code.co_firstlineno)
            found.setdefault(key, []).append(each)
    return found


def _top(file: Path, tree: ast.Module, node: ast.stmt, prefix: str) -> Iterator[Mutant]:
    match node:
        case ast.ClassDef():
            for each in node.body:
                yield from _top(file, tree, each, f"{prefix}{node.name}.")
        case ast.FunctionDef() | ast.AsyncFunctionDef():
            first = min([node.lineno, *(each.lineno for each in node.decorator_list)])
            owner = Owner(prefix + node.name, first)
            yield from _within(file, tree, node, owner, node.lineno)
        case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
            if not prefix and name.isupper():
                yield from _within(file, tree, node, Owner(name, 0), node.lineno)


def _within(
    file: Path, tree: ast.Module, holder: ast.AST, owner: Owner, statement: int
) -> Iterator[Mutant]:
    for child, place in _children(holder):
        line = getattr(child, "lineno", statement)
        start = line if isinstance(child, ast.stmt) else statement
        for after in replacements(child):
            change = f"{_shown(child)} → {_shown(after)}"
            yield Mutant(file, line, start, owner, change, tree, place, child, after)
        if not is_text(child):
            yield from _within(file, tree, child, owner, start)


def _children(node: ast.AST) -> Iterator[tuple[ast.AST, Callable[[ast.AST], None]]]:
    for name, value in ast.iter_fields(node):
        if name in _UNCHANGED and not (name == "args" and isinstance(node, ast.Call)):
            continue
        if isinstance(value, ast.AST):
            yield value, partial(setattr, node, name)
        elif isinstance(value, list):
            for index, each in enumerate(value):
                if isinstance(each, ast.AST):
                    yield each, partial(value.__setitem__, index)


def _shown(node: ast.AST) -> str:
    match node:
        case ast.If():
            return f"if {ast.unparse(node.test)}"[:_SHOWN]
        case ast.With():
            return f"with {', '.join(ast.unparse(each) for each in node.items)}"[:_SHOWN]
        case ast.ExceptHandler():
            caught = ast.unparse(node.type) if node.type else ""
            return f"except {caught}: {ast.unparse(node.body[0])}"[:_SHOWN]
        case ast.match_case():
            return ast.unparse(node).splitlines()[0][:_SHOWN]
        case ast.comprehension():
            return ast.unparse(node).strip()[:_SHOWN]
    return " ".join(ast.unparse(ast.fix_missing_locations(node)).split())[:_SHOWN]


def _exchange(functions: Functions, owner: Owner, module: CodeType) -> None:
    key = (module.co_filename, owner.name, owner.line)
    code = next((each for each in _codes(module) if _key(each) == key), None)
    targets = functions.get(key, [])
    if code is None or not targets:
        raise NotApplicableError(f"{owner.name} is not loaded")
    for each in targets:
        if code.co_freevars != each.__code__.co_freevars:
            raise NotApplicableError(f"{owner.name} would close over other variables")
        each.__code__ = code


def _key(code: CodeType) -> tuple[str, str, int]:
    return code.co_filename, code.co_qualname, code.co_firstlineno


def _codes(code: CodeType) -> Iterator[CodeType]:
    for each in code.co_consts:
        if isinstance(each, CodeType):
            yield each
            yield from _codes(each)


def _rebind(file: Path, name: str, code: CodeType) -> None:
    modules = [each for each in sys.modules.values() if each.__name__.startswith("sfcutover")]
    home = next(each for each in modules if each.__file__ == str(file.absolute()))
    before = vars(home)[name]
    fresh = {"__name__": home.__name__, "__file__": home.__file__}
    exec(code, fresh)
    for each in modules:
        if vars(each).get(name) is before:
            setattr(each, name, fresh[name])
