"""Expressions of GitHub Actions, as far as the examples use them.

https://docs.github.com/en/actions/reference/evaluate-expressions-in-workflows-and-actions: literals
in single quotes, contexts with dots, ``==`` and ``!=`` (which ignore case), ``!``, ``&&``, ``||``,
parentheses, and the status functions. Everything is text here; null and false are empty.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

Context: TypeAlias = "Mapping[str, str | Context]"

_TOKEN = re.compile(
    r"\s*('(?:[^']|'')*'|[A-Za-z_][\w.-]*\(\)|[A-Za-z_][\w.-]*|[0-9]+|==|!=|&&|\|\||[!()])"
)
_HOLE = re.compile(r"\$\{\{(.*?)\}\}")
_STATUS = {
    "always()": {"success", "failure", "cancelled"},
    "success()": {"success"},
    "failure()": {"failure"},
    "cancelled()": {"cancelled"},
}


@dataclass
class _Reader:
    """The tokens that are left, the contexts, and the status up to here."""

    tokens: list[str]
    context: Context
    status: str

    def either(self) -> str:
        value = self._both()
        while self._taken("||"):
            other = self._both()
            value = value or other
        return value

    def _both(self) -> str:
        value = self._compared()
        while self._taken("&&"):
            other = self._compared()
            value = other if value else value
        return value

    def _compared(self) -> str:
        value = self._single()
        for sign in ("==", "!="):
            if self._taken(sign):
                same = value.lower() == self._single().lower()
                return "true" if same == (sign == "==") else ""
        return value

    def _single(self) -> str:
        if self._taken("!"):
            return "" if self._single() else "true"
        if self._taken("("):
            value = self.either()
            assert self._taken(")"), "a parenthesis is not closed"
            return value
        return self._value(self.tokens.pop(0))

    def _value(self, token: str) -> str:
        if token.startswith("'"):
            return token[1:-1].replace("''", "'")
        if token.endswith("()"):
            return "true" if self.status in _STATUS[token] else ""
        if token in ("true", "false"):
            return token if token == "true" else ""
        return token if token.isdigit() else _looked_up(token, self.context)

    def _taken(self, token: str) -> bool:
        taken = self.tokens[:1] == [token]
        if taken:
            self.tokens.pop(0)
        return taken


def _looked_up(path: str, context: Context) -> str:
    """A missing property is empty; a missing context is an error."""
    root, *parts = path.split(".")
    value: str | Context = context[root]
    for part in parts:
        value = value.get(part, "") if not isinstance(value, str) else ""
    assert isinstance(value, str), f"{path} is no text"
    return value


def evaluate(expression: str, context: Context, status: str = "success") -> str:
    """The value of an expression as text; empty for false."""
    text, tokens, at = expression.strip(), [], 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        assert match, f"not an expression that this runner knows: {expression}"
        tokens.append(match[1])
        at = match.end()
    reader = _Reader(tokens, context, status)
    value = reader.either()
    assert not reader.tokens, f"not an expression that this runner knows: {expression}"
    return value


def filled(text: str, context: Context) -> str:
    """The text with every ``${{ … }}`` replaced."""
    return _HOLE.sub(lambda match: evaluate(match[1], context), text)


def holds(condition: str, context: Context, status: str) -> bool:
    """Evaluate ``if:``; one without a status function is true only on success."""
    text = condition.strip().removeprefix("${{").removesuffix("}}").strip() or "success()"
    if not any(function in text for function in _STATUS):
        text = f"success() && ({text})"
    return bool(evaluate(text, context, status))
