"""What a number must be: ``< 0.01``, ``>= 5``, ``== 0``. Pure."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

_LONGEST = 100  # characters
_FORM = re.compile(
    r"\s*(<=|>=|==|!=|<|>)\s*([+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)\s*"
)
_OPERATORS: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}


@dataclass(frozen=True)
class Condition:
    """A comparison with a number, as PromQL writes it."""

    sign: str
    bound: float

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises ValueError for anything but a comparison with one finite number."""
        match = _FORM.fullmatch(text) if len(text) <= _LONGEST else None
        if match is None or abs(bound := float(match[2])) == float("inf"):
            raise ValueError('not a condition; write a comparison such as "< 0.01" or ">= 5"')
        return cls(match[1], bound)

    def holds(self, value: float) -> bool:
        return _OPERATORS[self.sign](value, self.bound)

    def __str__(self) -> str:
        return f"{self.sign} {self.bound:.12g}"
