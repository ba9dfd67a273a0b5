"""sfcutover init: read the app's allowlist from the org and write cutover.yaml."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
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
from sfcutover.cli.schema import SCHEMA_FILE, installed_schema, with_modeline
from sfcutover.config.org import OrgConfig
from sfcutover.config.starter import starter_text
from sfcutover.errors import Advice, AuthError, Command, ConfigError, DriftError
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
                hint=f"give one address, CIDR block or first-last per {param.opts[0]}",
            ) from error
    return value


def _check_name(_ctx: click.Context, _param: click.Parameter, value: str | None) -> str | None:
    if value is not None and not _NAME.fullmatch(value):
        raise click.BadParameter("only letters, digits, dots, dashes and underscores are allowed")
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
    """Entries of the app's allowlist as read."""


@click.command("init")
@click.option("--alias", help="Alias or username of an org in the Salesforce CLI.")
@click.option(
    "--instance-url",
    envvar="SFCUTOVER_INSTANCE_URL",
    help="URL of the org, instead of --alias.  [env: SFCUTOVER_INSTANCE_URL]",
)
@click.option(
    "--access-token-env",
    default="SF_ACCESS_TOKEN",
    show_default=True,
    metavar="NAME",
    help="With --instance-url: the environment variable that holds the access token.",
)
@click.option("--app", help="Full name of the app; required if the org has several.")
@click.option(
    "--name",
    callback=_check_name,
    help="Name of the cutover.  [default: the current month, such as 2026-11-cutover]",
)
@_range_option("--old", help="Address or range to remove, which traffic uses now; repeatable.")
@_range_option("--new", help="Address or range to add, which traffic will use; repeatable.")
@click.option("--force", is_flag=True, help="Replace an existing file.")
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
    """Read the app's allowlist from the org and write a commented cutover.yaml. Also writes
    cutover.schema.json, which editors use to check cutover.yaml.

    Name the org with --alias, or with --instance-url and an access token in an environment
    variable.
    """
    settings = settings_of(ctx)
    log_to_stderr(settings.verbose)
    _check_free(settings.config, force)
    config = _org_config(alias, instance_url, access_token_env)
    with _org(config, access_token_env) as org:
        retriever = Retriever(MetadataClient(org, API_VERSION))
        app = app or _only_app(retriever.apps())
        found, url = _components(retriever, app), org.instance_url
    live = found.carriers[0].allowlist
    name = name or f"{datetime.now(UTC):%Y-%m}-cutover"
    # JSON is a part of YAML's flow style
    policies = {} if found.policies is None else policies_in(found.policies)
    text = starter_text(name, app, API_VERSION, json.dumps(config), live, old, new, policies)
    with written_to(settings.config, "file", option="--config"):
        write_new(settings.config, with_modeline(text, SCHEMA_FILE), force=force)
        _write_schema(settings.config.with_name(SCHEMA_FILE), force)
    console = Console(settings)
    console.data(
        f"wrote {settings.config} for {app} on {url}; its allowlist has {len(live)} entries"
    )
    missing = " and ".join(key for key, given in (("old:", old), ("new:", new)) if not given)
    first = f"fill in {missing}, then " if missing else ""
    console.note(Advice(f"next: {first}", Command("doctor")))
    if settings.json:
        ranges = [RangeDocument.model_validate(entry) for entry in live]
        print_document(
            InitDocument(path=str(settings.config), app=app, instance_url=url, live=ranges)
        )


def _write_schema(path: Path, force: bool) -> None:
    """Keeps an existing file, unless force is set."""
    with suppress(FileExistsError):
        write_new(path, installed_schema("cutover").read_text(encoding="utf-8"), force=force)


def _components(retriever: Retriever, app: str) -> Snapshot:
    """The allowlist, and the policies if the app has some."""
    carriers = [CARRIERS["token-ip-ranges"]]
    try:
        return retriever.snapshot(app, carriers, policies=True)
    except DriftError:  # no policies; a missing allowlist raises it again
        return retriever.snapshot(app, carriers)


def _check_free(path: Path, force: bool) -> None:
    if path.exists() and not force:
        raise ConfigError(
            "the file exists",
            where=str(path),
            hint="use --force to replace it, or --config FILE to write another",
        )


_LOG_IN = "log in to the org (sf org login web --alias ALIAS), then use --alias ALIAS"
_OTHER_WAYS = (
    "or use --instance-url URL with an access token in the environment variable {variable}, or an "
    "SFDX auth URL in a file (sf org login sfdx-url --sfdx-url-file FILE --alias ALIAS). "
    "cutover.yaml also takes jwt:, client_credentials: and auth_url: under org:"
)


@contextmanager
def _org(config: dict[str, object], variable: str) -> Iterator[Org]:
    """The org. Where the Salesforce CLI does not know the alias, the error names the other ways to
    log in."""
    try:
        with closing(Org(provider_for(OrgConfig.model_validate(config)))) as org:
            yield org
    except AuthError as error:
        if "alias" not in config:
            raise
        others = _OTHER_WAYS.format(variable=variable)
        raise error.replaced(hint=Advice(error.advice, f"; {others}")) from error


def _org_config(alias: str | None, instance_url: str | None, variable: str) -> dict[str, object]:
    if alias is not None:
        return {"alias": alias}
    if instance_url is None:
        raise ConfigError(
            "no org is given", hint=f"{_LOG_IN}; {_OTHER_WAYS.format(variable=variable)}"
        )
    return {"access_token": {"env": variable}, "instance_url": instance_url}


def _only_app(apps: list[str]) -> str:
    if len(apps) == 1:
        return apps[0]
    raise ConfigError(
        f"the org has {len(apps)} External Client Apps: {', '.join(apps)}"
        if apps
        else "the org has no External Client App",
        hint="use --app NAME with one of them" if apps else "check that this is the right org",
    )
