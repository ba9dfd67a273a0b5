"""What redeems through which egress, and the reason if nothing redeems."""

from __future__ import annotations

import pytest

from sfcutover.config.cutover import Cutover, parse_config
from sfcutover.errors import ConfigError, GateError
from sfcutover.traffic.redeemers import (
    Via,
    all_redeemers,
    canaries_left_out,
    nothing_redeems,
    redeemers_for,
    why_unproven,
)

CONFIG = """\
version: 1
name: one
app: Acme_Connector
old: [203.0.113.10]
new: [198.51.100.20]
targets:
  - {name: packaging, org: {alias: acme}}
  - {name: other, org: {alias: other}}
"""
PROXY = "{proxy: {env: P}}"
DIRECT = "{direct: true}"
PROBE = "{probe: [where]}"
ONE = "client_id: x, refresh_token: {file: t}"
TWO = (
    "client_id: x, canaries: [{name: eu, refresh_token: {file: t}}, "
    "{name: us, refresh_token: {file: u}, targets: [other]}]"
)
APPLICATION = "application: [redeem]"


def cutover(old: str = "", new: str = "", *verify: str) -> Cutover:
    ways = ", ".join(f"{name}: {way}" for name, way in (("old", old), ("new", new)) if way)
    text = CONFIG + (f"egress: {{{ways}}}\n" if ways else "")
    return parse_config(text + (f"verify: {{{', '.join(verify)}}}\n" if verify else ""), "c.yaml")


@pytest.mark.parametrize(
    ("configured", "old", "new"),
    [
        (cutover(PROXY, PROXY, ONE), ["canary"], ["canary"]),
        (cutover(DIRECT, DIRECT, ONE), ["canary"], ["canary"]),
        (cutover(PROXY, PROXY, TWO), ["eu"], ["eu"]),
        (cutover(PROXY, PROXY, ONE, APPLICATION), ["canary"], ["canary", "the application"]),
        (cutover(PROXY, PROBE, ONE, APPLICATION), ["canary"], ["the application"]),
        (cutover(PROBE, PROBE, ONE, APPLICATION), [], ["the application"]),
        (cutover("", PROBE, APPLICATION), [], ["the application"]),
        (cutover(PROXY, PROXY, APPLICATION), [], ["the application"]),
        (cutover("", PROXY, ONE), [], ["canary"]),
        (cutover("", "", ONE), [], []),
        (cutover(PROXY, PROXY), [], []),
    ],
)
def test_canaries_need_an_egress_and_the_application_uses_the_new_one(
    configured: Cutover, old: list[str], new: list[str]
) -> None:
    targets = configured.targets[:1]
    assert [each.name for each in redeemers_for(configured, targets, "old")] == old
    assert [each.name for each in redeemers_for(configured, targets, "new")] == new
    assert {each.name for each in all_redeemers(configured, targets)} == {*old, *new}


@pytest.mark.parametrize(
    ("configured", "via", "why"),
    [
        (cutover("", PROXY, ONE), "old", "egress.old is not configured"),
        (cutover(PROXY, PROXY), "old", "verify is not configured"),
        (cutover(PROXY, PROXY, APPLICATION), "old", "no canary is configured"),
        (cutover(PROBE, PROXY, ONE), "old", "the canaries cannot prove egress.old"),
        (cutover(PROXY, PROBE, ONE), "new", "the canaries cannot prove egress.new"),
    ],
)
def test_the_reason_for_no_redemption_is_stated(configured: Cutover, via: Via, why: str) -> None:
    assert why_unproven(configured, via).startswith(why)
    error = nothing_redeems(configured, via)
    assert isinstance(error, GateError if via == "old" else ConfigError)
    assert f"nothing can prove the {via} addresses by a redemption: {why}" in error.message


def test_canaries_are_omitted_only_if_there_are_some() -> None:
    assert canaries_left_out(cutover(PROXY, PROBE, APPLICATION), "new") is None
    assert canaries_left_out(cutover(PROXY, PROXY, ONE), "new") is None
    assert canaries_left_out(cutover("", PROBE, ONE, APPLICATION), "old") is None
    assert canaries_left_out(cutover("", PROBE, ONE, APPLICATION), "new") is not None


def test_the_org_of_the_only_canary_is_assumed_for_the_application() -> None:
    canary = "client_id: x, canaries: [{name: eu, refresh_token: {file: t}, org: {alias: eu}}]"
    (_, application) = redeemers_for(
        (one := cutover("", PROXY, canary, APPLICATION)), one.targets, "new"
    )
    assert application.org is not None
    assert application.org.alias == "eu"
    (*_, application) = redeemers_for(
        (two := cutover("", PROXY, TWO, APPLICATION)), two.targets, "new"
    )
    assert application.org is None
