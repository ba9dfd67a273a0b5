"""Looks at the ways out that several targets share: they leave by the same proxy."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field

from sfcutover.config.cutover import Cutover
from sfcutover.gates.probe import CONFIDENCE, ProbeResult, probe
from sfcutover.traffic.canary import Canary

FRESH_SECONDS = 15.0  # so long a look counts for other targets, too


@dataclass
class Probes:
    """The newest look at each egress. Threads may share it; one looks, the others wait."""

    cutover: Cutover
    _newest: dict[str, tuple[float, ProbeResult]] = field(default_factory=dict, init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)

    def of(self, name: str) -> ProbeResult:
        """What the echo sees behind an egress. Raises EgressError. A look that did not pass is
        not kept."""
        with self._lock:
            if name in self._newest:
                looked, result = self._newest[name]
                if time.monotonic() - looked <= FRESH_SECONDS:
                    return result
            result = self._look(name)
            if result.passed:
                self._newest[name] = (time.monotonic(), result)
            return result

    def _look(self, name: str) -> ProbeResult:
        canary = Canary(self.cutover)
        confidence = self.cutover.verify.confidence if self.cutover.verify else CONFIDENCE
        return probe(canary.egress(name), canary.echo_url, confidence=confidence)
