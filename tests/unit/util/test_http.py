"""Accepted URLs, and the explanation of a failed request."""

from __future__ import annotations

import pytest
import requests

from sfcutover.errors import ConfigError, NetworkError
from sfcutover.util.http import check_url, is_loopback_url, network_error


@pytest.mark.parametrize(
    "url",
    [
        "http://acme.my.salesforce.com",
        "ftp://127.0.0.1",
        "acme.my.salesforce.com",
        "https://",
        "http://127.0.0.1.example.com",
        "http://localhost.example.com",
        "",
    ],
)
def test_an_unprotected_url_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match="not an https URL"):
        check_url(url, "cutover.yaml:7")


@pytest.mark.parametrize(
    "url", ["https://acme.my.salesforce.com/", "http://127.0.0.1:8080", "http://localhost/"]
)
def test_https_and_loopback_urls_are_accepted(url: str) -> None:
    assert check_url(url, "cutover.yaml:7") == url.rstrip("/")


def test_an_explanation_names_the_host_and_no_password() -> None:
    error = network_error(
        requests.ConnectionError("boom hunter2"), "https://me:hunter2@acme.example/x", "safe"
    )
    assert isinstance(error, NetworkError)
    assert "acme.example" in error.message
    assert "hunter2" not in str(error)
    assert error.impact == "safe"


@pytest.mark.parametrize("url", ["https://[", "http://[::1", "https://", "", "ftp://127.0.0.1"])
def test_an_invalid_url_is_refused_without_a_traceback(url: str) -> None:
    with pytest.raises(ConfigError) as caught:
        check_url(url, "cutover.yaml:9")
    assert caught.value.where == "cutover.yaml:9"


@pytest.mark.parametrize("scheme", ["https", "http"])
def test_a_password_in_a_url_is_refused_and_never_shown(scheme: str) -> None:
    with pytest.raises(ConfigError, match="has credentials") as caught:
        check_url(f"{scheme}://somebody:hunter2@127.0.0.1", "cutover.yaml:9")
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "http://localhost",
        "https://LOCALHOST:8443/x",
        "http://127.0.0.1:1",
        "http://127.255.255.254",
        "http://[::1]:8080",
        "http://someone@127.0.0.1",
    ],
)
def test_a_url_of_this_machine_is_recognized(url: str) -> None:
    assert is_loopback_url(url)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "localhost",
        "http://",
        "http://[",
        "http://]",
        "http://127.0.0.1.example.com",
        "http://127.0.0.1@example.com",
        "http://localhost.example.com",
        "http://128.0.0.1",
        "http://0.0.0.0",
        "http://[::2]",
        "http://example.com#@127.0.0.1",
        "http://example.com/127.0.0.1",
    ],
)
def test_any_other_url_is_remote(url: str) -> None:
    assert not is_loopback_url(url)
