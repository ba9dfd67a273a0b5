"""The process: every error becomes a message, its fix and its exit code."""

from __future__ import annotations

import gc
import io
import os
import sys
import threading
import time
from typing import TYPE_CHECKING, TextIO

from sfcutover.errors import (
    DONE_SO_FAR,
    Advice,
    Command,
    ExitCode,
    InterruptedRunError,
    OperationFailedError,
    SfcutoverError,
)
from sfcutover.util import signals
from sfcutover.util.ciprovider import StepFiles

if TYPE_CHECKING:
    from types import TracebackType

_LINES = {"run", "approve", "cancel", "--follow"}  # they print one document per line
_THREAD_SECONDS = 1.0
_LIVE_LIST = Command("diff", "add-new")


def main() -> None:
    """Run the command line and exit with one of errors.ExitCode."""
    gc.disable()  # until the command is loaded: there is nothing to free yet
    signals.install()
    sys.excepthook = _show_defect
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # None if closed before the start
            stream.reconfigure(errors="backslashreplace")  # for locales without our characters
    code = _run(sys.argv[1:])
    for stream in (sys.stdout, sys.stderr):
        code = _flushed(stream, code)
    _tell_ci(code)
    _leave(code)


def _flushed(stream: TextIO | None, code: int) -> int:
    """The exit code, once the stream is flushed; a closed pipe is not a failure."""
    from sfcutover.output.console import discard

    if stream is None:
        return code
    try:
        stream.flush()
    except BrokenPipeError:
        discard(stream)
    except OSError:
        discard(stream)
        return code or ExitCode.FAILED
    return code


def _tell_ci(code: int) -> None:
    """Write the outputs and the summary of a GitHub Actions step."""
    if StepFiles.of() != StepFiles():
        from sfcutover.output import cistep

        cistep.write(code)


def _leave(code: int) -> None:
    """Exit with the code. Raises SystemExit, unless a thread of DBOS never ends.

    While the database is unavailable, DBOS's threads retry without limit and can't be stopped, and
    Python would wait for them (dbos 3.4.0, _sys_db.db_retry).
    """
    deadline = time.monotonic() + _THREAD_SECONDS
    for thread in threading.enumerate():
        if thread.name.startswith("dbos-executor"):
            thread.join(max(0.0, deadline - time.monotonic()))
            if thread.is_alive():
                os._exit(code)
    gc.freeze()  # the memory goes with the process: no search for cycles before that
    sys.exit(int(code))


def _run(arguments: list[str]) -> int:
    try:
        return _settled(arguments)
    except SfcutoverError as error:
        failure = error
    except KeyboardInterrupt:
        failure = _interrupted()
    except OSError as error:
        failure = _from_system(error)
    return _failed(failure, arguments)


def _settled(arguments: list[str]) -> int:
    """Once the command has ended, no signal changes its result or its messages."""
    try:
        return _invoke(arguments)
    finally:
        signals.ignore()


def _invoke(arguments: list[str]) -> int:
    """Run the command; click's exceptions become errors of this tool."""
    import click

    from sfcutover.cli import cli

    try:
        result = cli.main(args=arguments, prog_name="sfcutover", standalone_mode=False)
    except click.ClickException as error:
        from sfcutover.output.console import usage_error

        raise usage_error(error) from None
    except click.Abort:
        raise _interrupted() from None
    return result if isinstance(result, int) else ExitCode.DONE


def _show_defect(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    """An unexpected error: its traceback, with secrets masked, and what to do."""
    import traceback

    from sfcutover.output.console import to_stderr

    to_stderr("".join(traceback.format_exception(kind, error, trace)))
    defect = OperationFailedError(
        "an unexpected error: this is a defect of sfcutover",
        hint=Advice(_LIVE_LIST, " shows the live allowlist; please report the text above"),
        impact=DONE_SO_FAR,
    )
    code = _failed(defect, sys.argv[1:])
    _tell_ci(code)
    _leave(code)


def _failed(error: SfcutoverError, arguments: list[str]) -> int:
    from sfcutover.output import cistep
    from sfcutover.output.console import asked_for_json, show_error

    signals.ignore()
    cistep.step().failure = error
    show_error(error, arguments)
    if asked_for_json(arguments):
        from sfcutover.output.json import print_error

        print_error(error, one_line=not _LINES.isdisjoint(arguments))
    return error.exit_code


def _interrupted() -> InterruptedRunError:
    message = f"interrupted by {signals.received()}" if signals.received() else "interrupted"
    return InterruptedRunError(
        message, hint="run the same command again when ready", impact=DONE_SO_FAR
    )


def _from_system(error: OSError) -> SfcutoverError:
    return OperationFailedError(
        error.strerror or str(error),
        where=str(error.filename) if error.filename else None,
        hint=Advice(
            "free space or correct the permissions, then run the same command again; ",
            _LIVE_LIST,
            " shows the live allowlist",
        ),
        impact=DONE_SO_FAR,
    )


if __name__ == "__main__":
    main()
