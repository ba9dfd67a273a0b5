"""What an org refuses, seen by a client: every case deploys and checks the answer."""

from __future__ import annotations

import pytest

from sfcutover.emulator import Emulator
from tests.integration.emulator.client import (
    NAMESPACE,
    SECURITY,
    SECURITY_NAME,
    SECURITY_PATH,
    Client,
    make_zip,
    manifest,
    problems,
    security_package,
    security_xml,
)
from tests.integration.emulator.conftest import StartOrg

Org = tuple[Emulator, Client]
GOOD = security_xml("127.0.0.21")


def range_xml(start: str, end: str) -> str:
    return (
        f"<tokenIpRanges><endIpAddress>{end}</endIpAddress>"
        f"<startIpAddress>{start}</startIpAddress></tokenIpRanges>"
    )


def with_ranges(*entries: str) -> str:
    return security_xml(extra="\n".join(entries))


@pytest.mark.parametrize(
    ("xml", "problem"),
    [
        (GOOD.replace("Acme_Connector<", "Nobody<"), "INVALID_CROSS_REFERENCE_KEY"),
        (GOOD.replace("tokenIpRanges>", "tokenIpRange>"), "}tokenIpRange invalid at this location"),
        (security_xml("127.0.0.21", extra="<color>red</color>"), "}color invalid at"),
        (
            security_xml("127.0.0.21", extra="<label>a</label><label>b</label>"),
            "Element label is duplicated",
        ),
        (
            GOOD.replace("    <externalClientApplication>Acme_Connector", "<label>a", 1).replace(
                "</externalClientApplication>", "</label>"
            ),
            "Required field is missing: externalClientApplication",
        ),
        (GOOD.replace("startIpAddress", "description"), "is missing: startIpAddress"),
        (GOOD.replace("endIpAddress", "description"), "is missing: endIpAddress"),
        (with_ranges(range_xml("", "127.0.0.9")), "Required field is missing: startIpAddress"),
        (with_ranges(range_xml("300.1.1.1", "300.1.1.1")), "'300.1.1.1' is not a valid IP"),
        (with_ranges(range_xml("127.0.0.9", "127.0.0.8")), "reversed"),
        (with_ranges(range_xml("127.0.0.9", "2001:db8::9")), "mixes IPv4 and IPv6"),
        (with_ranges(range_xml("10.0.0.0", "10.0.1.0")), "257 IP addresses; the maximum is 256"),
        (
            security_xml(*(f"10.0.0.{last}" for last in range(129))),
            "129 IP ranges; the maximum is 128",
        ),
        (
            security_xml(
                "127.0.0.21", extra="<tlsClientAuthCertParamType>CN</tlsClientAuthCertParamType>"
            ),
            "Property 'tlsClientAuthCertParamType' not valid in version 67.0",
        ),
        (GOOD.replace(f' xmlns="{NAMESPACE}"', ""), "expected"),
        (GOOD.replace(SECURITY, "ConnectedApp"), f"Entity of type '{SECURITY}' expected"),
        ("<a>", "Error parsing file"),
        (f'<!DOCTYPE a [<!ENTITY b "c">]>{GOOD.partition("?>")[2]}', "document type"),
        ("", "Error parsing file"),
    ],
)
def test_invalid_files_are_refused_with_a_reason(org: Org, xml: str, problem: str) -> None:
    emulator, client = org
    before = emulator.component_xml(SECURITY, SECURITY_NAME)
    result = client.deployed(security_package(xml))
    assert result.text("status") == "Failed"
    assert len(problems(result)) == 1
    assert problem in problems(result)[0]
    assert emulator.component_xml(SECURITY, SECURITY_NAME) == before


@pytest.mark.parametrize(
    "xml",
    [
        GOOD,
        security_xml(*(f"10.0.0.{last}" for last in range(128))),
        with_ranges(range_xml("10.0.0.0", "10.0.0.255")),
        with_ranges(range_xml("2001:db8::1", "2001:db8::1"), "<label>last goes first</label>"),
        GOOD.replace(
            "<endIpAddress>",
            "<description>M\u00fcller &amp; &lt;eu&gt;</description><endIpAddress>",
        ),
    ],
)
def test_valid_files_are_accepted(org: Org, xml: str) -> None:
    _, client = org
    assert problems(client.deployed(security_package(xml))) == []


