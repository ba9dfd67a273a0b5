"""The part of cutover.yaml about where the state of runs is stored."""

from __future__ import annotations

import re
from pathlib import Path

from pydantic import Field, PrivateAttr

from sfcutover.config.values import Model, Text
from sfcutover.config.yamlfile import Location, YamlFile
from sfcutover.errors import ConfigError

_SCHEME = re.compile(r"\s*([A-Za-z][A-Za-z0-9+.-]{0,40}):")
_KINDS = ("sqlite", "postgresql")
_SCHEME_HINT = (
    "write sqlite:///.sfcutover/state.db or postgresql+psycopg://host/database; if the URL has a "
    "password, write {env: NAME} for a variable with the whole URL"
)


def _problem_of(scheme: str, text: str) -> str | None:
    """The problem of a URL, which is never quoted, as it may contain a password."""
    kind = scheme.partition("+")[0]
    if not scheme:
        return "is not a URL: it must start with sqlite:/// or postgresql+psycopg://"
    if kind == "postgres":
        rest = "the rest of the URL can stay"
        return f"starts with {scheme}://; write postgresql+psycopg:// instead; {rest}"
    if kind not in _KINDS:
        return f"starts with {scheme}:, but only SQLite and PostgreSQL are supported"
    if kind == "sqlite" and not text.strip().partition("://")[2].startswith("/"):
        return f"needs three slashes before a relative path: {scheme}:///state.db"
    return None


class State(Model):
    """Where runs are stored: in SQLite by default, or in PostgreSQL to share them."""

    url: Text = Field(
        Text(literal="sqlite:///.sfcutover/state.db"),
        examples=["sqlite:///.sfcutover/state.db", "postgresql+psycopg://host/database"],
    )
    """URL of the database; a relative SQLite path starts in the folder of this file."""
    _folder: Path = PrivateAttr(Path())

    def place(self, file: YamlFile, location: Location = ()) -> None:
        super().place(file, location)
        self._folder = Path(file.name).parent

    def database_url(self) -> str:
        """The URL. Raises ConfigError for an unsupported database, which it names."""
        text = self.url.read()
        found = _SCHEME.match(text)
        if problem := _problem_of(found[1].lower() if found else "", text):
            raise ConfigError(f"state.url {problem}", where=self.where, hint=_SCHEME_HINT)
        return text

    @property
    def is_sqlite(self) -> bool:
        """True for a file, which only the processes of this machine share."""
        return self.url.read().startswith("sqlite")

    @property
    def is_missing(self) -> bool:
        """True for a SQLite file that does not exist yet; does not import SQLAlchemy."""
        scheme, found, path = self.url.read().partition("sqlite:///")
        is_file = bool(found) and not scheme and path and not path.startswith(("file:", ":"))
        return bool(is_file) and not (self.folder / path.partition("?")[0]).exists()

    @property
    def folder(self) -> Path:
        """The folder of the cutover's file, in which a relative SQLite path starts. One cutover has
        one state, in whatever folder its commands run."""
        return self._folder
