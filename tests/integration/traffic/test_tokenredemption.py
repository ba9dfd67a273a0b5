"""Redeeming from a store: rotation, locks, and killed processes."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import random
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest
import requests

from sfcutover.config.verify import Verify
from sfcutover.emulator.emulator import Emulator
from sfcutover.emulator.faults import Fault
from sfcutover.errors import AuthError, ConfigError, ExitCode, OperationFailedError
from sfcutover.traffic import helperprocess, tokenredemption
from sfcutover.traffic.redemption import RedemptionOutcome
from sfcutover.traffic.tokenanswer import TokenEndpoint, token_endpoint
from sfcutover.traffic.tokenredemption import redeem_and_store, redeem_from
from sfcutover.traffic.tokenstores import token_store
from sfcutover.util import files
from sfcutover.util.secrets import Secret
from tests.integration.traffic.rotation import (
    Grant,
    endpoint_at,
    redeem_in_a_group,
    redeem_once,
    redeem_until_killed,
)
from tests.integration.traffic.test_redemption import closed_port, egress
from tests.support import StartEmulator, StartServer
from tests.unit.traffic.stores import FIRST, store_of, write_token

WORKERS = multiprocessing.get_context("forkserver")
WORKERS.set_forkserver_preload(["tests.integration.traffic.rotation"])


def test_a_new_token_is_in_the_file_when_the_redemption_counts(
    grant: Grant, endpoint: TokenEndpoint, session: requests.Session, tmp_path: Path
) -> None:
    path = write_token(tmp_path / "token")
    for number in range(1, 6):
        redemption = redeem_from(store_of(file=str(path)), endpoint, session)
        assert redemption.outcome is RedemptionOutcome.REDEEMED
        assert redemption.new_token == Secret(f"5Aep861-token-{number}-of-the-tests")
        assert path.read_text() == f"5Aep861-token-{number}-of-the-tests\n"
        assert path.stat().st_mode & 0o777 == 0o600
    assert grant.current == path.read_text().strip()


def test_an_unchanged_token_is_not_written(
    grant: Grant, endpoint: TokenEndpoint, session: requests.Session, tmp_path: Path
) -> None:
    grant.rotates = False
    path = write_token(tmp_path / "token")
    content, before = path.read_bytes(), path.stat()
    store = store_of(file=str(path), rotation=False)
    assert redeem_from(store, endpoint, session).new_token is None
    assert path.stat().st_ino == before.st_ino
    store = store_of(file=str(path))  # a copy is stored there first, as a new one may arrive
    assert redeem_from(store, endpoint, session).new_token is None
    assert path.read_bytes() == content


def test_one_helper_serves_consecutive_redemptions(
    endpoint: TokenEndpoint, session: requests.Session, tmp_path: Path
) -> None:
    path = write_token(tmp_path / "token")
    (tmp_path / "link").symlink_to(path)
    for name in ("token", "link", "token"):
        redeem_from(store_of(file=str(tmp_path / name)), endpoint, session)
    assert len(tokenredemption._helpers._idle) == 1


def test_an_idle_helper_serves_the_next_store(
    session: requests.Session, start_server: StartServer, tmp_path: Path
) -> None:
    children = []
    for number in range(4):
        path = write_token(tmp_path / f"token-{number}")
        endpoint = endpoint_at(start_server(Grant().handle))
        redeem_from(store_of(file=str(path)), endpoint, session)
        children.append(idle_child())
    assert len({child.pid for child in children}) == 1


def test_no_more_helpers_than_needed_stay_idle(
    endpoint: TokenEndpoint,
    grant: Grant,
    session: requests.Session,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Four concurrent redemptions need four helpers; two of them wait for the next."""
    monkeypatch.setattr(helperprocess, "MAX_IDLE_HELPERS", 2)
    together = threading.Barrier(4)

    def wait() -> None:
        together.wait(20)

    grant.before = wait
    grant.rotates = False
    stores = [store_of(file=str(write_token(tmp_path / f"token-{each}"))) for each in range(4)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda store: redeem_from(store, endpoint, session), stores))
    assert len(tokenredemption._helpers._idle) == 2


def idle_child() -> subprocess.Popen[bytes]:
    (helper,) = tokenredemption._helpers._idle
    return helper.process


