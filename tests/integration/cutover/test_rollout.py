"""A phase on its way into the emulated org, with every fault that can occur on the way.

What counts is what the org did: its log and its components, not what the client reports.
"""

from __future__ import annotations

import re
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from sfcutover.allowlist.phases import Phase
from sfcutover.allowlist.templates import Templates
from sfcutover.cutover.removalgate import RemovalPermit as Clearance
from sfcutover.cutover.rollout import NOT_READ_BACK, Rollout, RolloutOptions
from sfcutover.emulator.emulator import Emulator
from sfcutover.emulator.faults import Fault
from sfcutover.errors import (
    AuthError,
    BusyError,
    ExitCode,
    GateError,
    NetworkError,
    OperationFailedError,
    PartialSuccessError,
    StillRunningError,
)
from sfcutover.salesforce.connection import Connection
from sfcutover.salesforce.deployer import LANDS_LATER, LostAnswerError
from sfcutover.salesforce.results import DeployResult
from tests.support import (
    SECURITY,
    SECURITY_NAME,
    FakeTime,
    OpenConnection,
    StartEmulator,
    operations,
)

NEW = ("127.0.0.21", "127.0.0.22")
UNCHANGED = {
    "ConnectedApp": "Acme_Legacy",
    "ExternalClientApplication": "Acme_Connector",
    "ExtlClntAppConfigurablePolicies": "Acme_Connector_plcy",
    "ExtlClntAppGlobalOauthSettings": "Acme_Connector_glbloauth",
    "ExtlClntAppOauthConfigurablePolicies": "Acme_Connector_oauthPlcy",
    "ExtlClntAppOauthSettings": "Acme_Connector_oauth",
}


class RecordingObserver:
    """An observer that records everything."""

    def __init__(self) -> None:
        self.stages: list[str] = []
        self.ids: list[str] = []
        self.statuses: list[str] = []
        self.notes: list[str] = []

    def stage(self, name: str) -> None:
        self.stages.append(name)

    def sending(self) -> str | None:
        return None

    def never_received(self) -> None:
        self.ids.append("none")

    def sent(self, deployment_id: str) -> None:
        self.ids.append(deployment_id)

    def found(self, deployment_id: str) -> None:
        self.ids.append(deployment_id)

    def progress(self, result: DeployResult) -> None:
        self.statuses.append(result.status)

    def note(self, text: str) -> None:
        self.notes.append(text)


class Case:
    """One rollout that is ready to run, with its org."""

    def __init__(self, emulator: Emulator, rollout: Rollout, observer: RecordingObserver) -> None:
        self.emulator = emulator
        self.rollout = rollout
        self.observer = observer

    def fault(self, kind: str, operation: str = "deploy", **keys: object) -> None:
        self.emulator.set_fault(
            Fault.model_validate({"kind": kind, "operation": operation, **keys})
        )

    @property
    def sent(self) -> int:
        """How many deploy requests reached the org, whatever became of their answers."""
        return len(operations(self.emulator, "deploy"))

    @property
    def live(self) -> str:
        return self.emulator.component_xml(SECURITY, SECURITY_NAME).decode()

    @property
    def has_new(self) -> bool:
        return all(f"<startIpAddress>{address}<" in self.live for address in NEW)


Prepare = Callable[..., Case]


@pytest.fixture
def prepare(
    start_emulator: StartEmulator, open_connection: OpenConnection, time_: FakeTime
) -> Prepare:
    """An org and a rollout of a phase into it; other keywords are the scenario's."""

    def prepare(
        phase: Phase = Phase.ADD_NEW,
        *,
        wait: float = 1800.0,
        check_only: bool = False,
        renewable: bool = False,
        config: dict[str, object] | None = None,
        **scenario: object,
    ) -> Case:
        emulator = start_emulator(**scenario)
        connection = open_connection(emulator, renewable=renewable, **config or {})
        return Case(emulator, *ready(connection, phase, wait, check_only))

    def ready(
        connection: Connection, phase: Phase, wait: float, check_only: bool
    ) -> tuple[Rollout, RecordingObserver]:
        observer = RecordingObserver()
        live, cutover = connection.read(), connection.cutover
        planned = cutover.planner(Templates()).plan(phase, live)
        options = RolloutOptions(wait=wait, check_only=check_only)
        rollout = Rollout(connection, planned, options, observer, time_.clock)
        rollout.permit = Clearance(phase, "a test")
        return rollout, observer

    return prepare


