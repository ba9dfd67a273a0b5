"""Prometheus' query API for the emulator's traffic."""

from __future__ import annotations

import pytest
import requests

from sfcutover.config.checks import Check
from sfcutover.emulator import Emulator
from sfcutover.traffic.checks import Verdict, checker_for
from tests.integration.emulator.client import Client, SteppedClock
from tests.integration.emulator.conftest import StartOrg
from tests.integration.emulator.traffic import echo, legacy, new_proxy, old_proxy, redeem

Org = tuple[Emulator, Client]
REDEEMED = "customer_redemptions_per_second"
RATIO = "customer_redemption_success_ratio"
REQUESTS = "proxy_requests_per_second"


def ask(emulator: Emulator, **parameters: str) -> requests.Response:
    url = f"{emulator.url}/prometheus/api/v1/query"
    return requests.get(url, params=parameters, timeout=10)


def values(emulator: Emulator, query: str, **parameters: str) -> list[str]:
    answer = ask(emulator, query=query, **parameters).json()
    return [one["value"][1] for one in answer["data"]["result"]]


def serve(emulator: Emulator, proxy: str) -> None:
    """Redeem once for each customer."""
    for _, token in emulator.customer_tokens:
        redeem(emulator, token, proxy)


def test_an_answer_has_the_format_of_prometheus(org: Org, clock: SteppedClock) -> None:
    emulator, _ = org
    serve(emulator, old_proxy(emulator))
    answer = ask(emulator, query=f'{REQUESTS}{{proxy="old"}}')
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/json")
    metric = {"__name__": REQUESTS, "proxy": "old"}
    sample = {"metric": metric, "value": [clock.now.timestamp(), "1.5"]}
    assert answer.json() == {
        "status": "success",
        "data": {"resultType": "vector", "result": [sample]},
    }
    average = ask(emulator, query=f"avg_over_time(({REDEEMED})[5m:1s])").json()
    assert average["data"]["result"][0]["metric"] == {}


def test_redemptions_of_customers_are_counted_in_every_org(start_org: StartOrg) -> None:
    emulator, _ = start_org(customer_orgs=1)
    (customer,) = emulator.customer_orgs
    serve(emulator, old_proxy(emulator))
    redeem(emulator, customer.issue_grant("billing"))
    redeem(emulator, customer.refresh_token)
    redeem(emulator)
    redeem(emulator, **legacy(emulator))
    assert values(emulator, REDEEMED) == ["2"]
    assert values(emulator, RATIO) == ["1"]
    serve(emulator, new_proxy(emulator))
    assert values(emulator, RATIO) == [f"{4 / 7:.15g}"]


def test_requests_are_counted_by_their_proxy(org: Org) -> None:
    emulator, _ = org
    echo(emulator, new_proxy(emulator))
    requests.get(f"{emulator.url}/services/data", timeout=10)
    assert values(emulator, REQUESTS) == ["0", "0.5"]


def test_a_tunnel_counts_and_a_refused_client_does_not() -> None:
    with Emulator() as emulator:
        redeem(emulator)
        proxy = old_proxy(emulator).replace("acme:", "nobody:")
        with pytest.raises(requests.exceptions.ProxyError):
            redeem(emulator, proxy=proxy)
        url = f"{emulator.url}/prometheus/api/v1/query"
        ca = emulator.environment["REQUESTS_CA_BUNDLE"]
        query = {"query": f"avg_over_time(({REQUESTS})[1h:1ms])"}
        found = requests.get(url, params=query, verify=ca, timeout=10).json()["data"]["result"]
    assert [float(one["value"][1]) > 0 for one in found] == [True, False]


def test_a_query_can_name_a_time(org: Org, clock: SteppedClock) -> None:
    emulator, _ = org
    clock.forward(10)
    serve(emulator, old_proxy(emulator))
    then = clock.now
    clock.forward(60)
    assert values(emulator, REDEEMED) == ["0"]
    for text in (str(then.timestamp()), then.isoformat(), then.strftime("%Y-%m-%dT%H:%M:%SZ")):
        assert values(emulator, REDEEMED, time=text) == ["1.5"]
    mean = values(emulator, f"avg_over_time(({REDEEMED})[5m:1s])", time=then.isoformat())
    assert float(mean[0]) == pytest.approx(1.5 / 11)
    assert values(emulator, RATIO) == []


def test_the_window_is_a_setting(start_org: StartOrg) -> None:
    emulator, _ = start_org(metrics_window_seconds=10)
    serve(emulator, old_proxy(emulator))
    assert values(emulator, REDEEMED) == ["0.3"]


def test_a_query_can_be_a_form(org: Org) -> None:
    emulator, _ = org
    url = f"{emulator.url}/prometheus/api/v1/query"
    answer = requests.post(url, data={"query": REDEEMED}, timeout=10)
    assert answer.json()["data"]["result"][0]["value"][1] == "0"
    assert requests.put(url, data={"query": REDEEMED}, timeout=10).status_code == 405


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"query": "up"}, 'invalid parameter "query": unknown query: up'),
        ({}, 'invalid parameter "query"'),
        ({"query": REDEEMED, "time": "noon"}, 'invalid parameter "time"'),
        ({"query": REDEEMED, "time": "nan"}, 'invalid parameter "time"'),
    ],
)
def test_an_invalid_query_is_bad_data(org: Org, parameters: dict[str, str], words: str) -> None:
    answer = ask(org[0], **parameters)
    body = answer.json()
    assert (answer.status_code, body["status"], body["errorType"]) == (400, "error", "bad_data")
    assert words in body["error"]


def test_a_check_reads_the_metrics(org: Org) -> None:
    emulator, _ = org
    serve(emulator, old_proxy(emulator))

    def verdict(query: str, condition: str) -> Verdict:
        asked = {"url": f"{emulator.url}/prometheus", "query": query, "condition": condition}
        return checker_for(Check.model_validate({"prometheus": asked}))().verdict

    assert verdict(f'{REQUESTS}{{proxy="new"}}', "== 0") is Verdict.PASSED
    assert verdict(REQUESTS, "== 0") is Verdict.FAILED
    assert verdict(RATIO, ">= 1") is Verdict.PASSED
    assert verdict("up", "== 1") is Verdict.ERROR
