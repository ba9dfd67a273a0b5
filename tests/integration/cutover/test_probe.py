"""Step 1 against proxies on real sockets: what passes, what fails, and with which confidence."""

from __future__ import annotations

import itertools
import socket
from collections.abc import Callable, Sequence
from dataclasses import replace
from http.server import BaseHTTPRequestHandler

import pytest

from sfcutover.allowlist.ranges import IpRange
from sfcutover.cutover import egressobservation as families
from sfcutover.cutover import egressobservation as observation
from sfcutover.cutover.egressobservation import Observation, observe, tries_needed
from sfcutover.cutover.probe import ProbeResult, judge, probe
from sfcutover.emulator.emulator import Emulator
from sfcutover.emulator.faults import Fault
from sfcutover.errors import ExitCode, GateError, NetworkError
from sfcutover.traffic.egress import Egress
from sfcutover.traffic.proxy import ProxyUrl
from sfcutover.traffic.proxyerrors import EgressTlsError, ProxyRefusedError
from sfcutover.util.secrets import Secret
from tests.support import StartEmulator, StartServer, answer

ECHO = "http://192.0.2.1/ip"
CONFIDENCE = 0.999999
Pool = Callable[[Sequence[str | None]], Egress]


@pytest.fixture
def pool(start_server: StartServer) -> Pool:
    """A proxy that answers with these addresses in rotation; None is HTTP 500.

    Expects 198.51.100.20 and .21.
    """

    def start(answers: Sequence[str | None]) -> Egress:
        turns = itertools.cycle(answers)

        def handle(request: BaseHTTPRequestHandler) -> None:
            text = next(turns)
            answer(request, (text or "").encode(), 200 if text else 500)

        return egress_by(start_server(handle), "198.51.100.20-198.51.100.21")

    return start


def egress_by(url: str, *expected: str, name: str = "new") -> Egress:
    ranges = tuple(IpRange.parse(each) for each in expected)
    return Egress(name, ProxyUrl.parse(Secret(url), "here"), ranges)


def emulated(emulator: Emulator, *expected: str) -> ProbeResult:
    values = emulator.environment
    egress = egress_by(values["SFCUTOVER_NEW_PROXY_URL"], *(expected or emulator.scenario.new))
    return probe(egress, values["SFCUTOVER_ECHO_URL"])


def failure(result: ProbeResult) -> GateError:
    assert not result.passed
    with pytest.raises(GateError) as caught:
        result.require_passed()
    assert caught.value.exit_code is ExitCode.GATE
    return caught.value


def texts(values: Sequence[object]) -> list[str]:
    return [str(each) for each in values]


# Results.


def test_a_pair_with_the_expected_addresses_passes(emulator: Emulator) -> None:
    result = emulated(emulator)
    assert result.passed
    assert result.failure is None
    result.require_passed()
    assert texts(result.seen) == ["127.0.0.21", "127.0.0.22"]
    assert (result.missing, result.unexpected, result.warnings) == ((), (), ())


def test_a_missing_address_is_named_and_prevents_step_2(start_emulator: StartEmulator) -> None:
    emulator = start_emulator(new_egress=["127.0.0.21"])
    result = emulated(emulator)
    assert texts(result.missing) == ["127.0.0.22"]
    error = failure(result)
    assert "expected address 127.0.0.22 was not observed in 37 probes" in error.message
    assert "127.0.0.21" not in error.message
    assert error.hint.startswith("ask ")
    assert "nothing was changed" in error.impact


def test_an_unexpected_address_is_named(start_emulator: StartEmulator) -> None:
    emulator = start_emulator(new_egress=["127.0.0.21", "127.0.0.22", "127.0.0.23"])
    result = emulated(emulator)
    assert (result.missing, texts(result.unexpected)) == ((), ["127.0.0.23"])
    error = failure(result)
    assert "unexpected egress address 127.0.0.23 (not in new:)" in error.message
    assert 'paste: new: ["127.0.0.21", "127.0.0.22", "127.0.0.23"]' in error.hint


