"""Helpers shared by the tests of runs."""

from __future__ import annotations

import json


def config_of(app: str) -> str:
    """The part of a text of config_text that states which list a cutover changes."""
    return json.dumps({"app": app, "targets": [{"name": "one", "org": {"alias": "packaging"}}]})
