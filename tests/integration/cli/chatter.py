"""A child process that prints its input and environment, and copies its variables to a file.

Arguments: a folder, and a role: ``get`` and ``put`` keep the canary's token as a store would.
"""

from __future__ import annotations

import base64
import json
import os
import sys
import uuid
from pathlib import Path
from urllib.parse import quote, quote_plus


def main(folder: Path, role: str) -> None:
    dumps = folder / "dumps"
    dumps.mkdir(exist_ok=True)
    (dumps / f"{role}-{uuid.uuid4()}").write_text(json.dumps(dict(os.environ)))
    secrets = folder / "secrets"
    if role == "get":
        print((secrets / "canary").read_text())
    elif role == "put":
        token = sys.stdin.read()
        with (secrets / "rotated").open("a") as file:
            file.write(token)
        (secrets / "canary").write_text(token)
    elif role == "client-secret":
        print((secrets / role).read_text())
    else:
        print_everywhere(secrets)


def print_everywhere(secrets: Path) -> None:
    """Print on both streams, in every form that a program may use."""
    texts = [repr(sorted(os.environ.items())), json.dumps(dict(os.environ))]
    for path in sorted(secrets.iterdir()):
        text = path.read_text().strip()
        texts += [text, repr(text), json.dumps(text), quote(text, safe=""), quote_plus(text)]
        userinfo = text.partition("://")[2].rpartition("@")[0]
        texts += [userinfo, base64.b64encode(userinfo.encode()).decode()] if userinfo else []
    for text in texts:
        print(text)
    print(*texts, sep="\n", file=sys.stderr)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
