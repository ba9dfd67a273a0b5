"""Outcomes of steps, as the tests lay them down."""

from __future__ import annotations

from sfcutover.cutover.outcome import Outcome, Problem


def problem(kind: str = "failed", code: int = 5) -> Outcome:
    """A step that ended with a problem of this kind, and its exit code."""
    return Outcome(
        problem=Problem.model_validate(
            {
                "kind": kind,
                "message": f"it is {kind}",
                "where": None,
                "tokens": "none is lost",
                "next": "look",
                "exit_code": code,
            }
        )
    )
