"""What the org knows about each metadata type: its fields and since which version.

Field names, order, optionality and enumerations were read from Salesforce's WSDL
v63.0 and from the packages ``@salesforce/types`` 1.7.1 to 1.9.0. A field that v63.0
lacks and 1.7.1 has is taken to be of 64.0, one that only later versions have of 67.0
(both assumed); those of 68.0 are new in its package.

Notation: ``*`` required, ``[]`` repeated, ``:`` type or ``a|b`` enumeration, ``@`` first
version, ``{...}`` children. Types are string (none given), boolean, int and file.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import NamedTuple

from sfcutover.allowlist.carriers import (
    APP,
    CARRIERS,
    CONNECTED_APP,
    OAUTH_POLICIES,
    OAUTH_SETTINGS,
    SECURITY_SETTINGS,
    ComponentType,
)

ANYTHING = "anything"  # the kind of a field that may hold text or elements
APP_ELEMENT = "externalClientApplication"
APP_POLICIES = ComponentType(
    "ExtlClntAppConfigurablePolicies", "extlClntAppPolicies", "ecaPlcy", APP_ELEMENT, 60.0
)
GLOBAL_SETTINGS = ComponentType(
    "ExtlClntAppGlobalOauthSettings",
    "extlClntAppGlobalOauthSets",
    "ecaGlblOauth",
    APP_ELEMENT,
    59.0,
)


@dataclass(frozen=True)
class FieldType:
    """One element of a type; children is empty if it contains text."""

    name: str
    kind: str = "string"
    is_required: bool = False
    is_repeated: bool = False
    since: float = 0.0
    children: dict[str, FieldType] = field(default_factory=dict)


_FIELD = re.compile(
    r"(?P<name>\w+)(?P<required>\*)?(?P<repeated>\[\])?(?::(?P<kind>[\w|]+))?(?:@(?P<since>[\d.]+))?"
)
_TOKEN = re.compile(r"[^\s{}]+|[{}]")


def parse_fields(notation: str) -> dict[str, FieldType]:
    """Read the notation above into fields by name, in its order."""
    return _read_fields(_TOKEN.findall(notation))


def _read_fields(tokens: list[str]) -> dict[str, FieldType]:
    fields: dict[str, FieldType] = {}
    while tokens and (token := tokens.pop(0)) != "}":
        children: dict[str, FieldType] = {}
        if tokens and tokens[0] == "{":
            tokens.pop(0)
            children = _read_fields(tokens)
        one = _read_field(token, children)
        fields[one.name] = one
    return fields


def _read_field(token: str, children: dict[str, FieldType]) -> FieldType:
    match = _FIELD.fullmatch(token)
    if match is None:
        raise ValueError(f"{token!r} is no field")
    return FieldType(
        match["name"],
        match["kind"] or "string",
        match["required"] is not None,
        match["repeated"] is not None,
        float(match["since"] or 0),
        children,
    )


_RANGE = "{description endIpAddress* startIpAddress*}"
_ATTRIBUTE = "{formula* key*}"

_SECURITY_SETTINGS = f"""
externalClientApplication* label tlsClientAuthCertParamType@68 tlsClientAuthCertParamValue@68
tokenIpRanges[] {_RANGE}
"""

_OAUTH_SETTINGS = f"""
areAttributesIncludedInAssetToken:boolean areCustomPermsIncludedInAssetToken:boolean
assetTokenAudiences assetTokenSigningCertificate assetTokenValidity:int
clientAssertionCertificate commaSeparatedCustomScopes commaSeparatedOauthScopes
customAttributes[] {_ATTRIBUTE} externalClientApplication* isFirstPartyAppEnabled:boolean label
oauthLink singleLogoutUrl trustedIpRanges[] {_RANGE}
"""

_OAUTH_POLICIES = f"""
apexHandler clientCredentialsFlowUser commaSeparatedCustomScopes commaSeparatedPermissionSet
commaSeparatedProfile customAttributes[] {_ATTRIBUTE} executeHandlerAs externalClientApplication*
guestJwtSessionTimeoutType:UserSession|Custom@64 guestJwtTimeout:int
ipRelaxationPolicyType:Enforce|Bypass|Bypass_2factor|Enforce_RelaxRefresh
isClientCredentialsFlowEnabled:boolean isGuestCodeCredFlowEnabled:boolean
isTokenExchangeFlowEnabled:boolean label
namedUserJwtSessionTimeoutType:UserSession|Custom@64 namedUserJwtTimeout:int
permittedUsersPolicyType:AllSelfAuthorized|AdminApprovedPreAuthorized
policyAction:Block|RaiseSessionLevel|StepUpMFA
refreshTokenPolicyType:Infinite|Zero|SpecificLifetime|SpecificInactivity
refreshTokenValidityPeriod:int refreshTokenValidityUnit:Days|Hours|Months
requiredSessionLevel:LOW|STANDARD|HIGH_ASSURANCE sessionTimeoutInMinutes:int singleLogoutUrl
startUrl
"""

_GLOBAL_SETTINGS = """
callbackUrl certificate consumerKey consumerSecret externalClientApplication*
idTokenConfig {idTokenAudience idTokenIncludeAttributes:boolean
  idTokenIncludeCustomPermissions:boolean idTokenIncludeStandardClaims:boolean
  idTokenValidityInMinutes:int}
