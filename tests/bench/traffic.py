"""The speed goals of the traffic side: redemptions a second, and how soon a rollback is live."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import requests
import yaml

from sfcutover.allowlist.ranges import IpRange
from sfcutover.emulator.emulator import Emulator
from sfcutover.emulator.scenario import Scenario
from sfcutover.traffic.egress import Egress
from sfcutover.traffic.proxy import ProxyUrl
from sfcutover.traffic.redemption import RedemptionOutcome
from sfcutover.traffic.tokenanswer import TokenEndpoint
from sfcutover.util.secrets import Secret
from tests.bench.page import Row

AT_ONCE = 32
BLOCKS = 4
FAILURES, DEPLOY_SECONDS = 2, 1.0
_SECURITY = ("ExtlClntAppOauthSecuritySettings", "Acme_Connector_oauthSecurity")


def redemption_rate(count: int) -> Iterator[Row]:
    """Ours against bare requests: separate tokens, the same proxy, the same concurrency.

    The two take turns in blocks, so that a machine that slows down slows both.
    """
    allowed = ["127.0.0.11", "127.0.0.12", "127.0.0.21", "127.0.0.22"]
    with Emulator(Scenario(old=tuple(allowed)), tls=False) as emulator:
        ours, bare = _redeemers(emulator)
        rates: dict[str, list[float]] = {"ours": [], "bare": []}
        for _ in range(BLOCKS):
            for name, redeem in (("ours", ours), ("bare", bare)):
                tokens = [emulator.issue_grant(f"bench-{i}") for i in range(count // BLOCKS)]
                rates[name].append(_rate(redeem, tokens))
    a, b = (sum(rates[name]) / len(rates[name]) for name in ("ours", "bare"))
    yield Row(
        f"{count} redemptions by proxy, {AT_ONCE} at once ({a:.0f} / {b:.0f} a second)",
        f"{a / b:.2f}x",
        ">= 0.7x of bare requests",
        "Masking, classifying and bounding an answer cost little beside the request.",
    )


def _redeemers(emulator: Emulator) -> tuple[Callable[[str], bool], Callable[[str], bool]]:
    variables = emulator.environment
    proxy = variables["SFCUTOVER_NEW_PROXY_URL"]
    url, client_id = variables["SFCUTOVER_TOKEN_URL"], variables["SF_CLIENT_ID"]
    secret = variables["SF_CLIENT_SECRET"]
    endpoint = TokenEndpoint(url, client_id, Secret(secret))
    expected = (IpRange.parse("127.0.0.21"), IpRange.parse("127.0.0.22"))
    egress = Egress("new", ProxyUrl.parse(Secret(proxy), "bench"), expected)
    session = egress.session()

    def ours(token: str) -> bool:
        return endpoint.redeem(Secret(token), session).outcome is RedemptionOutcome.REDEEMED

    def bare(token: str) -> bool:
        form = {
            "grant_type": "refresh_token",
            "client_id": client_id,
            "client_secret": secret,
            "refresh_token": token,
        }
        answer = requests.post(url, data=form, proxies={"http": proxy}, timeout=30)
        return answer.ok

    return ours, bare


def _rate(redeem: Callable[[str], bool], tokens: Sequence[str]) -> float:
    with ThreadPoolExecutor(AT_ONCE) as pool:
        started = time.perf_counter()
        done = list(pool.map(redeem, tokens))
    if not all(done):
        raise RuntimeError(f"{done.count(False)} of {len(done)} redemptions failed")
    return len(tokens) / (time.perf_counter() - started)


def rollback_latency(folder: Path) -> Iterator[Row]:
    """From the first blocked redemption of a watch to the old addresses being live again."""
    allowed = FAILURES + 3 + DEPLOY_SECONDS
    short, default = (_seconds_to_restore(folder, each) for each in (1, 15))
    what = f"first blocked redemption to the old list live, interval 15 s, failures {FAILURES}"
    yield Row(
        f"{what}, deploy of {DEPLOY_SECONDS:.0f} s",
        f"{default:.2f} s",
        f"<= {allowed:.0f} s",
        "How long customers are locked out before a watch has restored the old addresses.",
    )
    yield Row(
        f"the same against an interval of 1 s ({default:.2f} s / {short:.2f} s)",
        f"{default / short:.2f}x",
        "<= 1.5x",
        "A failed redemption is tried again soon, whatever the interval.",
    )


def _seconds_to_restore(folder: Path, interval: int) -> float:
    with Emulator(Scenario(deploy_seconds=DEPLOY_SECONDS), tls=False) as emulator:
        _write_config(folder, emulator, interval)
        _put_addresses(emulator, ["192.0.2.64"])  # old and new are gone: the canary is blocked
        process = subprocess.run(
            [sys.executable, "-m", "sfcutover", "watch", "--json"],
            cwd=folder,
            env={**os.environ, **emulator.environment},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        if json.loads(process.stdout).get("outcome") != "rolled-back":
            raise RuntimeError(process.stdout + process.stderr)
        first = next(each.time for each in emulator.redemptions if each.result == "blocked")
        live = next(each.time for each in reversed(emulator.allowlist_history))
    return (live - first).total_seconds()


def _write_config(folder: Path, emulator: Emulator, interval: int) -> None:
    watch = {"duration": "30s", "interval": f"{interval}s", "failures": FAILURES}
    config = yaml.safe_load(emulator.config_text()) | {"watch": watch}
    (folder / "cutover.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    token = folder / "canary.token"
    token.touch(0o600)
    token.write_text(emulator.environment["SF_REFRESH_TOKEN"], encoding="utf-8")


def _put_addresses(emulator: Emulator, addresses: Sequence[str]) -> None:
    entries = "".join(
        f"<tokenIpRanges><endIpAddress>{each}</endIpAddress>"
        f"<startIpAddress>{each}</startIpAddress></tokenIpRanges>"
        for each in addresses
    )
    xml = emulator.component_xml(*_SECURITY).decode()
    head, tail = xml.partition("<tokenIpRanges>")[0], xml.rpartition("</tokenIpRanges>")[2]
    emulator.put_component(*_SECURITY, (head + entries + tail).encode())
