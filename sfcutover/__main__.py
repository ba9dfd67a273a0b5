"""The process: one try, and every error ends as one line, its fix and its exit code."""

from __future__ import annotations

import os
import signal
import sys
import traceback
from types import TracebackType

from sfcutover.errors import ExitCode, InterruptedRunError, SfcutoverError


def main() -> None:
    """Run the command line and leave with one of the README's exit codes."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    sys.excepthook = _show_defect
    code = _run(sys.argv[1:])
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except BrokenPipeError:  # the reader left; keep Python from saying so again at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError:
        code = code or ExitCode.FAILED
        os._exit(code)
    sys.exit(int(code))


def _run(arguments: list[str]) -> int:
    import click

    from sfcutover.cli import cli

    try:
        result = cli.main(args=arguments, prog_name="sfcutover", standalone_mode=False)
    except SfcutoverError as error:
        return _failed(error, arguments)
    except click.ClickException as error:
        return _usage(error, arguments)
    except (KeyboardInterrupt, click.Abort):
        return _failed(
            InterruptedRunError("interrupted", hint="run the same command again when ready"),
            arguments,
        )
    except BrokenPipeError:
        return ExitCode.DONE
    except OSError as error:
        return _failed(_from_system(error), arguments)
    return result if isinstance(result, int) else ExitCode.DONE


def _show_defect(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    """An error nobody foresaw: its traceback, secrets masked, and what to do about it."""
    from sfcutover.credentials import redact

    text = "".join(traceback.format_exception(kind, error, trace))
    sys.stderr.write(redact(text))
    sys.stderr.write(
        "error: a defect in sfcutover stopped it\n"
        "  tokens: what the org holds is not known; the list is only ever changed by a deployment\n"
        "  next:   sfcutover diff add-new shows the live list; please report the text above\n"
        "  exit:   1\n"
    )


def _failed(error: SfcutoverError, arguments: list[str]) -> int:
    from sfcutover.output.failure import show_error

    show_error(error, arguments)
    return error.exit_code


def _usage(error: object, arguments: list[str]) -> int:
    from sfcutover.output.failure import usage_error

    return _failed(usage_error(error), arguments)


def _from_system(error: OSError) -> SfcutoverError:
    from sfcutover.errors import OperationFailedError

    return OperationFailedError(
        f"{error.strerror or error}",
        where=str(error.filename) if error.filename else None,
        hint="make room or correct the permissions, then run the same command again",
    )


if __name__ == "__main__":
    main()
