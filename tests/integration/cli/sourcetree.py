"""A project with a source tree in a desk's folder: a file with unusual formatting, and git."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from tests.integration.cli.harness import NAMESPACE, SECURITY, SECURITY_PATH, Desk, environment

TREE = "force-app/main/default"
FILE = f"{TREE}/{SECURITY_PATH}-meta.xml"
SOURCE = ("--format", "source", "--out", TREE)
# Unusual on purpose: comments, another order, CRLF line ends, quotes, no final line end.
ODD = "\r\n".join(
    (
        "<?xml version='1.0' encoding='UTF-8'?>",
        "<!-- owners: release -->",
        f"<{SECURITY} xmlns='{NAMESPACE}'>",
        "\t<label>Acme Connector</label>",
        "\t<!-- proxy a, then b -->",
        "\t<tokenIpRanges>",
        "\t\t<startIpAddress>127.0.0.11</startIpAddress>",
        "\t\t<endIpAddress>127.0.0.11</endIpAddress>",
        "\t</tokenIpRanges>",
        "\t<tokenIpRanges>",
        "\t\t<startIpAddress>127.0.0.12</startIpAddress>",
        "\t\t<endIpAddress>127.0.0.12</endIpAddress>",
        "\t</tokenIpRanges>",
        "\t<externalClientApplication>Acme_Connector</externalClientApplication>",
        "\t<!-- the office -->",
        "\t<tokenIpRanges>",
        "\t\t<description>office VPN</description>",
        "\t\t<startIpAddress>192.0.2.64</startIpAddress>",
        "\t\t<endIpAddress>192.0.2.71</endIpAddress>",
        "\t</tokenIpRanges>",
        f"</{SECURITY}>",
    )
).encode()


def make_project(desk: Desk, *directories: Mapping[str, object]) -> None:
    described = {"packageDirectories": directories, "sourceApiVersion": "67.0", "namespace": ""}
    desk.write("sfdx-project.json", json.dumps(described))


def put(desk: Desk, name: str, data: bytes) -> Path:
    path = desk.folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def git(desk: Desk, *words: str) -> str:
    variables = environment(
        GIT_CONFIG_GLOBAL=os.devnull, GIT_CONFIG_SYSTEM=os.devnull, HOME=str(desk.folder)
    )
    settings = ("-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "core.autocrlf=false")
    done = subprocess.run(
        ["git", *settings, *words],
        cwd=desk.folder,
        env=variables,
        capture_output=True,
        check=True,
    )
    return done.stdout.decode()
