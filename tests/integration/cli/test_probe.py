"""Step 1 at the command line: its output and its exit codes."""

from __future__ import annotations

import pytest

from sfcutover.emulator.faults import Fault
from tests.integration.cli.conftest import OpenDesk
from tests.integration.cli.harness import Desk

PASSWORD = "open@sesame:21"


def test_probe_passes_if_traffic_leaves_as_expected(desk: Desk) -> None:
    result = desk.run("probe")
    assert result.code == 0
    lines = [line.split() for line in result.out.splitlines()]
    assert lines[1][:2] == ["ok", "127.0.0.21"]
    assert lines[2][:2] == ["ok", "127.0.0.22"]
    assert (
        "= passed; 37 probes: the chance that one more address, evenly balanced with" in result.out
    )
    assert "stayed hidden is at most 9.2e-07" in result.out
    assert "next: sfcutover deploy add-new" in result.err
    assert "deploy" not in [event["operation"] for event in desk.emulator.log]


def test_the_old_egress_is_probed_on_request(desk: Desk) -> None:
    result = desk.run("probe", "--via", "old", "--json")
    assert result.code == 0
    document = result.json("probe")
    assert document["via"] == "old"
    assert [each["address"] for each in document["seen"]] == ["127.0.0.11", "127.0.0.12"]


def test_json_holds_the_observed_addresses(desk: Desk) -> None:
    document = desk.run("probe", "--json").json("probe")
    assert document["passed"] is True
    assert document["tries"] == 37 == sum(each["answers"] for each in document["seen"])
    assert document["egress"].startswith("http://127.0.0.1:")
    assert document["hidden_probability"] == pytest.approx(9.157e-07, rel=1e-3)
    assert (document["problem"], document["next"]) == (None, None)


def test_a_missing_address_ends_with_exit_code_5(open_desk: OpenDesk) -> None:
    desk = open_desk(new_egress=["127.0.0.21"])
    result = desk.run("probe")
    result.refused(5, "expected address 127.0.0.22 was not observed in 37 probes")
    assert result.hint.startswith("ask ")
    assert "MISSING     127.0.0.22" in result.out
    assert "= not passed;" in result.out


def test_an_unexpected_address_ends_with_exit_code_5_in_one_json_document(
    open_desk: OpenDesk,
) -> None:
    desk = open_desk(new_egress=["127.0.0.21", "127.0.0.22", "127.0.0.23"])
    result = desk.run("probe", "--json")
    assert result.code == 5
    document = result.json("probe")
    assert (document["passed"], document["unexpected"]) == (False, ["127.0.0.23"])
    assert "unexpected egress address 127.0.0.23" in document["problem"]
    assert document["next"].startswith("ask ")
    assert 'paste: new: ["127.0.0.21", "127.0.0.22", "127.0.0.23"]' in document["next"]
    assert [each["expected"] for each in document["seen"]] == [True, True, False]
    assert "unexpected egress address 127.0.0.23" in result.err


def test_the_confidence_is_the_configured_one(desk: Desk) -> None:
    desk.replace("  settle:", "  confidence: 0.9\n  settle:")
    assert desk.run("probe", "--json").json("probe")["tries"] == 9


@pytest.mark.parametrize(
    ("kind", "code", "part"),
    [
        ("proxy_refuses", 6, "refused the user or password"),
        ("proxy_down", 7, "the connection broke"),
    ],
)
def test_a_failing_proxy_is_distinguished(kind: str, code: int, part: str, desk: Desk) -> None:
    desk.emulator.set_fault(Fault.model_validate({"kind": kind, "count": None}))
    desk.run("probe").refused(code, part)
    assert desk.run("probe", "--json").json("error")["exit_code"] == code


@pytest.mark.parametrize(
    ("echo", "part"),
    [("html", "answered something that is not an IP address: '<html>"), ("error_500", "HTTP 500")],
)
def test_an_invalid_echo_answer_is_distinguished(echo: str, part: str, open_desk: OpenDesk) -> None:
    open_desk(echo=echo).run("probe").refused(7, part)


def test_an_unreachable_proxy_is_distinguished(desk: Desk) -> None:
    desk.monkeypatch.setenv("SFCUTOVER_NEW_PROXY_URL", "http://acme:hunter2@127.0.0.1:1")
    desk.run("probe").refused(7, "http://127.0.0.1:1 cannot be reached")


@pytest.mark.parametrize(
    ("url", "part"),
    [
        ("acme:hunter2@127.0.0.1:1", "no scheme"),
        ("http://acme:hunter2@x:y@127.0.0.1:1", "must be percent-encoded"),
    ],
)
def test_a_malformed_proxy_url_is_refused_with_its_place(url: str, part: str, desk: Desk) -> None:
    line = desk.replace("{env: SFCUTOVER_NEW_PROXY_URL}", "{env: SFCUTOVER_NEW_PROXY_URL}")
    desk.monkeypatch.setenv("SFCUTOVER_NEW_PROXY_URL", url)
    result = desk.run("-vv", "probe")
    assert result.code == 2
    assert f"cutover.yaml:{line}: " in result.error
    assert part in result.error
    assert "hunter2" not in result.out + result.err


def test_without_an_egress_probe_names_the_key_to_add(desk: Desk) -> None:
    desk.configure(egress=None)
    result = desk.run("probe")
    result.refused(2, "egress.new is not configured")
    assert "proxy: {env: NAME}" in result.hint


# Secrets.


@pytest.mark.parametrize(
    "kind", [None, "proxy_refuses", "proxy_down", "address_reset", "proxy_breaks_tls"]
)
def test_no_output_contains_the_proxy_password(kind: str | None, desk: Desk) -> None:
    values = desk.emulator.environment
    proxy = values["SFCUTOVER_NEW_PROXY_URL"]
    if kind:
        desk.emulator.set_fault(Fault.model_validate({"kind": kind, "count": None}))
    for scheme in ("http:", "https:", "ftp:"):
        url = proxy.replace("http:", scheme)
        desk.monkeypatch.setenv("SFCUTOVER_NEW_PROXY_URL", url)
        for options in (("-vv",), ("-vv", "--json")):
            result = desk.run("probe", *options)
            for secret in (PASSWORD, url, "open%40sesame", "sesame", "YWNtZTpvcGVuQHNlc2FtZTo"):
                assert secret not in result.out + result.err, (kind, url, options)