def test_a_failure_names_its_place(org: Org) -> None:
    _, client = org
    result = client.deployed(security_package(security_xml("127.0.0.21", app="Nobody")))
    failure = result.all("details/componentFailures")[0]
    assert failure.text("fileName") == SECURITY_PATH
    assert failure.text("fullName") == SECURITY_NAME
    assert failure.text("componentType") == SECURITY
    assert failure.text("problemType") == "Error"
    assert failure.text("lineNumber") == "3"
    assert failure.text("columnNumber") == str(len("    <externalClientApplication>"))
    assert failure.names() == sorted(failure.names())


def test_a_stricter_org_requires_the_order_of_the_wsdl(start_org: StartOrg) -> None:
    _, client = start_org(require_schema_order=True)
    swapped = with_ranges(range_xml("127.0.0.9", "127.0.0.9"), "<label>late</label>")
    assert (
        "label invalid at this location" in problems(client.deployed(security_package(swapped)))[0]
    )
    assert problems(client.deployed(security_package(GOOD))) == []


def test_older_versions_lack_the_type(org: Org) -> None:
    _, client = org
    result = client.deployed(security_package(version="66.0"))
    assert f"Entity type '{SECURITY}' is not available in version 66.0" in problems(result)


def test_fields_of_this_org_are_accepted(start_org: StartOrg) -> None:
    emulator, client = start_org(
        unknown_fields={"futureSetting": "<mode>on</mode>"},
        unknown_range_fields={"note": "a &amp; b"},
    )
    before = emulator.component_xml(SECURITY, SECURITY_NAME)
    assert b"<mode>on</mode>" in before
    assert before.count(b"<note>a &amp; b</note>") == 3
    assert problems(client.deployed(security_package(before.replace(b"office", b"home")))) == []
    after = emulator.component_xml(SECURITY, SECURITY_NAME)
    assert after == before.replace(b"office", b"home")


def test_other_orgs_refuse_those_fields(start_org: StartOrg) -> None:
    emulator, _ = start_org(unknown_range_fields={"note": "a"})
    xml = emulator.component_xml(SECURITY, SECURITY_NAME)
    _, client = start_org()
    assert "}note invalid at this location" in problems(client.deployed(security_package(xml)))[0]


POLICIES = "ExtlClntAppOauthConfigurablePolicies"
POLICIES_PATH = "extlClntAppOauthPolicies/Acme_Connector_oauthPlcy.ecaOauthPlcy"


@pytest.mark.parametrize(
    ("field", "value", "problem"),
    [
        ("ipRelaxationPolicyType", "Enforce", None),
        ("ipRelaxationPolicyType", "Whatever", "'Whatever' is not a valid value for the enum"),
        ("isClientCredentialsFlowEnabled", "yes", "xsd:boolean"),
        ("sessionTimeoutInMinutes", "an hour", "xsd:int"),
        ("sessionTimeoutInMinutes", "<a/>", "holds text"),
    ],
)
def test_values_have_their_types(org: Org, field: str, value: str, problem: str | None) -> None:
    _, client = org
    xml = (
        f'<{POLICIES} xmlns="{NAMESPACE}"><externalClientApplication>Acme_Connector'
        f"</externalClientApplication><{field}>{value}</{field}></{POLICIES}>"
    )
    files = {"package.xml": manifest({POLICIES: ["Acme_Connector_oauthPlcy"]}), POLICIES_PATH: xml}
    found = problems(client.deployed(make_zip(files)))
    assert len(found) == (1 if problem else 0)
    assert problem is None or problem in found[0]


def test_an_app_can_be_in_the_same_package(org: Org) -> None:
    _, client = org
    app = "ExternalClientApplication"
    app_xml = f'<{app} xmlns="{NAMESPACE}"><label>b</label></{app}>'
    files = {
        "package.xml": manifest({app: ["Acme_Second"], SECURITY: ["Acme_Second_oauthSecurity"]}),
        "externalClientApps/Acme_Second.eca": app_xml,
        SECURITY_PATH.replace("Connector", "Second"): security_xml("127.0.0.21", app="Acme_Second"),
    }
    result = client.deployed(make_zip(files))
    assert problems(result) == []
    assert result.texts("details/componentSuccesses/created") == ["true", "true", "false"]
