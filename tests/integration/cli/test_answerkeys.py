"""The keyboard of a paused run: one letter a line; the terminal's state is restored."""

from __future__ import annotations

import os
import select
import termios
from collections.abc import Iterator

import pytest

from sfcutover.cli.answerkeys import Keyboard
from tests.integration.cli.harness import terminal


class Typing:
    """A keyboard and the operator who types on it."""

    def __init__(self, operator: int, process: int) -> None:
        self.operator, self.process = operator, process
        self.keyboard = Keyboard(process)

    def line(self, keys: str) -> str:
        """What the keyboard returns once these keys have arrived."""
        os.write(self.operator, keys.encode())
        assert select.select([self.process], [], [], 10)[0]
        return self.keyboard.line()


@pytest.fixture
def typing() -> Iterator[Typing]:
    with terminal() as (operator, process):
        yield Typing(operator, process)


def test_a_key_counts_after_enter_in_upper_or_lower_case(typing: Typing) -> None:
    typing.keyboard.open()
    assert typing.line("a") == ""
    assert typing.line("\r") == "a"
    assert typing.line("C\n") == "c"
    assert typing.keyboard.line() == ""


@pytest.mark.parametrize("text", ["sfcutover runs\n", "cat a\n", "c a\n", "aa\n"])
def test_a_whole_command_is_not_an_answer(typing: Typing, text: str) -> None:
    typing.keyboard.open()
    for key in text:
        assert typing.line(key) not in ("a", "c")


def test_input_typed_before_the_question_is_discarded(typing: Typing) -> None:
    os.write(typing.operator, b"a\n")
    assert select.select([typing.process], [], [], 10)[0]
    typing.keyboard.open()
    assert typing.keyboard.line() == ""


def test_terminal_settings_are_restored(typing: Typing) -> None:
    before = termios.tcgetattr(typing.process)
    typing.keyboard.open()
    assert termios.tcgetattr(typing.process) != before
    typing.keyboard.close()
    assert termios.tcgetattr(typing.process) == before
    assert typing.keyboard.line() == ""
