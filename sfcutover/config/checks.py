"""The parts of cutover.yaml about checks, quiet checks and the watch."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Self

from pydantic import Field, model_validator

from sfcutover.config.values import Model, PlacedError, Seconds, SecretReference, Text, Word

_LONGEST = 100  # characters
_NUMBER = r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"
_FORM = re.compile(rf"\s*(<=|>=|==|!=|<|>)\s*(?:({_NUMBER})|(?:({_NUMBER})\s*\*\s*)?(before))\s*")
_OPERATORS: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}
Stage = Literal["switch", "watch"]


@dataclass(frozen=True)
class Condition:
    """A comparison, as PromQL writes it: with a number, or with a share of ``before``.

    bound: the number, or what ``before`` is multiplied by. relative: True for the latter.
    """

    sign: str
    bound: float
    relative: bool = False

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises ValueError unless it is a comparison with one finite number or ``before``."""
        match = _FORM.fullmatch(text) if len(text) <= _LONGEST else None
        bound = float(match[2] or match[3] or 1) if match else 0.0
        if match is None or abs(bound) == float("inf"):
            raise ValueError(
                'not a condition; write a comparison such as "< 0.01" or ">= 0.9 * before"'
            )
        return cls(match[1], bound, match[4] is not None)

    def against(self, before: float) -> Condition:
        """The condition with a number. before: the value to which a relative condition refers."""
        return Condition(self.sign, self.bound * before) if self.relative else self

    def holds(self, value: float) -> bool:
        """True if the value meets the condition, which has a number."""
        return _OPERATORS[self.sign](value, self.bound)

    def __str__(self) -> str:
        factor = f"{self.bound:.12g}"
        return f"{self.sign} {factor}{' * before' if self.relative else ''}"


class PrometheusCheck(Model):
    """An instant query and the condition that its value must meet."""

    url: Text
    """URL of the server, with its path if it has one."""
    query: Word
    """PromQL of an instant query."""
    condition: Word = Field(examples=["< 0.01", ">= 0.9 * before"])
    """Comparison that the value must meet: with a number, or with a share of before, its mean
    before the switch."""
    token: SecretReference | None = None
    """Where a bearer token for the server is kept."""

    @property
    def parsed_condition(self) -> Condition:
        return Condition.parse(self.condition)

    @model_validator(mode="after")
    def _readable(self) -> Self:
        try:
            Condition.parse(self.condition)
        except ValueError as error:
            raise PlacedError(str(error), "condition") from None
        return self


class Measurement(Model):
    """A measurement: exactly one of a Prometheus query and a command."""

    prometheus: PrometheusCheck | None = None
    """A query of Prometheus."""
    command: tuple[Word, ...] | None = Field(None, min_length=1)
    """A command (argv, no shell); exit status 0 passed, 1 failed, 2 inconclusive."""
    name: Word | None = None
    """Name of the check in output; by default, its query or program."""
    timeout: Seconds = Field(10.0, gt=0)
    """Longest time for one measurement."""

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if (self.prometheus is None) == (self.command is None):
            raise ValueError("give exactly one of prometheus and command")
        return self

    @property
    def title(self) -> str:
        """The name, or the query or program."""
        if self.name is not None:
            return self.name
        return self.prometheus.query if self.prometheus else (self.command or ("command",))[0]


class Check(Measurement):
    """A condition that must be met from the switch to the end of the watch."""

    during: tuple[Stage, ...] = Field(("switch", "watch"), min_length=1)
    """When it applies: switch is from the switch to the removal, watch is after the removal."""
    baseline: Seconds = Field(300.0, gt=0)
    """Time before the switch whose mean is `before` in a condition."""


class QuietCheck(Measurement):
    """A condition that shows that customers have left the old addresses; required for a removal."""

    held_for: Seconds = Field(120.0, alias="for")
    """Time for which the condition must have been met without interruption."""

    @model_validator(mode="after")
    def _absolute(self) -> Self:
        if self.prometheus is not None and self.prometheus.parsed_condition.relative:
            raise PlacedError(
                'a quiet check must compare with a number, such as "== 0", not with before',
                "prometheus",
                "condition",
            )
        return self


class Watch(Model):
    """How long and how often redemptions and checks are measured after remove-old."""

    duration: Seconds = 900.0
    """How long the watch lasts."""
    interval: Seconds = Field(15.0, gt=0)
    """Time between two rounds, also of the checks between switch and removal."""
    failures: int = Field(2, ge=1)
    """Consecutive failures that trigger a rollback, also between switch and removal."""
    inconclusive: int = Field(4, ge=1)
    """Consecutive inconclusive results of one check after which its result is unknown."""
    errors: int = Field(4, ge=1)
    """Consecutive errors of one check after which its result is unknown."""
    roll_back_when_blind: bool = False
    """True to roll back also when the result of a check is unknown."""
