"""The recording of the demo in the README: ``python -m tests.docs.recording`` makes it again.

It runs ``sfcutover demo`` on a terminal and draws what stays on the screen, by rich's export.
"""

from __future__ import annotations

import io
import os
import pty
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from lxml import etree
from rich.console import Console
from rich.text import Text

from tests.docs.generated import ROOT

PICTURE = ROOT / "docs" / "images" / "demo.svg"
COLUMNS, ROWS = 84, 48
_LIVE_SCREEN_ENDS = "\x1b[?1049l"
_CONTROLS = re.compile(r"\x1b\[\?[0-9]+[hl]|\r")
# What differs between runs and has no meaning.
_MASKS = {r"0Af\w{15}": "0AfEm0000000001AAA", r"report: \S+/": "report: /tmp/sfcutover-demo/"}
_FONT = '"DejaVu Sans Mono", Menlo, Consolas, monospace'
_SVG = f"""\
<svg xmlns="http://www.w3.org/2000/svg" class="rich-terminal" role="img" viewBox="0 0 {{width}} {{height}}">
  <title>The end of a recorded demo</title>
  <style>
    .{{unique_id}}-matrix {{{{ font-family: {_FONT}; font-size: {{char_height}}px; line-height: {{line_height}}px }}}}
    .{{unique_id}}-title {{{{ font: 18px system-ui, sans-serif; fill: #c5c8c6 }}}}
    {{styles}}
  </style>
  <defs>
    <clipPath id="{{unique_id}}-clip-terminal"><rect width="{{terminal_width}}" height="{{terminal_height}}"/></clipPath>
    {{lines}}
  </defs>
  {{chrome}}
  <g transform="translate({{terminal_x}}, {{terminal_y}})" clip-path="url(#{{unique_id}}-clip-terminal)">
    {{backgrounds}}
    <g class="{{unique_id}}-matrix">
    {{matrix}}
    </g>
  </g>
</svg>
"""  # noqa: E501 - rich fills it in; its own loads a font from another host


def demo_on_a_terminal(folder: Path, variables: Mapping[str, str]) -> tuple[int, str]:
    """The exit code of ``sfcutover demo``, run in this folder, and everything it wrote to its
    terminal."""
    leader, terminal = pty.openpty()
    size = {"TERM": "xterm-256color", "COLUMNS": str(COLUMNS), "LINES": str(ROWS)}
    command = [str(Path(sys.executable).with_name("sfcutover")), "demo"]
    process = subprocess.Popen(
        command,
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        env={**variables, **size},
        cwd=folder,
    )
    os.close(terminal)
    written = _all_of(leader).decode()
    return process.wait(), written.replace("\r\n", "\n")


def _all_of(leader: int) -> bytes:
    """Everything that is written until no process uses the terminal."""
    parts = []
    with os.fdopen(leader, "rb", buffering=0) as reader:
        try:
            while part := reader.read(65536):
                parts.append(part)
        except OSError:  # Linux: the last writer has closed it
            pass
    return b"".join(parts)


def left_on_screen(written: str) -> str:
    """What remains after the live screen has closed, with fixed ids and folders."""
    text = _CONTROLS.sub("", written.rpartition(_LIVE_SCREEN_ENDS)[2])
    for pattern, fixed in _MASKS.items():
        text = re.sub(pattern, fixed, text)
    return f"$ sfcutover demo\n…\n{text.strip()}"


def picture(text: str) -> str:
    """The text as a terminal's window, in SVG."""
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True)
    for line in text.splitlines():
        console.print(Text.from_ansi(line))
    return console.export_svg(title="sfcutover demo", code_format=_SVG, unique_id="demo")


def lines_of(svg: str) -> list[str]:
    """The text of a picture, line by line, with single spaces."""
    found: dict[float, list[tuple[float, str]]] = {}
    for each in etree.fromstring(svg.encode()).iter("{*}text"):
        if "clip-path" in each.attrib:
            place = float(each.attrib["x"]), each.text or ""
            found.setdefault(float(each.attrib["y"]), []).append(place)
    rows = ("".join(text for _, text in sorted(found[y])) for y in sorted(found))
    return [" ".join(row.split()) for row in rows if row.strip()]


def record() -> None:
    """Record the demo and write the picture; exits with the demo's output if it fails."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home:
        place = {"HOME": home, "TMPDIR": home}
        code, written = demo_on_a_terminal(Path(home), {**os.environ, **place})
    if code:
        sys.exit(written)
    PICTURE.write_text(picture(left_on_screen(written)), encoding="utf-8")


if __name__ == "__main__":
    record()
