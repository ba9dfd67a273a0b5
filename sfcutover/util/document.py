"""The base of everything that is written as JSON."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, TypeAdapter, WithJsonSchema

from sfcutover.errors import Advice, Command, Text

DocumentText = Annotated[str | Advice, WithJsonSchema({"type": "string"})]  # output/ writes it out
_TEXT: TypeAdapter[Text] = TypeAdapter(DocumentText)
_COMMANDS = TypeAdapter(list[Command])


class Document(BaseModel):
    """A model with a JSON Schema in schemas/. It also validates an object with its attributes."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        populate_by_name=True,
        from_attributes=True,
        json_schema_serialization_defaults_required=True,  # all is written, defaults too
    )


def text_of(value: object) -> Text:
    """A text that was kept as JSON. Raises ValidationError for anything else."""
    return _TEXT.validate_python(value)


def commands_of(value: object) -> list[Command]:
    """Commands that were kept as JSON. Raises ValidationError for anything else."""
    return _COMMANDS.validate_python(value)
