"""A hook of mkdocs: the site contains the repository's files that its pages link to.

On a code host ``../../examples/github/cutover.yml`` is a file beside docs/. A site has nothing
beside it, so these folders are copied into it, and such links lose the step out of docs/.
"""

from __future__ import annotations

import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[2]
CARRIED = ("examples", "schemas")
_OUT_OF_DOCS = re.compile(rf"\]\(\.\./((?:\.\./)*(?:{'|'.join(CARRIED)})/[^)]*)\)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the files of the linked folders."""
    for folder in CARRIED:
        for path in sorted((ROOT / folder).rglob("*")):
            if path.is_file():
                name = path.relative_to(ROOT).as_posix()
                files.append(File.generated(config, name, abs_src_path=str(path)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Point links to these files into the site."""
    return _OUT_OF_DOCS.sub(r"](\1)", markdown)