def test_a_helper_killed_while_idle_is_replaced(
    endpoint: TokenEndpoint, session: requests.Session, tmp_path: Path
) -> None:
    store = store_of(file=str(write_token(tmp_path / "token")))
    for _ in range(3):
        assert redeem_from(store, endpoint, session).outcome is RedemptionOutcome.REDEEMED
        child = idle_child()
        child.send_signal(signal.SIGKILL)
        child.wait(10)


def test_a_helper_killed_while_redeeming_leaves_the_answer_unknown(
    grant: Grant, endpoint: TokenEndpoint, session: requests.Session, tmp_path: Path
) -> None:
    store = store_of(file=str(write_token(tmp_path / "token")))
    redeem_from(store, endpoint, session)
    child = idle_child()
    grant.before = child.kill
    redemption = redeem_from(store, endpoint, session)
    assert (redemption.outcome, redemption.answer_lost) == (RedemptionOutcome.UNKNOWN, True)


def test_a_helper_ignores_the_signals_that_end_its_parent(
    endpoint: TokenEndpoint, session: requests.Session, tmp_path: Path
) -> None:
    store = store_of(file=str(write_token(tmp_path / "token")))
    redeem_from(store, endpoint, session)
    child = idle_child()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        child.send_signal(number)
        assert redeem_from(store, endpoint, session).outcome is RedemptionOutcome.REDEEMED
    assert os.getpgid(child.pid) != os.getpgid(0)
    assert idle_child() is child


def test_the_arguments_of_the_helper_contain_no_secret(
    session: requests.Session, start_server: StartServer, tmp_path: Path
) -> None:
    store = store_of(file=str(write_token(tmp_path / "token")))
    endpoint = TokenEndpoint(start_server(Grant().handle), "id", Secret("hunter2-client-secret"))
    new = redeem_from(store, endpoint, session).new_token
    assert new is not None
    process = Path(f"/proc/{idle_child().pid}")
    if not process.exists():
        pytest.skip("needs /proc")
    seen = (process / "cmdline").read_bytes() + (process / "environ").read_bytes()
    for value in (FIRST, new.reveal(), "hunter2"):
        assert value.encode() not in seen


def test_secrets_are_pickled_only_for_a_helper() -> None:
    packed = helperprocess._packed(Secret("hunter2"))
    assert helperprocess._unpacked(packed) == Secret("hunter2")
    with pytest.raises(TypeError):
        pickle.dumps(Secret("hunter2"))


def test_two_threads_redeem_one_token_in_turn(
    grant: Grant, endpoint: TokenEndpoint, session: requests.Session, tmp_path: Path
) -> None:
    path = write_token(tmp_path / "token")
    stores = [store_of(file=str(path)), store_of(file=str(path), rotation=False)]
    with ThreadPoolExecutor(4) as pool:
        done = pool.map(lambda n: redeem_from(stores[n % 2], endpoint, session), range(24))
        assert {each.outcome for each in done} == {RedemptionOutcome.REDEEMED}
    assert (grant.count, grant.overlaps) == (24, 0)


def test_two_processes_redeem_one_token_in_turn(
    grant: Grant, endpoint: TokenEndpoint, tmp_path: Path
) -> None:
    """The first is delayed in the middle of its redemption until the second waits."""
    path = write_token(tmp_path / "token")
    inside, resume = threading.Event(), threading.Event()

    def hold() -> None:
        inside.set()
        resume.wait(20)

    grant.before = hold
    first = start(redeem_once, path, endpoint)
    assert inside.wait(20)
    second = start(redeem_once, path, endpoint)
    second.join(1)
    assert second.is_alive()
    assert (grant.count, grant.overlaps) == (0, 0)
    resume.set()
    for process in (first, second):
        process.join(20)
        assert process.exitcode == 0
    assert (grant.count, grant.overlaps) == (2, 0)
    assert path.read_text().strip() == grant.current


def test_a_lock_timeout_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "LOCK_SECONDS", 0.05)
    path = write_token(tmp_path / "token")
    with (
        store_of(file=str(path)).locked(),
        pytest.raises(OperationFailedError, match="another process"),
        store_of(file=str(path)).locked(),
    ):
        pytest.fail("both hold the lock")
    with store_of(file=str(path)).locked():
        assert True


