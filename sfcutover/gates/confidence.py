"""How many tries make it improbable that an address of a healthy pair hid. Pure."""

from __future__ import annotations

import math


def tries_needed(addresses: int, confidence: float) -> int:
    """Successes in a row after which every address was used, with this probability.

    Each try leaves by one of the addresses, evenly and independently: the chance that at
    least one was never used is at most ``n * (1 - 1/n) ** tries``. A pair at 0.999999
    needs 21.
    """
    if addresses <= 1:
        return 1
    return math.ceil(math.log((1 - confidence) / addresses) / math.log(1 - 1 / addresses))


def hidden_probability(addresses: int, tries: int) -> float:
    """The chance that so many tries missed at least one address, at most 1."""
    if addresses <= 1:
        return 0.0 if tries else 1.0
    return float(min(1.0, addresses * (1 - 1 / addresses) ** tries))
