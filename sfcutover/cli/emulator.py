"""sfcutover emulator: a local org in the foreground."""

from __future__ import annotations

import errno
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click
from pydantic import Field

from sfcutover.cli.options import FILE, global_options, settings_of
from sfcutover.cli.schema import installed_schema, modeline
from sfcutover.errors import ConfigError, OperationFailedError
from sfcutover.output.console import Console, Settings
from sfcutover.output.json import print_document
from sfcutover.util.document import Document, InstanceUrl
from sfcutover.util.logs import log_to_stderr

if TYPE_CHECKING:
    from sfcutover.emulator.emulator import Emulator

_NO_ORG = "no org was asked for anything"


class EmulatorDocument(Document):
    """Printed once the emulator is ready."""

    schema_: Literal["sfcutover/emulator/1"] = Field("sfcutover/emulator/1", alias="schema")
    """Name and version of this document's format."""
    instance_url: InstanceUrl
    """URL of the emulated org."""
    env_file: str | None
    """Path of the file with environment variables; null where none was written."""
    config_file: str | None
    """Path of the cutover.yaml for this org; null where none was written."""


@click.command("emulator")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=0,
    show_default=True,
    help="0 picks a free one.",
)
@click.option("--tls/--no-tls", default=True, show_default=True, help="https, or plain http.")
@click.option(
    "--scenario",
    type=FILE,
    help="A YAML file that changes the org: its list, customers, timing, faults.",
)
@click.option(
    "--env-file",
    type=FILE,
    help="Write the variables that cutover.yaml takes its secrets from.",
)
@click.option("--config-file", type=FILE, help="Write a cutover.yaml that fits the org.")
@global_options
@click.pass_context
def command(
    ctx: click.Context,
    port: int,
    tls: bool,
    scenario: Path | None,
    env_file: Path | None,
    config_file: Path | None,
) -> None:
    """Run a local Salesforce org, on loopback only, until Ctrl-C or SIGTERM.

    Prints "ready" once both files are written. It replaces only files that it wrote itself and
    that are unchanged since. For example:

    \b
      sfcutover emulator --env-file org.env --config-file cutover.yaml &
      until [ -s cutover.yaml ]; do sleep 0.1; done
      set -a; . ./org.env; set +a
      sfcutover plan
    """
    from sfcutover.emulator import Emulator, Scenario
    from sfcutover.emulator.files import ForeignFileError, check_files, write_files
    from sfcutover.emulator.scenario import ScenarioError

    settings = settings_of(ctx)
    log_to_stderr(settings.verbose)
    try:
        wanted = Scenario.from_file(scenario) if scenario else Scenario()
        check_files(env_file, config_file)
        with _ending_signals() as ending, Emulator(wanted, port, tls) as emulator:
            text_for = partial(_config_text, emulator)
            write_files(emulator.environment, text_for, env_file, config_file)
            _announce(settings, emulator, env_file, config_file)
            signal.sigwait(ending)
    except ScenarioError as error:
        raise ConfigError(
            str(error), hint="correct the scenario, then start it again", impact=_NO_ORG
        ) from error
    except ForeignFileError as error:
        raise OperationFailedError(
            "the emulator did not write this file, or it was changed since: it stays as it is",
            where=str(error.path),
            hint="move the file away, or choose other --env-file and --config-file paths",
            impact=_NO_ORG,
        ) from error
    except OSError as error:
        raise not_started(error, port) from error


def _config_text(emulator: Emulator, token_file: str) -> str:
    """It is for this machine alone, as the emulator is, so it names the installed schema."""
    return modeline(installed_schema("cutover").as_uri()) + emulator.config_text(token_file)


@contextmanager
def _ending_signals() -> Iterator[set[signal.Signals]]:
    """The signals that end it, which wait for sigwait while the block runs; not those that are
    ignored, as SIGHUP is under nohup."""
    wanted = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP}
    ending = {each for each in wanted if signal.getsignal(each) is not signal.SIG_IGN}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ending)
    try:
        yield ending
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _announce(
    settings: Settings, emulator: Emulator, env_file: Path | None, config_file: Path | None
) -> None:
    if not settings.json:
        Console(settings).data("ready")
        return
    document = EmulatorDocument(
        instance_url=emulator.url,
        env_file=str(env_file) if env_file else None,
        config_file=str(config_file) if config_file else None,
    )
    print_document(document)


def not_started(error: OSError, port: int = 0) -> OperationFailedError:
    """Why the emulator can't start, and what to do."""
    from sfcutover.emulator.loopback import MissingAddressesError, adding_commands

    if isinstance(error, MissingAddressesError):
        return OperationFailedError(
            f"the emulator can't start: this machine has no address {', '.join(error.addresses)}",
            hint=f"add it, then run this again: {'; '.join(adding_commands(error.addresses))}",
            impact=_NO_ORG,
        )
    in_use = error.errno == errno.EADDRINUSE
    return OperationFailedError(
        f"the emulator can't start: {os.strerror(error.errno or 0)}",
        where=f"127.0.0.1:{port}" if in_use else error.filename and str(error.filename),
        hint="choose another --port; 0 picks a free one"
        if in_use
        else "make room or choose other --env-file and --config-file paths",
        impact=_NO_ORG,
    )
