"""Deploys a package and waits for it, through failures of network and org.

A poll that fails says nothing about the deployment, so the wait continues until its
own deadline. A deploy request whose answer was lost is never sent again: it is
looked up, and the org is read back.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import takewhile

from sfcutover.errors import (
    Advice,
    Answer,
    AuthError,
    BusyError,
    Command,
    ConfigError,
    IdentityError,
    NetworkError,
    OperationFailedError,
    SfcutoverError,
    StillRunningError,
)
from sfcutover.salesforce.answers import AccessRefusedError, NotTakenError, UnknownIdError
from sfcutover.salesforce.metadata import MetadataClient
from sfcutover.salesforce.org import time_of
from sfcutover.salesforce.results import DeployResult
from sfcutover.util.clock import Clock, next_interval

LANDS_LATER = (
    "the deployment continues in the org and may still take effect; the allowlist is as it was "
    "or as planned. An addition blocks no address either way"
)
REFUSED_SECONDS = 30.0  # a deployment that was never shown may be refused or unknown for this long
# Seen by users in the Tooling API; not in Salesforce's reference, so its absence is no error.
_LATEST_DEPLOYMENT = "SELECT Id FROM DeployRequest ORDER BY CreatedDate DESC LIMIT 1"
_LATEST_DEPLOYMENTS = "SELECT Id FROM DeployRequest ORDER BY CreatedDate DESC LIMIT 50"
_STATES = (
    "SELECT Id, Status, CheckOnly, CompletedDate, CreatedBy.Name FROM DeployRequest "
    "ORDER BY CreatedDate DESC LIMIT 50"
)
_ENDED = ("Succeeded", "SucceededPartial", "Failed", "Canceled")


class LostAnswerError(NetworkError):
    """A deploy request was sent and its answer lost: the org may have started, or not."""


class UnknownDeploymentError(OperationFailedError):
    """The org knows no deployment of this id: a wrong one, or one that ended long ago."""


@dataclass(frozen=True)
class DeployRequest:
    """A deployment as the org lists it. by: the user's name. completed: by the org's clock."""

    id: str
    status: str
    check_only: bool
    completed: datetime | None
    by: str

    @property
    def is_pending(self) -> bool:
        return self.completed is None and self.status not in _ENDED

    @classmethod
    def of(cls, record: Mapping[str, object]) -> DeployRequest:
        creator = record.get("CreatedBy")
        return cls(
            str(record.get("Id") or ""),
            str(record.get("Status") or ""),
            record.get("CheckOnly") is True,
            time_of(record.get("CompletedDate")),
            str(creator.get("Name") or "") if isinstance(creator, Mapping) else "",
        )


class Deployer:
    """Deploys through one org's Metadata API."""

    def __init__(self, client: MetadataClient, clock: Clock | None = None) -> None:
        self._client = client
        self._clock = clock or Clock()

    def start(self, zip_file: bytes, *, check_only: bool = False) -> str:
        """Send the package, to be validated only if check_only; the deployment's id.

        Raises BusyError where the org can't start one now, NotTakenError for a request that did not
        get that far, LostAnswerError when no answer came, and the error of what the org refused.
        """
        try:
            return self._client.deploy(zip_file, check_only=check_only)
        except (BusyError, NotTakenError):
            raise
        except NetworkError as error:
            raise LostAnswerError(
                f"the answer to the deploy request was lost ({error})",
                hint="read the org back before sending anything again",
                impact=LANDS_LATER,
            ) from error

    def wait(
        self,
        deployment_id: str,
        seconds: float,
        *,
        on_progress: Callable[[DeployResult], None] = lambda _: None,
        on_problem: Callable[[SfcutoverError], None] = lambda _: None,
    ) -> DeployResult:
        """Poll until the deployment is done, for at most this many seconds.

        Every answer but the deployment's own end is polled again. on_progress is called with
        each answer, on_problem with each poll that failed. Raises StillRunningError at the
        deadline, AuthError for a session that can't be had, and
        what the org refuses if it has never shown this deployment: OperationFailedError for an
        id that it doesn't know.
        """
        started = self._clock.now()
        is_known = False
        while True:
            elapsed = self._clock.now() - started
            self._clock.pause(min(next_interval(elapsed), max(0.0, seconds - elapsed)))
            answer = self._poll(deployment_id)
            if isinstance(answer, DeployResult):
                is_known = True
                on_progress(answer)
                if answer.done:
                    return answer
            else:
                on_problem(answer)
            elapsed = self._clock.now() - started
            if not is_known and elapsed >= min(REFUSED_SECONDS, seconds):
                _require_not_refused(deployment_id, answer)
            if elapsed >= seconds:
                raise _still_running(deployment_id, seconds, answer)

    def report(self, deployment_id: str) -> DeployResult:
        """How the deployment stands now. Raises OperationFailedError for an unknown id."""
        try:
            return self._client.check_deploy_status(deployment_id)
        except UnknownIdError as error:
            raise _unknown(deployment_id) from error

    def cancel(self, deployment_id: str) -> DeployResult:
        """Ask the org to cancel, unless the deployment is done; how it stands then."""
        result = self.report(deployment_id)
        if result.done:
            return result
        self._client.cancel_deploy(deployment_id)
        return self.report(deployment_id)

    def requests(self) -> list[DeployRequest] | None:
        """The org's newest deployments, the newest first, without validations.

        None where the org does not list them. Raises NetworkError where it does not answer.
        """
        client = self._client
        try:
            records = client.org.query(_STATES, client.api_version, tooling=True)
        except OperationFailedError:
            return None
        found = map(DeployRequest.of, records)
        return [each for each in found if each.id and not each.check_only]

    def is_idle(self) -> bool:
        """True if the org is known to work on no deployment. Raises NetworkError."""
        found = self.requests()
        return found is not None and not any(each.is_pending for each in found)

    def find_latest(self) -> str | None:
        """The id of the org's newest deployment, or None where the org does not report it."""
        found = self._identifiers(_LATEST_DEPLOYMENT)
        return found[0] if found else None

    def find_newer(self, before: str | None) -> list[str] | None:
        """The ids of all deployments that are newer than this one, the oldest first.

        before: None if there was none, or the org didn't say: then only the newest counts. The
        result is None where the org doesn't say now.
        """
        found = self._identifiers(_LATEST_DEPLOYMENTS)
        if found is None or before is None:
            return found and found[:1]
        return list(takewhile(lambda each: each != before, found))[::-1]

    def _identifiers(self, soql: str) -> list[str] | None:
        try:
            records = self._client.org.query(soql, self._client.api_version, tooling=True)
        except (NetworkError, OperationFailedError):
            return None
        return [str(record["Id"]) for record in records if isinstance(record.get("Id"), str)]

    def _poll(self, deployment_id: str) -> DeployResult | SfcutoverError:
        try:
            return self._client.check_deploy_status(deployment_id)
        except AccessRefusedError as error:
            return error
        except (AuthError, ConfigError, IdentityError) as error:  # no session of this org is left
            raise _named(error, deployment_id) from error
        except SfcutoverError as error:
            return error


