"""Debian's chromium without a window: a page's requests, its appearance, its measurements."""

from __future__ import annotations

import json
import os
import shutil
import struct
import subprocess
import tempfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

_SECONDS = 90
# Chromium's own requests with any page; a page's own requests have an origin.
_OWN_HOSTS = ("google.com", "googleapis.com", "gvt1.com")
_NETWORK = ("http", "https", "ws", "wss")
_OPTIONS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--disable-dev-shm-usage", "--hide-scrollbars", "--enable-logging=stderr"),
    # Nothing leaves this machine: all requests go to a port without a listener.
    *("--proxy-server=http://127.0.0.1:9", "--proxy-bypass-list=<-loopback>"),
)


def missing() -> str | None:
    """What would have to be installed, or None."""
    return None if _program() else "chromium is not installed: apt-get install chromium"


@dataclass(frozen=True)
class Shown:
    """The result of one page. requests: URLs that it requested from the network. complaints:
    messages on the console. written: the requested file."""

    requests: set[str]
    complaints: list[str]
    written: Path
    out: str


def show(page: Path, written: Path, *options: str, width: int = 1200, height: int = 1000) -> Shown:
    """Open a page in a new profile, with options that define the output."""
    with tempfile.TemporaryDirectory(prefix="sfcutover-chromium-") as folder:
        log = Path(folder) / "network.json"
        done = subprocess.run(
            [
                _program() or "chromium",
                *_OPTIONS,
                f"--user-data-dir={folder}/profile",
                f"--log-net-log={log}",
                f"--window-size={width},{height}",
                *options,
                page.as_uri(),
            ],
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
            env={**os.environ, "HOME": folder},
        )
        assert done.returncode == 0, done.stderr
        complaints = [line for line in done.stderr.splitlines() if ":CONSOLE:" in line]
        return Shown(_requests(json.loads(log.read_text())), complaints, written, done.stdout)


def screenshot(page: Path, written: Path, width: int, height: int, *, dark: bool = False) -> Shown:
    """The page as an image."""
    options = [f"--screenshot={written}", *_scheme(dark)]
    return show(page, written, *options, width=width, height=height)


def printed(page: Path, written: Path) -> Shown:
    """The printed page, as PDF."""
    return show(page, written, "--no-pdf-header-footer", f"--print-to-pdf={written}")


def measured(page: Path, script: str, width: int, *, dark: bool = False) -> dict[str, object]:
    """The result of a script in the page, as JSON. The page's own policy would not let it run."""
    text = page.read_text(encoding="utf-8")
    copy = page.with_name(f"measured-{page.name}")
    report = f"<script>document.title = JSON.stringify((() => {{{script}}})())</script>"
    text = text.replace("Content-Security-Policy", "x").replace("</body>", f"{report}</body>")
    copy.write_text(text, encoding="utf-8")
    shown = show(copy, copy, "--dump-dom", *_scheme(dark), width=width, height=1000)
    title = shown.out.split("<title>")[1].split("</title>")[0].replace("&amp;", "&")
    found: dict[str, object] = json.loads(title)
    return found


def size_and_corner(image: Path) -> tuple[int, int, tuple[int, ...]]:
    """Width and height of a PNG, and its first pixel, which every filter leaves unchanged."""
    data = image.read_bytes()
    width, height = struct.unpack(">II", data[16:24])
    pixels, at = b"", 8
    while at < len(data):
        length, kind = struct.unpack(">I4s", data[at : at + 8])
        pixels += data[at + 8 : at + 8 + length] if kind == b"IDAT" else b""
        at += 12 + length
    return width, height, tuple(zlib.decompress(pixels)[1:4])


def _scheme(dark: bool) -> list[str]:
    return [f"--blink-settings=preferredColorScheme={0 if dark else 1}"]


def _requests(log: dict[str, list[dict[str, object]]]) -> set[str]:
    found = set()
    for event in log["events"]:
        params = event.get("params")
        url = str(params.get("url", "")) if isinstance(params, dict) else ""
        initiator = params.get("initiator") if isinstance(params, dict) else None
        if urlsplit(url).scheme in _NETWORK and not _is_own(url, initiator):
            found.add(url)
    return found


def _is_own(url: str, initiator: object) -> bool:
    host = urlsplit(url).hostname or ""
    known = any(host == each or host.endswith(f".{each}") for each in _OWN_HOSTS)
    return known and initiator in (None, "not an origin")


def _program() -> str | None:
    return shutil.which("chromium") or shutil.which("chromium-browser")
