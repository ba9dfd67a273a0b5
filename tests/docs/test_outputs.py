"""The output that the README and docs/ show in part is what the program prints."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import yaml

from tests.docs.blocks import blocks
from tests.docs.generated import ROOT
from tests.docs.test_yaml import EXAMPLE

NAME = "Acme_Connector_oauthSecurity.ecaOauthSecurity"
ENTRIES = (
    ("203.0.113.10", "203.0.113.10", ""),
    ("203.0.113.11", "203.0.113.11", "proxy b"),
    ("192.0.2.64", "192.0.2.71", "office VPN"),
)


def shown(page: str) -> str:
    """The lines that a page shows under the command of its block."""
    (block,) = [
        each
        for each in blocks("console")
        if each.page == ROOT / page and each.text.startswith("$ sfcutover diff add-new\n")
    ]
    return block.text.split("\n", 1)[1]


def printed(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    program = str(Path(sys.executable).with_name("sfcutover"))
    return subprocess.run(
        [program, *words], cwd=folder, capture_output=True, text=True, check=False
    )


def component() -> str:
    entries = "".join(
        f"<tokenIpRanges>{f'<description>{words}</description>' if words else ''}"
        f"<endIpAddress>{last}</endIpAddress><startIpAddress>{first}</startIpAddress>"
        "</tokenIpRanges>"
        for first, last, words in ENTRIES
    )
    return (
        '<ExtlClntAppOauthSecuritySettings xmlns="http://soap.sforce.com/2006/04/metadata">'
        f"<externalClientApplication>Acme_Connector</externalClientApplication>{entries}"
        "</ExtlClntAppOauthSecuritySettings>"
    )


def test_the_diff_in_the_readme_is_real(tmp_path: Path) -> None:
    """Of the example of cutover.yaml, without its policies; its first line names the org."""
    example = yaml.safe_load(EXAMPLE.text)
    del example["policies"]
    (tmp_path / "cutover.yaml").write_text(yaml.safe_dump(example), encoding="utf-8")
    (tmp_path / NAME).write_text(component(), encoding="utf-8")
    done = printed(tmp_path, "diff", "add-new", "--baseline", NAME)
    head, rest = shown("README.md").split("\n", 1)
    assert re.fullmatch(r"packaging \(https://\S+\): add-new", head)
    assert done.stdout == f"baseline: add-new\n{rest}"


def test_the_error_in_the_reference_is_real(tmp_path: Path) -> None:
    (tmp_path / "cutover.yaml").write_text(
        "version: 1\nname: one\napp: Acme\n"
        "targets: [{name: packaging, org: {alias: acme}}]\n"
        "old:\n  - 300.1.1.1\nnew: [198.51.100.20]\n"
    )
    done = printed(tmp_path, "diff", "add-new")
    assert done.returncode == 2
    assert done.stderr == shown("docs/reference/schemas.md")
