"""The egress and echo settings of cutover.yaml."""

from __future__ import annotations

import pytest

from sfcutover.config.cutover import parse_config
from sfcutover.errors import ConfigError
from sfcutover.traffic.egress import Egress, echo_url_of, egress_of, require_egresses

PASSWORD = "hunter2@pass:wörd"


ENCODED = "hunter2%40pass%3Aw%C3%B6rd"


def with_password(url: str) -> str:
    """The URL of a proxy with a user and the password."""
    scheme, _, place = url.partition("://")
    return f"{scheme}://user:{ENCODED}@{place}"


CONFIG = """\
version: 1
name: one
app: Acme_Connector
old: [203.0.113.10]
new: [198.51.100.20, 198.51.100.24/30]
targets:
  - name: packaging
    org: {alias: acme}
"""


def test_an_egress_is_read_from_the_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEW_PROXY", with_password("http://proxy.example:9293"))
    text = CONFIG + "egress:\n  new: {proxy: {env: NEW_PROXY}}\n  echo_url: https://e.example/ip\n"
    cutover = parse_config(text, "cutover.yaml")
    egress = egress_of(cutover, "new")
    assert (egress.name, str(egress.way)) == ("new", "http://proxy.example:9293")
    assert [str(each) for each in egress.expected] == [
        "198.51.100.20",
        "198.51.100.24-198.51.100.27",
    ]
    assert echo_url_of(cutover) == "https://e.example/ip"
    assert "hunter2" not in repr(egress)


@pytest.mark.parametrize(
    ("more", "name", "place", "message"),
    [
        ("", "new", "cutover.yaml:1", "egress.new is not configured"),
        ("egress:\n  new: {proxy: {env: P}}\n", "old", "cutover.yaml:9", "egress.old is not"),
        ("egress:\n  new: {proxy: {env: NOWHERE}}\n", "new", "cutover.yaml:10", "NOWHERE is not"),
        ("egress:\n  new:\n    proxy: {env: P}\n", "new", "cutover.yaml:11", "no scheme"),
    ],
)
def test_a_missing_setting_is_named_with_its_place(
    more: str, name: str, place: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("P", "hunter2")
    cutover = parse_config(CONFIG + more, "cutover.yaml")
    with pytest.raises(ConfigError, match=message) as caught:
        egress_of(cutover, name)
    assert caught.value.where == place
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "ftp://e.example",
        "e.example",
        "https://",
        "http://me@e.example/",
        "http://[::1",
        "http://e:x/",
    ],
)
def test_an_echo_is_an_http_url_without_credentials(url: str) -> None:
    cutover = parse_config(f'{CONFIG}egress:\n  echo_url: "{url}"\n', "cutover.yaml")
    with pytest.raises(ConfigError, match="echo_url") as caught:
        echo_url_of(cutover)
    assert caught.value.where == "cutover.yaml:10"


def test_a_missing_egress_has_no_echo() -> None:
    with pytest.raises(ConfigError, match="egress is not configured"):
        echo_url_of(parse_config(CONFIG, "cutover.yaml"))


def new_egress(way: str) -> Egress:
    return egress_of(parse_config(f"{CONFIG}egress:\n  new: {way}\n", "cutover.yaml"), "new")


def test_a_direct_egress_has_sessions_without_a_proxy() -> None:
    egress = new_egress("{direct: true}")
    assert egress.has_session
    with egress.session() as session:
        assert session.proxy is None
    assert str(egress.way) == "this machine"
    assert egress.how_asked("http://e/ip").startswith("requesting http://e/ip from this machine")


def test_a_command_egress_has_no_session() -> None:
    egress = new_egress("{probe: [sh, -c, exit 1]}")
    assert not egress.has_session
    assert str(egress.way) == "the command sh"
    assert egress.how_asked("http://e/ip").startswith("running the command sh, ")
    with pytest.raises(ConfigError, match="this process cannot send requests through") as caught:
        egress.session()
    assert caught.value.where == "cutover.yaml:10"


def test_a_missing_command_is_named_before_it_is_needed() -> None:
    with pytest.raises(ConfigError, match="the program no-such-program was not found") as caught:
        new_egress("{probe: [no-such-program]}")
    assert caught.value.where == "cutover.yaml:10"


def test_every_configured_egress_must_be_usable() -> None:
    require_egresses(parse_config(CONFIG, "cutover.yaml"))
    text = f"{CONFIG}egress: {{old: {{probe: [no-such-program]}}, new: {{direct: true}}}}\n"
    with pytest.raises(ConfigError, match="no-such-program"):
        require_egresses(parse_config(text, "cutover.yaml"))
