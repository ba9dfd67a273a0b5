"""A refresh token in an environment variable: good only for one that is not rotated."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from sfcutover.errors import ConfigError
from sfcutover.oauth.answer import is_token
from sfcutover.tokens.recovery import unkept
from sfcutover.util.files import file_lock, fingerprint, state_folder
from sfcutover.util.secrets import Secret, secret_from_environment


@dataclass(unsafe_hash=True)
class EnvironmentStore:
    """The variable of this name; whatever is told to it is lost."""

    name: str
    where: str
    may_rotate: bool
    writable: bool = field(default=False, init=False)

    def read(self) -> Secret:
        """Raises ConfigError."""
        token = secret_from_environment(self.name, self.where)
        if not is_token(token.reveal()):
            raise ConfigError(
                f"the environment variable {self.name} holds no refresh token",
                where=self.where,
                hint="it holds the token and nothing else",
            )
        return token

    def write(self, token: Secret) -> None:
        """Always raises OperationFailedError; the token is shown nowhere."""
        raise unkept(f"the environment variable {self.name} can't be written", self.where)

    @contextmanager
    def locked(self) -> Iterator[None]:
        path = state_folder() / f"environment-{fingerprint(self.read().reveal())}.lock"
        with file_lock(path, f"the token in {self.name}"):
            yield
