"""sfcutover init: find the app's components and write cutover.yaml."""

from __future__ import annotations

import json
import re
from contextlib import closing, suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Literal

import click
from pydantic import Field

from sfcutover.allowlist.carriers import CARRIERS
from sfcutover.allowlist.diff import RangeDocument
from sfcutover.allowlist.policies import policies_in
from sfcutover.allowlist.ranges import IpRange, RangeError
from sfcutover.allowlist.snapshot import Snapshot
from sfcutover.cli.context import written_to
from sfcutover.cli.options import global_options, settings_of
from sfcutover.cli.schema import SCHEMA_FILE, installed_schema, modeline
from sfcutover.config.org import OrgConfig
from sfcutover.config.starter import starter_text
from sfcutover.errors import Advice, Command, ConfigError, DriftError
from sfcutover.output.console import Console
from sfcutover.output.json import print_document
from sfcutover.salesforce.metadata import MetadataClient
from sfcutover.salesforce.org import Org
from sfcutover.salesforce.retriever import Retriever
from sfcutover.salesforce.sessions import provider_for
from sfcutover.util.document import Document, InstanceUrl
from sfcutover.util.files import write_new
from sfcutover.util.logs import log_to_stderr

API_VERSION = "67.0"

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def _check_ranges(
    _ctx: click.Context, param: click.Parameter, value: tuple[str, ...]
) -> tuple[str, ...]:
    for text in value:
        try:
            IpRange.parse(text)
        except RangeError as error:
            raise ConfigError(
                f"{param.opts[0]}: {error}",
                hint="write an address, a CIDR block or first-last, once per option",
            ) from error
    return value


def _check_name(_ctx: click.Context, _param: click.Parameter, value: str | None) -> str | None:
    if value is not None and not _NAME.fullmatch(value):
        raise click.BadParameter("letters, digits, dots, dashes and underscores only.")
    return value


_range_option = partial(click.option, multiple=True, metavar="RANGE", callback=_check_ranges)


class InitDocument(Document):
    """What ``init`` prints."""

    schema_: Literal["sfcutover/init/1"] = Field("sfcutover/init/1", alias="schema")
    """Name and version of this document's format."""
    path: str
    """Path of the file that was written."""
    app: str
    """Full name of the app."""
    instance_url: InstanceUrl
    """Instance URL of the org."""
    live: list[RangeDocument]
    """Entries of the app's list as read."""


@click.command("init")
@click.option("--alias", help="The org's alias in the Salesforce CLI.")
@click.option(
    "--instance-url",
    envvar="SFCUTOVER_INSTANCE_URL",
    help="The org's URL.  [env: SFCUTOVER_INSTANCE_URL]",
)
@click.option(
    "--access-token-env",
    default="SF_ACCESS_TOKEN",
    show_default=True,
    metavar="NAME",
    help="The variable that holds the access token, with --instance-url.",
)
@click.option("--app", help="The app's full name; needed if the org has several.")
@click.option(
    "--name",
    callback=_check_name,
    help="The cutover's name.  [default: the month, as 2026-11-cutover]",
)
@_range_option("--old", help="An address to leave; repeatable.")
@_range_option("--new", help="An address to come; repeatable.")
@click.option("--force", is_flag=True, help="Write over a file that is there.")
@global_options
@click.pass_context
def command(
    ctx: click.Context,
    alias: str | None,
    instance_url: str | None,
    access_token_env: str,
    app: str | None,
    name: str | None,
    old: tuple[str, ...],
    new: tuple[str, ...],
    force: bool,
) -> None:
    """Find the app's components in the org and write a commented cutover.yaml, with
    cutover.schema.json beside it, by which editors check it."""
    settings = settings_of(ctx)
    log_to_stderr(settings.verbose)
    _check_free(settings.config, force)
    config = _org_config(alias, instance_url, access_token_env)
    with closing(Org(provider_for(OrgConfig.model_validate(config)))) as org:
        retriever = Retriever(MetadataClient(org, API_VERSION))
        app = app or _only_app(retriever.apps())
        found, url = _components(retriever, app), org.instance_url
    live = found.carriers[0].allowlist
    name = name or f"{datetime.now(UTC):%Y-%m}-cutover"
    # JSON is a part of YAML's flow style
    policies = {} if found.policies is None else policies_in(found.policies)
    text = starter_text(name, app, API_VERSION, json.dumps(config), live, old, new, policies)
    with written_to(settings.config, "file", option="--config"):
        write_new(settings.config, modeline(SCHEMA_FILE) + text, force=force)
        _write_schema(settings.config.with_name(SCHEMA_FILE), force)
    console = Console(settings)
    console.data(f"wrote {settings.config} for {app} on {url}; its list has {len(live)} entries")
    missing = " and ".join(key for key, given in (("old:", old), ("new:", new)) if not given)
    first = f"fill in {missing}, then " if missing else ""
    console.note(Advice(f"next: {first}", Command("doctor")))
    if settings.json:
        ranges = [RangeDocument.model_validate(entry) for entry in live]
        print_document(
            InitDocument(path=str(settings.config), app=app, instance_url=url, live=ranges)
        )


def _write_schema(path: Path, force: bool) -> None:
    """One that is there stays, unless force is set."""
    with suppress(FileExistsError):
        write_new(path, installed_schema("cutover").read_text(encoding="utf-8"), force=force)


def _components(retriever: Retriever, app: str) -> Snapshot:
    """The list, and the policies where the app has some."""
    carriers = [CARRIERS["token-ip-ranges"]]
    try:
        return retriever.snapshot(app, carriers, policies=True)
    except DriftError:  # of the list, if it is missing, too
        return retriever.snapshot(app, carriers)


def _check_free(path: Path, force: bool) -> None:
    if path.exists() and not force:
        raise ConfigError(
            "the file is there already",
            where=str(path),
            hint="--config names another, --force writes over this one",
        )


def _org_config(alias: str | None, instance_url: str | None, variable: str) -> dict[str, object]:
    if alias is not None:
        return {"alias": alias}
    if instance_url is None:
        raise ConfigError(
            "no org was named",
            hint="add --alias of the Salesforce CLI, or --instance-url with the access token "
            f"in {variable}",
        )
    return {"access_token": {"env": variable}, "instance_url": instance_url}


def _only_app(apps: list[str]) -> str:
    if len(apps) == 1:
        return apps[0]
    raise ConfigError(
        f"the org has {len(apps)} External Client Apps: {', '.join(apps)}"
        if apps
        else "the org has no External Client App",
        hint="add --app with one of them" if apps else "check that this is the right org",
    )
