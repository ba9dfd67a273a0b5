"""Secret values: from the environment, a file or a command, and never into any output.

Every value that passes through here is remembered, and ``redact`` takes it out of
whatever is about to be shown.
"""

from __future__ import annotations

import base64
import json
import logging
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import NoReturn, Self
from urllib.parse import quote, quote_plus, unquote, urlsplit
from xml.sax.saxutils import escape

from sfcutover.errors import ConfigError
from sfcutover.util.boundedfile import TooLargeError, read_file, read_pipe
from sfcutover.util.childenvironment import child_environment
from sfcutover.util.ciprovider import inert

MASK = "***"
COMMAND_TIMEOUT_SECONDS = 30
MAX_SECRET_BYTES = 64 * 1024
_SHORTEST_REDACTED = 4  # anything shorter would blank out ordinary words
_SHORTEST_LINE = 16  # of a secret of several lines, such as a key
MAX_QUOTED = 200  # characters of a text from elsewhere

_known: set[str] = set()
# Sessions and refresh tokens as Salesforce's documents show them: one that another process was
# given a moment ago is known to none here.
_TOKEN = re.compile(
    r"00D[0-9A-Za-z]{12}(?:[0-9A-Za-z]{3})?(?:!|%21)[0-9A-Za-z._%=-]{16,}"
    r"|5Aep861[0-9A-Za-z._%=-]{16,}"
)

_PLAIN_PROXY = re.compile(r"(?:https?|socks5h?)://(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\]):\d+/?")