# Success


def test_a_phase_is_deployed_and_read_back(prepare: Prepare) -> None:
    case = prepare(deploy_seconds=10)
    state = case.rollout.run()
    assert state is not None
    assert state.taken
    assert case.has_new
    assert case.sent == 1
    assert list(dict.fromkeys(case.observer.statuses)) == [
        "Pending",
        "InProgress",
        "Finalizing",
        "Succeeded",
    ]
    assert case.observer.stages == ["Preparing", "Waiting for the org", "Reading back"]
    assert [each.id for each in case.rollout.deployments] == case.observer.ids


def test_everything_else_in_the_org_stays_byte_for_byte(prepare: Prepare) -> None:
    unrelated = [
        {"range": "192.0.2.64-192.0.2.71", "description": 'Müller & "Söhne" <eu>'},
        {"range": "2001:db8::/121", "description": "  two  spaces\nand a line  "},
        {"range": "198.51.100.7"},
    ]
    unknown = {"aNewerControl": "on &amp; &lt;safe&gt;", "zoneOfTheFuture": "<a> b </a><c/>"}
    in_ranges = {"addedBy": "somebody &amp; others"}
    case = prepare(unrelated=unrelated, unknown_fields=unknown, unknown_range_fields=in_ranges)
    others = {name: case.emulator.component_xml(*name) for name in UNCHANGED.items()}
    before = case.live
    case.rollout.run()
    assert case.has_new
    entry = r" *<tokenIpRanges>\s*<endIpAddress>{0}</endIpAddress>\s*"
    entry += r"<startIpAddress>{0}</startIpAddress>\s*</tokenIpRanges>\n"
    after = case.live
    for address in NEW:
        after, count = re.subn(entry.format(re.escape(address)), "", after)
        assert count == 1
    assert after == before
    assert {name: case.emulator.component_xml(*name) for name in UNCHANGED.items()} == others


def test_policies_are_deployed_with_the_list(prepare: Prepare) -> None:
    policies = {"ipRelaxationPolicyType": "Enforce_RelaxRefresh"}
    case = prepare(config={"policies": policies})
    name = ("ExtlClntAppOauthConfigurablePolicies", "Acme_Connector_oauthPlcy")
    before = case.emulator.component_xml(*name)
    case.rollout.run()
    after = case.emulator.component_xml(*name)
    assert after == before.replace(b">Enforce<", b">Enforce_RelaxRefresh<")
    assert case.has_new


@pytest.mark.parametrize(
    "oddity",
    [{"reorder_ranges": True}, {"ipv6_form": "expanded_upper"}, {"omitted_fields": "keep"}],
    ids=str,
)
def test_a_list_that_the_org_rewrites_counts_as_saved(
    oddity: dict[str, object], prepare: Prepare
) -> None:
    case = prepare(unrelated=[{"range": "2001:db8::1", "description": "v6"}], **oddity)
    state = case.rollout.run()
    assert state is not None
    assert state.taken
    assert case.sent == 1


def test_start_returns_before_the_deployment_ends(prepare: Prepare) -> None:
    case = prepare(deploy_seconds=10)
    assert case.rollout.start() == case.emulator.deployments[0].id
    assert operations(case.emulator, "checkDeployStatus") == []


# The answer to the deploy request is lost


@pytest.mark.parametrize("known", [True, False], ids=["org names it", "org does not"])
@pytest.mark.parametrize("kind", ["drop_after", "html_body", "bad_xml"])
def test_an_answer_lost_after_the_effect_succeeds_without_a_second_deployment(
    kind: str, known: bool, prepare: Prepare
) -> None:
    case = prepare(deploy_seconds=10, deploy_request_query=known)
    case.fault(kind)
    state = case.rollout.run()
    assert state is not None
    assert state.taken
    assert case.has_new
    assert case.sent == 1
    assert len(case.emulator.deployments) == 1
    assert len(case.rollout.deployments) == (1 if known else 0)
    assert "nothing is sent again" in " ".join(case.observer.notes)


