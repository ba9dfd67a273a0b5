"""Record ids as Salesforce has them: 15 characters, and 18 with a checksum.

The last three characters tell which of the first fifteen are upper case, five at a
time (Salesforce Help, "How to convert 15-digit IDs to 18-digit IDs").
"""

from __future__ import annotations

import itertools
import string
import threading
from dataclasses import dataclass

SHORT_LENGTH = 15
LONG_LENGTH = 18
_DIGITS = string.digits + string.ascii_uppercase + string.ascii_lowercase
_CHECKSUM = string.ascii_uppercase + "012345"
_CHUNK = 5
_FIRST_NUMBER = 916_132  # above 62**3, so that ids mix digits with letters of both cases


def lengthen(short: str) -> str:
    """The 18-character form of a 15-character id; ValueError for any other length."""
    if len(short) != SHORT_LENGTH:
        raise ValueError(f"an id has {SHORT_LENGTH} characters, not {len(short)}")
    chunks = (short[start : start + _CHUNK] for start in range(0, SHORT_LENGTH, _CHUNK))
    return short + "".join(_CHECKSUM[_upper_case_bits(chunk)] for chunk in chunks)


def is_same(one: str, other: str) -> bool:
    """True if both name one record; either may be short or long."""
    return len(one) in (SHORT_LENGTH, LONG_LENGTH) and one[:SHORT_LENGTH] == other[:SHORT_LENGTH]


@dataclass(frozen=True)
class User:
    """A user who changes components; name is shown with them."""

    id: str
    name: str
    username: str


class IdSequence:
    """Gives every record of one org an id of its own. Thread-safe.

    pod: the digit that the ids of one org share, so that no two orgs have one in common.
    """

    def __init__(self, pod: int = 0) -> None:
        self._pod = f"Em{pod}"
        self._numbers = itertools.count(_FIRST_NUMBER)
        self._lock = threading.Lock()

    def make(self, key_prefix: str) -> str:
        """A new 18-character id; key_prefix is the record type's three characters."""
        with self._lock:
            number = next(self._numbers)
        head = key_prefix + self._pod
        return lengthen(head + _in_base_62(number).rjust(SHORT_LENGTH - len(head), "0"))


def _upper_case_bits(chunk: str) -> int:
    return sum(1 << place for place, letter in enumerate(chunk) if letter in string.ascii_uppercase)


def _in_base_62(number: int) -> str:
    text = ""
    while number:
        number, digit = divmod(number, len(_DIGITS))
        text = _DIGITS[digit] + text
    return text
