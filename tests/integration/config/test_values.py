"""Values of cutover.yaml that a command supplies."""

from __future__ import annotations

import sys

from sfcutover.config.values import SecretReference


def test_a_secret_is_read_from_a_command() -> None:
    command = (sys.executable, "-c", "print('from-a-command')")
    assert SecretReference(command=command).read().reveal() == "from-a-command"
