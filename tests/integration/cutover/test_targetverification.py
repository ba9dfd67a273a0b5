"""Proving a target's addresses while the org still enforces the earlier list, and what is said of a
list that the org does not list."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from sfcutover.allowlist.phases import Phase
from sfcutover.allowlist.snapshot import Snapshot
from sfcutover.cutover.context import TargetContext
from sfcutover.cutover.deploy import deploy
from sfcutover.cutover.redemptionerrors import BlockedError
from sfcutover.cutover.targetverification import TargetVerification
from sfcutover.cutover.verify import verify
from sfcutover.emulator import Scenario
from tests.chaos.world import World, world


@pytest.fixture
def here(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[World]:
    seconds = getattr(request, "param", 0)
    with world(tmp_path / "world", Scenario(propagation_seconds=seconds)) as opened:
        yield opened


@pytest.mark.parametrize("here", [2], indirect=True)
def test_a_new_address_that_is_not_let_in_yet_is_tried_again_with_patience(
    context: TargetContext,
) -> None:
    deploy(context, Phase.ADD_NEW)
    with pytest.raises(BlockedError):
        verify(context, "new")
    proof = verify(context, "new", patience=60.0).proof
    assert proof.uncertain == []


def test_a_list_that_the_org_does_not_list_is_a_limitation_of_its_proof(
    context: TargetContext,
) -> None:
    deploy(context, Phase.ADD_NEW)
    with context.connection() as connection:
        live = connection.read()
        unlisted = Snapshot(tuple(replace(each, properties=None) for each in live.components))
        (reason,) = TargetVerification(connection).verify("new", unlisted).uncertain
    assert reason.startswith(f"the org does not list {live.carriers[0].full_name}")
