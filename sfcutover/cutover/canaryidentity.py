"""The users of the canaries' grants: known from the first redemption, and the same to the end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sfcutover.config.verify import called
from sfcutover.cutover.context import TargetContext
from sfcutover.cutover.evidence import CanaryEvidence, Evidence
from sfcutover.errors import IdentityError, SfcutoverError
from sfcutover.traffic.redemption import Redemption

if TYPE_CHECKING:  # SQLAlchemy
    from sfcutover.runs.baselinerecord import BaselineRecord

_SHORT_ID = 15  # characters; the long form adds a checksum


def bind_canaries(context: TargetContext, proof: Evidence) -> None:
    """Bind the cutover on this target to the canaries of its first proof.

    A state that can't be written is noted: the proof names its canaries itself. Raises
    IdentityError for a canary that is a grant of another user now.
    """
    record = context.baselines.find_soon(context.target.name)
    if record is None:
        return
    found = {each.canary: each.identity for each in proof.canaries if each.identity is not None}
    for name, identity in found.items():
        _require_same_user(name, identity, record.canaries.get(name, identity))

    def change(before: BaselineRecord | None) -> BaselineRecord:
        last = before or record
        return last.model_copy(update={"canaries": found | last.canaries})

    if not found.keys() <= record.canaries.keys():
        try:
            context.baselines.keep(context.target.name, change)
        except SfcutoverError as error:
            context.note(f"the canary's user was not recorded: {error}")


def require_same_canary(redemption: Redemption, proven: CanaryEvidence) -> None:
    """Raise IdentityError unless the grant is of the user whose redemptions were the proof."""
    if redemption.identity is not None and proven.identity is not None:
        _require_same_user(proven.canary, redemption.identity, proven.identity)


def _require_same_user(name: str, found: str, bound: str) -> None:
    """Raise IdentityError for a canary of another user, naming both."""
    organization, user = found.split("/")
    bound_organization, bound_user = bound.split("/")
    if user[:_SHORT_ID] == bound_user[:_SHORT_ID]:
        return
    raise IdentityError(
        f"{called(name)} is a grant of user {user} of organization {organization}, but this "
        f"cutover was proven with a grant of user {bound_user} of organization "
        f"{bound_organization}",
        hint="restore the first user's refresh token in the canary's store, or authorize the app "
        "again as that user, then run this again",
    )