@pytest.mark.parametrize("known", [True, False], ids=["org names it", "org does not"])
@pytest.mark.parametrize("kind", ["drop_before", "http_502", "http_503"])
def test_an_answer_lost_before_the_effect_is_a_network_error_after_the_read_back(
    kind: str, known: bool, prepare: Prepare, time_: FakeTime
) -> None:
    case = prepare(deploy_request_query=known)
    case.fault(kind)
    with pytest.raises(LostAnswerError, match="the allowlist is unchanged") as caught:
        case.rollout.run()
    assert caught.value.exit_code is ExitCode.NETWORK
    assert case.sent == 1
    assert case.emulator.deployments == []
    assert 30 <= time_.seconds < 40
    assert max(time_.pauses) <= 5


def test_a_deployment_of_others_is_not_taken_for_one_with_a_lost_answer(prepare: Prepare) -> None:
    case = prepare()
    case.rollout.connection.deployer.start(b"no zip")
    case.fault("drop_before")
    with pytest.raises(LostAnswerError):
        case.rollout.run()
    assert len(case.emulator.deployments) == 1
    assert "ended as Failed" in " ".join(case.observer.notes)


def test_a_lost_answer_of_an_unreachable_org_is_a_network_error(
    prepare: Prepare, time_: FakeTime
) -> None:
    case = prepare()
    case.fault("drop_before")
    case.fault("drop_before", "any", skip=2, count=None)
    with pytest.raises(LostAnswerError, match="cannot be read"):
        case.rollout.run()
    assert case.sent == 1
    assert time_.seconds >= 30


def test_a_lost_answer_is_read_back_through_an_outage(prepare: Prepare) -> None:
    case = prepare(deploy_request_query=False)
    case.fault("drop_after")
    case.fault("http_503", "listMetadata", skip=1, count=3)
    case.fault("drop_before", "retrieve", count=2)
    assert case.rollout.run() is not None
    assert case.sent == 1


def test_a_lost_answer_to_a_validation_is_reported_immediately(
    prepare: Prepare, time_: FakeTime
) -> None:
    case = prepare(check_only=True)
    case.fault("drop_after")
    with pytest.raises(LostAnswerError):
        case.rollout.run()
    assert case.sent == 1
    assert time_.seconds == 0


# Polls fail


