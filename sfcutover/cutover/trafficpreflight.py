"""What must be right about traffic before a cutover: secrets, egress, token endpoint and canaries.

Each is tried as far as that redeems nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from sfcutover.config.cutover import Cutover, Target
from sfcutover.config.values import SecretReference, secret_references
from sfcutover.cutover.preflight import Check, check, failed, untried
from sfcutover.cutover.probe import ProbeResult, probe_egress, probe_way_back
from sfcutover.errors import NetworkError, SfcutoverError
from sfcutover.traffic.canary import Canary, all_canaries
from sfcutover.traffic.egress import contact

_EXPECTED = {200, *range(400, 500)} - {404}  # of a GET; assumed
# Salesforce Help, article 005318944 (2026-05-05); in force since 2026-04-24.
_REPUTATION = (
    "it can't be tried whether Salesforce takes the new addresses for an anonymizing proxy's or "
    "for high-risk ones: API traffic from these gets its user frozen and all refresh tokens of "
    "that user revoked, which no rollback restores; so the canary redeems first, never a "
    "customer's token"
)
_SERVER_ERRORS = range(500, 600)


def examine_traffic(cutover: Cutover, targets: tuple[Target, ...]) -> Iterator[Check]:
    """Every check of egress and verify. Raises nothing of ours."""
    if not cutover.carriers:
        yield untried("traffic", "the cutover sets policies alone")
        return
    yield from _secret_checks(cutover)
    yield _egress_check(cutover, "old", lambda: probe_way_back(cutover))
    new = _egress_check(cutover, "new", lambda: _passed(probe_egress(cutover, "new")))
    yield new
    if cutover.egress is not None and cutover.egress.new is not None:
        yield Check(None, "reputation", "skipped", _REPUTATION)
    if cutover.verify is None:
        yield untried("canary", "verify is not configured: nothing can be removed")
        return
    canaries = all_canaries(cutover, targets)
    for canary in canaries:
        of = f" of {canary.name}" if len(canaries) > 1 else ""
        if new.status == "ok":
            yield _endpoint(canary, f"token endpoint{of}")
        else:
            yield untried(f"token endpoint{of}", "it needs the new egress")
        yield check(f"canary{of}", partial(_token, canary))


def _secret_checks(cutover: Cutover) -> Iterator[Check]:
    """Secrets of the orgs are read when their session is opened; here are the others."""
    for path, reference in secret_references(cutover):
        if ".org." not in path:
            yield check(path, partial(_read, reference))


def _read(reference: SecretReference) -> str:
    reference.read()
    return "can be read"


def _egress_check(cutover: Cutover, name: str, probe: Callable[[], ProbeResult]) -> Check:
    title = f"{name} egress"
    if cutover.egress is None or getattr(cutover.egress, name) is None:
        return untried(title, "not configured")
    return check(title, lambda: _shown(probe()))


def _passed(result: ProbeResult) -> ProbeResult:
    result.require_passed()
    return result


def _shown(result: ProbeResult) -> str:
    seen = ", ".join(map(str, result.seen))
    words = (f"{result.egress.proxy} leaves from {seen}", result.certainty, *result.warnings)
    return "; ".join(words)


def _endpoint(canary: Canary, title: str) -> Check:
    """A GET has no token to redeem. What a real endpoint answers it is not known; a token endpoint
    is hardly what answers it with a redirect or a 404."""
    try:
        url, status = canary.endpoint.url, _status(canary)
    except SfcutoverError as error:
        return failed(title, error, None)
    answers = f"{url} answers a GET through the new egress with HTTP {status}"
    if status in _EXPECTED:
        return Check(None, title, "ok", f"{answers}; a redemption was not tried")
    fix = "see that token_url is right: its path is /services/oauth2/token"
    return Check(None, title, "warning", f"{answers}, as a token endpoint hardly does", fix)


def _status(canary: Canary) -> int:
    url = canary.endpoint.url
    with canary.egress("new").session() as session:
        status = contact(session, url)
    if status in _SERVER_ERRORS:
        raise NetworkError(
            f"{url} answered HTTP {status}",
            hint="see status.salesforce.com, and the proxy's own status; then run this again",
        )
    return status


def _token(canary: Canary) -> str:
    canary.require_token()
    return canary.store.checked
