from __future__ import annotations

from itertools import pairwise

import pytest

from sfcutover.allowlist.carriers import OAUTH_POLICIES
from sfcutover.allowlist.component import Component, Field
from sfcutover.allowlist.phases import Change, Phase
from sfcutover.allowlist.plan import Planner
from sfcutover.allowlist.policies import IP_RELAXATION, POLICIES, Policies, relaxation_words
from sfcutover.allowlist.restoration import restore_policies
from sfcutover.allowlist.snapshot import Snapshot
from sfcutover.allowlist.templates import Templates
from sfcutover.errors import ConfigError
from tests.unit.allowlist.test_diff_readback import listed, with_policies

BY_PHASE = Policies({"startUrl": "one", "apexHandler": "A"}, {"startUrl": "two", "label": "L"})
LIVE = with_policies(listed("203.0.113.10", "198.51.100.20"), startUrl="before")


def planner(policies: Policies) -> Planner:
    return Planner("move", "Acme", Change((), ()), "67.0", Templates(), policies)


def component(**values: str) -> Component:
    fields = tuple(Field.of_text(name, text) for name, text in values.items())
    return Component(OAUTH_POLICIES, "Acme_plcy", fields)


def test_every_value_lists_the_values_of_both_phases() -> None:
    assert BY_PHASE.every_value == {
        "startUrl": ("one", "two"),
        "apexHandler": ("A",),
        "label": ("L",),
    }


@pytest.mark.parametrize(
    ("policies", "is_so"),
    [
        (BY_PHASE, True),
        (Policies({"label": "L"}, {"label": "L"}), False),
        (Policies({"label": "L", "startUrl": "x"}, {"label": "L"}), False),
        (Policies({"label": "L"}, {}), False),
        (Policies({}, {"label": "L"}), True),
    ],
)
def test_undoing_remove_old_restores_only_what_it_alone_sets(
    policies: Policies, is_so: bool
) -> None:
    assert policies.removal_sets_more is is_so


def test_a_phase_holds_policies_only_if_it_sets_some() -> None:
    planned = planner(Policies(remove_old={"startUrl": "two"})).plan_all(LIVE)
    holds = {phase: each.after.policies is not None for phase, each in planned.items()}
    assert holds == {
        Phase.ADD_NEW: False,
        Phase.REMOVE_OLD: True,
        Phase.RESTORE_OLD: False,
        Phase.REMOVE_NEW: False,
    }


def test_remove_old_starts_from_what_add_new_has_set() -> None:
    removal = planner(BY_PHASE).plan_all(LIVE)[Phase.REMOVE_OLD]
    assert [(each.name, each.before, each.after) for each in removal.diffs[-1].fields] == [
        ("label", None, "L"),
        ("startUrl", "one", "two"),
    ]


def test_policies_alone_plan_only_phases_that_set_some() -> None:
    alone = Snapshot((), LIVE.policies)
    later = planner(Policies(remove_old={"startUrl": "two"}))
    assert list(later.plan_all(alone)) == [Phase.REMOVE_OLD]
    with pytest.raises(ConfigError, match="add-new changes nothing"):
        later.plan(Phase.ADD_NEW, alone)


def test_any_value_that_was_ever_set_is_restored() -> None:
    for text in ("one", "two"):
        restored = restore_policies(
            component(startUrl=text), component(startUrl="before"), BY_PHASE.every_value
        )
        assert restored.component.text("startUrl") == "before"
    theirs = component(startUrl="three")
    restored = restore_policies(theirs, component(startUrl="before"), BY_PHASE.every_value)
    assert restored.component == theirs
    assert "another user has changed it since" in restored.notes[0]


def test_kept_values_stay_set_and_the_rest_is_restored() -> None:
    live = Snapshot((), component(startUrl="two", apexHandler="A", label="L"))
    restored = planner(BY_PHASE).restore_policies(
        live, LIVE, BY_PHASE.every_value, BY_PHASE.add_new
    )
    assert restored.after.policies == component(startUrl="one", apexHandler="A").with_values({})


def test_every_known_relaxation_is_described() -> None:
    for value in POLICIES[IP_RELAXATION].values:
        assert relaxation_words(value).startswith(f"{value}: users are ")
    assert "is unknown" in relaxation_words("Newer")
    assert "not set" in relaxation_words(None)


@pytest.mark.parametrize(
    ("name", "from_loosest"),
    [
        ("ipRelaxationPolicyType", "Bypass Bypass_2factor Enforce_RelaxRefresh Enforce"),
        ("permittedUsersPolicyType", "AllSelfAuthorized AdminApprovedPreAuthorized"),
        ("refreshTokenPolicyType", "Infinite SpecificInactivity SpecificLifetime Zero"),
        ("requiredSessionLevel", "LOW STANDARD HIGH_ASSURANCE"),
        ("sessionTimeoutInMinutes", "120 30"),
        ("refreshTokenValidityPeriod", "365 30"),
        ("namedUserJwtTimeout", "60 5"),
    ],
)
def test_a_restored_value_that_loosens_a_control_is_noted(name: str, from_loosest: str) -> None:
    for looser, stricter in pairwise(from_loosest.split()):
        assert "loosens this control" in note_of_restoring(name, looser, now=stricter)
        assert "loosens" not in note_of_restoring(name, stricter, now=looser)


@pytest.mark.parametrize(("before", "now"), [("Enforce", "Newer"), ("Newer", "Enforce")])
def test_the_effect_of_an_unknown_value_is_not_stated(before: str, now: str) -> None:
    assert "is unknown" in note_of_restoring("ipRelaxationPolicyType", before, now=now)


def note_of_restoring(name: str, before: str, *, now: str) -> str:
    restored = restore_policies(
        component(**{name: now}), component(**{name: before}), {name: [now]}
    )
    assert restored.component.text(name) == before
    [note] = restored.notes
    return note
