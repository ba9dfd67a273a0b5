"""What a person has confirmed: that Salesforce's support has acted on a case.

The list of a legacy connected app can't be read by its owner (assumed: no API is known
to show it), so evidence binds to the confirmation, where it otherwise binds to the list.
One small file for each target and phase, beside cutover.yaml. No secrets.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError

from sfcutover.config.cutover import Cutover
from sfcutover.errors import ConfigError, GateError, OperationFailedError
from sfcutover.salesforce.connection import Connection
from sfcutover.util.document import Document
from sfcutover.util.files import make_folders_durably, write_durably
from sfcutover.util.processes import current_actor

CasePhase = Literal["add-new", "remove-old"]
PHASES: tuple[CasePhase, ...] = ("add-new", "remove-old")
_NAMES = {"instance_url": "instance URL", "ranges": "set of ranges"}
_STALE = "that confirmation does not count; nothing was changed in the org"


class Confirmation(Document):
    """Support has acted. ranges: those that were to be added or removed. confirmed: UTC."""

    schema_: Literal["sfcutover/confirmation/1"] = Field("sfcutover/confirmation/1", alias="schema")
    cutover: str
    target: str
    app: str
    instance_url: str
    phase: CasePhase
    ranges: list[str]
    confirmed: datetime
    confirmed_by: str

    @property
    def sha256(self) -> str:
        """Differs for every confirmation, as their times do."""
        return hashlib.sha256(self.model_dump_json(by_alias=True).encode()).hexdigest()


@dataclass(frozen=True)
class Confirmations:
    """The confirmations of one target. Every method raises ConfigError for a broken file."""

    cutover: Cutover
    target: str
    instance_url: str

    @classmethod
    def of(cls, connection: Connection) -> Confirmations:
        return cls(connection.cutover, connection.target.name, connection.org.instance_url)

    def record(self, phase: CasePhase) -> Confirmation:
        """Keep that support has acted now, in place of an earlier confirmation.

        Raises OperationFailedError if it can't be written.
        """
        confirmation = Confirmation(
            cutover=self.cutover.name,
            target=self.target,
            app=self.cutover.app,
            instance_url=self.instance_url,
            phase=phase,
            ranges=self._ranges(phase),
            confirmed=datetime.now(UTC),
            confirmed_by=current_actor(),
        )
        path = self.path(phase)
        try:
            make_folders_durably(path.parent)
            write_durably(path, confirmation.model_dump_json(by_alias=True, indent=2) + "\n")
        except OSError as error:
            raise OperationFailedError(
                f"the confirmation was not written: {error.strerror}",
                where=str(path),
                hint="make room or allow writing there, then confirm again",
            ) from error
        return confirmation

    def find(self, phase: CasePhase) -> Confirmation | None:
        """The confirmation of this phase, or None if nobody gave one."""
        path = self.path(phase)
        try:
            return Confirmation.model_validate_json(path.read_bytes())
        except FileNotFoundError:
            return None
        except OSError as error:
            problem = f"can't be read: {error.strerror}"
        except ValidationError as error:
            first = error.errors()[0]
            problem = f"no confirmation: {'.'.join(map(str, first['loc']))} {first['msg']}"
        raise ConfigError(problem, where=str(path), hint=self._confirm_hint(phase))

    def require(self, phase: CasePhase) -> Confirmation:
        """The confirmation of this phase. Raises GateError if none counts for this cutover."""
        found = self.find(phase)
        if found is None:
            raise GateError(
                f"nobody has confirmed that Salesforce's support has acted on {phase} "
                f"for {self.target}",
                hint=f"open the case (sfcutover case {phase}); {self._confirm_hint(phase)}",
            )
        for name, wanted in self._expected(phase).items():
            if getattr(found, name) != wanted:
                raise GateError(
                    f"support's {phase} was confirmed with another {_NAMES.get(name, name)}",
                    where=str(self.path(phase)),
                    hint=self._confirm_hint(phase),
                    tokens=_STALE,
                )
        return found

    def hashes(self) -> dict[str, str]:
        """SHA-256 of each confirmation by what it is of: any new one makes evidence stale."""
        found = ((phase, self.find(phase)) for phase in PHASES)
        return {f"case {phase}": each.sha256 for phase, each in found if each is not None}

    def path(self, phase: CasePhase) -> Path:
        """``.sfcutover/cases/<cutover>/<target>.<phase>.json`` beside cutover.yaml."""
        folder = Path(re.sub(r":\d+$", "", self.cutover.where)).parent
        return folder / ".sfcutover" / "cases" / self.cutover.name / f"{self.target}.{phase}.json"

    def _expected(self, phase: CasePhase) -> dict[str, object]:
        return {
            "cutover": self.cutover.name,
            "target": self.target,
            "app": self.cutover.app,
            "instance_url": self.instance_url,
            "phase": phase,
            "ranges": self._ranges(phase),
        }

    def _ranges(self, phase: CasePhase) -> list[str]:
        change = self.cutover.change
        moved = change.added if phase == "add-new" else change.removed
        return [str(entry) for entry in moved]

    def _confirm_hint(self, phase: CasePhase) -> str:
        return f"once support has acted: sfcutover case {phase} --confirmed"
