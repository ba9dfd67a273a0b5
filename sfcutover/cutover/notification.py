"""What a notification says, and the bodies that carry it. No secrets, and no markup of others."""

from __future__ import annotations

import json
import re
import time
import uuid
from typing import Literal

from pydantic import Field

from sfcutover.config.cutover import Cutover
from sfcutover.config.notify import NotifyEvent
from sfcutover.errors import Text, written
from sfcutover.runs.event import moment_text
from sfcutover.util.document import Document
from sfcutover.util.secrets import redact

_TITLES: dict[NotifyEvent, str] = {
    "waiting": "paused",
    "page": "ACTION REQUIRED",
    "failed": "failed",
    "rolled-back": "rolled back",
    "canceled": "canceled",
    "done": "done",
    "interrupted": "interrupted; no process is monitoring it",
}
# Characters of a section's text (docs.slack.dev, "Text object", and of a header's).
_MOST_IN_SECTION = 3000
_MOST_IN_HEADER = 150


class NotificationDocument(Document):
    """What a webhook receives. It is sent again where an answer was lost: see id."""

    schema_: Literal["sfcutover/notification/1"] = Field("sfcutover/notification/1", alias="schema")
    """The name and version of this schema."""
    id: str
    """The same in every try to send it, and unlike every other notification's."""
    time: str
    """When it happened: UTC, ISO 8601."""
    event: NotifyEvent
    """What happened."""
    cutover: str
    """The name of the cutover."""
    app: str
    """The full name of the app."""
    run: str | None
    """The id of the run; null for a command that belongs to none."""
    message: str
    """What happened, in words."""
    next: str
    """What to do next; commands are written out."""

    @classmethod
    def of(
        cls, cutover: Cutover, run: str, event: NotifyEvent, message: str, next_: Text
    ) -> NotificationDocument:
        """The event happens now. run: its id, empty for none."""
        return cls(
            id=str(uuid.uuid4()),
            time=moment_text(time.time()),
            event=event,
            cutover=cutover.name,
            app=cutover.app,
            run=run or None,
            message=redact(message),
            next=redact(written(next_, cutover.file)),
        )

    @property
    def title(self) -> str:
        """What happened to what, in one line."""
        subject = f"Run {self.run}" if self.run else f"Cutover {self.cutover}"
        return f"{subject} of {self.app}: {_TITLES[self.event]}"


def webhook_body(notification: NotificationDocument) -> bytes:
    """The document as JSON."""
    return _encoded(notification.model_dump(mode="json", by_alias=True))


def slack_body(notification: NotificationDocument) -> bytes:
    """Blocks, and the same as text, which Slack shows in its own notifications.

    verbatim keeps Slack from making links and mentions of plain words (docs.slack.dev, "Text
    object"); escaping keeps it from reading markup in a text of others.
    """
    title, message, next_ = notification.title, notification.message, notification.next
    blocks: list[dict[str, object]] = [
        {"type": "header", "text": {"type": "plain_text", "text": title[:_MOST_IN_HEADER]}}
    ]
    blocks += [_section(_escaped(message))] if message else []
    blocks += [_section(f"*next:* {_escaped(next_)}")] if next_ else []
    text = _escaped(f"{title}: {message}")
    return _encoded({"text": text, "blocks": blocks, "unfurl_links": False})


def _section(text: str) -> dict[str, object]:
    return {"type": "section", "text": {"type": "mrkdwn", "text": _cut(text), "verbatim": True}}


def _escaped(text: str) -> str:
    """The three characters that Slack reads as markup (docs.slack.dev, "Formatting")."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _cut(text: str) -> str:
    """No longer than a section may be, and not within an escaped character."""
    if len(text) <= _MOST_IN_SECTION:
        return text
    return re.sub(r"&[a-z]*$", "", text[: _MOST_IN_SECTION - 1]) + "…"


def _encoded(body: dict[str, object]) -> bytes:
    return json.dumps(body, ensure_ascii=False).encode()
