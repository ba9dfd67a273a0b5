"""The environment of child processes: this process's, without the variables that hold secrets."""

from __future__ import annotations

import os
from collections.abc import Mapping

# Of the Salesforce CLI, and of the emulator's env file.
ALWAYS_SECRET = frozenset(
    {
        *("SF_ACCESS_TOKEN", "SFDX_ACCESS_TOKEN", "SFDX_AUTH_URL"),
        *("SF_CLIENT_SECRET", "SF_REFRESH_TOKEN"),
        *("SF_LEGACY_CLIENT_SECRET", "SF_LEGACY_REFRESH_TOKEN", "SFCUTOVER_ADMIN_TOKEN"),
    }
)
_withheld = set(ALWAYS_SECRET)  # by this process


def withhold(variables: frozenset[str], *, passed: frozenset[str]) -> None:
    """From now on no child gets these variables. passed: those that children get all the same."""
    _withheld.update(variables)
    _withheld.difference_update(passed)


def child_environment(facts: Mapping[str, str] | None = None) -> dict[str, str]:
    """This process's variables but those that are withheld, and the facts."""
    rest = {name: value for name, value in os.environ.items() if name not in _withheld}
    return rest | dict(facts or {})
