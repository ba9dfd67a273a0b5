"""What the remaining commands print as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from sfcutover.errors import SfcutoverError

if TYPE_CHECKING:
    pass
from sfcutover.allowlist.documents import RangeDocument
from sfcutover.util.document import Document


class CheckDocument(Document):
    """One line of the doctor. fix is what to do where the check did not pass."""

    target: str | None
    check: str
    status: Literal["ok", "warning", "failed", "skipped"]
    detail: str
    fix: str | None = None


class DoctorDocument(Document):
    schema_: Literal["sfcutover/doctor/1"] = Field("sfcutover/doctor/1", alias="schema")
    ok: bool
    checks: list[CheckDocument]


class InitDocument(Document):
    schema_: Literal["sfcutover/init/1"] = Field("sfcutover/init/1", alias="schema")
    path: str
    app: str
    instance_url: str
    live: list[RangeDocument]


class EmulatorDocument(Document):
    """Printed once the emulator is ready."""

    schema_: Literal["sfcutover/emulator/1"] = Field("sfcutover/emulator/1", alias="schema")
    instance_url: str
    env_file: str | None
    config_file: str | None


class ErrorDocument(Document):
    """What every command prints with --json when it fails."""

    schema_: Literal["sfcutover/error/1"] = Field("sfcutover/error/1", alias="schema")
    error: str
    where: str | None
    tokens: str
    next: str
    exit_code: int

    @classmethod
    def of(cls, error: SfcutoverError) -> ErrorDocument:
        return cls(
            error=error.message,
            where=error.where,
            tokens=error.tokens,
            next=error.hint,
            exit_code=int(error.exit_code),
        )