def test_an_address_that_the_file_omits_is_found_every_time(pool: Pool) -> None:
    """A probe that ended at the first expected address would miss it every other time."""
    for turn in (["198.51.100.20", "198.51.100.21"], ["198.51.100.21", "198.51.100.20"]):
        egress = replace(pool(turn), expected=(IpRange.parse("198.51.100.20"),))
        assert texts(probe(egress, ECHO).unexpected) == ["198.51.100.21"]


def test_a_rare_third_address_is_found(pool: Pool) -> None:
    pair = ["198.51.100.20", "198.51.100.21"]
    assert probe(pool([*pair * 18, "203.0.113.9"]), ECHO).unexpected
    assert not probe(pool([*pair * 20, "203.0.113.9"]), ECHO).unexpected  # beyond 37


def test_another_pair_is_missing_and_unexpected(pool: Pool) -> None:
    result = probe(pool(["203.0.113.1", "203.0.113.2"]), ECHO)
    assert texts(result.missing) == ["198.51.100.20-198.51.100.21"]
    error = failure(result)
    for part in ("198.51.100.20-198.51.100.21 was not", "addresses 203.0.113.1, 203.0.113.2 (not"):
        assert part in error.message


def test_a_failed_probe_of_the_old_egress_does_not_prevent_step_2(pool: Pool) -> None:
    result = probe(replace(pool(["198.51.100.20"]), name="old"), ECHO)
    error = failure(result)
    assert error.message.startswith("the old egress: ")
    assert "step 2" not in error.hint
    assert "paste" not in error.hint


def test_an_unusable_address_is_shown_by_its_failures(emulator: Emulator) -> None:
    emulator.set_fault(Fault(kind="address_reset", address="127.0.0.22", count=None))
    result = emulated(emulator)
    assert texts(result.missing) == ["127.0.0.22"]
    assert result.observation.errors
    assert "requests failed (" in failure(result).message


def test_a_single_failed_request_fails_the_gate(pool: Pool) -> None:
    pair = ["198.51.100.20", "198.51.100.21"]
    result = probe(pool([*pair * 10, None]), ECHO)
    assert (result.missing, result.unexpected) == ((), ())
    error = failure(result)
    assert "1 of 37 requests failed" in error.message
    assert "HTTP 500" in error.message


# What ends a probe immediately.


def test_a_refused_password_is_an_error_after_one_request(start_server: StartServer) -> None:
    asked: list[str] = []

    def handle(request: BaseHTTPRequestHandler) -> None:
        asked.append(request.path)
        answer(request, b"", 407)

    with pytest.raises(ProxyRefusedError):
        probe(egress_by(start_server(handle), "198.51.100.20"), ECHO)
    assert len(asked) == 1


def test_a_tls_failure_ends_the_probe_immediately(start_emulator: StartEmulator) -> None:
    emulator = start_emulator(tls=True)
    emulator.set_fault(Fault(kind="proxy_breaks_tls", count=None))
    proxy = emulator.environment["SFCUTOVER_NEW_PROXY_URL"]
    with pytest.raises(EgressTlsError):
        probe(egress_by(proxy, "127.0.0.21"), f"{emulator.url}/ip")


def test_three_failures_at_the_start_end_the_probe(start_server: StartServer) -> None:
    asked: list[str] = []

    def handle(request: BaseHTTPRequestHandler) -> None:
        asked.append(request.path)
        answer(request, b"<html>", 200)

    with pytest.raises(NetworkError, match="not an IP address"):
        probe(egress_by(start_server(handle), "198.51.100.20"), ECHO)
    assert len(asked) == 3


