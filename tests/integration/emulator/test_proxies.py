from __future__ import annotations

import base64
import http.client
import shutil
import socket
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from urllib.parse import unquote, urlsplit

import pytest
import requests

from sfcutover.emulator import Emulator, Scenario
from tests.integration.emulator.client import Client, admin_headers
from tests.integration.emulator.conftest import StartOrg
from tests.integration.emulator.traffic import echo, new_proxy, old_proxy, redeem, send

Org = tuple[Emulator, Client]


def authorization(proxy: str) -> dict[str, str]:
    parts = urlsplit(proxy)
    pair = f"{unquote(parts.username or '')}:{unquote(parts.password or '')}"
    return {"Proxy-Authorization": "Basic " + base64.b64encode(pair.encode()).decode()}


def connect(proxy: str) -> http.client.HTTPConnection:
    parts = urlsplit(proxy)
    return http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=10)


def ask(proxy: str, method: str, target: str, **headers: str) -> http.client.HTTPResponse:
    """One request to the proxy itself, with the right password unless headers are given."""
    with closing(connect(proxy)) as connection:
        connection.request(method, target, headers=headers or authorization(proxy))
        answer = connection.getresponse()
        answer.read()
        return answer


@pytest.mark.parametrize(("way", "pair"), [(old_proxy, ["11", "12"]), (new_proxy, ["21", "22"])])
def test_each_proxy_alternates_between_its_pair(org: Org, way: object, pair: list[str]) -> None:
    emulator, _ = org
    proxy = old_proxy(emulator) if way is old_proxy else new_proxy(emulator)
    assert [echo(emulator, proxy) for _ in range(4)] == [f"127.0.0.{end}" for end in pair * 2]


def test_alternation_is_even_under_load(org: Org) -> None:
    emulator, _ = org
    with ThreadPoolExecutor(16) as pool:
        seen = list(pool.map(lambda _: echo(emulator, new_proxy(emulator)), range(64)))
    assert [seen.count(f"127.0.0.{end}") for end in (21, 22)] == [32, 32]


def test_requests_on_a_persistent_connection_alternate(org: Org) -> None:
    emulator, _ = org
    url, proxy = emulator.environment["SFCUTOVER_ECHO_URL"], new_proxy(emulator)
    seen, ports = [], set()
    with closing(connect(proxy)) as connection:
        for _ in range(4):
            connection.request("GET", url, headers=authorization(proxy))
            seen.append(connection.getresponse().read().decode().strip())
            ports.add(connection.sock.getsockname())
    assert seen == ["127.0.0.21", "127.0.0.22"] * 2
    assert len(ports) == 1


def test_a_tunnel_forwards_tls_to_the_server() -> None:
    with Emulator() as emulator:
        assert emulator.environment["SFCUTOVER_TOKEN_URL"].startswith("https://")
        assert [redeem(emulator).status_code for _ in range(2)] == [200, 200]
        assert [one.source for one in emulator.redemptions] == ["127.0.0.11", "127.0.0.12"]
        assert emulator.environment["SFCUTOVER_ECHO_URL"].startswith("http://")
        assert echo(emulator, new_proxy(emulator)) == "127.0.0.21"


def test_a_tunnel_keeps_one_address(org: Org) -> None:
    emulator, _ = org
    parts, proxy = urlsplit(emulator.url), new_proxy(emulator)
    with closing(connect(proxy)) as connection:
        connection.set_tunnel(parts.hostname or "", parts.port, authorization(proxy))
        seen = []
        for _ in range(3):
            connection.request("GET", "/ip")
            seen.append(connection.getresponse().read())
    assert seen == [b"127.0.0.21\n"] * 3


def test_a_form_and_a_large_body_are_forwarded_completely(org: Org) -> None:
    emulator, _ = org
    url = f"{emulator.url}/emulator/support"
    ranges = {"ranges": ["127.0.0.1"] * 20_000}
    headers = admin_headers(emulator)
    answer = send(emulator, "POST", url, new_proxy(emulator), json=ranges, headers=headers)
    assert (answer.status_code, answer.json()) == (201, ranges)


def test_the_password_has_special_characters_and_is_encoded(org: Org) -> None:
    emulator, _ = org
    parts = urlsplit(new_proxy(emulator))
    assert unquote(parts.password or "") == emulator.scenario.proxy_password
    assert {"@", ":"} <= set(emulator.scenario.proxy_password)
    assert not {"@", ":"} & set(parts.password or "")


@pytest.mark.parametrize(
    "header",
    ["", "Basic", "Basic !!", "Basic " + base64.b64encode(b"acme:wrong").decode(), "Bearer x"],
)
def test_a_request_without_the_password_gets_407(org: Org, header: str) -> None:
    emulator, _ = org
    for method, target in (
        ("GET", f"{emulator.url}/ip"),
        ("CONNECT", urlsplit(emulator.url).netloc),
    ):
        answer = ask(new_proxy(emulator), method, target, **{"Proxy-Authorization": header})
        assert (answer.status, answer.headers["Proxy-Authenticate"]) == (
            407,
            'Basic realm="egress"',
        )
    assert not [event for event in emulator.log if event["operation"] == "echo"]