def _require_not_refused(deployment_id: str, answer: DeployResult | SfcutoverError) -> None:
    """Raise what the org refuses to say of a deployment that it has never shown."""
    if isinstance(answer, UnknownIdError):
        raise _unknown(deployment_id)
    if isinstance(answer, SfcutoverError) and answer.answer is Answer.FINAL:
        raise _named(answer, deployment_id) from answer


def _named(error: SfcutoverError, deployment_id: str) -> SfcutoverError:
    """The error, with what continues meanwhile."""
    hint = Advice(error.advice, "; then resume: ", _wait_for(deployment_id))
    return error.replaced(hint=hint, impact=LANDS_LATER)


def _still_running(
    deployment_id: str, seconds: float, answer: DeployResult | SfcutoverError
) -> StillRunningError:
    if isinstance(answer, SfcutoverError):
        status = f"the last poll failed ({answer.message})"
    else:
        status = f"its status is {answer.status}"
    return StillRunningError(
        f"deployment {deployment_id} is not done after {seconds:.0f} s; {status}",
        hint=Advice(_wait_for(deployment_id)),
        impact=LANDS_LATER,
    )


def _wait_for(deployment_id: str) -> Command:
    return Command("deployment", "wait", deployment_id)


def _unknown(deployment_id: str) -> UnknownDeploymentError:
    return UnknownDeploymentError(
        f"the org has no deployment {deployment_id}",
        hint="check the id and --target; an org keeps deployments for 30 days",
        impact="this command changed nothing in the org",
    )
