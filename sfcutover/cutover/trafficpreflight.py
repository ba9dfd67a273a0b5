"""What must be right about traffic before a cutover: secrets, egress, token endpoint, canaries and
the application's command.

Each is tried as far as that redeems nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from sfcutover.config.cutover import Cutover, Target
from sfcutover.config.values import SecretReference, secret_references
from sfcutover.cutover.notifiers import require_url
from sfcutover.cutover.preflight import Check, check, failed, untried
from sfcutover.cutover.probe import ProbeResult, probe_egress, probe_way_back
from sfcutover.errors import NetworkError, SfcutoverError
from sfcutover.traffic.application import Application
from sfcutover.traffic.canary import Canary, all_canaries
from sfcutover.traffic.egress import Egress, configured_way, contact, egress_of
from sfcutover.traffic.redeemers import application_of, canaries_left_out

_NO_OLD_EGRESS = " (traffic rolls back by the switch command; that path is not proven)"
_EXPECTED = {200, *range(400, 500)} - {404}  # of a GET; assumed
# Salesforce Help, article 005318944 (2026-05-05); in force since 2026-04-24.
_REPUTATION = (
    "nothing can test whether Salesforce classifies the new addresses as anonymizing proxies or "
    "high-risk. API traffic from such addresses freezes its user and revokes all refresh tokens "
    "of that user, which no rollback restores. So the canary redeems first, never a customer's "
    "token"
)
_SERVER_ERRORS = range(500, 600)


def examine_traffic(cutover: Cutover, targets: tuple[Target, ...]) -> Iterator[Check]:
    """Every check of egress and verify. Raises no SfcutoverError."""
    if not cutover.carriers:
        yield untried("traffic", "the cutover changes only policies")
        return
    yield from _secret_checks(cutover)
    yield from _receiver_checks(cutover)
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
        if left_out := canaries_left_out(cutover, "new"):
            yield untried(f"token endpoint{of}", left_out)
        elif new.status == "ok":
            yield _endpoint(canary, cutover, f"token endpoint{of}")
        else:
            yield untried(f"token endpoint{of}", "it requires the new egress")
        yield check(f"canary{of}", partial(_token, canary))
    if (application := application_of(cutover)) is not None:
        yield check("application", partial(_command, application))


def _secret_checks(cutover: Cutover) -> Iterator[Check]:
    """Secrets of the orgs are read when their session is opened; here are the others."""
    for path, reference in secret_references(cutover):
        is_receiver = path.startswith("notify[") and path.endswith(".url")
        if ".org." not in path and not is_receiver:
            yield check(path, partial(_read, reference))


def _receiver_checks(cutover: Cutover) -> Iterator[Check]:
    for index, each in enumerate(cutover.notify):
        if each.url is not None:
            yield check(f"notify[{index}].{each.kind}", partial(_receiver, each.url))


def _receiver(url: SecretReference) -> str:
    require_url(url)
    return "its URL can be read and is an https URL; nothing was sent"


def _read(reference: SecretReference) -> str:
    reference.read()
    return "can be read"


def _egress_check(cutover: Cutover, name: str, probe: Callable[[], ProbeResult]) -> Check:
    title = f"{name} egress"
    if configured_way(cutover, name) is None:
        left_out = cutover.egress is not None and name == "old"
        return untried(title, f"not configured{_NO_OLD_EGRESS if left_out else ''}")
    return check(title, lambda: _shown(probe()))


def _passed(result: ProbeResult) -> ProbeResult:
    result.require_passed()
    return result


def _shown(result: ProbeResult) -> str:
    seen = ", ".join(map(str, result.seen))
    words = (f"{result.egress.way} leaves from {seen}", result.certainty, *result.warnings)
    return "; ".join(words)


def _endpoint(canary: Canary, cutover: Cutover, title: str) -> Check:
    """A GET has no token to redeem. What a real endpoint answers is unknown; a token endpoint
    is hardly what answers it with a redirect or a 404."""
    try:
        url = canary.endpoint.url
        status = _status(url, egress_of(cutover, "new"))
    except SfcutoverError as error:
        return failed(title, error, None)
    if status in _EXPECTED:
        answers = f"HTTP {status} to a GET, as expected; no redemption was tried"
        return Check(None, title, "ok", f"{url} is reachable through the new egress ({answers})")
    fix = "check token_url: its path is /services/oauth2/token"
    answers = f"{url} answers a GET through the new egress with HTTP {status}"
    return Check(None, title, "warning", f"{answers}, which is unusual for a token endpoint", fix)


def _status(url: str, egress: Egress) -> int:
    with egress.session() as session:
        status = contact(session, url)
    if status in _SERVER_ERRORS:
        raise NetworkError(
            f"{url} answered HTTP {status}",
            hint="check status.salesforce.com and the proxy's own status; then run this again",
        )
    return status


def _token(canary: Canary) -> str:
    canary.require_ready()
    return canary.store.checked


def _command(application: Application) -> str:
    application.require_ready()
    return f"{application.argv[0]} exists; it was not run, because it redeems"
