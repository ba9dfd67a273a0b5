"""The PHASE argument and the options that say where its start comes from."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import click

from sfcutover.allowlist.phases import Phase
from sfcutover.allowlist.snapshot import Snapshot, read_baseline
from sfcutover.allowlist.templates import Templates
from sfcutover.config.cutover import Cutover

F = TypeVar("F", bound=Callable[..., object])

_FOLDER = f"{__name__}.templates"
PHASE_NAMES = [phase.value for phase in Phase]


def phase_argument(function: F) -> F:
    """One phase, by name."""
    return click.argument(
        "phase",
        metavar="PHASE",
        type=click.Choice(PHASE_NAMES),
        callback=lambda _ctx, _param, value: Phase(value),
    )(function)


def templates_option(function: F) -> F:
    """--templates DIR, as the templates to render with."""
    return click.option(
        "--templates",
        type=click.Path(path_type=Path),
        callback=_open_templates,
        help="A folder whose templates override the built-in ones of the same name.",
    )(function)


def templates_words(ctx: click.Context) -> list[str]:
    """--templates DIR again, for a command that must see the same templates."""
    folder = ctx.meta.get(_FOLDER)
    return ["--templates", str(folder)] if folder else []


def _open_templates(ctx: click.Context, _param: click.Parameter, value: Path | None) -> Templates:
    ctx.meta[_FOLDER] = value
    return Templates(value)


def baseline_option(function: F) -> F:
    """--baseline FILE, repeatable."""
    return click.option(
        "--baseline",
        "baseline_files",
        multiple=True,
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="Compute from this component file and don't ask the org; repeat it for each carrier.",
    )(function)


def baseline_from(files: tuple[Path, ...], cutover: Cutover) -> Snapshot:
    """The baseline a person keeps in files."""
    return read_baseline(files, cutover.app, cutover.carrier_rows, policies=bool(cutover.policies))