@pytest.mark.parametrize(
    "kind",
    [
        "http_502",
        "http_503",
        "html_body",
        "bad_xml",
        "drop_before",
        "drop_after",
        "cross_reference_500",
        "huge_body",
    ],
)
def test_a_failed_poll_is_repeated(
    kind: str, prepare: Prepare, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sfcutover.util.http.MAX_RESPONSE_BYTES", 1_000_000)
    case = prepare(deploy_seconds=10)
    case.fault(kind, "checkDeployStatus", count=4, skip=1)
    assert case.rollout.run() is not None
    assert case.sent == 1
    assert len([note for note in case.observer.notes if "polling again" in note]) == 4


def test_every_poll_but_the_last_may_fail(prepare: Prepare) -> None:
    case = prepare(deploy_seconds=1)
    case.fault("bad_xml", "checkDeployStatus", count=20)
    assert case.rollout.run() is not None
    assert case.observer.statuses == ["Succeeded"]


def test_slow_answers_are_awaited(prepare: Prepare) -> None:
    case = prepare(deploy_seconds=2)
    case.fault("slow", "checkDeployStatus", count=None, seconds=0.01)
    assert case.rollout.run() is not None
    assert case.observer.notes == []


def test_an_answer_slower_than_the_timeout_is_a_failed_poll(
    prepare: Prepare, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = prepare(deploy_seconds=2)
    monkeypatch.setattr("sfcutover.util.http.READ_SECONDS", 0.1)
    case.fault("slow", "checkDeployStatus", seconds=3)
    assert case.rollout.run() is not None
    assert "in time" in case.observer.notes[0]


def test_reading_back_continues_through_an_outage(prepare: Prepare, time_: FakeTime) -> None:
    case = prepare()
    case.fault("http_503", "listMetadata", skip=1, count=3)
    case.fault("bad_xml", "checkRetrieveStatus", count=2)
    assert case.rollout.run() is not None
    assert case.sent == 1
    assert len([note for note in case.observer.notes if "reading again" in note]) == 3


def test_an_org_that_cannot_be_read_back_is_a_network_error(
    prepare: Prepare, time_: FakeTime
) -> None:
    case = prepare()
    case.fault("http_503", "listMetadata", skip=1, count=None)
    with pytest.raises(NetworkError) as caught:
        case.rollout.run()
    assert caught.value.impact == NOT_READ_BACK
    assert case.sent == 1
    assert time_.seconds >= 30


# The wait ends first


def test_the_deployment_is_reported_as_running_at_the_deadline(
    prepare: Prepare, time_: FakeTime
) -> None:
    case = prepare(deploy_seconds=100, wait=20)
    with pytest.raises(StillRunningError, match="InProgress") as caught:
        case.rollout.run()
    assert caught.value.exit_code is ExitCode.STILL_RUNNING
    assert case.observer.ids[0] in caught.value.message
    assert caught.value.hint == f"sfcutover deployment wait {case.observer.ids[0]}"
    assert caught.value.impact == LANDS_LATER
    assert 20 <= time_.seconds < 20.5
    assert operations(case.emulator, "cancelDeploy") == []


def test_the_last_problem_is_named_at_the_deadline_of_an_outage(prepare: Prepare) -> None:
    case = prepare(wait=20)
    case.fault("http_503", "checkDeployStatus", count=None)
    with pytest.raises(StillRunningError, match="HTTP 503"):
        case.rollout.run()


def test_an_unknown_status_is_awaited(prepare: Prepare) -> None:
    case = prepare(deploy_seconds=2)
    case.fault("unknown_status", seconds=60)
    assert case.rollout.run() is not None
    assert "Reconciling" in case.observer.statuses


# Ends of a deployment


def test_a_canceled_deployment_fails(prepare: Prepare) -> None:
    case = prepare(deploy_seconds=4, cancel_seconds=3)
    case.fault("canceling")
    with pytest.raises(OperationFailedError, match="ended as Canceled") as caught:
        case.rollout.run()
    assert "canceled by Casey Colleague" in caught.value.message
    assert caught.value.exit_code is ExitCode.FAILED
    assert list(dict.fromkeys(case.observer.statuses))[-2:] == ["Canceling", "Canceled"]
    assert not case.has_new
    assert case.sent == 1


def test_a_partial_success_is_distinguished(prepare: Prepare) -> None:
    policies = {"ipRelaxationPolicyType": "Bypass"}
    case = prepare(config={"policies": policies})
    case.fault("succeeded_partial")
    with pytest.raises(PartialSuccessError, match="took effect only in part") as caught:
        case.rollout.run()
    assert caught.value.exit_code is ExitCode.PARTIAL
    assert case.sent == 1


def test_a_failed_component_is_named_with_its_problem(prepare: Prepare) -> None:
    case = prepare()
    case.fault("failed")
    with pytest.raises(OperationFailedError, match="ended as Failed") as caught:
        case.rollout.run()
    assert f"{SECURITY_NAME}.ecaOauthSecurity: FIELD_INTEGRITY_EXCEPTION" in caught.value.message
    assert "deployment report" in caught.value.hint
    assert not case.has_new
    assert case.sent == 1


@pytest.mark.parametrize(
    ("spelling", "status"), [(False, "FinalizingFailed"), (True, "FinalizingDeployFailed")]
)
def test_a_deployment_that_the_server_could_not_finalize_may_be_sent_again(
    spelling: bool, status: str, prepare: Prepare
) -> None:
    case = prepare(deploy_seconds=2, long_finalizing_status=spelling)
    case.fault("finalizing_failed")
    said = f"ended as {status}: UNKNOWN_EXCEPTION: The deployment could"
    with pytest.raises(BusyError, match=said):
        case.rollout.run()
    assert case.sent == 1


def test_the_live_list_decides_and_not_the_status(prepare: Prepare, time_: FakeTime) -> None:
    case = prepare(deploy_seconds=2)
    case.fault("finalizing_failed")
    wanted = case.rollout.planned.package.files[0].data

    def save() -> None:
        time_.on_pause = lambda: None
        case.emulator.put_component(SECURITY, SECURITY_NAME, wanted)

    time_.on_pause = save
    state = case.rollout.run()
    assert state is not None
    assert state.taken
    assert "FinalizingFailed, but the phase is live" in " ".join(case.observer.notes)


def test_a_locked_org_refuses_and_nothing_is_sent_again(prepare: Prepare) -> None:
    case = prepare()
    case.fault("org_locked")
    with pytest.raises(BusyError, match="ORG_LOCKED"):
        case.rollout.run()
    assert case.sent == 1
    assert case.emulator.deployments == []


# A save without effect


def test_a_save_without_effect_is_deployed_once_more(prepare: Prepare) -> None:
    case = prepare(deploy_seconds=2)
    case.fault("save_does_not_take")
    state = case.rollout.run()
    assert state is not None
    assert state.taken
    assert case.has_new
    assert case.sent == 2
    assert len(case.rollout.deployments) == 2
    assert "127.0.0.21" in case.observer.notes[0]


def test_a_second_save_without_effect_fails_and_names_what_is_missing(prepare: Prepare) -> None:
    case = prepare()
    case.fault("save_does_not_take", count=None)
    with pytest.raises(OperationFailedError, match="did not take") as caught:
        case.rollout.run()
    assert "missing 127.0.0.21, 127.0.0.22" in caught.value.message
    assert "do not move traffic" in caught.value.impact
    assert case.sent == 2


def test_an_org_that_merges_lists_never_loses_the_old_entries(prepare: Prepare) -> None:
    case = prepare(Phase.REMOVE_OLD, replace_or_merge="merge")
    with pytest.raises(OperationFailedError, match="did not take") as caught:
        case.rollout.run()
    assert "still there 127.0.0.11, 127.0.0.12" in caught.value.message
    assert case.sent == 2


def test_an_entry_of_another_user_survives_the_second_deployment(
    prepare: Prepare, time_: FakeTime
) -> None:
    case = prepare(deploy_seconds=2)
    case.fault("save_does_not_take")
    theirs = case.live.replace("127.0.0.11", "198.51.100.7")

    def add() -> None:
        time_.on_pause = lambda: None
        case.emulator.put_component(SECURITY, SECURITY_NAME, theirs.encode())

    time_.on_pause = add
    state = case.rollout.run()
    assert state is not None
    assert state.taken
    assert case.has_new
    assert "198.51.100.7" in case.live
    assert case.sent == 2


def test_a_lost_new_address_is_reported_as_an_outage(prepare: Prepare, time_: FakeTime) -> None:
    """remove-old reads back without a new address: redemptions from there are refused."""
    case = prepare(Phase.REMOVE_OLD, deploy_seconds=2)
    wanted = case.rollout.planned.package.files[0].data.replace(b"127.0.0.22", b"127.0.0.99")
    case.fault("save_does_not_take", count=None)
    time_.on_pause = lambda: case.emulator.put_component(SECURITY, SECURITY_NAME, wanted)
    with pytest.raises(OperationFailedError, match=r"missing 127\.0\.0\.22") as caught:
        case.rollout.run()
    assert "127.0.0.22 is missing from the allowlist" in caught.value.impact


def test_an_old_address_lost_during_add_new_is_reported_as_an_outage(
    prepare: Prepare, time_: FakeTime
) -> None:
    """Another user removes an address in use; the new ones, not yet added, are no outage."""
    case = prepare(deploy_seconds=2)
    wanted = case.live.replace("127.0.0.12", "198.51.100.7").encode()
    case.fault("save_does_not_take", count=None)
    time_.on_pause = lambda: case.emulator.put_component(SECURITY, SECURITY_NAME, wanted)
    with pytest.raises(OperationFailedError, match=r"missing 127\.0\.0\.12") as caught:
        case.rollout.run()
    assert caught.value.impact.startswith("127.0.0.12 is missing from the allowlist")


# Validation


def test_a_validation_changes_nothing(prepare: Prepare) -> None:
    case = prepare(check_only=True)
    before = case.live
    assert case.rollout.run() is None
    assert case.live == before
    assert [event["check_only"] for event in operations(case.emulator, "deploy")] == [True]
    assert "Reading back" not in case.observer.stages


def test_a_failed_validation_reports_the_reason(prepare: Prepare) -> None:
    case = prepare(check_only=True)
    case.fault("failed")
    with pytest.raises(OperationFailedError, match="FIELD_INTEGRITY_EXCEPTION") as caught:
        case.rollout.run()
    assert "nothing was changed" in caught.value.impact


# Sessions


def test_a_session_that_expires_during_the_wait_is_renewed(prepare: Prepare) -> None:
    case = prepare(deploy_seconds=10, renewable=True)
    case.fault("expired_session", "checkDeployStatus", skip=3)
    assert case.rollout.run() is not None
    assert case.sent == 1


def test_a_session_that_expires_before_the_deployment_is_renewed(prepare: Prepare) -> None:
    """The org refused the first request, so only the second one counts."""
    case = prepare(renewable=True)
    case.fault("expired_session", "deploy")
    assert case.rollout.run() is not None
    assert [event["code"] for event in operations(case.emulator, "deploy")] == [
        "INVALID_SESSION_ID",
        None,
    ]
    assert len(case.emulator.deployments) == 1


def test_a_session_that_cannot_be_renewed_names_how_to_continue(prepare: Prepare) -> None:
    case = prepare(deploy_seconds=10)
    case.fault("expired_session", "checkDeployStatus", skip=3)
    with pytest.raises(AuthError, match="INVALID_SESSION_ID") as caught:
        case.rollout.run()
    assert f"sfcutover deployment wait {case.observer.ids[0]}" in caught.value.hint
    assert caught.value.impact == LANDS_LATER
    assert case.sent == 1


# Ctrl-C


@contextmanager
def interrupted_on(operation: str, emulator: Emulator) -> Iterator[None]:
    """Ctrl-C as soon as the org has the request, while the client waits for its answer."""
    main, over = threading.main_thread().ident, threading.Event()
    assert main is not None

    def press() -> None:
        while not over.wait(0.005):
            if operations(emulator, operation):
                signal.pthread_kill(main, signal.SIGINT)
                return

    thread = threading.Thread(target=press, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def test_an_interrupt_while_sending_knows_no_id(prepare: Prepare) -> None:
    case = prepare()
    case.fault("slow", seconds=3)
    with (
        pytest.raises(KeyboardInterrupt),
        interrupted_on("deploy", case.emulator),
    ):
        case.rollout.run()
    assert case.observer.ids == []
    assert case.sent == 1
    assert operations(case.emulator, "cancelDeploy") == []


def test_an_interrupt_while_waiting_names_the_deployment_and_cancels_nothing(
    prepare: Prepare, time_: FakeTime
) -> None:
    case = prepare(deploy_seconds=10)
    time_.on_pause = press_ctrl_c
    with pytest.raises(KeyboardInterrupt):
        case.rollout.run()
    assert len(case.observer.ids) == 1
    assert operations(case.emulator, "cancelDeploy") == []
    time_.on_pause = lambda: None
    time_.pause(20)
    assert case.has_new  # it continued without us


def test_an_interrupt_while_reading_back_names_the_deployment(
    prepare: Prepare, time_: FakeTime
) -> None:
    case = prepare(retrieve_seconds=1)
    time_.on_pause = lambda: press_ctrl_c() if "Reading back" in case.observer.stages else None
    with pytest.raises(KeyboardInterrupt):
        case.rollout.run()
    assert len(case.observer.ids) == 1


def press_ctrl_c() -> None:
    raise KeyboardInterrupt


# The clearance


@pytest.mark.parametrize("clearance", [None, Clearance(Phase.REMOVE_NEW, "another phase's")])
def test_no_phase_removes_without_its_own_clearance(
    clearance: Clearance | None, prepare: Prepare
) -> None:
    case = prepare(Phase.REMOVE_OLD)
    case.rollout.permit = clearance
    for attempt in (case.rollout.run, case.rollout.start):
        with pytest.raises(GateError) as caught:
            attempt()
        assert caught.value.exit_code is ExitCode.GATE
    assert case.sent == 0


def test_a_phase_with_its_clearance_removes(prepare: Prepare) -> None:
    case = prepare(Phase.REMOVE_OLD)
    case.rollout.run()
    assert case.has_new
    assert "127.0.0.11" not in case.live
    assert "office VPN" in case.live


def test_a_removal_can_be_validated_without_a_clearance(prepare: Prepare) -> None:
    case = prepare(Phase.REMOVE_OLD, check_only=True)
    case.rollout.permit = None
    assert case.rollout.run() is None
    assert "127.0.0.11" in case.live
