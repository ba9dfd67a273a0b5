"""What a cassette may contain, and what is replaced before it is written.

Scrubbing twice changes nothing more: cassettes pass through here when they are written and again
when they are read.
"""

from __future__ import annotations

import base64
import io
import json
import os
import re
import zipfile
from collections.abc import Callable, Iterable, Iterator
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import yaml
from lxml import etree
from vcr.request import Request  # type: ignore[import-untyped]

from sfcutover.allowlist.carriers import OAUTH_POLICIES, OAUTH_SETTINGS, SECURITY_SETTINGS

ORG_URL = "https://org.example"
APP = "Acme_Connector"
APP_VARIABLE = "SFCUTOVER_APP"  # the name that the app has in the org recorded from
SCRUBBED = "scrubbed-when-recorded"
PERSON = "Release Engineer"
_EMPTY_ZIP = base64.b64encode(b"PK\x05\x06" + bytes(18)).decode()

_KEPT_REQUEST_HEADERS = {"content-type", "soapaction", "accept"}
_KEPT_RESPONSE_HEADERS = {"content-type"}
_KEPT_FOLDERS = {each.folder for each in (SECURITY_SETTINGS, OAUTH_SETTINGS, OAUTH_POLICIES)}
_SECRET_KEYS = {
    "access_token",
    "assertion",
    "client_id",
    "client_secret",
    "id",
    "id_token",
    "refresh_token",
    "signature",
    "username",
}
_SECRET_ELEMENTS = ("sessionId", "consumerKey", "consumerSecret")
_PEOPLE = ("canceledByName", "createdByName", "lastModifiedByName")
_HOSTS = re.compile(r"https?://(?:127\.0\.0\.1:\d+|[\w.-]+\.(?:salesforce|force)\.com)")
_TOKENS = {
    "session id": re.compile(r"00D[A-Za-z0-9]{9,15}![\w.]+"),
    "refresh token": re.compile(r"5Aep[\w.]{10,}"),
    "JWT": re.compile(r"eyJ[\w-]{10,}\.[\w-]{10,}(?:\.[\w-]*)?"),
}
_ASSIGNMENT = re.compile(
    r"[\"']?\b(access_token|assertion|client_secret|id_token|refresh_token|signature)\b[\"']?"
    r"\s*[=:]\s*[\"']?([^\s\"'&,}]+)"
)


def scrub_request(request: Request) -> Request:
    """The request in the form that a cassette keeps."""
    parts = urlsplit(request.uri)
    org = urlsplit(ORG_URL)
    request.uri = urlunsplit((org.scheme, org.netloc, parts.path, parts.query, ""))
    request.headers = {
        name: value
        for name, value in request.headers.items()
        if name.lower() in _KEPT_REQUEST_HEADERS
    }
    if request.body:
        request.body = _scrub_body(request.body)
    return request


def scrub_response(response: dict[str, Any]) -> dict[str, Any]:
    """The response in the form that a cassette keeps."""
    headers = {
        name: value
        for name, value in response["headers"].items()
        if name.lower() in _KEPT_RESPONSE_HEADERS
    }
    body = _scrub_body(response["body"]["string"])
    return response | {"headers": headers, "body": {"string": body}}


def soap_operation(request: Request) -> str:
    """The local name of the operation that a SOAP request calls, "" for any other request."""
    body = request.body or b""
    try:
        root = etree.fromstring(body if isinstance(body, bytes) else body.encode())
    except etree.XMLSyntaxError:
        return ""
    found = root.find("{http://schemas.xmlsoap.org/soap/envelope/}Body/*")
    return "" if found is None else etree.QName(found).localname


def same_operation(one: Request, other: Request) -> None:
    """A matcher for vcrpy: raises AssertionError unless both call the same operation."""
    called, recorded = soap_operation(one), soap_operation(other)
    assert called == recorded, f"{called} was called, {recorded} was recorded"


