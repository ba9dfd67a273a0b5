"""Who runs this: the person a CI system names, or this machine's user. For the record only."""

from __future__ import annotations

import getpass
import os
from collections.abc import Mapping

# In the order they are asked. Each is documented by its CI system as who started the run.
_CI_VARIABLES = (
    "GITHUB_ACTOR",
    "GITLAB_USER_LOGIN",
    "BUILDKITE_BUILD_CREATOR",
    "CIRCLE_USERNAME",
    "BUILD_REQUESTEDFOR",  # Azure Pipelines
    "BUILD_USER_ID",  # Jenkins, with the build user vars plugin
)


def current_actor(environment: Mapping[str, str] = os.environ) -> str:
    """A name; it proves nothing, as anybody can set a variable."""
    for variable in _CI_VARIABLES:
        name = " ".join(environment.get(variable, "").split())
        if name:
            return f"{name} ({variable})"
    try:
        return getpass.getuser()
    except (ImportError, KeyError, OSError):  # a container's user without a name
        return f"user id {os.getuid()}"