def test_requests_names_the_refusal(org: Org) -> None:
    emulator, _ = org
    proxy = new_proxy(emulator).replace("sesame", "barley")
    assert send(emulator, "GET", f"{emulator.url}/ip", proxy).status_code == 407


def test_a_refusal_reads_a_body_that_no_buffer_holds(org: Org) -> None:
    emulator, _ = org
    with closing(connect(new_proxy(emulator))) as connection:
        connection.request("POST", f"{emulator.url}/ip", body=bytes(32 * 1024 * 1024))
        assert connection.getresponse().status == 407


@pytest.mark.parametrize(
    ("method", "target", "status"),
    [
        ("CONNECT", "192.0.2.1:443", 403),
        ("CONNECT", "login.example.com:443", 403),
        ("GET", "http://192.0.2.1/", 403),
        ("GET", "http://[2001:db8::1]/", 403),
        ("CONNECT", "127.0.0.1", 400),
        ("CONNECT", "127.0.0.1:https", 400),
        ("GET", "/ip", 400),
        ("GET", "https://127.0.0.1/", 400),
    ],
)
def test_a_proxy_connects_to_no_other_host(org: Org, method: str, target: str, status: int) -> None:
    emulator, _ = org
    assert ask(new_proxy(emulator), method, target).status == status


def test_a_body_of_unknown_length_is_refused(org: Org) -> None:
    emulator, _ = org
    headers = authorization(new_proxy(emulator)) | {"Transfer-Encoding": "chunked"}
    assert ask(new_proxy(emulator), "GET", f"{emulator.url}/ip", **headers).status == 411


def test_a_proxy_connects_only_to_its_own_emulator(org: Org) -> None:
    emulator, _ = org
    with socket.create_server(("127.0.0.1", 0)) as other:
        place = f"127.0.0.1:{other.getsockname()[1]}"
        for method, target in (("CONNECT", place), ("GET", f"http://{place}/")):
            assert ask(new_proxy(emulator), method, target).status == 403
        other.settimeout(0)
        with pytest.raises(BlockingIOError):
            other.accept()


def test_an_address_that_the_machine_lacks_is_502(start_org: StartOrg) -> None:
    emulator, _ = start_org(new=["198.51.100.20"])
    assert ask(new_proxy(emulator), "GET", f"{emulator.url}/ip").status == 502


def test_proxy_addresses_can_differ_from_the_expected_ones(start_org: StartOrg) -> None:
    emulator, _ = start_org(new_egress=["127.0.0.29"])
    assert echo(emulator, new_proxy(emulator)) == "127.0.0.29"
    assert emulator.environment["SFCUTOVER_NEW_IPS"] == "127.0.0.21,127.0.0.22"


@pytest.mark.parametrize("address", ["127.0.0.22", "127.0.0.11"])
def test_a_proxy_with_one_address_always_uses_it(org: Org, address: str) -> None:
    emulator, _ = org
    proxy = emulator.proxy_url_for(address)
    assert [echo(emulator, proxy) for _ in range(3)] == [address] * 3


def test_unknown_addresses_have_no_proxy(org: Org) -> None:
    with pytest.raises(KeyError, match=r"127\.0\.0\.99"):
        org[0].proxy_url_for("127.0.0.99")


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_curl_works_through_the_proxy() -> None:
    with Emulator() as emulator:
        command = ["curl", "-sS", "--max-time", "10", "--cacert"]
        command += [emulator.environment["REQUESTS_CA_BUNDLE"], "--proxy", new_proxy(emulator)]
        done = subprocess.run(
            [*command, f"{emulator.url}/ip", emulator.environment["SFCUTOVER_ECHO_URL"]],
            capture_output=True,
            text=True,
            check=False,
        )
    assert (done.stdout, done.stderr) == ("127.0.0.21\n127.0.0.22\n", "")


def test_stopping_ends_tunnels_and_leaves_no_thread() -> None:
    before = set(threading.enumerate())
    emulator = Emulator(Scenario(), tls=False).start()
    proxy = new_proxy(emulator)
    with closing(connect(proxy)) as connection:
        connection.request("CONNECT", urlsplit(emulator.url).netloc, headers=authorization(proxy))
        tunnel = connection.sock
        assert b" 200 " in tunnel.recv(1000)
        emulator.stop()
        assert tunnel.recv(1) == b""
    assert set(threading.enumerate()) <= before
    with pytest.raises(requests.exceptions.ProxyError):
        send(emulator, "GET", emulator.url, proxy)
