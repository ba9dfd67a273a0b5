"""Every place in a cutover that refers to a secret."""

from __future__ import annotations

import os
from collections.abc import Iterator
from urllib.parse import urlsplit

from sfcutover.config.values import Model, SecretReference, Text


def secret_references(value: object, path: str = "") -> Iterator[tuple[str, SecretReference]]:
    """The references below a model, each with its path (``egress.new.proxy``)."""
    if isinstance(value, SecretReference):
        yield path, value
    elif isinstance(value, Model):
        for name in type(value).model_fields:
            yield from secret_references(getattr(value, name), f"{path}.{name}".lstrip("."))
    elif isinstance(value, tuple):
        for index, item in enumerate(value):
            yield from secret_references(item, f"{path}[{index}]")
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from secret_references(item, f"{path}[{key}]")


def secret_variables(value: object) -> frozenset[str]:
    """The environment variables below a model that hold secrets.

    A text's variable counts if it now holds a URL with a password.
    """
    found: set[str] = set()
    if isinstance(value, Model):
        name = getattr(value, "env", None)
        if isinstance(name, str) and not (isinstance(value, Text) and not _holds_password(name)):
            found.add(name)
        for each in type(value).model_fields:
            found |= secret_variables(getattr(value, each))
    elif isinstance(value, tuple | dict):
        inner = value.values() if isinstance(value, dict) else value
        found = found.union(*map(secret_variables, inner))
    return frozenset(found)


def _holds_password(variable: str) -> bool:
    try:
        return urlsplit(os.environ.get(variable, "")).password is not None
    except ValueError:  # no URL at all
        return False
