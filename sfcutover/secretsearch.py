"""Every place in a cutover that refers to a secret."""

from __future__ import annotations

from collections.abc import Iterator

from sfcutover.values import Model, SecretReference


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
