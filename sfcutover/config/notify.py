"""The part of cutover.yaml about notifications: who is told of which events, and how."""

from __future__ import annotations

from typing import ClassVar, Literal, Self, get_args

from pydantic import Field, model_validator

from sfcutover.config.values import Model, SecretReference, Word

NotifyEvent = Literal["waiting", "page", "failed", "rolled-back", "canceled", "done", "interrupted"]
EVENTS: tuple[NotifyEvent, ...] = get_args(NotifyEvent)


class Webhook(Model):
    """A receiver of JSON documents (schemas/notification.schema.json), one a POST request."""

    url: SecretReference
    """Where the URL is kept: https, or http on this machine."""
    secret: SecretReference | None = None
    """Where the key is kept that signs each body, by HMAC-SHA256 in X-Hub-Signature-256."""


class Slack(Model):
    """A channel of Slack."""

    url: SecretReference
    """Where the URL of the channel's incoming webhook is kept."""


class Notifier(Model):
    """One receiver of notifications: exactly one of command, webhook and slack."""

    known_as: ClassVar[tuple[str, ...]] = ("command", "webhook", "slack")
    command: tuple[Word, ...] | None = Field(None, min_length=1)
    """argv, run without a shell; it gets SFCUTOVER_EVENT, _RUN, _MESSAGE and _NEXT."""
    webhook: Webhook | None = None
    """A receiver of JSON documents."""
    slack: Slack | None = None
    """A channel of Slack."""
    events: tuple[NotifyEvent, ...] = Field(EVENTS, min_length=1)
    """The events it hears of; all, unless some are named."""

    @property
    def kind(self) -> str:
        """Which of the three it is."""
        return next(name for name in self.known_as if getattr(self, name) is not None)

    @property
    def url(self) -> SecretReference | None:
        """Where the URL of its receiver is kept; a command has none."""
        receiver = self.webhook or self.slack
        return receiver.url if receiver is not None else None

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if sum(getattr(self, name) is not None for name in self.known_as) != 1:
            raise ValueError("give exactly one of command, webhook and slack")
        return self
