"""Proxy URLs: what is accepted, what is refused, and that no message repeats a part of one."""

from __future__ import annotations

import base64
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfcutover.errors import ConfigError
from sfcutover.traffic.proxy import ProxyUrl
from sfcutover.util.secrets import Secret, redact

WHERE = "cutover.yaml:12"


def parse(text: str) -> ProxyUrl:
    return ProxyUrl.parse(Secret(text), WHERE)


def credentials_of(proxy: ProxyUrl) -> tuple[str, str] | None:
    if proxy.user is None or proxy.password is None:
        return None
    return proxy.user, proxy.password.reveal()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("http://proxy.example:9293", "http://proxy.example:9293"),
        ("HTTPS://user:pw-secret@proxy.example", "https://proxy.example:443"),
        ("http://user:pw-secret@proxy.example/", "http://proxy.example:80"),
        ("socks5://user:pw-secret@10.0.0.1", "socks5://10.0.0.1:1080"),
        ("socks5h://[2001:db8::1]:1081", "socks5h://[2001:db8::1]:1081"),
        (" http://@proxy.example:1\n", "http://proxy.example:1"),
    ],
)
def test_a_proxy_is_shown_without_credentials(text: str, shown: str) -> None:
    proxy = parse(text)
    assert str(proxy) == shown
    assert "secret" not in repr(proxy) + f"{proxy}"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("http://u:p%40ss%3Aw%2Ford@h:1", ("u", "p@ss:w/ord")),
        ("http://u:p:q@h:1", ("u", "p:q")),  # RFC 3986 allows a colon
        ("http://u@h:1", ("u", "")),
        ("http://us%65r:p%C3%A4ss@h:1", ("user", "päss")),
        ("http://h:1", None),
    ],
)
def test_credentials_are_decoded(text: str, expected: tuple[str, str] | None) -> None:
    assert credentials_of(parse(text)) == expected


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("user:hunter2@proxy.example:9293", "no scheme"),
        ("ftp://user:hunter2@proxy.example:9293", "not one of http, https, socks5, socks5h"),
        ("hunter2://proxy.example", "not one of http"),
        ("http://user:hunter2@hunter2@proxy.example:9293", "must be percent-encoded"),
        ("http://user:hunter2/x@proxy.example:9293", "must be percent-encoded"),
        ("http://user:hunter2#x@proxy.example:9293", "must be percent-encoded"),
        ("http://user:hunter2%zz@proxy.example:9293", "must be percent-encoded"),
        ("http://user:hunter2 x@proxy.example:9293", "must be percent-encoded"),
        ("http://user:hunter2%ff@proxy.example:9293", "not UTF-8"),
        ("http://user:hunter2@", "no host and port"),
        ("http://user:hunter2@proxy.example:9293/hunter2", "no host and port"),
        ("http://user:hunter2@proxy.example:hunter2", "no host and port"),
        ("http://user:hunter2@proxy.example:0", "port is not valid"),
        ("http://user:hunter2@proxy.example:65536", "port is not valid"),
        ("http://user:hunter2@[203.0.113.1:5]:80", "not an IPv6 address"),
        ("http://us%3Aer:hunter2@proxy.example", "has a colon"),
        ("socks5h://user@proxy.example", "or neither"),
        ("socks5://:hunter2@proxy.example", "or neither"),
        (f"socks5://user:{'hunter2' * 20}@proxy.example", "longer than 127 bytes"),
    ],
)
def test_an_invalid_proxy_url_is_refused_without_repeating_it(text: str, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem) as caught:
        parse(text)
    error = caught.value
    assert error.where == WHERE
    assert "hunter2" not in f"{error} {error.hint} {error!r}"
    assert error.__cause__ is None
    assert error.__suppress_context__


def test_an_unencoded_password_is_explained() -> None:
    with pytest.raises(ConfigError) as caught:
        parse("http://user:p@ss:word@proxy.example:9293")
    assert "%40 for @" in caught.value.hint
    assert "%3A for :" in caught.value.hint


def test_basic_auth_is_encoded_in_utf8_and_masked_afterwards() -> None:
    value = parse("http://u:p%40ss%C3%A4@h:1").basic_auth
    assert value is not None
    scheme, _, encoded = value.reveal().partition(" ")
    assert (scheme, base64.b64decode(encoded).decode()) == ("Basic", "u:p@ssä")
    for secret in (value.reveal(), encoded, "p@ssä", "p%40ss%C3%A4"):
        assert secret not in redact(f"a log line with {secret} in it")
    assert parse("http://h:1").basic_auth is None


@given(st.text(min_size=1, max_size=40), st.text(min_size=1, max_size=40))
def test_encoded_parts_are_decoded(user: str, password: str) -> None:
    try:
        text = f"socks5h://{quote(user, safe='')}:{quote(password, safe='')}@h:1"
    except UnicodeEncodeError:
        return
    if max(len(user.encode()), len(password.encode())) <= 127:
        assert credentials_of(parse(text)) == (user, password)
