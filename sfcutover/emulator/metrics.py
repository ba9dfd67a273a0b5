"""The application's and the proxies' own metrics, as a Prometheus would have them of this emulator.

Every value is that of a moment, over the window before it; before the start there is none.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from sfcutover.emulator.grants import Redemption

Value = Callable[[float], float | None]  # at a moment in seconds since 1970; None without one

_SELECTOR = re.compile(r'(?P<name>\w+)\s*(?:\{\s*(?:proxy\s*=\s*"(?P<proxy>\w+)"\s*,?\s*)?\})?')
_DURATION = r"(?:\d+(?:ms|[smh]))+"
_AVERAGE = re.compile(
    r"avg_over_time\s*\(\s*\((?P<inner>.+)\)\s*"
    rf"\[\s*(?P<window>{_DURATION})\s*:\s*(?P<step>{_DURATION})\s*\]\s*\)",
    re.DOTALL,
)
_PART = re.compile(r"(\d+)(ms|[smh])")
_MILLISECONDS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000}


class MetricsError(ValueError):
    """The query is not supported."""


@dataclass(frozen=True)
class Series:
    """One series. name: None where a function dropped it."""

    name: str | None
    labels: Mapping[str, str]
    value: Value


class Metrics:
    """What was counted until now.

    redemptions: all, those of canaries too. requests: when one passed through a proxy, by the
    proxy's name. started: when the emulator did. window: in seconds.
    """

    def __init__(
        self,
        redemptions: Iterable[Redemption],
        requests: Mapping[str, Iterable[datetime]],
        started: datetime,
        window: float,
    ) -> None:
        of_customers = [one for one in redemptions if one.is_of_customer]
        self._attempts = _Moments(one.time for one in of_customers)
        self._redeemed = _Moments(one.time for one in of_customers if one.result == "redeemed")
        self._requests = {proxy: _Moments(moments) for proxy, moments in requests.items()}
        self._started = started.timestamp()
        self._window = window

    def series(self, query: str) -> list[Series]:
        """The series that a query selects. Raises MetricsError for one that isn't known here."""
        average = _AVERAGE.fullmatch(query.strip())
        if average is None:
            return list(self._selected(query))
        window, step = _milliseconds(average["window"]), _milliseconds(average["step"])
        return [
            Series(None, one.labels, partial(self._mean, one.value, window, step))
            for one in self._selected(average["inner"])
        ]

    def _selected(self, selector: str) -> Iterator[Series]:
        match = _SELECTOR.fullmatch(selector.strip())
        name, proxy = match.groups() if match else (None, None)
        if name == "proxy_requests_per_second" and proxy in (None, *self._requests):
            for label, moments in self._requests.items():
                if proxy in (None, label):
                    yield Series(name, {"proxy": label}, partial(self._rate, moments))
        elif name == "customer_redemptions_per_second" and proxy is None:
            yield Series(name, {}, partial(self._rate, self._redeemed))
        elif name == "customer_redemption_success_ratio" and proxy is None:
            yield Series(name, {}, self._success_ratio)
        else:
            raise MetricsError(f"unknown query: {selector}")

    def _rate(self, moments: _Moments, at: float) -> float | None:
        if at < self._started:
            return None
        return moments.count(at, self._window) / self._window

    def _success_ratio(self, at: float) -> float | None:
        attempts = self._attempts.count(at, self._window)
        return self._redeemed.count(at, self._window) / attempts if attempts else None

    def _mean(self, value: Value, window: int, step: int, at: float) -> float | None:
        """Over the samples at multiples of step in the window, as Prometheus takes them, since
        the start. Window and step are in milliseconds."""
        end = round(at * 1000)
        first = max(end - window, round(self._started * 1000) - 1) // step + 1
        found = [value(number * step / 1000) for number in range(first, end // step + 1)]
        present = [one for one in found if one is not None]
        return sum(present) / len(present) if present else None


class _Moments:
    """When something happened."""

    def __init__(self, moments: Iterable[datetime]) -> None:
        self._seconds: Sequence[float] = sorted(one.timestamp() for one in moments)

    def count(self, at: float, window: float) -> int:
        """How often in the window that ends at a moment, which belongs to it."""
        first, behind = (bisect_right(self._seconds, end) for end in (at - window, at))
        return behind - first


def _milliseconds(duration: str) -> int:
    total = sum(int(count) * _MILLISECONDS[unit] for count, unit in _PART.findall(duration))
    if total == 0:
        raise MetricsError("duration must be greater than 0")
    return total
