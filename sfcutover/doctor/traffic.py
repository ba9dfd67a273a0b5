"""The doctor's look at the traffic side: each way out, the token endpoint, the canary's store.

No token is redeemed: with rotation on, that would use it up.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from sfcutover.allowlist.ranges import Allowlist, IpRange
from sfcutover.config.cutover import Cutover
from sfcutover.doctor.checkup import Check, check
from sfcutover.errors import ConfigError, DriftError
from sfcutover.traffic.canary import Canary
from sfcutover.traffic.egress import ask_echo


def examine_traffic(cutover: Cutover) -> Iterator[Check]:
    """Every check of egress and verify. Raises nothing of ours."""
    canary = Canary(cutover)
    for name in ("old", "new"):
        if cutover.egress is None or getattr(cutover.egress, name) is None:
            yield Check(None, f"{name} egress", "skipped", "not configured: it can't be proven")
        else:
            yield check(f"{name} egress", partial(_egress, canary, name))
    if cutover.verify is None:
        yield Check(None, "canary", "skipped", "verify is not configured: nothing can be removed")
        return
    yield check("token endpoint", partial(_endpoint, canary))
    yield check("canary", partial(_store, canary))


def _egress(canary: Canary, name: str) -> str:
    egress = canary.egress(name)
    with egress.session() as session:
        seen = ask_echo(session, canary.echo_url)
    if not Allowlist(egress.expected).covers([IpRange(seen, seen)]):
        raise DriftError(
            f"traffic leaves from {seen}, which is none of the {name} addresses",
            hint=f"correct {name}: or egress.{name} in cutover.yaml; sfcutover probe shows all",
        )
    return f"{egress.proxy} leaves from {seen}"


def _endpoint(canary: Canary) -> str:
    return canary.endpoint.url


def _store(canary: Canary) -> str:
    canary.store.read()
    if canary.store.may_rotate and not canary.store.writable:
        raise ConfigError(
            "a rotated refresh token could not be kept where the canary's token is",
            where=canary.store.where,
            hint="keep it in {file: PATH} or {get, put}; or rotation: false if the app has none",
        )
    return "its refresh token can be read and replaced; nothing was redeemed"
