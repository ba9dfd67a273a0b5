"""How a notification reaches its receivers: by a command, or a POST request that is tried again.

A receiver that hangs or fails delays no step and changes no result: each has a thread of its own.
"""

from __future__ import annotations

import hashlib
import hmac
import shlex
import threading
import time
from collections.abc import Callable
from urllib.parse import urlsplit

import requests
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_chain, wait_fixed

from sfcutover.config.notify import Notifier, Webhook
from sfcutover.config.values import SecretReference
from sfcutover.cutover.notification import NotificationDocument, slack_body, webhook_body
from sfcutover.errors import ConfigError, SfcutoverError
from sfcutover.util.childenvironment import child_environment
from sfcutover.util.http import explain, is_http_url, is_loopback_url, never_taken, new_session
from sfcutover.util.processes import GRACE_SECONDS, run_in_group
from sfcutover.util.secrets import one_line, remember
from sfcutover.util.timedconnection import exchange_within

COMMAND_SECONDS = 9.0
TRY_SECONDS = 3.0  # for one request and its answer
RETRY_SECONDS = (0.5, 1.0)  # pauses between the tries to send
NOTIFY_SECONDS = COMMAND_SECONDS + GRACE_SECONDS + 1.0  # for all tries of one receiver
_SHORTEST_REMEMBERED = 8  # characters of a URL's path; a shorter one is an ordinary word
_OK = range(200, 300)
_BUSY = (408, 425, 429, *range(500, 600))

Output = Callable[[str], None]


class NotTakenError(Exception):
    """Why a receiver did not take a notification; never quotes its URL."""


class _AgainError(NotTakenError):
    """The same, and the next try may succeed."""


def send(notifier: Notifier, notification: NotificationDocument, output: Output) -> str:
    """Send it to one receiver; how that failed in a sentence, else nothing.

    output: gets what a command prints, line by line.
    """
    try:
        if notifier.command is not None:
            _run(notifier.command, notification, output)
        elif notifier.webhook is not None:
            _post_document(notifier.webhook, notification)
        elif notifier.slack is not None:
            _post(notifier.slack.url, slack_body(notification), {})
    except (NotTakenError, SfcutoverError) as error:
        return _failed(notifier, str(error))
    return ""


def send_at_once(
    notifiers: tuple[Notifier, ...],
    notification: NotificationDocument,
    output: Output,
    seconds: float = NOTIFY_SECONDS,
) -> list[str]:
    """Send it to all at the same time, and wait these seconds; what failed, in sentences."""
    found: dict[int, str] = {}

    def work(number: int, notifier: Notifier) -> None:
        found[number] = send(notifier, notification, output)

    threads = [
        threading.Thread(target=work, args=each, name="notify", daemon=True)
        for each in enumerate(notifiers)
    ]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + seconds
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    late = f"it did not end within {seconds:.0f} s"
    problems = [found.get(n, _failed(each, late)) for n, each in enumerate(notifiers)]
    return [each for each in problems if each]


def require_url(reference: SecretReference) -> str:
    """The URL of a receiver. Raises ConfigError, which never quotes it."""
    url = reference.read().reveal()
    if not is_http_url(url) or (urlsplit(url).scheme == "http" and not is_loopback_url(url)):
        raise ConfigError(
            "the URL of this receiver is not an https URL",
            where=reference.where,
            hint="write https://…, without a user; http is accepted only for this machine",
        )
    path = urlsplit(url)._replace(scheme="", netloc="", fragment="").geturl()
    remember([path] if len(path) >= _SHORTEST_REMEMBERED else [])  # as urllib3 logs it
    return url


def _failed(notifier: Notifier, reason: str) -> str:
    name = shlex.join(notifier.command[:1]) if notifier.command else notifier.kind
    of = "command " if notifier.command else ""
    return f"the notify {of}{name} failed: {reason}"


def _run(argv: tuple[str, ...], notification: NotificationDocument, output: Output) -> None:
    facts = {
        "SFCUTOVER_RUN": notification.run or "",
        "SFCUTOVER_EVENT": notification.event,
        "SFCUTOVER_MESSAGE": notification.message,
        "SFCUTOVER_NEXT": notification.next,
    }
    try:
        ended = run_in_group(argv, child_environment(facts), timeout=COMMAND_SECONDS, output=output)
    except OSError as error:
        raise NotTakenError(error.strerror or type(error).__name__) from None
    if ended.cut_short or ended.status:
        raise NotTakenError(str(ended))


def _post_document(webhook: Webhook, notification: NotificationDocument) -> None:
    body, headers = webhook_body(notification), {}
    if webhook.secret is not None:
        key = webhook.secret.read().reveal().encode()
        digest = hmac.new(key, body, hashlib.sha256).hexdigest()
        headers["X-Hub-Signature-256"] = f"sha256={digest}"
    _post(webhook.url, body, headers)


def _post(reference: SecretReference, body: bytes, headers: dict[str, str]) -> None:
    """Raises NotTakenError, and ConfigError for a URL that can't be read or used."""
    tries = Retrying(
        retry=retry_if_exception_type(_AgainError),
        stop=stop_after_attempt(len(RETRY_SECONDS) + 1),
        wait=wait_chain(*map(wait_fixed, RETRY_SECONDS)),
        reraise=True,
    )
    tries(_try, require_url(reference), body, headers)


def _try(url: str, body: bytes, headers: dict[str, str]) -> None:
    sent = {"Content-Type": "application/json", "User-Agent": "sfcutover", **headers}
    try:
        with new_session() as session, exchange_within(TRY_SECONDS):
            response = session.post(url, data=body, headers=sent, timeout=TRY_SECONDS)
    except requests.RequestException as error:
        kind = NotTakenError if never_taken(error) else _AgainError
        raise kind(explain(error)[0]) from None
    if response.status_code in _OK:
        return
    said = one_line(response.text)
    kind = _AgainError if response.status_code in _BUSY else NotTakenError
    raise kind(f"HTTP {response.status_code}" + (f": {said}" if said else ""))
