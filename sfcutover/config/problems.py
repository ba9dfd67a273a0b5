"""The problems of a cutover.yaml, with file and line."""

from __future__ import annotations

import difflib

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from sfcutover.config.values import Model, PlacedError, SecretPlace, TooManyAddressesError
from sfcutover.config.yamlfile import Location, YamlFile
from sfcutover.errors import Advice, Command, ConfigError, LimitError, SfcutoverError, Text

_HINT = Advice(
    "correct the file, then check it: ",
    Command("doctor", "--only", "config"),
)
_MOST_LISTED = 30
# pydantic's messages, for the author of a YAML file.
_COMPLAINTS = {
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "dict_type": "must be a mapping (key: value)",
    "float_parsing": "must be a number",
    "int_from_float": "must be an integer",
    "int_parsing": "must be an integer",
    "int_type": "must be an integer",
    "model_type": "must be a mapping (key: value)",
    "string_type": "must be a string; put it in quotes",
    "too_short": "must not be empty",
    "tuple_type": "must be a list",
}


def problems_of(error: ValidationError, file: YamlFile, root: type[Model]) -> SfcutoverError:
    """The first problem in the file, with the others in the order of their lines. A missing key,
    whose line is that of its mapping, comes last.

    root: the model of the file.
    """
    details = [each for each in error.errors() if not _is_echo(each, error)]
    details.sort(key=lambda each: (each["type"] == "missing", file.line_of(_location(each))))
    first, *others = details
    also = [_listed(each, file, root) for each in others[:_MOST_LISTED]]
    left_out = len(others) - len(also)
    kind = LimitError if isinstance(_cause(first), TooManyAddressesError) else ConfigError
    return kind(
        _describe(first, root),
        where=file.where(_location(first)),
        hint=_hint_for(first, root),
        also=[
            *also,
            *([f"{left_out} more, reported once these are corrected"] if left_out else []),
        ],
    )


def _listed(detail: ErrorDetails, file: YamlFile, root: type[Model]) -> str:
    close = _close_key(detail, root)
    meant = f"; did you mean {close}?" if close else ""
    return f"{file.where(_location(detail))}: {_describe(detail, root)}{meant}"


def _is_echo(detail: ErrorDetails, error: ValidationError) -> bool:
    """True for a list reported as too short only because its items are invalid."""
    return detail["type"] == "too_short" and any(
        len(other["loc"]) > len(detail["loc"])
        and other["loc"][: len(detail["loc"])] == detail["loc"]
        for other in error.errors()
    )


def _cause(detail: ErrorDetails) -> object:
    return detail.get("ctx", {}).get("error")


def _location(detail: ErrorDetails) -> Location:
    cause = _cause(detail)
    inner = cause.location if isinstance(cause, PlacedError) else ()
    return (*(step for step in detail["loc"] if step != "[key]"), *inner)


def _describe(detail: ErrorDetails, root: type[Model]) -> str:
    location = _location(detail)
    match detail["type"]:
        case "extra_forbidden":
            # Below a secret the key may be the secret itself, written in braces.
            is_secret = issubclass(_model_at(location[:-1], root), SecretPlace)
            shown = location[:-1] if is_secret else location
            return f"{_path(shown)}: unknown key"
        case "missing":
            return f"{_path(location)} is missing"
        case "value_error":
            message = str(detail["ctx"]["error"])
        case "tuple_type" if detail["input"] is None:
            message = _COMPLAINTS["too_short"]
        case kind:
            message = _COMPLAINTS.get(kind, f"{detail['msg'][0].lower()}{detail['msg'][1:]}")
    path = _path(location)
    return f"{path}: {message}" if path else message


def _hint_for(detail: ErrorDetails, root: type[Model]) -> Text:
    close = _close_key(detail, root)
    return f"did you mean {close}?" if close else _HINT


def _close_key(detail: ErrorDetails, root: type[Model]) -> str | None:
    """The known key that resembles an unknown one."""
    if detail["type"] != "extra_forbidden":
        return None
    key, known = str(detail["loc"][-1]), _model_at(detail["loc"][:-1], root).model_fields
    return next(iter(difflib.get_close_matches(key, known, n=1)), None)


def _model_at(location: Location, root: type[Model]) -> type[Model]:
    """The model of the mapping at this location."""
    model = root
    for step in location:
        inner = (
            _models_in(model.model_fields[step].annotation) if step in model.model_fields else []
        )
        model = inner[0] if inner else model
    return model


def _models_in(annotation: object) -> list[type[Model]]:
    if isinstance(annotation, type) and issubclass(annotation, Model):
        return [annotation]
    return [model for part in getattr(annotation, "__args__", ()) for model in _models_in(part)]


def _path(location: Location) -> str:
    text = ""
    for step in location:
        text += f"[{step}]" if isinstance(step, int) else f".{step}"
    return text.lstrip(".")
