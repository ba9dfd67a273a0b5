"""The changes that make mutants, and a mutant as running code."""

from __future__ import annotations

import ast
import gc
import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from tests.mutants.mutants import Mutant, NotApplicableError, loaded_functions, mutants_of

CODE = '''
LIMIT = 3

def fits(count: int = 0) -> bool:
    """Whether a count fits."""
    if count < 0:
        raise ValueError("no count")
    return count <= LIMIT

class Base:
    def __init__(self):
        super().__init__()
'''


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The code above, imported."""
    file = tmp_path / "sfcutover_sample.py"
    file.write_text(CODE, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    yield importlib.import_module("sfcutover_sample")
    del sys.modules["sfcutover_sample"]


def mutants(module: ModuleType) -> dict[str, Mutant]:
    assert module.__file__
    return {each.change: each for each in mutants_of(Path(module.__file__))}


def test_texts_annotations_and_defaults_have_no_mutants(module: ModuleType) -> None:
    assert list(mutants(module)) == [
        "3 → 4",
        "if count < 0 → if not count < 0",
        "count < 0 → count <= 0",
        "count < 0 → count >= 0",
        "0 → 1",
        "raise ValueError('no count') → pass",
        "return count <= LIMIT → return None",
        "count <= LIMIT → count < LIMIT",
        "count <= LIMIT → count > LIMIT",
        "super().__init__() → pass",
    ]


@pytest.mark.parametrize(
    ("change", "count", "fits"),
    [("count <= LIMIT → count < LIMIT", 3, False), ("3 → 4", 4, True)],
)
def test_the_running_code_becomes_the_mutant(
    module: ModuleType, change: str, count: int, fits: bool
) -> None:
    assert module.fits(count) is not fits
    mutants(module)[change].become(loaded_functions())
    assert module.fits(count) is fits


def test_a_function_that_closes_over_other_variables_cannot_become_the_mutant(
    module: ModuleType,
) -> None:
    with pytest.raises(NotApplicableError):
        mutants(module)["super().__init__() → pass"].become(loaded_functions())


def test_the_tree_is_as_it_was_after_a_mutant(module: ModuleType) -> None:
    found = list(mutants(module).values())
    found[1].become(loaded_functions())
    assert ast.unparse(found[0].tree) == ast.unparse(ast.parse(CODE))


def test_functions_are_found_after_a_command_was_loaded(module: ModuleType) -> None:
    gc.freeze()  # as the command line does
    assert any(file == module.__file__ for file, _, _ in loaded_functions())
