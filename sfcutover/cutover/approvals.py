"""The approvals of a run: what the operator was shown of a step, and whether it is still valid."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sfcutover.cutover.announcement import PHASES, Announced, Announcement, shown_digest
from sfcutover.cutover.steprunner import ChangedError, Flow, Question, StepArguments
from sfcutover.errors import Text

PAUSED = "pause-before"  # the reason of a pause that the operator wants
_NO_DOUBTS: Mapping[str, str] = {}


@dataclass
class _Approved:
    """What was approved of a step. parts and doubts: by target. pause: the number of the newest."""

    parts: dict[str, Announced] = field(default_factory=dict)
    doubts: dict[str, str] = field(default_factory=dict)
    digest: str = ""
    pause: int = 0

    def covers(self, announcement: Announcement, doubts: Mapping[str, str]) -> bool:
        """True where it was shown already, or nothing is left to change."""
        same = all(
            name in self.parts and self.parts[name].digest == part.digest
            for name, part in announcement.parts.items()
        )
        return (same or announcement.changes_nothing) and doubts.items() <= self.doubts.items()


@dataclass
class Approvals:
    """An approval covers what it showed. Where a step would do something else, it is void, and the
    step is announced and asked for again."""

    flow: Flow
    _given: dict[str, _Approved] = field(default_factory=dict, init=False)  # by step

    def of(self, step: str, target: str) -> Announced | None:
        """What was approved of a step on a target, if that was asked for."""
        given = self._given.get(step)
        return None if given is None else given.parts.get(target)

    def has_shown_doubt(self, step: str, target: str) -> bool:
        """True where an approval showed that nothing says whether customers have left."""
        given = self._given.get(step)
        return given is not None and target in given.doubts

    async def ask(
        self,
        step: str,
        targets: Sequence[str],
        reason: str,
        doubts: Mapping[str, str] = _NO_DOUBTS,
        next_: Text = "",
    ) -> None:
        """Ask until exactly what the step does is approved; not again for what is approved.

        doubts: what nothing has shown, by target. Raises RunCanceledError.
        """
        while True:
            announcement = await self._announce(step, targets, sentences(doubts))
            given = self._given.get(step)
            if given is not None and given.covers(announcement, doubts):
                return
            if await self._is_approved(announcement, reason, next_=next_):
                self._given[step].doubts |= doubts
                return

    async def require(self, announcement: Announcement, reason: str, does: str) -> None:
        """Ask once. Raises ChangedError where the step is no longer what was announced.

        does: what the operator is asked for; empty to start the step.
        """
        if not await self._is_approved(announcement, reason, does):
            raise ChangedError

    async def void(self, step: str) -> Mapping[str, str]:
        """The step is not what was approved, if it was; the doubts that were shown with it."""
        if (given := self._given.pop(step, None)) is None:
            return _NO_DOUBTS
        shown = shown_digest(given.digest)
        await self.flow.runner.tell(
            "announcement-void",
            pause=given.pause,
            digest=given.digest,
            message=f"{step} no longer matches the announced digest {shown}; it is announced again",
        )
        return given.doubts

    async def _is_approved(
        self, announcement: Announcement, reason: str, does: str = "", next_: Text = ""
    ) -> bool:
        """Ask; False where the step is no longer what was announced."""
        step = announcement.step
        does = does or f"{step} {announcement.sentence}"
        message = f"{does}; digest {shown_digest(announcement.digest)}"
        while True:
            answer = await self.flow.ask(Question(step, reason, message, next_, announcement))
            given = self._given.setdefault(step, _Approved())
            given.parts |= announcement.parts
            given.digest, given.pause = announcement.digest, answer.pause
            if answer.is_current:
                return True
            now = await self._announce(step, tuple(announcement.parts), announcement.doubts)
            if now.digest != announcement.digest:
                await self.void(step)
                return False
            if answer.approved:
                return True

    async def _announce(
        self, step: str, targets: Sequence[str], doubts: Sequence[str]
    ) -> Announcement:
        """What the step changes, as the lists and cutover.yaml are now."""
        if step not in PHASES:
            return Announcement(step=step, parts={"": await self.flow.runner.announce(step)})
        arguments = dict.fromkeys(targets, StepArguments(step=step))
        results = await self.flow.each("announce", targets, arguments)
        found = {name: one.evidence for name, one in results.items()}
        parts = {name: one for name, one in found.items() if isinstance(one, Announced)}
        return Announcement(step=step, parts=parts, doubts=tuple(doubts))


def sentences(doubts: Mapping[str, str]) -> list[str]:
    """Each doubt once, with its targets."""
    targets: dict[str, list[str]] = {}
    for name, doubt in doubts.items():
        targets.setdefault(doubt, []).append(name)
    return [f"{doubt} ({', '.join(names)})" for doubt, names in targets.items()]
