"""A few lines of JavaScript with a jsforce connection to the emulator."""

from __future__ import annotations

import json
import os
import subprocess
from typing import Any

from sfcutover.emulator.emulator import Emulator
from tests.interop import install

_TIMEOUT = 60.0  # seconds
_FRAME = """
const jsforce = require("jsforce");
const settings = JSON.parse(process.env.SETTINGS);
const conn = new jsforce.Connection(settings);
conn.metadata.pollInterval = 100;
const zip = Buffer.from(process.env.ZIP, "base64");
const options = { rollbackOnError: true, singlePackage: true };
(async () => { %s })().then(
  (result) => console.log(JSON.stringify({ result })),
  (error) => console.log(JSON.stringify({ error: `${error.errorCode} ${error.message}` })),
);
"""


class JsforceError(Exception):
    """An exception of jsforce: the error code and the message."""


class Jsforce:
    """Runs JavaScript with conn, a zip and options for its deployment as variables."""

    def __init__(self, emulator: Emulator, zip_base64: str) -> None:
        self._emulator = emulator
        self._zip = zip_base64

    def run(self, lines: str) -> Any:
        """The result of the lines; raises JsforceError if they throw."""
        settings = {
            "instanceUrl": self._emulator.url,
            "accessToken": self._emulator.environment["SF_ACCESS_TOKEN"],
            "version": "67.0",
        }
        done = subprocess.run(
            ["node", "-e", _FRAME % lines],
            cwd=install.JSFORCE.folder,
            env={
                "PATH": os.pathsep.join((install.search_path(), os.environ["PATH"])),
                "SETTINGS": json.dumps(settings),
                "ZIP": self._zip,
            },
            timeout=_TIMEOUT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        answer = json.loads(done.stdout)
        if "error" in answer:
            raise JsforceError(answer["error"])
        return answer.get("result")
