"""The final message about a package and a target, which claims nothing that was not read."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from sfcutover.cutover.interruption import SentPackage, sent_by
from sfcutover.cutover.sentdeployments import NEVER_RECEIVED, PROGRESS, SENDING, SENT
from sfcutover.runs.event import CommandLog

ADDED = SentPackage("packaging", "add-new", "0Af1")


@pytest.mark.parametrize(
    ("package", "words"),
    [
        (ADDED, "deployment 0Af1 (add-new, packaging) was sent, and its status is unknown"),
        (
            SentPackage("packaging", "add-new", "0Af1", "InProgress"),
            "deployment 0Af1 (add-new, packaging) is InProgress",
        ),
        (
            SentPackage("packaging", "", "0Af1", "Canceled", done=True),
            "deployment 0Af1 (packaging) ended as Canceled",
        ),
        (
            SentPackage("packaging", "", "0Af1", "Canceling", note="has a pending cancel request"),
            "deployment 0Af1 (packaging) has a pending cancel request, and is Canceling",
        ),
        (
            SentPackage("packaging", "", "0Af1", note="could not be canceled (busy)"),
            "deployment 0Af1 (packaging) could not be canceled (busy), and its status is unknown",
        ),
        (
            SentPackage("packaging", "remove-old"),
            "a deployment was being sent (remove-old, packaging): whether the org received it is "
            "unknown",
        ),
        (
            SentPackage("packaging", "remove-old", newer=("0Af2",)),
            "a deployment was being sent (remove-old, packaging): whether the org received it is "
            "unknown; the org has since received 0Af2",
        ),
    ],
)
def test_the_message_about_a_package(package: SentPackage, words: str) -> None:
    assert package.words == words


def final_message(*events: tuple[str, Mapping[str, object]]) -> CommandLog:
    log = CommandLog()
    for kind, data in events:
        log.write(kind, None, "packaging", {"phase": "add-new", **data})
    return log


def test_a_sent_deployment_is_reported_from_the_memory() -> None:
    sending, sent = (SENDING, {"latest": "0Af0"}), (SENT, {"id": "0Af1"})
    assert sent_by(final_message(), "packaging") == []
    assert sent_by(final_message(sending, (NEVER_RECEIVED, {})), "packaging") == []
    assert sent_by(final_message(sending, sent), "packaging") == [ADDED]
    assert sent_by(final_message(sending, sent), "another") == []
    (being_sent,) = sent_by(final_message(sending), "packaging")
    assert (being_sent.id, being_sent.latest) == (None, "0Af0")
    over = {"id": "0Af1", "status": "Succeeded", "done": True}
    assert sent_by(final_message(sending, sent, (PROGRESS, over)), "packaging") == [
        SentPackage("packaging", "add-new", "0Af1", "Succeeded", done=True)
    ]
