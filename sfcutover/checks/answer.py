"""What an answer of Prometheus means. Pure: bytes in, a verdict out.

A series that has gone stale is not in the answer, so an empty one says nothing, as does
NaN (a ratio of nothing to nothing). Of several series each must hold.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sfcutover.checks import Verdict
from sfcutover.checks.condition import Condition
from sfcutover.util.secrets import redact

_OK = 200
_SHOWN_SERIES = 3
_LONGEST_TEXT = 200  # characters of the server's own words
_NO_SERIES = (
    "the query found no series (they are stale or never were; a comparison belongs in condition)"
)


class NoAnswerError(Exception):
    """Why there is no result of a query."""


@dataclass(frozen=True)
class Answer:
    """The result of an instant query: a value per series, and what the server remarked."""

    values: tuple[tuple[str, float], ...]
    warnings: tuple[str, ...]


def judge(answer: Answer, condition: Condition) -> tuple[Verdict, str]:
    """The verdict on an answer, and why."""
    failed = [each for each in answer.values if not _holds(each[1], condition)]
    unknown = [each for each in answer.values if math.isnan(each[1])]
    if failed:
        verdict, detail = Verdict.FAILED, f"{_shown(failed)} is not {condition}"
    elif unknown:
        verdict, detail = Verdict.INCONCLUSIVE, f"{_shown(unknown)} is no number"
    elif not answer.values:
        verdict, detail = Verdict.INCONCLUSIVE, _NO_SERIES
    else:
        verdict, detail = Verdict.PASSED, f"{_shown(answer.values)} is {condition}"
    return verdict, "; warning: ".join([detail, *answer.warnings])


def read_answer(status: int, body: bytes) -> Answer:
    """The answer in an HTTP body. Raises NoAnswerError for everything else."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise NoAnswerError(f"HTTP {status} with something that is no answer of Prometheus")
    if status != _OK or document.get("status") != "success":
        kind, words = _text(document.get("errorType")), _text(document.get("error"))
        raise NoAnswerError(f"HTTP {status}: {kind}: {words}")
    warnings = document.get("warnings")
    return Answer(
        _values_in(document.get("data")),
        tuple(_text(each) for each in warnings) if isinstance(warnings, list) else (),
    )


def _values_in(data: object) -> tuple[tuple[str, float], ...]:
    try:
        match data:
            case {"resultType": "vector", "result": list(series)}:
                return tuple((_labels(each["metric"]), _number(each["value"])) for each in series)
            case {"resultType": "scalar", "result": sample}:
                return (("the value", _number(sample)),)
            case {"resultType": str(kind)}:
                raise NoAnswerError(f"the query gives a {_text(kind)}, not one number a series")
    except (KeyError, TypeError, ValueError, AttributeError):
        pass
    raise NoAnswerError("the answer holds something that is not one number a series")


def _number(sample: object) -> float:
    """Of ``[time, "text"]``: JSON has no NaN, so numbers come as texts."""
    match sample:
        case [int() | float(), str(text)]:
            return float(text)
    raise ValueError


def _labels(metric: Mapping[str, str]) -> str:
    labels = ", ".join(f'{name}="{value}"' for name, value in metric.items() if name != "__name__")
    return _text(metric.get("__name__", "") + (f"{{{labels}}}" if labels else "")) or "the value"


def _holds(value: float, condition: Condition) -> bool:
    return math.isnan(value) or condition.holds(value)


def _shown(values: Sequence[tuple[str, float]]) -> str:
    shown = ", ".join(f"{name} = {value:.12g}" for name, value in values[:_SHOWN_SERIES])
    more = len(values) - _SHOWN_SERIES
    return f"{shown} and {more} more" if more > 0 else shown


def _text(value: object) -> str:
    """The server's words on one line, masked before a cut could halve a secret."""
    return " ".join(redact(str(value)).split())[:_LONGEST_TEXT] if value is not None else ""
