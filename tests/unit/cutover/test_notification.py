"""The content of a notification, and the bodies that carry it."""

from __future__ import annotations

import json

import pytest
from jsonschema import Draft202012Validator

from sfcutover.cli.schemas import schema_text
from sfcutover.config.cutover import parse_config
from sfcutover.config.notify import EVENTS, NotifyEvent
from sfcutover.cutover.notification import NotificationDocument, slack_body, webhook_body
from sfcutover.errors import Advice, Command
from sfcutover.util.secrets import Secret

CONFIG = """
version: 1
name: move
app: Acme_Connector
old: [203.0.113.10]
new: [198.51.100.20]
targets: [{name: packaging, org: {alias: acme}}]
"""
CUTOVER = parse_config(CONFIG, "eu move.yaml")
NEXT = Advice("resume: ", Command("approve", "move.1"))


def notification(
    message: str = "it waits", run: str = "move.1", event: NotifyEvent = "waiting"
) -> NotificationDocument:
    return NotificationDocument.of(CUTOVER, run, event, message, NEXT)


@pytest.mark.parametrize("event", EVENTS)
def test_the_body_of_a_webhook_is_a_document_of_the_schema(event: NotifyEvent) -> None:
    body = json.loads(webhook_body(notification(event=event)))
    Draft202012Validator(json.loads(schema_text("notification"))).validate(body)
    assert body["event"] == event
    assert body["next"] == "resume: sfcutover --config 'eu move.yaml' approve move.1"


def test_a_command_without_a_run_names_none() -> None:
    assert notification(run="").run is None
    assert notification(run="").title == "Cutover move of Acme_Connector: paused"


def test_each_notification_has_its_own_id() -> None:
    assert notification().id != notification().id


def test_no_body_contains_a_secret() -> None:
    secret = Secret('a "quoted" & <marked> secret')
    for body in (webhook_body, slack_body):
        sent = body(notification(f"the org said {secret.reveal()}"))
        assert b"quoted" not in sent
        assert b"***" in sent


@pytest.mark.parametrize("text", ["<!channel>", "<@U012AB3CD>", "<https://evil.example|ok>", "a&b"])
def test_text_of_others_is_not_markup_in_slack(text: str) -> None:
    body = json.loads(slack_body(notification(text)))
    _, message, _ = body["blocks"]
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    assert message["text"] == {"type": "mrkdwn", "text": escaped, "verbatim": True}
    assert body["text"].endswith(escaped)


@pytest.mark.parametrize("text", ["x" * 5000, "<" * 5000])
def test_a_message_is_truncated_to_the_limit_of_slack(text: str) -> None:
    body = json.loads(slack_body(notification(text)))
    header, message, next_ = (block["text"]["text"] for block in body["blocks"])
    assert len(header) <= 150
    assert 2990 < len(message) <= 3000
    assert message.strip("x…").replace("&lt;", "") == ""
    assert next_.startswith("*next:* resume: sfcutover")


def test_an_empty_text_makes_no_block() -> None:
    """Slack refuses a text without a character."""
    empty = NotificationDocument.of(CUTOVER, "move.1", "done", "", "")
    assert [block["type"] for block in json.loads(slack_body(empty))["blocks"]] == ["header"]
