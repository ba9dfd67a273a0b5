"""What a package says of its repository: the project's URLs, and the links of its description."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

REPOSITORY = "SFCUTOVER_REPOSITORY_URL"
_RELATIVE_LINK = re.compile(r"(!?)(\[[^]]*\])\((?!https?:)([^)]+)\)")


class RepositoryUrls(MetadataHookInterface):
    """Names the repository in which a release is built; a package built elsewhere names none."""

    def update(self, metadata: dict[str, Any]) -> None:
        url = os.environ.get(REPOSITORY, "").rstrip("/")
        readme = Path(self.root, "README.md").read_text(encoding="utf-8")
        text = _with_whole_links(readme, url) if url else readme
        metadata["readme"] = {"content-type": "text/markdown", "text": text}
        metadata["urls"] = (
            {
                "Source": url,
                "Changelog": f"{url}/blob/main/CHANGELOG.md",
                "Documentation": f"{url}/tree/main/docs",
                "Issues": f"{url}/issues",
            }
            if url
            else {}
        )


def _with_whole_links(text: str, url: str) -> str:
    """An index of packages shows the README alone: its pictures and pages are in the repository."""
    return _RELATIVE_LINK.sub(
        lambda found: (
            f"{found[1]}{found[2]}({url}/{'raw' if found[1] else 'blob'}/main/{found[3]})"
        ),
        text,
    )
