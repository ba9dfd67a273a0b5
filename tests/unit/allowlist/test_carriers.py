from __future__ import annotations

import functools
from pathlib import Path

import pytest
import simple_salesforce
from lxml import etree

from sfcutover.allowlist import carriers
from sfcutover.allowlist.carriers import CARRIERS, METADATA_NAMESPACE, ComponentType

XSD = "{http://www.w3.org/2001/XMLSchema}"
TYPES = [each for each in vars(carriers).values() if isinstance(each, ComponentType)]
# The bundled WSDL is version 63; the security settings came later and can't be in it.
IN_WSDL = [each for each in TYPES if each.since <= 63]
# The type of a range of each carrier in the WSDL.
ENTRY_TYPES = {
    "trusted-ip-ranges": "ExtlClntAppOauthIpRange",
    "connected-app": "ConnectedAppIpRange",
}


@functools.cache
def wsdl() -> dict[str, list[str]]:
    """Element names by complex type, in the order of Salesforce's own WSDL."""
    path = Path(simple_salesforce.__file__).with_name("metadata.wsdl")
    return {
        str(each.get("name")): [str(element.get("name")) for element in each.iter(f"{XSD}element")]
        for each in etree.parse(path).iter(f"{XSD}complexType")
        if each.get("name")
    }


def test_the_wsdl_contains_several_of_the_types() -> None:
    names = {each.metadata_type for each in IN_WSDL}
    assert names >= {"ExtlClntAppOauthSettings", "ConnectedApp", "ExternalClientApplication"}
    assert names <= wsdl().keys()


@pytest.mark.parametrize("component_type", IN_WSDL, ids=lambda each: each.metadata_type)
def test_the_fields_of_a_type_are_in_alphabetical_order(component_type: ComponentType) -> None:
    fields = wsdl()[component_type.metadata_type]
    assert fields == sorted(fields)
    assert len(fields) > 5


def test_every_external_client_app_type_of_the_wsdl_is_alphabetical() -> None:
    found = {name: fields for name, fields in wsdl().items() if name.startswith("ExtlClntApp")}
    assert len(found) > 5
    assert {name for name, fields in found.items() if fields != sorted(fields)} == set()


def test_every_component_starts_with_its_full_name() -> None:
    assert wsdl()["Metadata"] == ["fullName"]


@pytest.mark.parametrize("name", sorted(ENTRY_TYPES))
def test_range_elements_match_the_wsdl(name: str) -> None:
    carrier = CARRIERS[name]
    expected = ["description", carrier.end_element, carrier.start_element]
    assert wsdl()[ENTRY_TYPES[name]] == expected
    assert carrier.list_element in wsdl()[carrier.component_type.metadata_type]


@pytest.mark.parametrize("component_type", IN_WSDL, ids=lambda each: each.metadata_type)
def test_the_app_is_named_by_an_element_that_the_type_has(component_type: ComponentType) -> None:
    fields = wsdl()[component_type.metadata_type]
    assert (component_type.app_element or fields[0]) in fields
    assert (component_type.app_element is None) == ("externalClientApplication" not in fields)


def test_the_default_carrier_is_the_refresh_token_allowlist() -> None:
    carrier = next(iter(CARRIERS.values()))
    assert carrier.component_type.metadata_type == "ExtlClntAppOauthSecuritySettings"
    assert carrier.list_element == "tokenIpRanges"
    assert carrier.component_type.since == 67.0


def test_folders_and_suffixes_are_distinct_and_safe_in_a_path() -> None:
    assert len({each.folder for each in TYPES}) == len(TYPES)
    assert len({each.suffix for each in TYPES}) == len(TYPES)
    assert all(each.folder.isalpha() and each.suffix.isalpha() for each in TYPES)


@pytest.mark.parametrize(
    ("component_type", "path"),
    [
        (carriers.APP, "externalClientApps/A.eca"),
        (
            carriers.SECURITY_SETTINGS,
            "extlClntAppOauthSecuritySettings/A.ecaOauthSecurity",
        ),
        (carriers.OAUTH_SETTINGS, "extlClntAppOauthSettings/A.ecaOauth"),
        (carriers.OAUTH_POLICIES, "extlClntAppOauthPolicies/A.ecaOauthPlcy"),
        (carriers.CONNECTED_APP, "connectedApps/A.connectedApp"),
    ],
)
def test_the_path_of_a_component_in_a_package(component_type: ComponentType, path: str) -> None:
    assert component_type.path("A") == path


def test_the_namespace_is_that_of_the_wsdl() -> None:
    path = Path(simple_salesforce.__file__).with_name("metadata.wsdl")
    assert etree.parse(path).getroot().get("targetNamespace") == METADATA_NAMESPACE