def test_a_lock_ends_with_its_holder(tmp_path: Path) -> None:
    path = write_token(tmp_path / "token")
    code = (
        "import sys; from tests.integration.traffic.rotation import store_of\n"
        "with store_of(file=sys.argv[1]).locked():\n    print('in', flush=True)\n    input()"
    )
    command = [sys.executable, "-c", code, str(path)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"in\n"
        holder.kill()
    with store_of(file=str(path)).locked():
        assert True


def test_a_removed_lock_file_delays_no_process(tmp_path: Path) -> None:
    path = write_token(tmp_path / "token")
    with store_of(file=str(path)).locked():
        (tmp_path / ".token.lock").unlink()
        with store_of(file=str(path)).locked():
            assert (tmp_path / ".token.lock").exists()


def start(target: object, path: Path, endpoint: TokenEndpoint) -> BaseProcess:
    process = WORKERS.Process(target=target, args=(str(path), endpoint.url))  # type: ignore[arg-type]
    process.start()
    return process


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("instant", ["before", "after"])
def test_killing_a_whole_group_during_a_redemption_loses_no_token(
    instant: str,
    number: signal.Signals,
    grant: Grant,
    endpoint: TokenEndpoint,
    session: requests.Session,
    tmp_path: Path,
) -> None:
    """The endpoint itself kills the client, before or after it rotates the token."""
    path = write_token(tmp_path / "token")
    started = threading.Event()
    victims: list[BaseProcess] = []

    def end() -> None:
        started.wait(20)
        if victims:
            pid = victims.pop().pid
            assert pid is not None
            os.killpg(pid, number)

    setattr(grant, instant, end)
    victim = start(redeem_in_a_group, path, endpoint)
    victims.append(victim)
    started.set()
    victim.join(20)
    assert victim.exitcode == (1 if number == signal.SIGINT else -number)
    with store_of(file=str(path)).locked():  # its helper has finished
        assert grant.count == 1
        assert path.read_text().strip() == grant.current
    assert (
        redeem_from(store_of(file=str(path)), endpoint, session).outcome
        is RedemptionOutcome.REDEEMED
    )


@pytest.mark.slow
def test_no_kill_in_200_redemptions_loses_the_token(
    grant: Grant, endpoint: TokenEndpoint, session: requests.Session, tmp_path: Path
) -> None:
    path = write_token(tmp_path / "token")
    store = store_of(file=str(path))
    instants = random.Random(5)
    kills = 0
    while grant.count < 200 or kills < 12:
        victim = start(redeem_until_killed, path, endpoint)
        victim.join(instants.uniform(0, 1.2))
        assert victim.exitcode is None
        victim.kill()
        victim.join(20)
        kills += 1
        assert redeem_from(store, endpoint, session).outcome is RedemptionOutcome.REDEEMED
        assert path.read_text().strip() == grant.current
    assert grant.overlaps == 0


def test_a_helper_ends_with_its_parent(endpoint: TokenEndpoint, tmp_path: Path) -> None:
    """Its end of a pipe, which no other process inherits, is closed by then."""
    path = write_token(tmp_path / "token")
    code = (
        "import os, signal, sys; from sfcutover.traffic import tokenredemption\n"
        "from tests.integration.traffic.rotation import *\n"
        "store = store_of(file=sys.argv[1])\n"
        "tokenredemption.redeem_from(store, endpoint_at(sys.argv[2]), new_session())\n"
        "print(tokenredemption._helpers._idle[0].process.pid, flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(path), endpoint.url],
        capture_output=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    process = Path(f"/proc/{int(done.stdout)}/cmdline")
    gone = threading.Event()
    for _ in range(500):
        if not process.exists() or b"traffic.helperprocess" not in process.read_bytes():
            return
        gone.wait(0.01)
    pytest.fail("the helper is still running")


def test_an_exit_leaves_no_warning_and_no_process(endpoint: TokenEndpoint, tmp_path: Path) -> None:
    code = (
        "import os, sys; from sfcutover.traffic import tokenredemption\n"
        "from tests.integration.traffic.rotation import *\n"
        "store = store_of(file=sys.argv[1])\n"
        "tokenredemption.redeem_from(store, endpoint_at(sys.argv[2]), new_session())\n"
        "print(tokenredemption._helpers._idle[0].process.pid)\n"
        "if not os.fork(): sys.exit()\n"
        "os.wait()\n"
        "tokenredemption.redeem_from(store, endpoint_at(sys.argv[2]), new_session())\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code, str(write_token(tmp_path / "t")), endpoint.url],
        capture_output=True,
        timeout=30,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    with pytest.raises(ProcessLookupError):
        os.kill(int(done.stdout.split()[0]), 0)


def test_a_token_with_a_lost_answer_is_never_redeemed_again(
    grant: Grant, endpoint: TokenEndpoint, session: requests.Session, tmp_path: Path
) -> None:
    path = write_token(tmp_path / "token")
    store = store_of(file=str(path))

    def fail() -> None:
        raise ConnectionError

    grant.after = fail
    assert redeem_from(store, endpoint, session).answer_lost
    grant.after = lambda: None
    for _ in range(2):
        with pytest.raises(AuthError, match="never redeemed again"):
            redeem_from(store_of(file=str(path)), endpoint, session)
    assert grant.count == 1
    write_token(path, grant.current or "")  # the operator stores a valid token
    assert redeem_from(store, endpoint, session).outcome is RedemptionOutcome.REDEEMED


def test_an_answer_that_could_not_arrive_blocks_nothing(
    endpoint: TokenEndpoint, session: requests.Session, tmp_path: Path
) -> None:
    store = store_of(file=str(write_token(tmp_path / "token")))
    failed = redeem_from(store, endpoint_at(f"http://{closed_port()}/"), session)
    assert (failed.outcome, failed.answer_lost) == (RedemptionOutcome.NETWORK_FAILURE, False)
    assert redeem_from(store, endpoint, session).outcome is RedemptionOutcome.REDEEMED


def test_a_token_that_does_not_rotate_can_be_redeemed_after_a_lost_answer(
    grant: Grant, endpoint: TokenEndpoint, session: requests.Session, tmp_path: Path
) -> None:
    grant.rotates = False
    store = store_of(file=str(write_token(tmp_path / "token")), rotation=False)

    def fail() -> None:
        raise ConnectionError

    grant.after = fail
    assert redeem_from(store, endpoint, session).answer_lost
    grant.after = lambda: None
    assert redeem_from(store, endpoint, session).outcome is RedemptionOutcome.REDEEMED


@pytest.mark.parametrize("rotation", [None, True])
@pytest.mark.parametrize("config", [{"env": "A_TOKEN"}, {"get": ["echo", "a-token"]}])
def test_a_token_that_could_not_be_stored_is_not_redeemed(
    config: dict[str, object],
    rotation: bool | None,
    grant: Grant,
    endpoint: TokenEndpoint,
    session: requests.Session,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("A_TOKEN", FIRST)
    with pytest.raises(ConfigError, match="not redeemed") as caught:
        redeem_from(store_of(rotation=rotation, **config), endpoint, session)
    assert caught.value.exit_code is ExitCode.USAGE
    assert "rotation: false" in caught.value.hint
    assert grant.count == 0


def test_a_variable_can_hold_a_token_that_does_not_rotate(
    grant: Grant,
    endpoint: TokenEndpoint,
    session: requests.Session,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("A_TOKEN", f" {FIRST}\n")
    grant.rotates = False
    store = store_of(env="A_TOKEN", rotation=False)
    for _ in range(2):
        assert redeem_from(store, endpoint, session).outcome is RedemptionOutcome.REDEEMED


def test_an_unexpected_rotation_stops_everything_and_shows_nothing(
    endpoint: TokenEndpoint,
    session: requests.Session,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("A_TOKEN", FIRST)
    with pytest.raises(OperationFailedError, match="cannot be stored") as caught:
        redeem_from(store_of(env="A_TOKEN", rotation=False), endpoint, session)
    assert "old refresh token is void" in caught.value.impact
    told = str(caught.value) + caught.value.hint + repr(caught.value) + "".join(capfd.readouterr())
    assert "5Aep861" not in told


def test_two_processes_redeem_a_token_of_a_variable_in_turn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "LOCK_SECONDS", 0.05)
    monkeypatch.setenv("A_TOKEN", FIRST)
    monkeypatch.setenv("B_TOKEN", FIRST)
    with (
        store_of(env="A_TOKEN").locked(),
        pytest.raises(OperationFailedError),
        store_of(env="B_TOKEN").locked(),  # another name for the same token
    ):
        pytest.fail("both hold the lock")


@pytest.mark.parametrize("value", ["", "two words", "Grüße"])
def test_a_variable_without_a_token_is_refused(
    value: str,
    endpoint: TokenEndpoint,
    session: requests.Session,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("A_TOKEN", value)
    with pytest.raises(ConfigError, match="A_TOKEN") as caught:
        redeem_from(store_of(env="A_TOKEN", rotation=False), endpoint, session)
    assert not value or value not in str(caught.value)


def test_without_a_state_folder_nothing_is_redeemed(
    grant: Grant, endpoint: TokenEndpoint, session: requests.Session, tmp_path: Path
) -> None:
    (tmp_path / "state").write_text("in the way")
    with pytest.raises(ConfigError, match="no folder for this tool's state") as caught:
        redeem_from(store_of(file=str(write_token(tmp_path / "token"))), endpoint, session)
    assert "XDG_STATE_HOME" in caught.value.hint
    assert grant.count == 0


def test_the_token_of_an_org_is_kept_through_rotation_and_refusal(
    start_emulator: StartEmulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    org = start_emulator(tls=True)
    environment = org.environment
    path = write_token(tmp_path / "token", environment["SF_REFRESH_TOKEN"])
    config = {
        "token_url": environment["SFCUTOVER_TOKEN_URL"],
        "client_id": environment["SF_CLIENT_ID"],
        "client_secret": {"env": "A_SECRET"},
        "refresh_token": {"file": str(path)},
    }
    monkeypatch.setenv("A_SECRET", environment["SF_CLIENT_SECRET"])
    verify = Verify.model_validate(config)
    (canary,) = verify.canaries_of("packaging")
    endpoint = token_endpoint(canary, allow_other_hosts=False)
    store = token_store(canary.refresh_token)
    org.set_fault(Fault(kind="rate_limit", operation="redeem", skip=2))
    expected = [
        RedemptionOutcome.REDEEMED,
        RedemptionOutcome.REDEEMED,
        RedemptionOutcome.RATE_LIMITED,
        RedemptionOutcome.REDEEMED,
    ]
    with egress(environment["SFCUTOVER_OLD_PROXY_URL"], environment) as old:
        assert [redeem_from(store, endpoint, old).outcome for _ in range(4)] == expected
    with egress(environment["SFCUTOVER_NEW_PROXY_URL"], environment) as new:
        assert redeem_from(store, endpoint, new).outcome is RedemptionOutcome.BLOCKED
    with egress(environment["SFCUTOVER_OLD_PROXY_URL"], environment) as old:
        assert redeem_from(store, endpoint, old).outcome is RedemptionOutcome.REDEEMED
    assert path.read_text().strip() == org.environment["SF_REFRESH_TOKEN"]


def busy_grant(start_emulator: StartEmulator, tmp_path: Path, count: int) -> tuple[Emulator, Path]:
    """An org whose token endpoint requests a retry this many times."""
    org = start_emulator(tls=True)
    org.set_fault(Fault(kind="retry_request", operation="redeem", count=count))
    return org, write_token(tmp_path / "token", org.environment["SF_REFRESH_TOKEN"])


def redeem_at(org: Emulator, path: Path) -> RedemptionOutcome:
    environment = org.environment
    verify = Verify.model_validate(
        {
            "token_url": environment["SFCUTOVER_TOKEN_URL"],
            "client_id": environment["SF_CLIENT_ID"],
            "client_secret": {"env": "A_SECRET"},
            "refresh_token": {"file": str(path)},
        }
    )
    (canary,) = verify.canaries_of("packaging")
    endpoint = token_endpoint(canary, allow_other_hosts=False)
    store = token_store(canary.refresh_token)
    with egress(environment["SFCUTOVER_OLD_PROXY_URL"], environment) as old:
        return redeem_and_store(store, endpoint, old).outcome


@pytest.mark.parametrize("count", [1, 3])
def test_a_busy_endpoint_is_retried_with_the_same_token(
    count: int, start_emulator: StartEmulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    org, path = busy_grant(start_emulator, tmp_path, count)
    monkeypatch.setattr(tokenredemption, "_BUSY_PAUSES", (0.0, 0.0, 0.0))
    monkeypatch.setenv("A_SECRET", org.environment["SF_CLIENT_SECRET"])
    assert redeem_at(org, path) is RedemptionOutcome.REDEEMED
    assert path.read_text().strip() == org.environment["SF_REFRESH_TOKEN"]


def test_retries_of_a_busy_endpoint_are_limited_and_cost_no_token(
    start_emulator: StartEmulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    org, path = busy_grant(start_emulator, tmp_path, 4)
    monkeypatch.setattr(tokenredemption, "_BUSY_PAUSES", (0.0, 0.0, 0.0))
    monkeypatch.setenv("A_SECRET", org.environment["SF_CLIENT_SECRET"])
    assert redeem_at(org, path) is RedemptionOutcome.BUSY
    assert redeem_at(org, path) is RedemptionOutcome.REDEEMED
