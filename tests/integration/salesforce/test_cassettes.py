"""The client, the deployer and the retriever against recorded answers, the network blocked.

``make record`` records them again; see cassettes/README.md.
"""

from __future__ import annotations

from typing import Any

import pytest
import requests
from vcr.errors import (  # type: ignore[import-untyped]
    CannotOverwriteExistingCassetteException,
)

from sfcutover.allowlist.carriers import APP, CARRIERS, SECURITY_SETTINGS
from sfcutover.allowlist.component import Component, Field
from sfcutover.allowlist.package import Package, build_package
from sfcutover.allowlist.templates import Templates
from sfcutover.errors import AuthError, ConfigError, ExitCode, SfcutoverError
from sfcutover.salesforce.deployer import Deployer
from sfcutover.salesforce.results import DeployResult, DeployState
from sfcutover.salesforce.sessions import Session, SessionProvider
from sfcutover.util.secrets import Secret
from tests.integration.salesforce.conftest import RecordAgainst, RecordedOrg
from tests.integration.salesforce.scrubbing import ORG_URL, soap_operation

pytestmark = [pytest.mark.vcr, pytest.mark.block_network]
CARRIER = CARRIERS["token-ip-ranges"]


class RecordingObserver:
    """Records what a wait reports."""

    def __init__(self) -> None:
        self.results: list[DeployResult] = []
        self.problems: list[SfcutoverError] = []

    def wait(self, deployer: Deployer, deployment_id: str) -> DeployResult:
        return deployer.wait(
            deployment_id, 600, on_progress=self.results.append, on_problem=self.problems.append
        )

    @property
    def statuses(self) -> list[str]:
        """Each status once, in the order in which they were reported."""
        return list(dict.fromkeys(each.status for each in self.results))


class StaleAtFirst:
    """Sessions of which the org rejects the first."""

    def __init__(self, provider: SessionProvider) -> None:
        self._provider = provider
        self.opened = 0

    def open_session(self) -> Session:
        self.opened += 1
        session = self._provider.open_session()
        stale = Session(session.instance_url, Secret("a-session-long-gone"))
        return stale if self.opened == 1 else session


def package_of(*components: Component) -> Package:
    return build_package(components, "67.0", Templates())


def live_component(org: RecordedOrg) -> Component:
    return org.retriever().snapshot(org.app, [CARRIER]).carriers[0]


def calls(cassette: Any) -> list[str]:
    """The operations of a cassette; a token request appears as its path."""
    return [soap_operation(each) or each.path for each in cassette.requests]


def test_a_deploy_succeeds(record_against: RecordAgainst) -> None:
    org, observer = record_against(deploy_seconds=2), RecordingObserver()
    package = package_of(live_component(org))  # nothing would change in a real org
    deployment_id = org.deployer().start(package.to_zip())
    result = observer.wait(org.deployer(), deployment_id)
    assert result.state is DeployState.SUCCEEDED
    assert result.id == deployment_id
    assert result.components_deployed == result.components_total == 1
    assert result.failures == ()
    assert observer.statuses[-1] == "Succeeded"
    assert {"Pending", "InProgress"} & set(observer.statuses)


def test_a_deploy_fails_on_a_component(record_against: RecordAgainst) -> None:
    org = record_against()
    live = live_component(org)
    wrong = Component(
        SECURITY_SETTINGS,
        "No_Such_App_oauthSecurity",
        (Field.of_text("externalClientApplication", "No_Such_App"),),
        CARRIER,
        live.allowlist,
    )
    deployment_id = org.deployer().start(package_of(wrong).to_zip())
    result = org.deployer().wait(deployment_id, 600)
    assert result.state is DeployState.FAILED
    assert [each.full_name for each in result.failures] == [wrong.full_name]
    assert result.failures[0].file_name.endswith(wrong.path)
    assert result.failures[0].problem


