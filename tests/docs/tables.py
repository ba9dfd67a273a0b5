"""Tables of the exit codes and of the JSON documents."""

from __future__ import annotations

import inspect

from sfcutover.cli.schemas import SCHEMAS
from sfcutover.errors import EXIT_CODE_MEANINGS
from tests.docs.markdown import code, table


def exit_codes() -> str:
    """Every exit code with its meaning."""
    rows = ((str(int(each)), meaning) for each, meaning in EXIT_CODE_MEANINGS.items())
    return table(("code", "meaning"), rows)


def schemas() -> str:
    """Every JSON Schema with its file and what it describes."""
    return table(("schema", "describes"), (_row(name) for name in SCHEMAS))


def _row(name: str) -> tuple[str, str]:
    described = inspect.getdoc(SCHEMAS[name]) or ""
    link = f"[{code(name)}](../../schemas/{name}.schema.json)"
    return link, described.split("\n\n")[0]
