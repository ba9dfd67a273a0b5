from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import pairwise

import pytest

from sfcutover.emulator import Emulator, Scenario
from tests.integration.emulator.client import (
    SECURITY,
    SECURITY_NAME,
    Client,
    problems,
    security_package,
    security_xml,
)

_CLIENTS = 8


def test_concurrent_clients_are_served_one_deployment_at_a_time() -> None:
    with Emulator(Scenario(), tls=False) as emulator:

        def deploy(number: int) -> list[str]:
            with closing(Client(emulator.url, emulator.environment["SF_ACCESS_TOKEN"])) as client:
                package = security_package(security_xml(f"127.0.1.{number}"))
                return problems(client.deployed(package))

        with ThreadPoolExecutor(_CLIENTS) as pool:
            assert list(pool.map(deploy, range(_CLIENTS))) == [[]] * _CLIENTS
        spans = [(one.started, one.ended) for one in emulator.deployments]
    assert len(spans) == _CLIENTS
    assert all(
        earlier[1] is not None and later[0] is not None and earlier[1] <= later[0]
        for earlier, later in pairwise(spans)
    )


def test_two_emulators_share_nothing() -> None:
    with Emulator(tls=False) as one, Emulator(tls=False) as other:
        assert one.url != other.url
        assert not set(one.environment.values()) & {
            value for name, value in other.environment.items() if not name.endswith("_IPS")
        }
        with closing(Client(one.url, one.environment["SF_ACCESS_TOKEN"])) as client:
            client.deploy(security_package())
        assert (len(one.deployments), len(other.deployments)) == (1, 0)


def test_an_unknown_component_is_a_key_error() -> None:
    with Emulator(tls=False) as emulator:
        assert emulator.component_xml(SECURITY, SECURITY_NAME)
        with pytest.raises(KeyError, match="Nobody"):
            emulator.component_xml(SECURITY, "Nobody")


def test_deployment_records_are_copies() -> None:
    with (
        Emulator(tls=False) as emulator,
        closing(Client(emulator.url, emulator.environment["SF_ACCESS_TOKEN"])) as client,
    ):
        client.deploy(security_package())
        emulator.deployments[0].id = "changed"
        assert emulator.deployments[0].id.startswith("0Af")


def test_importing_the_emulator_loads_neither_soap_client_nor_cryptography() -> None:
    code = (
        "import sys, sfcutover.emulator; "
        "print([name for name in ('zeep', 'simple_salesforce', 'cryptography', 'trustme') "
        "if name in sys.modules])"
    )
    environment = dict(os.environ)
    shown = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment
    )
    assert shown.stdout == "[]\n"


def test_the_emulator_imports_only_carriers_and_ranges() -> None:
    code = (
        "import sys, sfcutover.emulator.files; "
        "print(sorted(name for name in sys.modules if name.startswith('sfcutover.') "
        "and not name.startswith('sfcutover.emulator')))"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (
        shown.stdout
        == "['sfcutover.allowlist', 'sfcutover.allowlist.carriers', 'sfcutover.allowlist.ranges']\n"
    )