class Secret:
    """A value that doesn't show itself: not in repr, str, logs, tracebacks or pickles."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value
        remember([value])

    def reveal(self) -> str:
        """The value itself, for the one call that needs it."""
        return self._value

    def __repr__(self) -> str:
        return f"Secret({MASK})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: object) -> Self:
        return self

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is never pickled")


def remember(values: Iterable[str]) -> None:
    """Take these values, as they are and as they get encoded, out of all later output.

    A proxy's URL may hold a password. One that is a scheme, a host and a port holds none, and
    an error that hid it would be of no use.
    """
    for value in values:
        if _PLAIN_PROXY.fullmatch(value):
            continue
        lines = [line for line in value.splitlines() if len(line) >= _SHORTEST_LINE]
        for each in {value, *lines, *_credentials_in(value)}:
            _known.update(form for form in _forms(each) if len(form) >= _SHORTEST_REDACTED)


def _credentials_in(url: str) -> Iterator[str]:
    """The password of a URL, and as basic auth sends it; of an SFDX auth URL
    (``force://id:secret:token@host``) the secret and the token."""
    try:
        parts = urlsplit(url)
    except ValueError:  # no URL at all
        return
    if (password := parts.password) is None:
        return
    for part in password.split(":") if parts.scheme == "force" else [password]:
        yield part
        yield unquote(part)
    pair = f"{unquote(parts.username or '')}:{unquote(password)}"
    yield base64.b64encode(pair.encode(errors="replace")).decode()


def redact(text: str) -> str:
    """The text with every known secret masked, also where one overlaps another, and what is plainly
    a token of Salesforce's."""
    parts, end = [], 0
    known = (span for value in tuple(_known) for span in _spans(text, value))
    tokens = (match.span() for match in _TOKEN.finditer(text))
    for start, stop in _merged(chain(known, tokens)):
        parts += [text[end:start], MASK]
        end = stop
    return "".join(parts) + text[end:]


def one_line(text: str) -> str:
    """A text from elsewhere, safe to show: one short line, masked before a cut could halve a
    secret."""
    printable = "".join(each if each.isprintable() else " " for each in redact(text))
    return " ".join(printable.split())[:MAX_QUOTED]


def _forms(value: str) -> Iterator[str]:
    """The value as a URL, a form, JSON, XML or a repr shows it."""
    yield value
    for encoded in (
        quote(value, safe="", errors="surrogatepass"),
        quote(value, errors="surrogatepass"),
        quote_plus(value, errors="surrogatepass"),
    ):
        yield encoded
        yield re.sub("%..", lambda match: match[0].lower(), encoded)
    yield json.dumps(value)[1:-1]
    yield json.dumps(value, ensure_ascii=False)[1:-1]
    yield escape(value)
    yield escape(value, {'"': "&quot;", "'": "&apos;"})
    yield escape(value, {'"': "&#34;", "'": "&#39;"})  # as Jinja escapes
    yield repr(value)[1:-1]


def _spans(text: str, value: str) -> Iterator[tuple[int, int]]:
    start = text.find(value)
    while start >= 0:
        yield start, start + len(value)
        start = text.find(value, start + 1)


def _merged(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for start, stop in sorted(spans):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(stop, merged[-1][1]))
        else:
            merged.append((start, stop))
    return merged


def environment_value(name: str, where: str) -> str:
    """An environment variable that is no secret, without blanks around it.

    Raises ConfigError if it is unset, empty or no text.
    """
    value = os.environ.get(name, "").strip()
    if value and _is_text(value):
        return value
    state = "is not set" if name not in os.environ else "is not UTF-8" if value else "is empty"
    raise ConfigError(
        f"the environment variable {name} {state}",
        where=where,
        hint=f"export {name}=… in this shell, or add it to the CI job's secrets",
    )


def secret_from_environment(name: str, where: str) -> Secret:
    """Read an environment variable, as environment_value does."""
    return Secret(environment_value(name, where))


def secret_from_file(path: Path, where: str) -> Secret:
    """Read a small text file, without blanks around its text. Raises ConfigError."""
    try:
        return Secret(_text_of(read_file(path, MAX_SECRET_BYTES)))
    except (OSError, ValueError, TooLargeError, _NoSecretError) as error:
        raise ConfigError(
            f"the secret's file {path} can't be read: {_reason(error)}",
            where=where,
            hint="check the path and its permissions; the file holds the secret and nothing else",
        ) from None


def secret_from_command(argv: list[str], where: str) -> Secret:
    """Run a command (no shell, at most 30 seconds); its stdout is the secret.

    Raises ConfigError; the command's own output is never part of the message.
    """
    try:
        return Secret(_text_of(_output_of(argv)))
    except (OSError, ValueError, TooLargeError, _NoSecretError) as error:
        raise ConfigError(
            f"the command {argv[0]} gave no secret: {_reason(error)}",
            where=where,
            hint="run it by hand and check that it prints the secret and exits 0",
        ) from None


class _NoSecretError(Exception):
    """Why there is no secret; never quotes what was found."""


def _text_of(data: bytes) -> str:
    try:
        text = data.decode().strip()
    except UnicodeDecodeError:
        raise _NoSecretError("it is not UTF-8") from None
    if not text:
        raise _NoSecretError("it is empty")
    return text


def _reason(error: Exception) -> str:
    if isinstance(error, TooLargeError):
        return f"it is larger than {MAX_SECRET_BYTES:,} bytes"
    return error.strerror or str(error) if isinstance(error, OSError) else str(error)


def _output_of(argv: list[str]) -> bytes:
    """Not as subprocess reads it: bounded, and not past the deadline."""
    deadline = time.monotonic() + COMMAND_TIMEOUT_SECONDS
    with subprocess.Popen(  # noqa: S603 - the configured argv, no shell
        argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=child_environment()
    ) as process:
        try:
            output = process.stdout.fileno() if process.stdout else -1
            content = read_pipe(output, MAX_SECRET_BYTES, COMMAND_TIMEOUT_SECONDS)
            code = process.wait(max(0.0, deadline - time.monotonic()))
        except (TimeoutError, subprocess.TimeoutExpired):
            raise _NoSecretError(f"it took longer than {COMMAND_TIMEOUT_SECONDS} s") from None
        finally:
            process.kill()  # of a process that has ended, this is nothing
    if code:
        raise _NoSecretError(f"exit code {code}")
    return content


def _is_text(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


class RedactingFormatter(logging.Formatter):
    """Masks known secrets in the finished line, tracebacks included; CI systems obey none of it."""

    def format(self, record: logging.LogRecord) -> str:
        return inert(redact(super().format(record)))


def log_to_stderr(verbosity: int) -> None:
    """Log at INFO with -v, at DEBUG with -vv; nothing without.

    zeep stays at WARNING whatever is asked for: at DEBUG it logs whole envelopes. So does
    filelock, which logs every try.
    """
    if verbosity <= 0:
        return
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(RedactingFormatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO if verbosity == 1 else logging.DEBUG)
    for name in ("zeep", "filelock"):
        logging.getLogger(name).setLevel(logging.WARNING)
