"""How the org rewrites a saved file, by the scenario's settings."""

from __future__ import annotations

import pytest

from sfcutover.emulator import Emulator
from tests.integration.emulator.client import (
    SECURITY,
    SECURITY_NAME,
    Client,
    security_package,
    security_xml,
)
from tests.integration.emulator.conftest import StartOrg

Org = tuple[Emulator, Client]


def stored(emulator: Emulator) -> str:
    return emulator.component_xml(SECURITY, SECURITY_NAME).decode()


def starts(text: str) -> list[str]:
    return [part.partition("<")[0] for part in text.split("<startIpAddress>")[1:]]


def test_the_default_list_holds_the_old_addresses_and_one_unrelated_range(org: Org) -> None:
    emulator, _ = org
    text = stored(emulator)
    assert starts(text) == ["127.0.0.11", "127.0.0.12", "192.0.2.64"]
    assert "<description>office VPN</description>" in text
    assert "<endIpAddress>192.0.2.71</endIpAddress>" in text


def test_a_saved_file_is_sorted_and_indented(org: Org) -> None:
    emulator, client = org
    sent = security_xml("127.0.0.22", "127.0.0.21", extra="<label>a  b</label><!-- note -->")
    client.deployed(security_package(sent))
    assert stored(emulator).splitlines() == [
        '<?xml version="1.0" encoding="UTF-8"?>',
        f'<{SECURITY} xmlns="http://soap.sforce.com/2006/04/metadata">',
        "    <externalClientApplication>Acme_Connector</externalClientApplication>",
        "    <label>a  b</label>",
        "    <tokenIpRanges>",
        "        <endIpAddress>127.0.0.22</endIpAddress>",
        "        <startIpAddress>127.0.0.22</startIpAddress>",
        "    </tokenIpRanges>",
        "    <tokenIpRanges>",
        "        <endIpAddress>127.0.0.21</endIpAddress>",
        "        <startIpAddress>127.0.0.21</startIpAddress>",
        "    </tokenIpRanges>",
        f"</{SECURITY}>",
    ]


def test_saving_a_retrieved_file_changes_nothing(org: Org) -> None:
    emulator, client = org
    before = stored(emulator)
    client.deployed(security_package(before))
    assert stored(emulator) == before


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("replace", ["127.0.0.11", "127.0.0.21"]),
        ("merge", ["127.0.0.11", "127.0.0.21", "127.0.0.12", "192.0.2.64"]),
    ],
)
def test_lists_are_replaced_or_merged(start_org: StartOrg, mode: str, expected: list[str]) -> None:
    emulator, client = start_org(replace_or_merge=mode)
    client.deployed(security_package(security_xml("127.0.0.11", "127.0.0.21")))
    assert starts(stored(emulator)) == expected


@pytest.mark.parametrize(("mode", "kept"), [("reset", False), ("keep", True)])
def test_omitted_fields_are_reset_or_kept(start_org: StartOrg, mode: str, kept: bool) -> None:
    emulator, client = start_org(omitted_fields=mode, unknown_fields={"label": "mine"})
    client.deployed(security_package())
    assert ("<label>mine</label>" in stored(emulator)) is kept


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ("as_sent", "2001:db8:0:0::21"),
        ("compressed", "2001:db8::21"),
        ("expanded_upper", "2001:0DB8:0000:0000:0000:0000:0000:0021"),
    ],
)
def test_ipv6_is_returned_in_the_configured_form(
    start_org: StartOrg, form: str, expected: str
) -> None:
    emulator, client = start_org(ipv6_form=form)
    client.deployed(security_package(security_xml("2001:db8:0:0::21", "127.0.0.21")))
    assert starts(stored(emulator)) == [expected, "127.0.0.21"]


def test_an_org_can_reorder_the_ranges(start_org: StartOrg) -> None:
    emulator, client = start_org(reorder_ranges=True)
    client.deployed(security_package(security_xml("2001:db8::1", "127.0.0.9", "127.0.0.10")))
    assert starts(stored(emulator)) == ["127.0.0.9", "127.0.0.10", "2001:db8::1"]


def test_a_component_set_by_a_test_is_not_validated(org: Org) -> None:
    emulator, _ = org
    emulator.put_component(SECURITY, SECURITY_NAME, security_xml("10.9.9.9").encode())
    assert starts(stored(emulator)) == ["10.9.9.9"]
    emulator.put_component("ConnectedApp", "New", b"<ConnectedApp/>")
    assert emulator.component_xml("ConnectedApp", "New")
    with pytest.raises(ValueError, match="Start Tag"):
        emulator.put_component(SECURITY, SECURITY_NAME, b"<a")
