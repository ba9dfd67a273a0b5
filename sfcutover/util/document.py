"""The base of everything that is written as JSON."""

from __future__ import annotations

from typing import Annotated

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    WithJsonSchema,
)

from sfcutover.errors import Advice, Command, Text
from sfcutover.util.secrets import one_line

DocumentText = Annotated[str | Advice, WithJsonSchema({"type": "string"})]  # output/ writes it out
# Texts of a form that readers of a schema should see.
UtcTime = Annotated[
    str,
    Field(json_schema_extra={"format": "date-time"}, examples=["2026-11-26T10:15:30Z"]),
]
AddressText = Annotated[str, Field(examples=["198.51.100.20", "2001:db8::20"])]
RangeText = Annotated[str, Field(examples=["198.51.100.20", "192.0.2.64-192.0.2.71"])]
ComponentPath = Annotated[
    str,
    Field(examples=["extlClntAppOauthSecuritySettings/Acme_oauthSecurity.ecaOauthSecurity"]),
]
InstanceUrl = Annotated[str, Field(examples=["https://acme.my.salesforce.com"])]
DeploymentId = Annotated[str, Field(examples=["0AfKB00000Cvz1r0AB"])]
OrganizationId = Annotated[str, Field(examples=["00DKB00000Cvz1r2AB"])]
UserId = Annotated[str, Field(examples=["005KB00000Cvz1rYAB"])]
Sha256 = Annotated[str, Field(examples=["a1" * 32])]
_TEXT: TypeAdapter[Text] = TypeAdapter(DocumentText)
_COMMANDS = TypeAdapter(list[Command])


class Document(BaseModel):
    """A model with a JSON Schema in schemas/. It also validates an object with its attributes."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        populate_by_name=True,
        from_attributes=True,
        defer_build=True,  # a command builds only the models that it uses
        json_schema_serialization_defaults_required=True,  # all is written, defaults too
    )


def text_of(value: object) -> Text:
    """A text that was kept as JSON. Raises ValidationError for anything else."""
    return _TEXT.validate_python(value)


def commands_of(value: object) -> list[Command]:
    """Commands that were kept as JSON. Raises ValidationError for anything else."""
    return _COMMANDS.validate_python(value)


def first_problem(error: ValidationError) -> str:
    """What is wrong in a file that should be a document, in one line: where, and why."""
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    return one_line(f"{'.'.join(map(str, first['loc']))} {first['msg']}")
