"""Stores of a refresh token for tests."""

from __future__ import annotations

from pathlib import Path

from sfcutover.config.verify import TokenStore as Config
from sfcutover.traffic.tokenstores import TokenStore, token_store

FIRST = "5Aep861-token-0-of-the-tests"


def store_of(**config: object) -> TokenStore:
    return token_store(Config.model_validate(config))


def write_token(path: Path, token: str = FIRST) -> Path:
    path.touch(mode=0o600)
    path.write_text(token + "\n")
    return path
