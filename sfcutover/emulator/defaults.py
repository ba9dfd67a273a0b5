"""The components that the org has when it starts."""

from __future__ import annotations

from collections.abc import Iterator

from lxml import etree

from sfcutover.allowlist.carriers import (
    APP,
    CONNECTED_APP,
    OAUTH_POLICIES,
    OAUTH_SETTINGS,
    SECURITY_SETTINGS,
)
from sfcutover.emulator.formats import metadata_child, metadata_fragment, metadata_root, write_xml
from sfcutover.emulator.lists import Entry, append
from sfcutover.emulator.scenario import Scenario
from sfcutover.emulator.schema import APP_ELEMENT, APP_POLICIES, GLOBAL_SETTINGS, LISTS

Fields = list[tuple[str, "str | Fields"]]


def default_components(
    scenario: Scenario, client_id: str, client_secret: str
) -> Iterator[tuple[str, str, bytes]]:
    """Metadata type, full name and file of each; secret are only the global settings'."""
    listed = [*(Entry(range=address) for address in scenario.old), *scenario.unrelated]
    for metadata_type, name, fields in _components(scenario, client_id, client_secret):
        if metadata_type not in scenario.leave_out:
            root = metadata_root(metadata_type)
            _append(root, fields)
            for entry in listed if metadata_type in LISTS else ():
                append(root, metadata_type, entry)
            if metadata_type == SECURITY_SETTINGS.metadata_type:
                _append_unknown(root, scenario)
            yield metadata_type, scenario.qualified(name), write_xml(root)
    for extra in scenario.extra_components:
        yield extra.type, extra.full_name, extra.xml.strip().encode()


def _components(
    scenario: Scenario, client_id: str, client_secret: str
) -> Iterator[tuple[str, str, Fields]]:
    app: Fields = [(APP_ELEMENT, scenario.app_name)]
    label: Fields = [("label", scenario.app.replace("_", " "))]
    yield APP.metadata_type, scenario.app, _app_fields() + label
    yield SECURITY_SETTINGS.metadata_type, scenario.security_settings_name, app
    yield (
        OAUTH_SETTINGS.metadata_type,
        scenario.oauth_settings_name,
        [*app, *label, ("commaSeparatedOauthScopes", "Api,RefreshToken")],
    )
    yield OAUTH_POLICIES.metadata_type, scenario.oauth_policies_name, app + label + _policies()
    yield (
        GLOBAL_SETTINGS.metadata_type,
        scenario.global_settings_name,
        app + label + _global_settings(client_id, client_secret),
    )
    yield (
        APP_POLICIES.metadata_type,
        scenario.app_policies_name,
        [*app, *label, ("isEnabled", "true"), ("isOauthPluginEnabled", "true")],
    )
    yield CONNECTED_APP.metadata_type, scenario.connected_app_name, _connected_app(scenario)


def _app_fields() -> Fields:
    return [
        ("contactEmail", "integration@acme.example"),
        ("description", "Connects Acme to its customers' orgs"),
        ("distributionState", "Packaged"),
        ("isProtected", "false"),
    ]


def _policies() -> Fields:
    return [
        ("ipRelaxationPolicyType", "Enforce"),
        ("isClientCredentialsFlowEnabled", "true"),
        ("permittedUsersPolicyType", "AllSelfAuthorized"),
        ("refreshTokenPolicyType", "SpecificInactivity"),
        ("refreshTokenValidityPeriod", "30"),
        ("refreshTokenValidityUnit", "Days"),
        ("sessionTimeoutInMinutes", "120"),
    ]


def _global_settings(client_id: str, client_secret: str) -> Fields:
    return [
        ("callbackUrl", "https://connector.acme.example/oauth/callback"),
        ("consumerKey", client_id),
        ("consumerSecret", client_secret),
        ("isConsumerSecretOptional", "false"),
        ("isPkceRequired", "true"),
        ("isRefreshTokenRotationEnabled", "true"),
        ("isSecretRequiredForRefreshToken", "true"),
    ]


def _connected_app(scenario: Scenario) -> Fields:
    return [
        ("contactEmail", "integration@acme.example"),
        ("label", scenario.connected_app_name.replace("_", " ")),
        (
            "oauthConfig",
            [
                ("callbackUrl", "https://connector.acme.example/oauth/callback"),
                ("scopes", "Api"),
                ("scopes", "RefreshToken"),
            ],
        ),
        ("oauthPolicy", [("ipRelaxation", "ENFORCE"), ("refreshTokenPolicy", "infinite")]),
    ]


def _append_unknown(root: etree._Element, scenario: Scenario) -> None:
    for name, inside in scenario.unknown_fields.items():
        root.append(metadata_fragment(name, inside))
    for entry in root.iterfind("{*}tokenIpRanges"):
        for name, inside in scenario.unknown_range_fields.items():
            entry.append(metadata_fragment(name, inside))


def _append(parent: etree._Element, fields: Fields) -> None:
    for name, value in fields:
        element = metadata_child(parent, name)
        if isinstance(value, str):
            element.text = value
        else:
            _append(element, value)
