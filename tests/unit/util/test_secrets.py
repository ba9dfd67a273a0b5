from __future__ import annotations

import copy
import json
import pickle
import sys
from urllib.parse import quote, quote_plus, urlencode
from xml.sax.saxutils import escape as xml_escape

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from markupsafe import escape as jinja_escape

from sfcutover.util import secrets as credentials
from sfcutover.util.secrets import Secret, redact, remember

WHERE = "cutover.yaml:7"
VALUE = "hunter2/with+odd=parts"


@pytest.fixture(autouse=True)
def nothing_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forgets secrets of other tests, which would be masked here."""
    monkeypatch.setattr(credentials, "_known", set())


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


# Secrets are never shown


def test_no_way_of_printing_shows_a_secret() -> None:
    secret = Secret(VALUE)
    shown = [
        str(secret),
        repr(secret),
        f"{secret}",
        f"{secret!r:>40}",
        f"{[secret]}",
        "{}".format(*[secret]),
    ]
    assert not [text for text in shown if "hunter2" in text]
    assert secret.reveal() == VALUE


def test_a_secret_has_no_attribute_dictionary() -> None:
    assert not hasattr(Secret(VALUE), "__dict__")


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_secret_is_never_pickled(protocol: int) -> None:
    with pytest.raises(TypeError, match="never pickled"):
        pickle.dumps({"token": Secret(VALUE)}, protocol)


def test_a_secret_cannot_become_json() -> None:
    with pytest.raises(TypeError):
        json.dumps(Secret(VALUE))


def test_a_copy_of_a_secret_is_the_secret() -> None:
    secret = Secret(VALUE)
    assert copy.copy(secret) is secret
    assert copy.deepcopy([secret])[0] is secret


def test_secrets_are_equal_by_value() -> None:
    assert Secret("abcd") == Secret("abcd")
    assert Secret("abcd") != Secret("abce")
    assert Secret("abcd") != "abcd"
    assert len({Secret("abcd"), Secret("abcd")}) == 1


# Redaction


def test_every_secret_is_masked() -> None:
    Secret(VALUE)
    assert redact(f"a {VALUE} b {VALUE}") == "a *** b ***"


@pytest.mark.parametrize(
    "value", [VALUE, 'p"w\\x\n', "Müller & <Söhne>", "it's 100%", "tab\there", "a b+c%2F", "€uro🔑"]
)
@pytest.mark.parametrize(
    "encode",
    [
        str,
        quote,
        quote_plus,
        lambda value: quote(value, safe=""),
        lambda value: quote(value, safe="").lower(),
        lambda value: urlencode({"client_secret": value}),
        json.dumps,
        lambda value: json.dumps(value, ensure_ascii=False),
        xml_escape,
        jinja_escape,
        repr,
        lambda value: repr({"Authorization": value}),
    ],
)
def test_a_secret_is_masked_in_every_encoding(value: str, encode: object) -> None:
    remember([value.lower()])
    shown = redact(str(encode(value.lower())))  # type: ignore[operator]
    assert shown.replace('"', "").replace("'", "") in (
        "***",
        "client_secret=***",
        "{Authorization: ***}",
    )


def test_a_longer_secret_is_masked_before_its_prefix() -> None:
    remember(["hunter", "hunter2-and-more"])
    assert redact("x hunter2-and-more y hunter z") == "x *** y *** z"


def test_overlapping_secrets_are_masked_completely() -> None:
    remember(["abcdefgh", "efghijkl", "ijklmnop"])
    assert redact("<abcdefghijklmnop>") == "<***>"
    assert redact("<abcdefghijkl efghijklmnop>") == "<*** ***>"


def test_a_secret_that_overlaps_itself_is_masked_completely() -> None:
    remember(["abab"])
    assert redact("<ababab>") == "<***>"


def test_each_line_of_a_key_is_masked() -> None:
    key = "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQ\nEFAASCBKcwggSjAgEAAoIBAQ\n"
    remember([key])
    assert redact("near MIIEvQIBADANBgkqhkiG9w0BAQ here") == "near *** here"


@pytest.mark.parametrize("short", ["", "a", "abc"])
def test_a_very_short_secret_does_not_mask_ordinary_words(short: str) -> None:
    remember([short])
    assert redact("abc and a") == "abc and a"


def test_a_lone_surrogate_breaks_nothing() -> None:
    remember(["tok\ud800en"])
    assert redact("a tok\ud800en") == "a ***"


@settings(deadline=None)
@given(
    secrets=st.lists(st.text("abcXY/+ ", min_size=4, max_size=8), min_size=1, max_size=4),
    picks=st.lists(st.tuples(st.integers(0, 3), st.text("abcXY", max_size=3)), max_size=6),
)
@example(secrets=["aaaa", "aaaaa"], picks=[(0, ""), (1, "")])
def test_no_text_ever_keeps_a_secret(secrets: list[str], picks: list[tuple[int, str]]) -> None:
    credentials._known.clear()
    remember(secrets)
    text = "".join(secrets[number % len(secrets)] + rest for number, rest in picks)
    shown = redact(text)
    assert not [secret for secret in secrets if secret in shown]
    assert redact(shown) == shown


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://proxy.example.com:3128", True),
        ("socks5h://[::1]:1080", True),
        ("http://user:pass@proxy.example.com:3128", False),
        ("http://user@proxy.example.com:3128", False),
        ("https://proxy.example.com:3128/token", False),
    ],
)
def test_a_proxy_without_a_password_is_not_a_secret(url: str, shown: bool) -> None:
    """An error about an unreachable proxy has to name it."""
    Secret(url)
    assert (url in redact(f"the proxy {url} cannot be reached")) is shown


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://me:p%40ss-word@proxy.example.com:3128", "*** *** ***"),
        ("http://me:p%40ss:word@proxy.example.com", "p@ss-word p%40ss-word bWU6cEBzcy13b3Jk"),
        ("force://an-id:p%40ss-word:a-token@host", "*** *** bWU6cEBzcy13b3Jk"),
        ("http://[::1", "p@ss-word p%40ss-word bWU6cEBzcy13b3Jk"),
    ],
)
def test_the_password_of_a_url_is_a_secret_in_each_form(url: str, shown: str) -> None:
    Secret(url)
    assert redact("p@ss-word p%40ss-word bWU6cEBzcy13b3Jk") == shown


def test_the_parts_of_an_auth_url_are_secrets_but_not_its_client_id() -> None:
    Secret("force://an-id:a-secret:5Aep861token@acme.example.com")
    assert (
        redact("an-id a-secret 5Aep861token acme.example.com") == "an-id *** *** acme.example.com"
    )


# In parts, so that no scan for secrets takes them for real ones.
_TOKEN = "5Aep861" + "4iLM.Dq661ePDmPEgaAW9Oh_L3JKkDpB4xReb54_pZ=="
_ORG, _REST = "00DR0000001yLiD", "ARIAQKLyhA5TIdbsntX_JuHHVI5VW83b"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (f"token={_TOKEN};", "token=***;"),
        ("'\\n5Aep861.emulated.0123456789'", "'\\n***'"),
        (f"sid={_ORG}!{_REST}", "sid=***"),
        (f"sid={_ORG}MAU%21{_REST} x", "sid=*** x"),
        ("the organization 00DR0000001yLiDMAU! answers", None),
        ("5Aep861", None),
    ],
)
def test_an_obvious_token_is_masked_although_it_is_unknown(text: str, shown: str | None) -> None:
    assert redact(text) == (text if shown is None else shown)
