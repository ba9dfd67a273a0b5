"""Stand-ins for the command lines of secret managers: they take only what those document.

Each keeps one secret in a file and logs what it was called with. How each reads a value is from
its documentation and source: ``file://`` (aws-cli, paramfile.py: the file as it is), ``key=-``
(vault kv put: stdin as it is), ``--file`` (azure-cli, keyvault/_validators.py: the file as it is),
and stdin (gh, secret/set.go: without the line breaks at its end).
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

USAGE = 2
NAMES = ("aws", "vault", "az", "gh")
PUTS = {"put", "put-secret-value", "put-parameter", "set"}  # words of what writes


def install(folder: Path) -> None:
    """Put programs of these names into a folder, for PATH."""
    folder.mkdir(parents=True)
    root = Path(__file__).parents[3]
    for name in NAMES:
        program = folder / name
        program.write_text(
            f"#!{sys.executable}\nimport sys\nsys.path.insert(0, {str(root)!r})\n"
            f"from tests.integration.examples.standins import main\nmain({name!r})\n",
            encoding="utf-8",
        )
        program.chmod(0o755)


def main(program: str) -> None:
    """Act as the program. $STANDIN_STORE: the folder of the secret and the log."""
    store = Path(os.environ["STANDIN_STORE"])
    with (store / "log").open("a", encoding="utf-8") as log:
        log.write(json.dumps([program, *sys.argv[1:]]) + "\n")
    if (store / "full").exists() and PUTS & set(sys.argv):
        sys.exit(f"{program}: the service takes nothing")
    call = {"aws": _aws, "vault": _vault, "az": _az, "gh": _gh}[program]
    call(sys.argv[1:], store / "secret")


def _aws(words: Sequence[str], secret: Path) -> None:
    service, operation, *rest = words
    options = _options(rest, flags={"--with-decryption", "--overwrite"})
    names = {"--secret-id", "--name"} & options.keys()
    if len(names) != 1:
        sys.exit(USAGE)
    match service, operation, sorted(options.keys() - names):
        case "secretsmanager", "get-secret-value", ["--output", "--query"]:
            assert options["--query"] == "SecretString"
            assert options["--output"] == "text"
        case "ssm", "get-parameter", ["--output", "--query", "--with-decryption"]:
            assert options["--query"] == "Parameter.Value"
            assert options["--output"] == "text"
        case "secretsmanager", "put-secret-value", ["--secret-string"]:
            secret.write_text(_paramfile(options["--secret-string"]), encoding="utf-8")
            print(json.dumps({"Name": "canary", "VersionStages": ["AWSCURRENT"]}))
            return
        case "ssm", "put-parameter", ["--overwrite", "--type", "--value"]:
            assert options["--type"] == "SecureString"
            secret.write_text(_paramfile(options["--value"]), encoding="utf-8")
            print(json.dumps({"Version": 2, "Tier": "Standard"}))
            return
        case _:
            sys.exit(USAGE)
    print(secret.read_text(encoding="utf-8"))


def _paramfile(value: str) -> str:
    """A value without file:// is the value itself, which would then be in argv."""
    prefix = "file://"
    if not value.startswith(prefix):
        return value
    return Path(value.removeprefix(prefix)).read_text(encoding="utf-8")


def _vault(words: Sequence[str], secret: Path) -> None:
    match list(words):
        case ["kv", "get", mount, field, _path] if mount.startswith("-mount="):
            key = field.removeprefix("-field=")
            print(json.loads(secret.read_text(encoding="utf-8"))[key], end="")
        case ["kv", "put", mount, _path, pair] if mount.startswith("-mount="):
            key, _, value = pair.partition("=")
            value = sys.stdin.read() if value == "-" else value
            secret.write_text(json.dumps({key: value}), encoding="utf-8")
            print("version 2")
        case _:
            sys.exit(USAGE)


def _az(words: Sequence[str], secret: Path) -> None:
    options = _options(words[3:], flags=set())
    if list(words[:2]) != ["keyvault", "secret"] or not {"--vault-name", "--name"} <= set(options):
        sys.exit(USAGE)
    match words[2], sorted(options.keys() - {"--vault-name", "--name"}):
        case "show", ["--output", "--query"]:
            assert (options["--query"], options["--output"]) == ("value", "tsv")
            print(secret.read_text(encoding="utf-8"))
        case "set", ["--encoding", "--file", "--output"]:
            assert (options["--encoding"], options["--output"]) == ("utf-8", "none")
            value = Path(options["--file"]).read_text(encoding="utf-8")
            secret.write_text(value, encoding="utf-8")
        case _:
            sys.exit(USAGE)


def _gh(words: Sequence[str], secret: Path) -> None:
    if list(words[:2]) != ["secret", "set"] or "GH_TOKEN" not in os.environ:
        sys.exit(USAGE)
    options = _options(words[3:], flags=set())
    assert options.keys() == {"--env", "--repo"}
    secret.write_text(sys.stdin.read().rstrip("\r\n"), encoding="utf-8")


def _options(words: Sequence[str], flags: set[str]) -> dict[str, str]:
    """Options that take a value each, except the flags."""
    found, left = {}, list(words)
    while left:
        name = left.pop(0)
        if not name.startswith("--") or (name not in flags and not left):
            sys.exit(USAGE)
        found[name] = "" if name in flags else left.pop(0)
    return found
