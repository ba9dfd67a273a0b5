"""The application's own redemption, through its own code and from where it runs.

A command makes it. What the command prints is not trusted: it is bounded, read for the fields of
one JSON object, and never shown whole.
"""

from __future__ import annotations

import ipaddress
import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from sfcutover.allowlist.ranges import Address
from sfcutover.config.org import OrgConfig
from sfcutover.config.verify import APPLICATION
from sfcutover.traffic.command import Printed, require_program, run_for_output
from sfcutover.traffic.egress import Egress, parse_address
from sfcutover.traffic.redemption import BlockRule, Redemption, RedemptionOutcome
from sfcutover.traffic.tokenanswer import read_answer
from sfcutover.util.document import first_problem
from sfcutover.util.processes import Ended
from sfcutover.util.secrets import one_line

_OK = 200
_OrganizationId = Annotated[str, Field(pattern=r"^00D[0-9A-Za-z]{12}([0-9A-Za-z]{3})?$")]
_UserId = Annotated[str, Field(pattern=r"^005[0-9A-Za-z]{12}([0-9A-Za-z]{3})?$")]


class _Answer(BaseModel):
    """The JSON object that the command may print. What else it holds is ignored.

    status: of HTTP; without it the exit status counts. error, error_description: the token
    endpoint's own words.
    """

    model_config = ConfigDict(frozen=True, strict=True)

    status: int | None = Field(None, ge=100, le=599)
    error: str | None = None
    error_description: str | None = None
    address: Annotated[str, AfterValidator(lambda text: str(parse_address(text)))] | None = None
    organization_id: _OrganizationId | None = None
    user_id: _UserId | None = None


@dataclass(frozen=True)
class Application:
    """Redeems by a command (argv, no shell). where: its place in cutover.yaml.

    org: whose LoginHistory shows it, where that is not the target's.
    """

    argv: tuple[str, ...]
    where: str
    org: OrgConfig | None = None

    @property
    def name(self) -> str:
        return APPLICATION

    def egress_per_address(self, name: str) -> dict[Address, Egress]:
        """None: by which address it leaves is for the application to choose."""
        return {}

    def require_ready(self) -> None:
        """Raise ConfigError if there is no such program."""
        require_program(self.argv, self.where)

    def redeem(self, name: str) -> Redemption:
        """One redemption, by whichever egress the application uses. Raises what running the
        command raises."""
        printed = run_for_output(self.argv, self.where)
        return read_redemption(printed, self.argv[0], datetime.now(UTC))

    def redeem_by(self, egress: Egress) -> Redemption:
        """The same: it takes no egress from here."""
        return self.redeem(egress.name)


def read_redemption(printed: Printed, program: str, time: datetime) -> Redemption:
    """What the command's end and output mean. Never raises."""
    if printed.ended.cut_short or printed.text is None:
        why = "it printed too much output" if printed.text is None else str(printed.ended)
        return _unclear(f"{program}: {why}", time)
    by_exit = _by_exit(printed.ended, program, time)
    if not printed.text.lstrip().startswith("{"):
        return by_exit
    try:
        answer = _Answer.model_validate_json(printed.text)
    except ValidationError as error:
        return _unclear(f"{program} printed no valid answer: {first_problem(error)}", time)
    return replace(
        by_exit if answer.status is None else _by_answer(answer, answer.status, by_exit),
        source=ipaddress.ip_address(answer.address) if answer.address else None,
        organization_id=answer.organization_id,
        user_id=answer.user_id,
    )


def _by_exit(ended: Ended, program: str, time: datetime) -> Redemption:
    words = f"{program}: {ended}"
    match ended.status:
        case 0:
            return Redemption(RedemptionOutcome.REDEEMED, time)
        case 1:
            rule = BlockRule.UNKNOWN
            return Redemption(RedemptionOutcome.BLOCKED, time, description=words, rule=rule)
        case _:
            return _unclear(words, time)


def _by_answer(answer: _Answer, status: int, by_exit: Redemption) -> Redemption:
    """As the token endpoint's own answer. A success counts only from a command that succeeded."""
    if status == _OK and answer.error is None:
        is_redeemed = by_exit.outcome is RedemptionOutcome.REDEEMED
        if is_redeemed:
            return replace(by_exit, http_status=_OK)
        return _unclear(f"HTTP {_OK}, but {by_exit.description}", by_exit.time)
    words = {"error": answer.error, "error_description": answer.error_description}
    said = {name: value for name, value in words.items() if value is not None}
    # Whether a token was used up is the application's own affair.
    refused = read_answer(status, json.dumps(said).encode(), by_exit.time)
    return replace(refused, answer_lost=False)


def _unclear(words: str, time: datetime) -> Redemption:
    return Redemption(RedemptionOutcome.INCONCLUSIVE, time, description=one_line(words))