@pytest.mark.emulated
def test_a_deploy_is_polled_through_an_outage(record_against: RecordAgainst) -> None:
    faults = [
        {"kind": kind, "operation": "checkDeployStatus", "count": 2, "skip": skip}
        for kind, skip in (("http_502", 1), ("html_body", 0), ("http_503", 0), ("bad_xml", 0))
    ]
    org = record_against(deploy_seconds=3, faults=faults)
    observer = RecordingObserver()
    package = package_of(live_component(org))
    deployment_id = org.deployer().start(package.to_zip())
    result = observer.wait(org.deployer(), deployment_id)
    assert result.state is DeployState.SUCCEEDED
    assert len(observer.problems) == 8
    told = " ".join(map(str, observer.problems))
    assert "HTTP 502" in told
    assert "HTTP 503" in told
    assert "other than a Metadata API answer" in told


def test_a_deploy_is_canceled(record_against: RecordAgainst) -> None:
    org, observer = record_against(deploy_seconds=60, cancel_seconds=1), RecordingObserver()
    package = package_of(live_component(org))
    deployment_id = org.deployer().start(package.to_zip())
    org.deployer().cancel(deployment_id)
    result = observer.wait(org.deployer(), deployment_id)
    assert result.state is DeployState.CANCELED
    assert result.done
    assert not result.success


def test_a_component_is_retrieved(record_against: RecordAgainst) -> None:
    org = record_against(retrieve_seconds=1)
    snapshot = org.retriever().snapshot(org.app, [CARRIER], policies=True)
    component, policies = snapshot.carriers[0], snapshot.policies
    assert component.text("externalClientApplication") == org.app
    assert component.path.startswith("extlClntAppOauthSecuritySettings/")
    assert len(component.allowlist) >= 1
    assert policies is not None
    assert policies.text("ipRelaxationPolicyType") == "Enforce"


def test_the_apps_of_an_org_are_listed(record_against: RecordAgainst) -> None:
    org = record_against()
    assert org.app in org.retriever().apps()
    assert APP.metadata_type in org.client().describe_metadata().names


def test_an_expired_session_is_renewed_once_and_the_request_sent_again(
    record_against: RecordAgainst, vcr: Any
) -> None:
    org = record_against()
    stale = StaleAtFirst(org.client_credentials())
    assert org.client(SessionProvider(stale.open_session)).list_metadata([APP.metadata_type])
    token = "/services/oauth2/token"
    assert calls(vcr) == [token, "listMetadata", token, "listMetadata"]
    assert stale.opened == 2


def test_a_session_that_cannot_be_renewed_is_an_authentication_error(
    record_against: RecordAgainst, vcr: Any
) -> None:
    from tests.support import one_session

    org = record_against()
    client = org.client(one_session(org.url, "a-session-long-gone"))
    with pytest.raises(AuthError, match="INVALID_SESSION_ID") as caught:
        client.list_metadata([APP.metadata_type])
    assert caught.value.exit_code is ExitCode.AUTH
    assert calls(vcr) == ["listMetadata"]


def test_an_unsupported_version_is_a_config_error(record_against: RecordAgainst) -> None:
    org = record_against()
    with pytest.raises(ConfigError, match="UNSUPPORTED_API_VERSION") as caught:
        org.client(api_version="99.0").describe_metadata()
    assert "api_version" in caught.value.hint


def test_an_answer_is_found_by_its_operation(record_against: RecordAgainst, vcr: Any) -> None:
    """Method and path are the same for all operations; only the body distinguishes them."""
    org = record_against()
    client = org.client()
    first, second = client.describe_metadata(), client.list_metadata([APP.metadata_type])
    if vcr.record_mode.value == "none":
        vcr.rewind()
        again = org.client()
        swapped = again.list_metadata([APP.metadata_type]), again.describe_metadata()
        assert swapped == (second, first)


def test_an_unrecorded_request_reaches_no_network(record_mode: str) -> None:
    if record_mode != "none":
        pytest.skip("this is about replaying")
    with pytest.raises(CannotOverwriteExistingCassetteException):
        requests.get(f"{ORG_URL}/services/data", timeout=1)