def test_slow_failures_end_the_probe_early(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(observation, "PATIENCE_SECONDS", 0.0)
    result = probe(pool(["198.51.100.20", "198.51.100.21", None]), ECHO)
    assert result.observation.tries == 3
    assert "1 of 3 requests failed" in failure(result).message
    assert result.hidden_probability > 0.1  # and the message states it
    assert probe(pool(["198.51.100.20", "198.51.100.21"]), ECHO).observation.tries == 37


# The number of requests and the confidence.


@pytest.mark.parametrize(("pair_size", "tries"), [(1, 1), (2, 21), (3, 37), (4, 53)])
def test_an_observation_ends_when_an_unseen_address_is_improbable(
    pair_size: int, tries: int, pool: Pool
) -> None:
    egress = replace(pool(["203.0.113.1"]), expected=(IpRange.parse("198.51.100.20"),))
    seen = observe(egress, ECHO, pair_size=pair_size, confidence=CONFIDENCE)
    assert seen.tries == tries == seen.counts[IpRange.parse("203.0.113.1").start]
    assert seen.hidden_probability(pair_size) <= 1 - CONFIDENCE
    if tries > 1:
        before = replace(seen, counts=dict.fromkeys(seen.counts, tries - 1))
        assert before.hidden_probability(pair_size) > 1 - CONFIDENCE


def test_an_observation_ends_when_all_addresses_were_seen(pool: Pool) -> None:
    seen = observe(
        pool(["198.51.100.20", "198.51.100.20", "198.51.100.21"]),
        ECHO,
        pair_size=2,
        confidence=CONFIDENCE,
    )
    assert seen.tries == 3


@pytest.mark.parametrize(
    ("answers", "tries"),
    [
        (["198.51.100.20", "198.51.100.21"], 37),  # a third one would have been observed
        (["198.51.100.20"], 37),
        (["198.51.100.20", "198.51.100.21", "203.0.113.1"], 53),
    ],
)
def test_a_probe_continues_until_another_address_is_improbable(
    answers: list[str], tries: int, pool: Pool
) -> None:
    counted: list[int] = []
    result = probe(pool(answers), ECHO, progress=counted.append)
    assert result.observation.tries == tries == tries_needed(result.pool, CONFIDENCE)
    assert counted == list(range(1, tries + 1))
    assert result.hidden_probability <= 1 - CONFIDENCE
    assert f"{result.hidden_probability:.1e}" in result.certainty
    assert result.certainty.startswith(f"{tries} probes: the chance that one more address, ")


def test_a_lower_confidence_needs_fewer_requests(pool: Pool) -> None:
    result = probe(pool(["198.51.100.20", "198.51.100.21"]), ECHO, confidence=0.99)
    assert result.observation.tries == tries_needed(3, 0.99) == 15
    assert 0.001 < result.hidden_probability <= 0.01


# The other IP family.


def test_ipv6_is_a_warning_if_ipv4_is_expected(pool: Pool) -> None:
    result = probe(pool(["198.51.100.20", "198.51.100.21", "2001:db8::1"]), ECHO)
    assert texts(result.unexpected) == ["2001:db8::1"]
    assert len(result.warnings) == 1
    assert (
        "the probe saw IPv6 (2001:db8::1), but the cutover expects only IPv4" in result.warnings[0]
    )


def test_ipv4_is_a_warning_if_ipv6_is_expected(pool: Pool) -> None:
    egress = replace(pool(["198.51.100.20"]), expected=(IpRange.parse("2001:db8::1"),))
    assert "saw IPv4 (198.51.100.20)" in probe(egress, ECHO).warnings[0]


def test_ipv6_is_proven_like_ipv4(pool: Pool) -> None:
    egress = pool(["2001:db8::1", "2001:DB8::2"])
    expected = (IpRange.parse("2001:db8::1-2001:db8::2"),)
    result = probe(replace(egress, expected=expected), ECHO)
    assert result.passed
    assert result.warnings == ()


def test_an_echo_host_with_both_families_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    def look_up(host: str, *_: object, **__: object) -> list[tuple[int, None]]:
        assert host == "echo.example"
        return [(socket.AF_INET, None), (socket.AF_INET6, None)]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    egress = egress_by("http://proxy.example", "198.51.100.20")
    seen = Observation({IpRange.parse("198.51.100.20").start: 21}, 21)
    result = judge(egress, "http://echo.example/ip", seen)
    assert result.passed
    assert "echo.example has an IPv4 and an IPv6 address" in result.warnings[0]
    both = replace(egress, expected=(*egress.expected, IpRange.parse("2001:db8::1")))
    assert judge(both, "http://echo.example/ip", seen).warnings == ()


def test_an_unresolvable_echo_host_is_no_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    def look_up(*_: object, **__: object) -> None:
        raise OSError("no such name")

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    assert families.families_of("echo.example") == frozenset()
    assert families.families_of("::1") == {6}
