"""sfcutover schema: print a JSON Schema of this version."""

from __future__ import annotations

from itertools import takewhile
from pathlib import Path

import click

from sfcutover.cli.options import global_options
from sfcutover.output.console import to_stdout
from sfcutover.util.files import resource_folder

SCHEMA_FILE = "cutover.schema.json"
_ENDING = ".schema.json"


def with_modeline(text: str, schema: str) -> str:
    """A YAML file with the comment by which editors find its schema (yaml-language-server 1.25.0),
    after the comments that say what the file is.

    schema: a path relative to the YAML file, or a file URL.
    """
    head = "".join(takewhile(lambda line: line.startswith("#"), text.splitlines(keepends=True)))
    return f"{head}# yaml-language-server: $schema={schema}\n{text[len(head) :]}"


def installed_schema(name: str) -> Path:
    """The file of a schema, whether it exists or not."""
    return resource_folder("schemas").resolve() / f"{name}{_ENDING}"


@click.command("schema")
@click.argument("name", default="cutover", metavar="[NAME]")
@global_options
def command(name: str) -> None:
    """Print the JSON Schema of cutover.yaml, or of the document NAME that --json prints: deploy for
    a document whose "schema" is sfcutover/deploy/1.

    Editors check cutover.yaml with cutover.schema.json in the same folder, which init writes.
    After an upgrade, update it:

    \b
      sfcutover schema > cutover.schema.json
    """
    path = installed_schema(name)
    known = sorted(each.name.removesuffix(_ENDING) for each in path.parent.iterdir())
    if name not in known:
        raise click.UsageError(f"no schema {name!r}; the schemas are {', '.join(known)}")
    to_stdout(path.read_text(encoding="utf-8").rstrip("\n"))
