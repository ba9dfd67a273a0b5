"""What the Salesforce CLI prints with --json: its document, and what an error in it means.

Warnings of its plugins may stand before the document, and colours in it (seen by users). The names
of errors are those of @salesforce/core; the codes of the network are Node's.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from itertools import islice

from sfcutover.errors import AuthError, NetworkError, SfcutoverError
from sfcutover.util.secrets import one_line

_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
_MOST_TRIES = 100  # of braces that may start the document
_NO_SESSION = re.compile(
    r"NamedOrg|NoAuthInfo|NoOrgFound|AuthInfo|AuthDecrypt|RefreshTokenAuth|INVALID_SESSION_ID"
    r"|no authorization information|no (?:default )?(?:target )?org|expired access/refresh token",
    re.IGNORECASE,
)
_NO_TRUST = re.compile(
    r"self[- ]signed certificate|local issuer certificate|CERT_|_CERT|SELF_SIGNED"
)
_NO_NETWORK = re.compile(
    r"\bE(?:CONN[A-Z]+|TIMEDOUT|AI_AGAIN|NOTFOUND|HOSTUNREACH|NETUNREACH|PIPE)\b"
    r"|getaddrinfo|socket hang up|network timeout|fetch failed"
)


def result_of(output: bytes, exit_code: int, command: str, alias: str) -> Mapping[str, object]:
    """The result in what a command printed. command: as typed in a shell.

    Raises AuthError where there is no session, or no answer that can be read, and NetworkError
    where the CLI did not reach the org.
    """
    text = _COLOURS.sub("", output.decode("utf-8", "replace"))
    document = _document_in(text)
    if document is None:  # what it printed may be a token, and is not repeated
        raise AuthError(
            f"{command} printed no JSON answer (exit status {exit_code})",
            hint=f"run it by hand: {command}",
        )
    result = document.get("result")
    if exit_code == 0 and isinstance(result, dict):
        return result
    raise _error(document, exit_code, command, alias)


def _document_in(text: str) -> Mapping[str, object] | None:
    """The first object with a status, as every answer of the CLI has one."""
    decoder = json.JSONDecoder()
    for start in islice(re.finditer(r"\{", text), _MOST_TRIES):
        try:
            document, _ = decoder.raw_decode(text, start.start())
        except (ValueError, RecursionError):
            continue
        if isinstance(document, dict) and isinstance(document.get("status"), int):
            return document
    return None


def _error(
    document: Mapping[str, object], exit_code: int, command: str, alias: str
) -> SfcutoverError:
    name, message = (_text(document.get(key)) for key in ("name", "message"))
    said = one_line(message or name or f"an answer without a result, exit status {exit_code}")
    if _NO_TRUST.search(f"{name} {message}"):
        return NetworkError(
            f"the Salesforce CLI does not trust the org's certificate: {said}",
            hint="set NODE_EXTRA_CA_CERTS, which the CLI reads, to the PEM file of the authority",
        )
    if _NO_NETWORK.search(f"{name} {message}"):
        hint = "check the network from this machine to the org, then run this again"
        return NetworkError(f"the Salesforce CLI could not reach the org: {said}", hint=hint)
    if _NO_SESSION.search(f"{name} {message}"):
        return AuthError(
            f"the Salesforce CLI has no session for {alias!r}: {said}",
            hint=f"sf org login web --alias {alias}",
        )
    return AuthError(
        f"{command} failed: {said}",
        hint=f"run it by hand: {command}",
    )


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
