"""Single commands while a run of the same cutover is under way.

What takes addresses away or moves traffic is then the run's to do: beside it, its gates and
a person's approval would be bypassed. What only adds is always allowed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import click

from sfcutover.cli.invocation import Invocation
from sfcutover.errors import SfcutoverError, StillRunningError

F = TypeVar("F", bound=Callable[..., object])
_OUTSIDE = "--outside-run does it all the same"


def outside_run_option(function: F) -> F:
    """--outside-run: a person takes it upon themselves."""
    return click.option(
        "--outside-run",
        is_flag=True,
        help="Do it although a run of this cutover has not ended.",
    )(function)


def require_no_open_run(invocation: Invocation, what: str) -> None:
    """Raises StillRunningError while a run has not ended, and what looking for one raises.

    what: what is not done, as ``remove-old was not deployed``.
    """
    from sfcutover.runs.openrun import open_run  # SQLAlchemy: only where it is needed

    try:
        run = open_run(invocation.cutover)
    except SfcutoverError as error:
        error.hint += f"; if no run is under way, {_OUTSIDE}"
        raise
    if run is None:
        return
    raise StillRunningError(
        f"the run {run} of this cutover has not ended; {what} beside it",
        where=run,
        hint=f"see how it stands: sfcutover runs {run}; let it go on: sfcutover approve {run}; "
        f"end it: sfcutover cancel {run}; {_OUTSIDE}",
        tokens="this command changed nothing",
    )
