"""Receivers of notifications in cutover.yaml."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from sfcutover.config.notify import EVENTS, Notifier
from sfcutover.config.values import secret_references, secret_variables

URL = {"url": {"env": "HOOK"}}


@pytest.mark.parametrize(
    ("keys", "kind"),
    [({"command": ["page"]}, "command"), ({"webhook": URL}, "webhook"), ({"slack": URL}, "slack")],
)
def test_a_receiver_gets_every_event_by_default(keys: dict[str, object], kind: str) -> None:
    notifier = Notifier.model_validate(keys)
    assert (notifier.kind, notifier.events) == (kind, EVENTS)


@pytest.mark.parametrize(
    "keys",
    [
        {},
        {"command": ["page"], "slack": URL},
        {"command": []},
        {"slack": URL, "events": []},
        {"slack": URL, "events": ["paused"]},
        {"slack": {"url": "https://hooks.slack.com/services/T0/B0/secret"}},
        {"webhook": URL | {"secret": "key"}},
    ],
)
def test_an_invalid_receiver_is_refused(keys: dict[str, object]) -> None:
    with pytest.raises(ValidationError) as refused:
        Notifier.model_validate(keys)
    assert "services/T0" not in str(refused.value)


def test_url_and_key_are_secrets() -> None:
    notifier = Notifier.model_validate({"webhook": URL | {"secret": {"env": "KEY"}}})
    assert secret_variables(notifier) == {"HOOK", "KEY"}
    assert [path for path, _ in secret_references(notifier)] == ["webhook.url", "webhook.secret"]
