"""The carrier table: where an allowlist lives in metadata. Data only.

Folders, suffixes and element names were read from the packages
``@salesforce/types`` 1.7.3 to 1.9.0 and ``@salesforce/source-deploy-retrieve``;
``tokenIpRanges`` being the Refresh Token IP Allowlist is inferred from them (it
is the only candidate). The fields of all these types stand in alphabetical
order in Salesforce's WSDL, so the order needs no table of its own.
"""

from __future__ import annotations

from dataclasses import dataclass

METADATA_NAMESPACE = "http://soap.sforce.com/2006/04/metadata"


@dataclass(frozen=True)
class ComponentType:
    """A metadata type as it appears in a package.

    metadata_type: its name in package.xml, also the XML root element.
    folder, suffix: its path in a package is ``<folder>/<fullName>.<suffix>``.
    app_element: the element that names the app, or None where the component is the app.
    since: the first API version that is known to have the type.
    """

    metadata_type: str
    folder: str
    suffix: str
    app_element: str | None
    since: float

    def path(self, full_name: str) -> str:
        """The component's path in a Metadata API package."""
        return f"{self.folder}/{full_name}.{self.suffix}"


@dataclass(frozen=True)
class Carrier:
    """One kind of place for an allowlist.

    list_element is repeated once a range; start_element and end_element stand in it.
    max_ranges, max_addresses: what one list may hold, None where no limit is documented
    (Salesforce Help, "Set IP Allowlist Ranges for Refresh Tokens", and of the trusted ranges).
    """

    name: str
    component_type: ComponentType
    list_element: str
    start_element: str
    end_element: str
    max_ranges: int | None = None
    max_addresses: int | None = None


APP = ComponentType("ExternalClientApplication", "externalClientApps", "eca", None, 59.0)
SECURITY_SETTINGS = ComponentType(
    "ExtlClntAppOauthSecuritySettings",
    "extlClntAppOauthSecuritySettings",
    "ecaOauthSecurity",
    "externalClientApplication",
    67.0,  # seen in a late 66.0 patch; 67.0 is the safe floor
)
OAUTH_SETTINGS = ComponentType(
    "ExtlClntAppOauthSettings",
    "extlClntAppOauthSettings",
    "ecaOauth",
    "externalClientApplication",
    59.0,
)
OAUTH_POLICIES = ComponentType(
    "ExtlClntAppOauthConfigurablePolicies",
    "extlClntAppOauthPolicies",
    "ecaOauthPlcy",
    "externalClientApplication",
    59.0,
)
CONNECTED_APP = ComponentType("ConnectedApp", "connectedApps", "connectedApp", None, 32.0)

TOKEN_IP_RANGES = Carrier(
    "token-ip-ranges",
    SECURITY_SETTINGS,
    "tokenIpRanges",
    "startIpAddress",
    "endIpAddress",
    max_ranges=128,
    max_addresses=256,
)
TRUSTED_IP_RANGES = Carrier(
    "trusted-ip-ranges",
    OAUTH_SETTINGS,
    "trustedIpRanges",
    "startIpAddress",
    "endIpAddress",
    max_ranges=128,
)
CONNECTED_APP_RANGES = Carrier("connected-app", CONNECTED_APP, "ipRanges", "start", "end")

CARRIERS: dict[str, Carrier] = {
    carrier.name: carrier for carrier in (TOKEN_IP_RANGES, TRUSTED_IP_RANGES, CONNECTED_APP_RANGES)
}