def find_secrets(cassette: str) -> list[str]:
    """What looks like a secret in a cassette's text, its zips unpacked: one line each."""
    found = list(_in_text(cassette))
    for text in _scalars(yaml.safe_load(cassette)):
        found += _in_text(text)
        for encoded in re.findall(r"<zipFile>([^<]*)</zipFile>", text):
            for path, content in _unzip(base64.b64decode(encoded)):
                found += [f"{path}: {each}" for each in _in_text(content)]
    return sorted(set(found))


def _in_text(text: str) -> Iterator[str]:
    for name, pattern in _TOKENS.items():
        for match in pattern.findall(text):
            yield f"{name}: {match[:12]}…"
    for element in _SECRET_ELEMENTS:
        for value in re.findall(rf"<(?:\w+:)?{element}>([^<]*)<", text):
            if value != SCRUBBED:
                yield f"<{element}>: {value[:4]}…"
    for value in re.findall(r"<(?:\w+:)?ZipFile>([^<]*)<", text):
        if value.strip() != _EMPTY_ZIP:
            yield f"<ZipFile>: {value[:4]}…"
    for name, value in _ASSIGNMENT.findall(text):
        if value != SCRUBBED:
            yield f"{name}: {value[:4]}…"


def _scalars(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        for each in value.values():
            yield from _scalars(each)
    elif isinstance(value, list):
        for each in value:
            yield from _scalars(each)
    elif isinstance(value, bytes):
        yield value.decode(errors="replace")
    elif isinstance(value, str):
        yield value


def _scrub_body(body: bytes | str) -> bytes:
    text = body.decode() if isinstance(body, bytes) else body
    if text.lstrip().startswith("<"):
        return _scrub_xml(text).encode()
    if text.lstrip().startswith("{"):
        return json.dumps(_scrub_json(json.loads(text))).encode()
    if "grant_type=" in text:
        form = parse_qsl(text, keep_blank_values=True)
        hidden = [(name, SCRUBBED if name in _SECRET_KEYS else value) for name, value in form]
        return urlencode(hidden).encode()
    return _scrub_text(text).encode()


def _scrub_json(value: object) -> object:
    if isinstance(value, dict):
        return {
            name: SCRUBBED if name in _SECRET_KEYS else _scrub_json(each)
            for name, each in value.items()
        }
    if isinstance(value, list):
        return [_scrub_json(each) for each in value]
    return _scrub_text(value) if isinstance(value, str) else value


def _scrub_xml(text: str) -> str:
    text = _replace(text, ["ZipFile"], lambda _: _EMPTY_ZIP)
    text = _replace(text, ["zipFile"], _scrub_zip)
    text = _replace(text, _SECRET_ELEMENTS, lambda _: SCRUBBED)
    text = _replace(text, _PEOPLE, lambda _: PERSON)
    return _scrub_text(text)


def _replace(text: str, elements: Iterable[str], to: Callable[[str], str]) -> str:
    names = "|".join(elements)
    pattern = re.compile(rf"(<(?:\w+:)?(?:{names})>)([^<]+)(</)")
    return pattern.sub(lambda match: match[1] + to(match[2]) + match[3], text)


def _scrub_text(text: str) -> str:
    text = _HOSTS.sub(ORG_URL, text)
    for pattern in _TOKENS.values():
        text = pattern.sub(SCRUBBED, text)
    return text.replace(os.environ.get(APP_VARIABLE, APP), APP)


def _scrub_zip(encoded: str) -> str:
    """The same files without what no cassette needs, scrubbed, with fixed times."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for path, content in _unzip(base64.b64decode(encoded)):
            if path == "package.xml" or path.partition("/")[0] in _KEPT_FOLDERS:
                archive.writestr(zipfile.ZipInfo(_scrub_text(path)), _scrub_xml(content))
    return base64.b64encode(buffer.getvalue()).decode()


def _unzip(data: bytes) -> Iterator[tuple[str, str]]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        for path in sorted(archive.namelist()):
            yield path, archive.read(path).decode()
