"""The base of everything that is written as JSON."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError, WithJsonSchema

from sfcutover.errors import Advice, Command, Text
from sfcutover.util.secrets import one_line

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


def first_problem(error: ValidationError) -> str:
    """What is wrong in a file that should be a document, in one line: where, and why."""
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    return one_line(f"{'.'.join(map(str, first['loc']))} {first['msg']}")