isClientCredentialsFlowEnabled:boolean isCodeCredFlowEnabled:boolean isCodeCredPostOnly:boolean
isConsumerSecretOptional:boolean isDPopEnabled:boolean@68 isDeviceFlowEnabled:boolean
isEnforceRefreshTokenTTL:boolean@67 isIntrospectAllTokens:boolean isMtlsEnabled:boolean@68
isNamedUserJwtEnabled:boolean isPkceRequired:boolean isRefreshTokenRotationEnabled:boolean
isSecretRequiredForRefreshToken:boolean isSecretRequiredForTokenExchange:boolean
isTokenExchangeEnabled:boolean label shouldRotateConsumerKey:boolean
shouldRotateConsumerSecret:boolean
"""

_APP_POLICIES = """
externalClientApplication* isCanvasPluginEnabled:boolean@64 isEnabled*:boolean
isMobilePluginEnabled:boolean isNotificationPluginEnabled:boolean isOauthPluginEnabled:boolean
isPushPluginEnabled:boolean isSamlPluginEnabled:boolean label
startPage:None|OAuth|SAML|Custom startUrl
"""

_APP = """
contactEmail contactPhone description distributionState:Local|Packaged|Managed|AutoInstalled
iconUrl infoUrl isProtected:boolean label logoUrl managedType:Local|Global orgScopedExternalApp
"""

_CONNECTED_APP = f"""
attributes[] {_ATTRIBUTE}
canvas {{accessMethod* canvasOptions canvasUrl* lifecycleClass locationOptions
  samlInitiationMethod}}
canvasConfig {{accessMethod* canvasUrl* lifecycleClass locations[] options[] samlInitiationMethod}}
contactEmail* contactPhone description iconUrl infoUrl
ipRanges[] {{description end* start*}} label* logoUrl
mobileAppConfig {{applicationBinaryFile applicationBinaryFileName applicationBundleIdentifier
  applicationFileLength:int applicationIconFile applicationIconFileName applicationInstallUrl
  devicePlatform* deviceType minimumOsVersion privateApp:boolean version*}}
mobileStartUrl
oauthConfig {{
  assetTokenConfig {{assetAudiences* assetIncludeAttributes*:boolean
    assetIncludeCustomPerms*:boolean assetSigningCertId* assetValidityPeriod*:int}}
  callbackUrl* certificate consumerKey consumerSecret
  idTokenConfig {{idTokenAudience idTokenIncludeAttributes:boolean
    idTokenIncludeCustomPerms:boolean idTokenIncludeStandardClaims:boolean idTokenValidity:int}}
  isAdminApproved:boolean isClientCredentialEnabled:boolean isCodeCredentialEnabled:boolean
  isCodeCredentialPostOnly:boolean isConsumerSecretOptional:boolean isIntrospectAllTokens:boolean
  isNamedUserJwtEnabled:boolean isPkceRequired:boolean isRefreshTokenRotationEnabled:boolean
  isSecretRequiredForRefreshToken:boolean isSecretRequiredForTokenExchange:boolean
  isTokenExchangeEnabled:boolean oauthClientCredentialUser scopes[] singleLogoutUrl}}
oauthPolicy {{ipRelaxation* isTokenExchangeFlowEnabled:boolean refreshTokenPolicy*
  singleLogoutUrl}}
permissionSetName[] plugin pluginExecutionUser profileName[]
samlConfig {{acsUrl* certificate encryptionCertificate encryptionType entityUrl* issuer
  samlIdpSLOBindingEnum samlNameIdFormat samlSigningAlgoType samlSloUrl samlSubjectCustomAttr
  samlSubjectType*}}
sessionPolicy {{policyAction sessionLevel sessionTimeout:int}} startUrl
"""


@dataclass(frozen=True)
class TypeSchema:
    """A metadata type with its fields; key_prefix: start of the ids of its components (assumed)."""

    component_type: ComponentType
    fields: dict[str, FieldType]
    key_prefix: str

    @property
    def name(self) -> str:
        return self.component_type.metadata_type

    def exists_in(self, version: float) -> bool:
        """True if a package of this API version may name the type."""
        return version >= self.component_type.since


SCHEMAS: dict[str, TypeSchema] = {
    schema.name: schema
    for schema in (
        TypeSchema(APP, parse_fields(_APP), "0xI"),
        TypeSchema(APP_POLICIES, parse_fields(_APP_POLICIES), "0y3"),
        TypeSchema(CONNECTED_APP, parse_fields(_CONNECTED_APP), "0H4"),
        TypeSchema(GLOBAL_SETTINGS, parse_fields(_GLOBAL_SETTINGS), "0y2"),
        TypeSchema(OAUTH_POLICIES, parse_fields(_OAUTH_POLICIES), "0y4"),
        TypeSchema(OAUTH_SETTINGS, parse_fields(_OAUTH_SETTINGS), "0y1"),
        TypeSchema(SECURITY_SETTINGS, parse_fields(_SECURITY_SETTINGS), "0y5"),
    )
}


class ListNames(NamedTuple):
    """The element of one range, and those of its first and last address."""

    entry: str
    start: str
    end: str


LISTS: dict[str, ListNames] = {
    carrier.component_type.metadata_type: ListNames(
        carrier.list_element, carrier.start_element, carrier.end_element
    )
    for carrier in CARRIERS.values()
}
"""The names of a list's elements, by metadata type."""
