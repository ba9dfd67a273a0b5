"""``policies:`` of cutover.yaml: one mapping for every phase, or a mapping per phase."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Annotated

from pydantic import PlainSerializer, PlainValidator, WithJsonSchema
from pydantic.config import JsonDict

from sfcutover.allowlist.phases import Phase
from sfcutover.allowlist.policies import (
    IP_RELAXATION,
    POLICIES,
    Policies,
    PolicyType,
    policy_problem,
)
from sfcutover.config.values import PlacedError, check_text

FORWARD = (Phase.ADD_NEW.value, Phase.REMOVE_OLD.value)
_PHASES = tuple(phase.value for phase in Phase)


def _read(value: object) -> Policies:
    """Raises PlacedError or ValueError for an unknown policy or an invalid value."""
    entries = _mapping(value)
    by_phase = [key for key, each in entries.items() if key in _PHASES or isinstance(each, dict)]
    if not by_phase:
        values = _values(entries)
        return Policies(values, values)
    for key in entries:
        _require_phase(key, by_phase[0])
    add_new, remove_old = (_values(_mapping(entries.get(key, {}), key), key) for key in FORWARD)
    return Policies(add_new, remove_old)


def _mapping(value: object, *place: str) -> Mapping[str, object]:
    if not isinstance(value, dict):
        raise PlacedError("must be a mapping (key: value)", *place)
    return value


def _require_phase(key: str, other: str) -> None:
    if key in FORWARD:
        return
    if key in _PHASES:
        raise PlacedError(
            "a rollback sets no policies of its own: it restores the earlier ones", key
        )
    if key in POLICIES:
        raise PlacedError(
            f"a policy next to the phase {other}; write one mapping for every phase, "
            "or one per phase",
            key,
        )
    close = difflib.get_close_matches(key, FORWARD, n=1)
    meant = f"did you mean {close[0]}?" if close else f"the phases are {', '.join(FORWARD)}"
    raise PlacedError(f"unknown phase; {meant}", key)


def _values(entries: Mapping[str, object], *place: str) -> dict[str, str]:
    return {name: _text(name, value, *place) for name, value in entries.items()}


def _text(name: str, value: object, *place: str) -> str:
    """A value as in the file: true and false in lower case. Raises PlacedError."""
    if isinstance(value, bool):
        value = str(value).lower()
    if isinstance(value, int):
        value = str(value)
    if not isinstance(value, str):
        raise PlacedError("must be a string; put it in quotes", *place, name)
    try:
        check_text(value)
    except ValueError as error:
        raise PlacedError(str(error), *place, name) from None
    if problem := policy_problem(name, value):
        raise PlacedError(problem, *place, name)
    return value


def _written(policies: Policies) -> dict[str, dict[str, str]]:
    every = zip(FORWARD, (policies.add_new, policies.remove_old), strict=True)
    return {phase: dict(values) for phase, values in every if values}


_JWT_MINUTES = "Minutes until a JWT access token expires that was issued to a"
_LIFETIME = "where refreshTokenPolicyType is SpecificLifetime or SpecificInactivity."
# Source: Metadata API Developer Guide, ExtlClntAppOauthConfigurablePolicies.
_MEANINGS: Mapping[str, str] = {
    "apexHandler": "Name of the app's Apex handler.",
    "clientCredentialsFlowUser": "User whose access the client credentials flow gets.",
    "commaSeparatedCustomScopes": "Names of custom scopes, separated by commas.",
    "commaSeparatedPermissionSet": "Ids of the permission sets that may use the app, separated "
    "by commas; with AdminApprovedPreAuthorized.",
    "commaSeparatedProfile": "Profiles that may use the app, separated by commas; with "
    "AdminApprovedPreAuthorized.",
    "executeHandlerAs": "Username that the Apex handler runs as.",
    "guestJwtSessionTimeoutType": "Which timeout JWT access tokens of guest users have: that of "
    "their session, or guestJwtTimeout (Custom).",
    "guestJwtTimeout": f"{_JWT_MINUTES} guest user.",
    IP_RELAXATION: "Which IP restrictions of the org and its users apply to the app.",
    "isClientCredentialsFlowEnabled": "True to enable the client credentials flow.",
    "isGuestCodeCredFlowEnabled": "True to enable the Authorization Code and Credentials flow "
    "for guest users.",
    "isTokenExchangeFlowEnabled": "True to enable the token exchange flow.",
    "label": "Name of the OAuth policies.",
    "namedUserJwtSessionTimeoutType": "Which timeout JWT access tokens of named users have: that "
    "of their session, or namedUserJwtTimeout (Custom).",
    "namedUserJwtTimeout": f"{_JWT_MINUTES} named user.",
    "permittedUsersPolicyType": "Who may use the app: all users who authorize it themselves, or "
    "those that an admin has authorized.",
    "policyAction": "What happens at a login whose session level is lower than required.",
    "refreshTokenPolicyType": "When a refresh token expires.",
    "refreshTokenValidityPeriod": f"Number of units that a refresh token is valid, {_LIFETIME}",
    "refreshTokenValidityUnit": f"Unit of that number, {_LIFETIME}",
    "requiredSessionLevel": "Session security level that a login needs.",
    "sessionTimeoutInMinutes": "Minutes that a session of the app lasts; for opaque tokens.",
    "singleLogoutUrl": "URL that is called when a user logs out of Salesforce.",
    "startUrl": "URL that users are sent to after they authenticate.",
}


def _schema_of(name: str, policy: PolicyType) -> JsonDict:
    return {"description": _MEANINGS[name], **_values_of(policy)}


def _values_of(policy: PolicyType) -> JsonDict:
    match policy.kind:
        case "boolean":
            return {"enum": [True, False, "true", "false"]}
        case "integer":
            return {"type": ["integer", "string"]}
        case _ if policy.values and not policy.is_open:
            return {"enum": list(policy.values)}
        case _ if policy.values:
            return {"type": "string", "minLength": 1, "examples": list(policy.values)}
        case _:
            return {"type": "string", "minLength": 1}


_MAP: JsonDict = {
    "type": "object",
    "properties": {name: _schema_of(name, policy) for name, policy in POLICIES.items()},
    "additionalProperties": False,
}
_BY_PHASE: JsonDict = {
    "type": "object",
    "properties": {
        phase: {**_MAP, "description": f"Policies that {phase} sets."} for phase in FORWARD
    },
    "additionalProperties": False,
}
PhasePolicies = Annotated[
    Policies,
    PlainValidator(_read),
    PlainSerializer(_written),
    WithJsonSchema({"anyOf": [_MAP, _BY_PHASE], "title": "Policies"}),
]
