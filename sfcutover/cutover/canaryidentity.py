"""Whose grant the canary is: known from its first redemption, and the same to the end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sfcutover.cutover.context import TargetContext
from sfcutover.cutover.evidence import Evidence
from sfcutover.errors import IdentityError, SfcutoverError
from sfcutover.traffic.tokenanswer import Redemption

if TYPE_CHECKING:  # SQLAlchemy
    from sfcutover.runs.baselinerecord import BaselineRecord

_SHORT_ID = 15  # characters; the long form adds a checksum


def bind_canary(context: TargetContext, proof: Evidence) -> None:
    """Bind the cutover on this target to the canary of its first proof.

    A state that can't be written is noted: the proof names its canary itself. Raises
    IdentityError for the canary of another user.
    """
    organization, user = proof.canary_organization_id, proof.canary_user_id
    record = context.baselines.find_soon(context.target.name)
    if record is None or user is None:
        return
    if record.canary_user_id is not None:
        require_canary(user, organization, record.canary_user_id, record.canary_organization_id)
        return

    def change(before: BaselineRecord | None) -> BaselineRecord:
        update = {"canary_organization_id": organization, "canary_user_id": user}
        return (before or record).model_copy(update=update)

    try:
        context.baselines.keep(context.target.name, change)
    except SfcutoverError as error:
        context.note(f"whose canary it is was not recorded: {error}")


def require_same_canary(redemption: Redemption, proof: Evidence) -> None:
    """Raise IdentityError unless the grant is of the user whose redemptions were the proof."""
    user, organization = redemption.user_id, redemption.organization_id
    if user is not None and proof.canary_user_id is not None:
        require_canary(user, organization, proof.canary_user_id, proof.canary_organization_id)


def require_canary(
    user: str, organization: str | None, bound_user: str, bound_organization: str | None
) -> None:
    """Raise IdentityError for the canary of another user, naming both."""
    if user[:_SHORT_ID] == bound_user[:_SHORT_ID]:
        return
    raise IdentityError(
        f"the canary is a grant of the user {user} of the organization {organization}, and this "
        f"cutover was proven with one of {bound_user} of {bound_organization}",
        hint="put the first user's refresh token back where the canary's is kept, or authorize the "
        "app again as that user, then run this again",
    )
