"""Secret values, and how they stay out of any output.

Every value that passes through here is remembered, and ``redact`` takes it out of all output.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import NoReturn, Self
from urllib.parse import SplitResult, parse_qsl, quote, quote_plus, unquote, urlsplit

MASK = "***"
_SHORTEST_REDACTED = 4  # anything shorter would blank out ordinary words
_SHORTEST_LINE = 16  # of a secret of several lines, such as a key
MAX_QUOTED = 200  # characters of a text from elsewhere

_known: set[str] = set()
# Sessions and refresh tokens as Salesforce's documents show them: one that another process was
# given a moment ago is known to none here.
_RECOGNIZED = (
    r"00D[0-9A-Za-z]{12}(?:[0-9A-Za-z]{3})?(?:!|%21)[0-9A-Za-z._%=-]{16,}"
    r"|5Aep861[0-9A-Za-z._%=-]{16,}"
)

_XML = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})
_XML_ATTRIBUTE = _XML | {ord('"'): "&quot;", ord("'"): "&apos;"}
_JINJA = _XML | {ord('"'): "&#34;", ord("'"): "&#39;"}

_PASSWORD_PARAMETERS = ("password", "sslpassword")
_PLAIN_PROXY = r"(?:https?|socks5h?)://(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\]):\d+/?"


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
        if re.fullmatch(_PLAIN_PROXY, value):
            continue
        lines = [line for line in value.splitlines() if len(line) >= _SHORTEST_LINE]
        for each in {value, *lines, *_credentials_in(value)}:
            _known.update(form for form in _forms(each) if len(form) >= _SHORTEST_REDACTED)


def passwords_in(url: str) -> list[str]:
    """Those that a URL holds: before its host, and as parameters of PostgreSQL's (libpq)."""
    if (parts := _parts_of(url)) is None:
        return []
    before = [] if parts.password is None else [parts.password]
    query = parse_qsl(parts.query)
    return [*before, *(value for name, value in query if name in _PASSWORD_PARAMETERS)]


def _parts_of(url: str) -> SplitResult | None:
    try:
        return urlsplit(url)
    except ValueError:  # no URL at all
        return None


def _credentials_in(url: str) -> Iterator[str]:
    """The passwords of a URL, and as basic auth sends one; of an SFDX auth URL
    (``force://id:secret:token@host``) the secret and the token."""
    yield from passwords_in(url)
    if (parts := _parts_of(url)) is None or (password := parts.password) is None:
        return
    for part in password.split(":") if parts.scheme == "force" else [password]:
        yield part
        yield unquote(part)
    pair = f"{unquote(parts.username or '')}:{unquote(password)}"
    import base64

    yield base64.b64encode(pair.encode(errors="replace")).decode()


def redact(text: str) -> str:
    """The text with every known secret masked, also where one overlaps another, and what is plainly
    a token of Salesforce's."""
    parts, end = [], 0
    found = [value for value in tuple(_known) if value in text]  # none, as a rule
    known = (span for value in found for span in _spans(text, value))
    tokens = (match.span() for match in re.finditer(_RECOGNIZED, text))
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
    import json

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
    for table in (_XML, _XML_ATTRIBUTE, _JINJA):
        yield value.translate(table)
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
