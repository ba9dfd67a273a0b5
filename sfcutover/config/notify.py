"""The part of cutover.yaml about notifications: the receivers and their events."""

from __future__ import annotations

from typing import ClassVar, Literal, Self, get_args

from pydantic import Field, model_validator

from sfcutover.config.values import Model, SecretReference, Word

NotifyEvent = Literal["waiting", "page", "failed", "rolled-back", "canceled", "done", "interrupted"]
EVENTS: tuple[NotifyEvent, ...] = get_args(NotifyEvent)


class Webhook(Model):
    """A receiver of JSON documents (schemas/notification.schema.json), one per POST request."""

    url: SecretReference
    """Where the URL is stored: https, or http on this machine."""
    secret: SecretReference | None = None
    """Where the key is stored that signs each body (HMAC-SHA256 in X-Hub-Signature-256)."""


class Slack(Model):
    """A Slack channel."""

    url: SecretReference
    """Where the URL of the channel's incoming webhook is stored."""


class Notifier(Model):
    """One receiver of notifications: exactly one of command, webhook and slack."""

    known_as: ClassVar[tuple[str, ...]] = ("command", "webhook", "slack")
    command: tuple[Word, ...] | None = Field(None, min_length=1)
    """A command (argv, no shell) with SFCUTOVER_EVENT, _RUN, _MESSAGE and _NEXT in its
    environment."""
    webhook: Webhook | None = None
    """A receiver of JSON documents."""
    slack: Slack | None = None
    """A Slack channel."""
    events: tuple[NotifyEvent, ...] = Field(EVENTS, min_length=1)
    """The events that it receives; by default, all."""

    @property
    def kind(self) -> str:
        """Which of the three it is."""
        return next(name for name in self.known_as if getattr(self, name) is not None)

    @property
    def url(self) -> SecretReference | None:
        """Where the URL of the receiver is stored; a command has none."""
        receiver = self.webhook or self.slack
        return receiver.url if receiver is not None else None

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if sum(getattr(self, name) is not None for name in self.known_as) != 1:
            raise ValueError("give exactly one of command, webhook and slack")
        return self
