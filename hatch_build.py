"""The project's URLs, as its packages name them."""

from __future__ import annotations

import os
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

REPOSITORY = "SFCUTOVER_REPOSITORY_URL"


class RepositoryUrls(MetadataHookInterface):
    """Names the repository in which a release is built; a package built elsewhere names none."""

    def update(self, metadata: dict[str, Any]) -> None:
        url = os.environ.get(REPOSITORY, "").rstrip("/")
        metadata["urls"] = (
            {
                "Source": url,
                "Changelog": f"{url}/blob/main/CHANGELOG.md",
                "Documentation": f"{url}#readme",
                "Issues": f"{url}/issues",
            }
            if url
            else {}
        )
