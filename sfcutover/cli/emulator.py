"""sfcutover emulator: run a local org in the foreground."""

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
from sfcutover.cli.schema import installed_schema, with_modeline
from sfcutover.errors import ConfigError, OperationFailedError
from sfcutover.output.console import Console, Settings
from sfcutover.output.json import print_document
from sfcutover.util.document import Document, InstanceUrl
from sfcutover.util.logs import log_to_stderr

if TYPE_CHECKING:
    from sfcutover.emulator.emulator import Emulator

_NO_IMPACT = ""  # no org is involved


class EmulatorDocument(Document):
    """Printed once the emulator is ready."""

    schema_: Literal["sfcutover/emulator/1"] = Field("sfcutover/emulator/1", alias="schema")
    """Name and version of this document's format."""
    instance_url: InstanceUrl
    """URL of the emulated org."""
    env_file: str | None
    """Path of the file with environment variables; null if none was written."""
    config_file: str | None
    """Path of the cutover.yaml for this org; null if none was written."""


@click.command("emulator")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=0,
    show_default=True,
    help="Port to listen on; 0 picks a free one.",
)
@click.option("--tls/--no-tls", default=True, show_default=True, help="Serve https, or plain http.")
@click.option(
    "--scenario",
    type=FILE,
    help="YAML file with settings of the org: its allowlist, customers, timing, faults.",
)
@click.option(
    "--env-file",
    type=FILE,
    help="Write the environment variables from which cutover.yaml reads its secrets.",
)
@click.option("--config-file", type=FILE, help="Write a cutover.yaml for the org.")
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

    Prints "ready" once both files are written. Replaces a file only if it wrote the file itself
    and the file has not changed since. For example:

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
            str(error), hint="correct the scenario, then start the emulator again"
        ) from error
    except ForeignFileError as error:
        raise OperationFailedError(
            "the emulator did not write this file, or it has changed since, so it is not replaced",
            where=str(error.path),
            hint="move the file away, or choose other --env-file and --config-file paths",
            impact=_NO_IMPACT,
        ) from error
    except OSError as error:
        raise not_started(error, port) from error


def _config_text(emulator: Emulator, token_file: str) -> str:
    """The text of cutover.yaml. It names the installed schema, as it is for this machine only."""
    schema = installed_schema("cutover").as_uri()
    return with_modeline(emulator.config_text(token_file), schema)


@contextmanager
def _ending_signals() -> Iterator[set[signal.Signals]]:
    """The signals that stop the emulator, blocked for sigwait while the block runs; not those that
    are ignored, as SIGHUP is under nohup."""
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
    """The error if the emulator can't start."""
    from sfcutover.emulator.loopback import MissingAddressesError, adding_commands

    if isinstance(error, MissingAddressesError):
        return OperationFailedError(
            f"the emulator can't start: this machine has no address {', '.join(error.addresses)}",
            hint="add it, then start the emulator again: "
            f"{'; '.join(adding_commands(error.addresses))}",
            impact=_NO_IMPACT,
        )
    in_use = error.errno == errno.EADDRINUSE
    return OperationFailedError(
        f"the emulator can't start: {os.strerror(error.errno or 0)}",
        where=f"127.0.0.1:{port}" if in_use else error.filename and str(error.filename),
        hint="choose another --port; 0 picks a free one"
        if in_use
        else "free space or choose other --env-file and --config-file paths",
        impact=_NO_IMPACT,
    )
