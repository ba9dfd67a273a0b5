"""A Metadata API client made of requests and hand-written envelopes."""

from __future__ import annotations

import base64
import io
import zipfile
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from xml.sax.saxutils import escape

import requests
from lxml import etree

from sfcutover.emulator import Emulator

NAMESPACE = "http://soap.sforce.com/2006/04/metadata"
SECURITY = "ExtlClntAppOauthSecuritySettings"
SECURITY_NAME = "Acme_Connector_oauthSecurity"
SECURITY_PATH = f"extlClntAppOauthSecuritySettings/{SECURITY_NAME}.ecaOauthSecurity"
XSI = "http://www.w3.org/2001/XMLSchema-instance"
_TIMEOUT = 10.0
_ENVELOPE = """<?xml version="1.0" encoding="UTF-8"?>
<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" xmlns="{namespace}">
  <soapenv:Header><SessionHeader><sessionId>{session}</sessionId></SessionHeader></soapenv:Header>
  <soapenv:Body><{operation}>{body}</{operation}></soapenv:Body>
</soapenv:Envelope>"""


class FaultAnswer(Exception):  # noqa: N818
    """The org answered with a SOAP fault."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(f"{code} {text}")
        self.code = code


class Result:
    """One ``result`` element, read by paths of names."""

    def __init__(self, element: etree._Element) -> None:
        self._element = element

    def text(self, path: str = ".") -> str | None:
        return self._element.findtext(_qualified(path))

    def texts(self, path: str) -> list[str]:
        return [one.text or "" for one in self._element.findall(_qualified(path))]

    @property
    def type(self) -> str | None:
        return self._element.get(f"{{{XSI}}}type")

    def is_nil(self, path: str) -> bool:
        found = self._element.find(_qualified(path))
        return found is not None and found.get(f"{{{XSI}}}nil") == "true"

    def all(self, path: str) -> list[Result]:
        return [Result(one) for one in self._element.findall(_qualified(path))]

    def names(self) -> list[str]:
        return [etree.QName(one).localname for one in self._element]


class Client:
    """Calls the Metadata API of one org at one version."""

    def __init__(self, url: str, token: str, version: str = "67.0") -> None:
        self.url = url
        self.token = token
        self.version = version
        self.http = requests.Session()

    def close(self) -> None:
        self.http.close()

    def post(self, body: str | bytes) -> requests.Response:
        url = f"{self.url}/services/Soap/m/{self.version}"
        headers = {"Content-Type": "text/xml", "SOAPAction": '""'}
        data = body.encode() if isinstance(body, str) else body
        return self.http.post(url, data=data, headers=headers, timeout=_TIMEOUT)

    def envelope(self, operation: str, body: str = "") -> str:
        return _ENVELOPE.format(
            namespace=NAMESPACE, session=escape(self.token), operation=operation, body=body
        )

    def call(self, operation: str, body: str = "") -> list[Result]:
        """The results of an operation; raises FaultAnswer for a fault."""
        answer = self.post(self.envelope(operation, body))
        root = etree.fromstring(answer.content)
        code = root.findtext(".//faultcode")
        if code is not None:
            assert answer.status_code == 500
            raise FaultAnswer(code, root.findtext(".//faultstring") or "")
        assert answer.status_code == 200
        return [Result(one) for one in root.iterfind(f".//{{{NAMESPACE}}}result")]

    def deploy(self, package: bytes, **options: str) -> str:
        """Deploy a zip, by default as one package with rollback; return its id."""
        chosen = {"rollbackOnError": "true", "singlePackage": "true"} | options
        inner = "".join(f"<{name}>{value}</{name}>" for name, value in sorted(chosen.items()))
        zip_file = base64.b64encode(package).decode()
        body = f"<ZipFile>{zip_file}</ZipFile><DeployOptions>{inner}</DeployOptions>"
        return _only(self.call("deploy", body)).text("id") or ""

    def status(self, deployment: str) -> Result:
        body = f"<asyncProcessId>{deployment}</asyncProcessId><includeDetails>true</includeDetails>"
        return _only(self.call("checkDeployStatus", body))

    def deployed(self, package: bytes, **options: str) -> Result:
        """Deploy and poll once."""
        return self.status(self.deploy(package, **options))

    def cancel(self, deployment: str) -> Result:
        return _only(self.call("cancelDeploy", f"<String>{deployment}</String>"))

    def retrieve(
        self, members: Mapping[str, list[str]], single: bool = True, version: str = "67.0"
    ) -> str:
        flag = "true" if single else "false"
        body = (
            f"<retrieveRequest><apiVersion>{version}</apiVersion><singlePackage>{flag}"
            f"</singlePackage><unpackaged>{types(members)}<version>{version}</version>"
            "</unpackaged></retrieveRequest>"
        )
        return _only(self.call("retrieve", body)).text("id") or ""

    def retrieve_status(self, retrieval: str, include_zip: bool = True) -> Result:
        flag = "true" if include_zip else "false"
        body = f"<asyncProcessId>{retrieval}</asyncProcessId><includeZip>{flag}</includeZip>"
        return _only(self.call("checkRetrieveStatus", body))

    def retrieved(
        self, members: Mapping[str, list[str]], single: bool = True, version: str = "67.0"
    ) -> dict[str, bytes]:
        """The files of a retrieve."""
        result = self.retrieve_status(self.retrieve(members, single, version))
        return unzip(base64.b64decode(result.text("zipFile") or ""))

    def get(self, path: str) -> requests.Response:
        headers = {"Authorization": f"Bearer {self.token}"}
        return self.http.get(f"{self.url}{path}", headers=headers, timeout=_TIMEOUT)

    def admin(self, emulator: Emulator, method: str, what: str, json: object = None) -> Any:
        """The answer of the admin endpoint, which must accept the request."""
        url = f"{self.url}/emulator/{what}"
        headers = admin_headers(emulator)
        answer = self.http.request(method, url, json=json, headers=headers, timeout=_TIMEOUT)
        assert answer.ok, answer.text
        return answer.json()


def admin_headers(emulator: Emulator) -> dict[str, str]:
    return {"Authorization": f"Bearer {emulator.environment['SFCUTOVER_ADMIN_TOKEN']}"}


class SteppedClock:
    """A clock that advances only on request."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def forward(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


