"""The metrics of the application and the proxies, computed from counts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from sfcutover.emulator.grants import Redemption
from sfcutover.emulator.metrics import Metrics, MetricsError

START = datetime(2026, 11, 26, 12, 0, tzinfo=UTC)
REDEEMED = "customer_redemptions_per_second"
RATIO = "customer_redemption_success_ratio"
REQUESTS = "proxy_requests_per_second"


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def redemption(seconds: float, grant: str = "customer-1", result: str = "redeemed") -> Redemption:
    return Redemption(at(seconds), "127.0.0.11", grant, result, "00D")


def measure(*redemptions: Redemption, old: tuple[float, ...] = (), window: float = 2.0) -> Metrics:
    return Metrics(redemptions, {"old": map(at, old), "new": ()}, START, window)


def value(metrics: Metrics, query: str, seconds: float) -> float | None:
    (series,) = metrics.series(query)
    return series.value(at(seconds).timestamp())


def test_a_rate_covers_the_window_that_ends_now() -> None:
    metrics = measure(redemption(1), redemption(2), redemption(3))
    found = [value(metrics, REDEEMED, seconds) for seconds in (0, 1, 2, 3, 4, 5)]
    assert found == [0, 0.5, 1, 1, 0.5, 0]
    assert value(measure(redemption(1), window=4), REDEEMED, 4) == 0.25


def test_only_successful_redemptions_of_customers_count() -> None:
    isv = [redemption(1, grant) for grant in ("canary", "legacy-canary", "unknown")]
    refused = redemption(1, result="blocked")
    assert value(measure(*isv, refused), REDEEMED, 1) == 0


def test_the_ratio_is_that_of_customers_and_absent_without_any() -> None:
    metrics = measure(
        redemption(1),
        *(redemption(1, result=result) for result in ("blocked", "token_dead", "redeemed")),
        redemption(1, "canary", "blocked"),
    )
    assert value(metrics, RATIO, 1) == 0.5
    assert value(metrics, RATIO, 3) is None
    assert value(measure(redemption(1, "canary")), RATIO, 1) is None


def test_a_proxy_without_requests_has_a_series() -> None:
    metrics = measure(old=(1, 1, 2))
    both = {one.labels["proxy"]: one.value(at(2).timestamp()) for one in metrics.series(REQUESTS)}
    assert both == {"old": 1.5, "new": 0}
    assert value(metrics, f'{REQUESTS}{{proxy="old"}}', 2) == 1.5
    assert value(metrics, f'{REQUESTS} {{ proxy = "new", }}', 2) == 0


def test_before_the_start_there_are_no_samples() -> None:
    metrics = measure(redemption(1))
    assert value(metrics, REDEEMED, -1) is None
    assert value(metrics, f"avg_over_time(({REDEEMED})[1m:1s])", -1) is None


def test_an_average_is_the_mean_of_the_samples_since_the_start() -> None:
    metrics = measure(redemption(1), redemption(2))  # at 0 to 4 s: 0, 0.5, 1, 0.5, 0
    assert value(metrics, f"avg_over_time(({REDEEMED})[5m:1s])", 4) == pytest.approx(2 / 5)
    assert value(metrics, f"avg_over_time(({REDEEMED})[2s:1s])", 3.7) == pytest.approx(0.75)
    assert value(metrics, f"avg_over_time(({REDEEMED})[1s500ms:500ms])", 3) == pytest.approx(
        2.5 / 3
    )


def test_an_average_omits_times_without_a_sample() -> None:
    metrics = measure(redemption(1), redemption(9, result="blocked"))
    assert value(metrics, f"avg_over_time(({RATIO})[1m:1s])", 20) == pytest.approx(0.5)
    assert value(metrics, f"avg_over_time(({RATIO})[5s:1s])", 20) is None


def test_an_average_keeps_labels_and_drops_the_name() -> None:
    found = measure().series(f"avg_over_time(({REQUESTS})[30s:1s])")
    assert [(one.name, one.labels) for one in found] == [
        (None, {"proxy": "old"}),
        (None, {"proxy": "new"}),
    ]


@pytest.mark.parametrize(
    "query",
    [
        "",
        "up",
        f"{REQUESTS}{{",
        f'{REQUESTS}{{proxy="third"}}',
        f'{REDEEMED}{{proxy="old"}}',
        f"rate({REDEEMED})",
        f"avg_over_time(({REDEEMED})[5m])",
        f"avg_over_time(({REDEEMED})[0s:1s])",
        f"avg_over_time(({REDEEMED})[5m:0ms])",
        f"avg_over_time((avg_over_time(({REDEEMED})[5m:1s]))[5m:1s])",
    ],
)
def test_an_unknown_query_is_refused(query: str) -> None:
    with pytest.raises(MetricsError):
        measure().series(query)
