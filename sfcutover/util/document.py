"""The base of everything that is written as JSON."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Document(BaseModel):
    """A model with a JSON Schema in schemas/. It also validates an object with its attributes."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        populate_by_name=True,
        from_attributes=True,
        json_schema_serialization_defaults_required=True,  # all is written, defaults too
    )
