"""An app's OAuth policies: which there are, what they may hold, and which phase sets which. Pure.

Names, types and values are those of ExtlClntAppOauthConfigurablePolicies (Metadata API Developer
Guide, and ``@salesforce/types`` 1.7.3 to 1.9.0). Its other fields say which app it is, or hold
more than one value, so that no cutover sets them.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal
from xml.sax.saxutils import unescape

from sfcutover.allowlist.component import Component
from sfcutover.allowlist.phases import Phase

IP_RELAXATION = "ipRelaxationPolicyType"
_INTEGER = re.compile(r"[0-9]{1,10}")


@dataclass(frozen=True)
class PolicyType:
    """What a policy may hold. values: all there are, or where is_open, those that are known."""

    kind: Literal["text", "boolean", "integer"]
    values: tuple[str, ...] = ()
    is_open: bool = False

    def problem(self, text: str) -> str | None:
        """Why it can't hold this; None where it can."""
        if self.kind == "boolean" and text not in ("true", "false"):
            return "write true or false"
        if self.kind == "integer" and not _INTEGER.fullmatch(text):
            return "write a whole number"
        if self.values and not self.is_open and text not in self.values:
            return f"write one of {', '.join(self.values)}{_meant(text, self.values)}"
        return None


def _one_of(values: str, *, is_open: bool = False) -> PolicyType:
    return PolicyType("text", tuple(values.split("|")), is_open)


_TEXT, _BOOLEAN, _INT = PolicyType("text"), PolicyType("boolean"), PolicyType("integer")
_JWT_TIMEOUT = _one_of("UserSession|Custom")

# The two that are open are plain strings in the vendor's types; the values of the first are in its
# guide, those of the second are users' reports. An org may know more.
POLICIES: Mapping[str, PolicyType] = {
    "apexHandler": _TEXT,
    "clientCredentialsFlowUser": _TEXT,
    "commaSeparatedCustomScopes": _TEXT,
    "commaSeparatedPermissionSet": _TEXT,
    "commaSeparatedProfile": _TEXT,
    "executeHandlerAs": _TEXT,
    "guestJwtSessionTimeoutType": _JWT_TIMEOUT,
    "guestJwtTimeout": _INT,
    IP_RELAXATION: _one_of("Enforce|Bypass|Bypass_2factor|Enforce_RelaxRefresh", is_open=True),
    "isClientCredentialsFlowEnabled": _BOOLEAN,
    "isGuestCodeCredFlowEnabled": _BOOLEAN,
    "isTokenExchangeFlowEnabled": _BOOLEAN,
    "label": _TEXT,
    "namedUserJwtSessionTimeoutType": _JWT_TIMEOUT,
    "namedUserJwtTimeout": _INT,
    "permittedUsersPolicyType": _one_of("AllSelfAuthorized|AdminApprovedPreAuthorized"),
    "policyAction": _one_of("Block|RaiseSessionLevel|StepUpMFA"),
    "refreshTokenPolicyType": _one_of("Infinite|Zero|SpecificLifetime|SpecificInactivity"),
    "refreshTokenValidityPeriod": _INT,
    "refreshTokenValidityUnit": _one_of("Days|Hours|Months", is_open=True),
    "requiredSessionLevel": _one_of("LOW|STANDARD|HIGH_ASSURANCE"),
    "sessionTimeoutInMinutes": _INT,
    "singleLogoutUrl": _TEXT,
    "startUrl": _TEXT,
}


def policy_problem(name: str, text: str) -> str | None:
    """Why the app has no such policy, or why it can't hold this text; None where all is right."""
    policy = POLICIES.get(name)
    if policy is None:
        return f"unknown OAuth policy{_meant(name, POLICIES) or _known()}"
    return policy.problem(text)


def policies_in(component: Component) -> dict[str, str]:
    """What the app's policies are now, as text by field; without those that no cutover sets, or
    that hold what none could set."""
    texts = {name: component.text(name) for name in POLICIES}
    found = {name: unescape(text) for name, text in texts.items() if text}
    return {name: text for name, text in found.items() if policy_problem(name, text) is None}


def _meant(text: str, known: Mapping[str, PolicyType] | tuple[str, ...]) -> str:
    lower = {each.lower(): each for each in known}
    close = difflib.get_close_matches(text.lower(), lower, n=1)
    return f"; did you mean {lower[close[0]]}?" if close else ""


def _known() -> str:
    return f"; known: {', '.join(POLICIES)}"


@dataclass(frozen=True)
class Policies:
    """What a cutover sets, as text by field: with add-new, and with remove-old.

    A rollback sets nothing of its own: it restores what the phase that it undoes has changed.
    """

    add_new: Mapping[str, str] = field(default_factory=dict)
    remove_old: Mapping[str, str] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.add_new or self.remove_old)

    def of(self, phase: Phase) -> Mapping[str, str]:
        """What a phase sets; nothing for one that goes back."""
        match phase:
            case Phase.ADD_NEW:
                return self.add_new
            case Phase.REMOVE_OLD:
                return self.remove_old
            case _:
                return {}

    @property
    def every_value(self) -> dict[str, tuple[str, ...]]:
        """By field, each text that it is ever set to."""
        found: dict[str, tuple[str, ...]] = {}
        for name, text in (*self.add_new.items(), *self.remove_old.items()):
            found[name] = tuple(dict.fromkeys((*found.get(name, ()), text)))
        return found

    @property
    def removal_sets_more(self) -> bool:
        """True where remove-old sets what add-new does not, so that undoing it must restore it."""
        return not self.remove_old.items() <= self.add_new.items()

    def notes(self, phase: Phase) -> list[str]:
        """A sentence for each value that this tool does not know and an org may."""
        return [
            f"{name}: {text!r} is not one of the known values "
            f"({', '.join(POLICIES[name].values)}); the org decides"
            for name, text in self.of(phase).items()
            if name in POLICIES and POLICIES[name].is_open and text not in POLICIES[name].values
        ]


# Salesforce Help, "Connected App IP Relaxation and Continuous IP Enforcement". It is about
# connected apps; that an External Client App's policy means the same is assumed.
_RELAXATIONS: Mapping[str, str] = {
    "Enforce": "users are subject to their own org's IP rules, so if a user's profile has login "
    "IP ranges, these must include the new addresses",
    "Enforce_RelaxRefresh": "users are subject to their own org's IP rules when they log in, but "
    "not when a refresh token is redeemed, so no login range needs the new addresses for that",
    "Bypass_2factor": "users are exempt from their own org's IP rules after they confirm their "
    "identity, or, if the app has trusted ranges, from those ranges. Other users are subject to "
    "them, so their login ranges must include the new addresses",
    "Bypass": "users are not subject to their own org's IP rules, so no login range needs the new "
    "addresses",
}


def relaxation_words(value: str | None) -> str:
    """What a value of ipRelaxationPolicyType means for a change of addresses, in one sentence."""
    if value is None:
        return "it is not set; which rule then applies is unknown"
    meaning = _RELAXATIONS.get(value, "its meaning is unknown")
    return f"{value}: {meaning}"