def types(members: Mapping[str, list[str]]) -> str:
    return "".join(
        "<types>"
        + "".join(f"<members>{name}</members>" for name in names)
        + f"<name>{kind}</name></types>"
        for kind, names in members.items()
    )


def manifest(members: Mapping[str, list[str]], version: str = "67.0") -> str:
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<Package xmlns="{NAMESPACE}">'
        f"{types(members)}<version>{version}</version></Package>"
    )


def make_zip(files: Mapping[str, str | bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for path, body in files.items():
            archive.writestr(path, body)
    return buffer.getvalue()


def unzip(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def security_xml(*addresses: str, app: str = "Acme_Connector", extra: str = "") -> str:
    """Security settings whose ranges are single addresses; the root starts on line 2."""
    ranges = "".join(
        f"    <tokenIpRanges><endIpAddress>{address}</endIpAddress>"
        f"<startIpAddress>{address}</startIpAddress></tokenIpRanges>\n"
        for address in addresses
    )
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<{SECURITY} xmlns="{NAMESPACE}">\n'
        f"    <externalClientApplication>{app}</externalClientApplication>\n{extra}{ranges}"
        f"</{SECURITY}>\n"
    )


def security_package(xml: str | bytes | None = None, version: str = "67.0") -> bytes:
    """A package with the security settings; by default with one new address on them."""
    body = security_xml("127.0.0.21") if xml is None else xml
    return make_zip(
        {
            "package.xml": manifest({SECURITY: [SECURITY_NAME]}, version),
            SECURITY_PATH: body,
        }
    )


def problems(result: Result) -> list[str]:
    return result.texts("details/componentFailures/problem")


def _only(results: list[Result]) -> Result:
    assert len(results) == 1
    return results[0]


def _qualified(path: str) -> str:
    return "/".join(part if part == "." else f"{{{NAMESPACE}}}{part}" for part in path.split("/"))
