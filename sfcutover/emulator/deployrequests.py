"""Deploy requests: the same rules for the two APIs that take them, SOAP and REST."""

from __future__ import annotations

from datetime import timedelta

from sfcutover.emulator.deployments import CancelRefusedError, Deployment, Options
from sfcutover.emulator.faults import Fault
from sfcutover.emulator.log import Event
from sfcutover.emulator.org import Org

VALIDATION_LIFETIME = timedelta(days=10)
_NO_PERMISSION = (
    "use of the Metadata API requires a user with the ModifyAllData or ModifyMetadata permissions"
)


class RefusedError(Exception):
    """The org refuses a call of an API; code is Salesforce's. Each API spells it in its own way."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def check_permission(org: Org) -> None:
    """Raises RefusedError where the user may not use the Metadata API."""
    if not org.scenario.can_modify_metadata:
        raise RefusedError("INSUFFICIENT_ACCESS", _NO_PERMISSION)


def no_such_id(text: str) -> RefusedError:
    """The org's answer for an unknown id."""
    return RefusedError("INVALID_CROSS_REFERENCE_KEY", f"invalid cross reference id: {text}")


class DeployRequests:
    """The deployments of an org, for one call. The caller holds the org's lock.

    fault: one that afflicts the deployment which the call starts. event: the call's line
    in the log, which gets the deployment's id.
    """

    def __init__(self, org: Org, fault: Fault | None, event: Event) -> None:
        self._org = org
        self._fault = fault
        self._event = event

    def add(self, zip_bytes: bytes, options: Options) -> Deployment:
        """Line a deployment up."""
        deployment = self._org.queue.add(zip_bytes, options, self._fault)
        self._event["deployment"] = deployment.id
        self._event["check_only"] = options.check_only
        return deployment

    def add_validated(self, validation_id: str) -> Deployment:
        """Line up what a validation of the last ten days has tested; RefusedError for another."""
        validation = self.find(validation_id)
        if not self._is_recent_validation(validation):
            text = "The validation is not a recent one that has passed its tests"
            raise RefusedError("INVALID_ID_FIELD", text)
        options = Options(
            rollback_on_error=True,
            single_package=validation.options.single_package,
            test_level=validation.options.test_level,
        )
        return self.add(validation.zip_bytes, options)

    def find(self, deployment_id: str) -> Deployment:
        """By its 15- or 18-character id, as far as it is by now. Raises RefusedError."""
        found = self._org.queue.find(deployment_id)
        if found is None:
            raise no_such_id(deployment_id)
        self._event["deployment"] = found.id
        return found

    def cancel(self, deployment_id: str, version: float) -> Deployment:
        """Ask for a cancel; RefusedError where it comes too late."""
        deployment = self.find(deployment_id)
        try:
            self._org.queue.cancel(deployment, version)
        except CancelRefusedError as error:
            raise RefusedError("INVALID_ID_FIELD", str(error)) from error
        return deployment

    def _is_recent_validation(self, deployment: Deployment) -> bool:
        ran_tests = deployment.options.test_level not in ("", "NoTestRun")
        is_recent = self._org.clock() - deployment.created < VALIDATION_LIFETIME
        return deployment.check_only and deployment.success and ran_tests and is_recent
