"""The commands of an application that runs elsewhere: its probe, and its own redemption.

They use only the standard library, because they are started often.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from sfcutover.emulator import Emulator
from tests.chaos.world import NEW

PYTHON = (sys.executable, "-I", "-S")
_PROBE = """\
import sys, urllib.request
proxy, echo = sys.argv[1:]
opener = urllib.request.build_opener(urllib.request.ProxyHandler({"http": proxy}))
print("a line of the application's own, on stderr", file=sys.stderr)
print(opener.open(echo, timeout=10).read().decode())
"""
_REDEEM = """\
import json, pathlib, sys, urllib.error, urllib.parse, urllib.request
here = pathlib.Path(sys.argv[1])
known = json.loads((here / "application.json").read_text())
ways = known["ways"]
ways.append(ways.pop(0))  # its addresses take turns
(here / "application.json").write_text(json.dumps(known))
address, proxy = ways[0]
form = dict(known["form"], refresh_token=known["token"])
opener = urllib.request.build_opener(urllib.request.ProxyHandler({"http": proxy}))
try:
    answer = opener.open(known["url"], urllib.parse.urlencode(form).encode(), 10)
    status, body = answer.status, json.load(answer)
except urllib.error.HTTPError as error:
    status, body = error.code, json.load(error)
known["token"] = body.get("refresh_token", known["token"])
(here / "application.json").write_text(json.dumps(known))
print("a line of the application's own, on stderr", file=sys.stderr)
if known["says"] == "exit":
    print("any output of its own")
    sys.exit(0 if status == 200 else 1)
_, _, organization, user = body.get("id", "///").rsplit("/", 3)
print(json.dumps({
    "status": status,
    "error": body.get("error"),
    "error_description": body.get("error_description"),
    **({"address": address} if "address" in known["says"] else {}),
    **({"organization_id": organization, "user_id": user} if "user" in known["says"] else {}),
}, indent=1))
"""


def probe_command(emulator: Emulator, folder: Path, side: str = "NEW") -> list[str]:
    """A command that prints the source address of one of the proxies."""
    (folder / "probe.py").write_text(_PROBE, encoding="utf-8")
    values = emulator.environment
    proxy, echo = values[f"SFCUTOVER_{side}_PROXY_URL"], values["SFCUTOVER_ECHO_URL"]
    return [*PYTHON, str(folder / "probe.py"), proxy, echo]


def application_command(
    emulator: Emulator, folder: Path, says: str, addresses: tuple[str, ...] = NEW
) -> list[str]:
    """A command that redeems a grant of the application's own from alternating addresses.

    says: exit (the exit status alone), or json with address, with user or with neither.
    """
    (folder / "redeem.py").write_text(_REDEEM, encoding="utf-8")
    values = emulator.environment
    known = {
        "says": says,
        "token": emulator.issue_grant("application"),
        "url": values["SFCUTOVER_TOKEN_URL"],
        "form": {
            "grant_type": "refresh_token",
            "client_id": values["SF_CLIENT_ID"],
            "client_secret": values["SF_CLIENT_SECRET"],
        },
        "ways": [(each, emulator.proxy_url_for(each)) for each in addresses],
    }
    (folder / "application.json").write_text(json.dumps(known), encoding="utf-8")
    return [*PYTHON, str(folder / "redeem.py"), str(folder)]
