"""Valid inputs for the cases to change: a cutover, a component, and answers of an org."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests
import yaml

from sfcutover.allowlist.carriers import CARRIERS, OAUTH_POLICIES, Carrier, ComponentType
from sfcutover.allowlist.component import Component, parse_component
from sfcutover.allowlist.phases import Phase
from sfcutover.allowlist.snapshot import Snapshot
from sfcutover.allowlist.templates import Templates
from sfcutover.config.cutover import Cutover, parse_config
from sfcutover.emulator.emulator import Emulator
from sfcutover.emulator.scenario import Scenario
from sfcutover.errors import OperationFailedError
from sfcutover.salesforce.connection import connect
from tests.support import NAMESPACE, envelope

CONFIG = """\
version: 1
name: move
app: Acme_Connector
carriers: [token-ip-ranges, trusted-ip-ranges]
api_version: "67.0"
old: ["203.0.113.10", {range: 203.0.113.11, description: two}]
new: [198.51.100.20, 198.51.100.24/30]
policies: {ipRelaxationPolicyType: Enforce, isTokenExchangeFlowEnabled: true}
targets:
  - name: packaging
    org: {access_token: {env: TOKEN}, instance_url: "https://acme.my.salesforce.com"}
  - name: second
    org:
      jwt: {client_id: {env: ID}, username: {env: USER_NAME}, private_key: {file: key.pem}}
egress:
  old: {proxy: {env: OLD_PROXY}}
  new: {proxy: {command: [cat, proxy]}, per_address: {198.51.100.20: {env: FIRST}}}
  echo_url: "http://ip.quotaguard.com"
switch: {apply: [switch, "to new"], revert: [switch, back], timeout: 10m}
verify:
  client_id: {env: ID}
  canaries:
    - {name: own, refresh_token: {file: canary.token, rotation: true}, org: {alias: customer}}
    - {name: other, refresh_token: {get: [cat, token], put: [tee, token]}, targets: [second]}
  settle: 60s
  confidence: 0.999
watch:
  duration: 15m
  interval: 15s
checks:
  - prometheus: {url: "https://p.example", query: "up", condition: ">= 0.9 * before"}
    baseline: 5m
  - {command: [check], name: mine, timeout: 5s, during: [watch]}
quiet:
  - prometheus: {url: "https://p.example", query: "old", condition: "== 0"}
    for: 2m
waves: [1, 5]
notify:
  - {command: [notify]}
  - {webhook: {url: {env: HOOK}, secret: {env: KEY}}, events: [waiting, failed]}
  - {slack: {url: {file: slack}}}
metrics: metrics.prom
state: {url: "sqlite:///state.db"}
"""
FAULT = envelope(
    "<soapenv:Fault><faultcode>sf:INVALID_TYPE</faultcode><faultstring>INVALID_TYPE: what"
    "</faultstring><detail><sf:ApiFault xmlns:sf='urn:fault.metadata'/></detail></soapenv:Fault>"
).decode()
CANCELED = envelope(
    "<cancelDeployResponse><result><done>false</done><id>0Af000000000001AAA</id></result>"
    "</cancelDeployResponse>"
).decode()
CUTOVER: Cutover = parse_config(CONFIG, "cutover.yaml")
DOCUMENT = yaml.safe_load(CONFIG)


_POLICY = "<ipRelaxationPolicyType>Bypass</ipRelaxationPolicyType>"
_ENTRIES = (
    ("203.0.113.10", "203.0.113.11", "old"),
    ("192.0.2.64", "192.0.2.71", "office &amp; home"),
)


def _entry(carrier: Carrier, first: str, last: str, text: str) -> str:
    return (
        f'<{carrier.list_element} zone="eu"><description>{text}</description>'
        f"<{carrier.end_element}>{last}</{carrier.end_element}>"
        f"<{carrier.start_element}>{first}</{carrier.start_element}><extra>x</extra>"
        f"</{carrier.list_element}>"
    )


def component_xml(component_type: ComponentType, carrier: Carrier | None) -> str:
    """A component's file with two old addresses, one of another owner, and fields."""
    listed = "".join(_entry(carrier, *each) for each in _ENTRIES) if carrier else _POLICY
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<{component_type.metadata_type} '
        f'xmlns="{NAMESPACE}" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">\n'
        "<externalClientApplication>Acme_Connector</externalClientApplication>\n"
        f'<label xsi:nil="true"/>{listed}<zone a="b">z<inner/></zone>\n'
        f"</{component_type.metadata_type}>\n"
    )


FILES = {
    name: component_xml(carrier.component_type, carrier) for name, carrier in CARRIERS.items()
} | {"oauth-policies": component_xml(OAUTH_POLICIES, None)}


def component(name: str, data: bytes) -> Component:
    """The component of one of FILES, with changes."""
    carrier = CARRIERS.get(name)
    kind = carrier.component_type if carrier else OAUTH_POLICIES
    return parse_component(data, kind, "Acme", carrier=carrier, where=name)


def snapshot(files: Mapping[str, bytes]) -> Snapshot:
    """A snapshot of the cutover's components, some with changes."""
    names = (*CUTOVER.carriers, "oauth-policies")
    found = [component(each, files.get(each) or FILES[each].encode()) for each in names]
    return Snapshot(tuple(found[:-1]), found[-1])


@contextmanager
def org_answers(folder: Path) -> Iterator[dict[str, str]]:
    """The answers of an emulated org: by SOAP operation, or by the path of a GET."""
    found: dict[str, str] = {"Fault": FAULT, "cancelDeploy": CANCELED}

    def keep(response: requests.Response, **_: object) -> None:
        operation = re.search(r"<(?:\w+:)?(\w+)Response\b", response.text)
        found[operation[1] if operation else urlsplit(response.url).path] = response.text

    with Emulator(Scenario(), tls=False) as emulator, pytest.MonkeyPatch.context() as patch:
        for name, value in emulator.environment.items():
            patch.setenv(name, value)
        cutover = parse_config(emulator.config_text(), str(folder / "cutover.yaml"))
        connection = connect(cutover.targets[0], cutover)
        connection.org.http.hooks["response"].append(keep)
        live = connection.read(policies=True)
        package = cutover.planner(Templates()).plan(Phase.ADD_NEW, live).package
        deployment = connection.client.deploy(package.to_zip())
        connection.client.check_deploy_status(deployment)
        connection.client.describe_metadata()
        with suppress(OperationFailedError):  # it has ended already
            connection.client.cancel_deploy(deployment)
        connection.org.api_versions()
        connection.org.organization_id(cutover.api_version)
        connection.org.close()
    yield found
