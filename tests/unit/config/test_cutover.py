from __future__ import annotations

import traceback
from collections.abc import Callable
from pathlib import Path

import jsonschema
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from sfcutover.allowlist.phases import Phase
from sfcutover.config.cutover import Cutover, load_config
from sfcutover.config.values import Model
from sfcutover.errors import ConfigError, ExitCode, SfcutoverError

EXAMPLE = """\
version: 1
name: 2026-11-region-move
app: Acme_Connector                   # ExternalClientApplication full name
carriers: [token-ip-ranges]           # add trusted-ip-ranges to keep both lists in step
api_version: "67.0"
old: [203.0.113.10, {range: 203.0.113.11, description: proxy b}]
new: [198.51.100.20, 198.51.100.21]   # also CIDR, first-last, IPv6
policies:                             # optional: OAuth policies deployed with each phase
  ipRelaxationPolicyType: Enforce
targets:
  - name: packaging
    org: {alias: acme-packaging}
egress:
  old: {proxy: {env: OLD_PROXY_URL}}
  new: {proxy: {env: QUOTAGUARDSTATIC_URL}}
  echo_url: http://ip.quotaguard.com
switch:
  apply: ["heroku", "config:set", "..."]     # argv, no shell; or `manual: true`
  revert: ["heroku", "config:set", "..."]
verify:
  token_url: https://login.salesforce.com/services/oauth2/token
  client_id: {env: SF_CLIENT_ID}
  client_secret: {env: SF_CLIENT_SECRET}
  refresh_token: {file: .secrets/canary}     # or {get: [argv], put: [argv]}
  settle: 60s
  confidence: 0.999999
watch:
  duration: 15m
  interval: 15s
  failures: 2
checks:
  - prometheus: {url: https://prometheus.example.com, query: up, condition: ">= 0.9 * before"}
  - {command: [check-traffic]}
quiet:
  - {command: [is-old-proxy-quiet], for: 2m}
state: {url: sqlite:///.sfcutover/state.db}
"""
# Tests replace one of these lines and check the line of the error.
BASE = """\
version: 1
name: move
app: Acme_Connector
old:
  - 203.0.113.10
new:
  - 198.51.100.20
targets:
  - name: packaging
    org: {alias: acme}
"""
OLD_LINE, NEW_LINE, ORG_LINE, END = 5, 7, 10, 11

Load = Callable[[str], Cutover]
Refuse = Callable[[str], SfcutoverError]


def with_old(entry: str) -> str:
    return BASE.replace("- 203.0.113.10", f"- {entry}")


def with_org(org: str) -> str:
    return BASE.replace("{alias: acme}", org)


@pytest.fixture
def load(tmp_path: Path) -> Load:
    def load_(text: str) -> Cutover:
        (tmp_path / "cutover.yaml").write_text(text, encoding="utf-8")
        return load_config(tmp_path / "cutover.yaml")

    return load_


@pytest.fixture
def refuse(load: Load, tmp_path: Path) -> Refuse:
    """Load an invalid file; the error's place is relative to the folder."""

    def refuse_(text: str) -> SfcutoverError:
        with pytest.raises(SfcutoverError) as caught:
            load(text)
        caught.value.where = (caught.value.where or "").removeprefix(f"{tmp_path}/")
        caught.value.also = tuple(each.removeprefix(f"{tmp_path}/") for each in caught.value.also)
        return caught.value

    return refuse_


def test_the_whole_example_loads(load: Load) -> None:
    cutover = load(EXAMPLE)
    assert cutover.name == "2026-11-region-move"
    assert [str(entry) for entry in cutover.change.old] == ["203.0.113.10", "203.0.113.11"]
    assert [entry.description for entry in cutover.change.old] == [None, "proxy b"]
    assert cutover.policies.of(Phase.ADD_NEW) == {"ipRelaxationPolicyType": "Enforce"}
    assert cutover.verify is not None
    assert (cutover.verify.settle, cutover.verify.confidence) == (60.0, 0.999999)
    assert cutover.watch is not None
    assert (cutover.watch.duration, cutover.watch.interval) == (900.0, 15.0)


def test_the_smallest_file_has_the_documented_defaults(load: Load) -> None:
    cutover = load(BASE)
    assert cutover.carriers == ("token-ip-ranges",)
    assert cutover.api_version == "67.0"
    assert not cutover.split_ranges
    assert not cutover.allow_private
    assert not cutover.policies
    assert cutover.state.url.read() == "sqlite:///.sfcutover/state.db"


@pytest.mark.parametrize("text", [EXAMPLE, BASE])
def test_the_schema_agrees_with_the_reader(text: str) -> None:
    jsonschema.validate(yaml.safe_load(text), Cutover.model_json_schema(by_alias=True))


def test_every_part_has_its_line(load: Load, tmp_path: Path) -> None:
    cutover = load(EXAMPLE)
    verify, watch, egress = cutover.verify, cutover.watch, cutover.egress
    assert verify is not None
    assert watch is not None
    assert egress is not None
    assert egress.new is not None
    placed: list[tuple[Model | None, int]] = [
        (cutover, 1),
        (cutover.old[0], 6),
        (cutover.targets[0], 11),
        (cutover.targets[0].org, 12),
        (egress.new.proxy, 15),
        (egress.echo_url, 16),
        (verify.token_url, 21),
        (verify.client_id, 22),
        (verify.refresh_token, 24),
        (watch, 27),
        (cutover.checks[0], 32),
        (cutover.checks[1], 33),
        (cutover.quiet[0], 35),
        (cutover.state.url, 36),
    ]
    for part, line in placed:
        assert part is not None
        assert part.where == f"{tmp_path}/cutover.yaml:{line}", part


def test_a_default_has_no_line_of_an_earlier_file(load: Load) -> None:
    load(EXAMPLE)
    assert load(BASE).state.url.where == "cutover.yaml"


# Addresses


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("300.1.1.1", "'300.1.1.1' is not an IP address"),
        ("203.0.113", "'203.0.113' is not an IP address"),
        ("proxy.example.com", "'proxy.example.com' is not an IP address"),
        ("''", "'' is not an IP address"),
        ("203.0.113.010", "'203.0.113.010' is not an IP address"),
        ("203.0.113.9-203.0.113.1", "203.0.113.9-203.0.113.1 is reversed"),
        ('"203.0.113.9-2001:db8::1"', "203.0.113.9-2001:db8::1 mixes IPv4 and IPv6"),
        ("203.0.113.9/24", "'203.0.113.9/24' is not a CIDR block: 203.0.113.9/24 has host bits"),
        ("203.0.113.0/33", "'203.0.113.0/33' is not a CIDR block"),
        ("0.0.0.0/0", "0.0.0.0/0 would allow half of all addresses"),
        ("0.0.0.0-255.255.255.255", "would allow half of all addresses"),
        ("128.0.0.0/1", "128.0.0.0/1 would allow half of all addresses"),
        ('"::/0"', "::/0 would allow half of all addresses"),
        ('"8000::/1"', "8000::/1 would allow half of all addresses"),
        ('"::ffff:203.0.113.9"', "is an IPv4 address in IPv6 form; write 203.0.113.9"),
        ('"::ffff:0:0/120"', "is an IPv4 address in IPv6 form"),
        ("224.0.0.1", "224.0.0.1 can't be a source address"),
        ("223.255.255.255-224.0.0.2", "224.0.0.2 can't be a source address"),
        ('"ff02::1"', "ff02::1 can't be a source address"),
        ("255.255.255.255", "255.255.255.255 can't be a source address"),
        ("240.0.0.1", "240.0.0.1 can't be a source address"),
        ("0.0.0.0", "0.0.0.0 can't be a source address"),
        ("0.1.2.3", "0.1.2.3 can't be a source address"),
        ('"::"', ":: can't be a source address"),
        ('"fe80::1%eth0"', "has a zone (eth0)"),
        ('"2001:db8::1%1/128"', "has a zone (1)"),
        (r'"1\n2"', r"'1\n2' is not an IP address"),
        ("x" * 101, "at most 100 characters"),
        ("3405803786", "must be an address in quotes"),
        ("203.0", "must be an address in quotes"),
        ("2001:10:20:30:40:50:10:1", "must be an address in quotes"),
        ("2026-11-23", "must be an address in quotes"),
        ("true", "must be an address in quotes"),
        ("~", "must be an address in quotes"),
        ("[203.0.113.10]", "must be an address in quotes"),
        ("{range: 5}", "must be a string"),
        ("{description: x}", "range is missing"),
        ("{range: 203.0.113.10, description: 5}", "must be a string"),
        (r'{range: 203.0.113.10, description: "\e[2J"}', "must not contain a control character"),
    ],
)
def test_an_invalid_address_is_refused_at_its_line(
    refuse: Refuse, entry: str, message: str
) -> None:
    error = refuse(with_old(entry))
    assert message in error.message
    assert error.message.startswith("old[0]")
    assert (error.where, error.exit_code) == (f"cutover.yaml:{OLD_LINE}", ExitCode.USAGE)
    assert "sfcutover doctor" in error.hint


@pytest.mark.parametrize(
    ("entry", "count"),
    [
        ("203.0.0.0/23", "512"),
        ("203.0.113.0-203.0.114.0", "257"),
        ("1.0.0.0-127.255.255.255", "2,130,706,432"),
        ('"2001:db8::/64"', "18,446,744,073,709,551,616"),
    ],
)
def test_a_range_over_the_limit_ends_with_exit_code_8(
    refuse: Refuse, entry: str, count: str
) -> None:
    error = refuse(with_old(entry))
    assert (
        f"contains {count} addresses; an allowlist of token-ip-ranges holds at most 256"
        in error.message
    )
    assert (error.where, error.exit_code) == (f"cutover.yaml:{OLD_LINE}", ExitCode.LIMIT)


@pytest.mark.parametrize(
    "entry", ["203.0.113.0/24", '"2001:db8::/120"', "203.0.113.1 - 203.0.113.9", "'203.0.113.10 '"]
)
def test_every_notation_of_a_range_is_read(load: Load, entry: str) -> None:
    assert len(load(with_old(entry)).old) == 1


PRIVATE = [
    "10.0.0.1",
    "172.31.255.255",
    "192.168.0.1",
    "127.0.0.1",
    "169.254.1.1",
    "100.64.0.1",
    "100.127.255.255",
    '"fd00::1"',
    '"fe80::1"',
    '"::1"',
    "9.255.255.255-10.0.0.0",
    "192.168.255.255-192.169.0.1",
]


@pytest.mark.parametrize("entry", PRIVATE)
def test_a_private_address_is_refused_at_its_line(refuse: Refuse, entry: str) -> None:
    error = refuse(BASE.replace("  - 198.51.100.20", f"  - 198.51.100.20\n  - {entry}"))
    assert error.message.startswith(f"new[1]: {entry.strip(chr(34))} is a private or loopback")
    assert (error.where, error.exit_code) == (f"cutover.yaml:{NEW_LINE + 1}", ExitCode.USAGE)


@pytest.mark.parametrize("entry", PRIVATE)
def test_a_private_address_is_allowed_on_request(load: Load, entry: str) -> None:
    assert load(with_old(entry) + "allow_private: true\n").old[0].is_private


@pytest.mark.parametrize(
    "org",
    [
        '{access_token: {env: T}, instance_url: "http://127.0.0.1:8080"}',
        '{access_token: {env: T}, instance_url: "https://localhost:8080"}',
        '{access_token: {env: T}, instance_url: "http://[::1]:8080"}',
        "{access_token: {env: T}, instance_url: {env: LOOPBACK_URL}}",
        "{client_credentials: {client_id: i, client_secret: {env: S}, login_url: "
        '"http://127.0.0.1:1"}}',
        "{jwt: {client_id: i, username: u, private_key: {file: k}, login_url: "
        '"http://127.0.0.1:1"}}',
    ],
)
def test_a_private_address_is_accepted_for_an_org_on_this_machine(
    load: Load, monkeypatch: pytest.MonkeyPatch, org: str
) -> None:
    monkeypatch.setenv("LOOPBACK_URL", "http://127.0.0.1:8080")
    assert load(with_org(org).replace("203.0.113.10", "127.0.0.11")).old[0].is_private


@pytest.mark.parametrize(
    "org",
    [
        "{alias: localhost}",
        '{access_token: {env: T}, instance_url: "https://acme.my.salesforce.com"}',
        '{access_token: {env: T}, instance_url: "https://127.0.0.1.example.com"}',
        '{access_token: {env: T}, instance_url: "https://127.0.0.1@example.com"}',
        '{access_token: {env: T}, instance_url: "http://["}',
        "{access_token: {env: T}, instance_url: {env: NOT_SET_AT_ALL}}",
        "{auth_url: {env: LOOPBACK_URL}}",
    ],
)
def test_a_remote_or_unknown_org_accepts_no_private_address(
    refuse: Refuse, monkeypatch: pytest.MonkeyPatch, org: str
) -> None:
    monkeypatch.setenv("LOOPBACK_URL", "force://a::b@127.0.0.1")
    error = refuse(with_org(org).replace("203.0.113.10", "127.0.0.11"))
    assert "127.0.0.11 is a private or loopback" in error.message


def test_one_remote_org_is_enough_to_refuse_a_private_address(refuse: Refuse) -> None:
    local = '{access_token: {env: T}, instance_url: "http://127.0.0.1:1"}'
    text = with_old("127.0.0.11") + f"  - name: local\n    org: {local}\n"
    assert "private or loopback" in refuse(text).message


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("203.0.113.10", "203.0.113.10"),
        ("203.0.113.8/30", "203.0.113.8-203.0.113.11"),
        ('"2001:db8::1"', '"2001:0DB8:0::1"'),
        ("203.0.113.8-203.0.113.9, 203.0.113.10/31", "203.0.113.8/30"),
        ("{range: 203.0.113.10, description: a}", "{range: 203.0.113.10, description: b}"),
    ],
)
def test_old_and_new_may_not_be_the_same_addresses(refuse: Refuse, old: str, new: str) -> None:
    text = f"version: 1\nname: m\napp: A\nold: [{old}]\nnew: [{new}]\ntargets:\n"
    error = refuse(text + "  - {name: p, org: {alias: a}}\n")
    assert error.message == "new: must differ from old"
    assert (error.where, error.exit_code) == ("cutover.yaml:5", ExitCode.USAGE)


def test_old_and_new_may_share_an_address(load: Load) -> None:
    assert load(BASE.replace("198.51.100.20", "203.0.113.8/30")).new


@pytest.mark.parametrize(
    "again", ["203.0.113.10", "203.0.113.10/32", "203.0.113.8/29", "203.0.113.0-203.0.113.10"]
)
def test_an_address_must_be_unique_in_a_list(refuse: Refuse, again: str) -> None:
    error = refuse(BASE.replace("  - 203.0.113.10", f"  - 203.0.113.10\n  - {again}"))
    assert error.message == f"old[1]: {again} overlaps an earlier entry"
    assert error.where == f"cutover.yaml:{OLD_LINE + 1}"


# Keys

UNKNOWN = {
    "nwe: [198.51.100.9]": ("nwe", "new"),
    "policys: {}": ("policys", "policies"),
    "egress: {olt: {proxy: {env: P}}}": ("egress.olt", "old"),
    "egress: {old: {poxy: {env: P}}}": ("egress.old.poxy", "proxy"),
    "egress: {old: {proxy: {evn: P}}}": ("egress.old.proxy", "env"),
    "egress: {echo_url: {evn: P}}": ("egress.echo_url.evn", "env"),
    "switch: {aply: [x]}": ("switch.aply", "apply"),
    "verify: {client_id: a, refresh_token: {file: f}, setle: 60s}": ("verify.setle", "settle"),
    "verify: {client_id: a, refresh_token: {fil: f}}": ("verify.refresh_token", "file"),
    "check: []": ("check", "checks"),
    "checks: [{comand: [x]}]": ("checks[0].comand", "command"),
    "checks: [{prometheus: {url: u, query: q, condition: c, tokn: {env: T}}}]": (
        "checks[0].prometheus.tokn",
        "token",
    ),
    "state: {ulr: x}": ("state.ulr", "url"),
}


@pytest.mark.parametrize("text", UNKNOWN)
def test_an_unknown_key_suggests_the_closest_one(refuse: Refuse, text: str) -> None:
    path, close = UNKNOWN[text]
    error = refuse(f"{BASE}{text}\n")
    assert error.message.startswith(f"{path}: unknown key")
    assert error.hint == f"did you mean {close}?"
    assert (error.where, error.exit_code) == (f"cutover.yaml:{END}", ExitCode.USAGE)


@pytest.mark.parametrize(
    ("org", "path", "close"),
    [
        ("{alais: a}", "alais", "alias"),
        ("{jwt: {client_id: a, usrname: b, private_key: {file: f}}}", "jwt.usrname", "username"),
        ("{jwt: {client_id: a, username: b, private_key: {fle: f}}}", "jwt.private_key", "file"),
        (
            "{client_credentials: {client_id: a, client_secert: {env: S}, login_url: u}}",
            "client_credentials.client_secert",
            "client_secret",
        ),
    ],
)
def test_an_unknown_key_of_an_org_suggests_the_closest_one(
    refuse: Refuse, org: str, path: str, close: str
) -> None:
    error = refuse(with_org(org))
    assert error.message.startswith(f"targets[0].org.{path}: unknown key")
    assert (error.where, error.hint) == (f"cutover.yaml:{ORG_LINE}", f"did you mean {close}?")


def test_an_unknown_key_is_named_before_the_missing_one_it_stands_for(
    refuse: Refuse,
) -> None:
    error = refuse(BASE.replace("new:", "nwe:"))
    assert error.message == "nwe: unknown key"
    assert (error.where, error.hint) == ("cutover.yaml:6", "did you mean new?")
    assert error.also == ("cutover.yaml:1: new is missing",)


def test_a_dissimilar_key_gets_the_general_hint(refuse: Refuse) -> None:
    assert "did you mean" not in refuse(f"{BASE}zzzqqq: 1\n").hint


def test_several_mistakes_are_all_listed_by_their_lines(refuse: Refuse) -> None:
    broken = BASE.replace("203.0.113.10", "300.1.1.1").replace("198.51.100.20", "x")
    error = refuse(f"{broken}carrriers: [connected-app]\n")
    assert error.message == "old[0]: '300.1.1.1' is not an IP address"
    assert error.where == f"cutover.yaml:{OLD_LINE}"
    assert error.also == (
        f"cutover.yaml:{OLD_LINE + 2}: new[0]: 'x' is not an IP address",
        f"cutover.yaml:{broken.count(chr(10)) + 1}: carrriers: unknown key; did you mean carriers?",
    )


def test_further_mistakes_are_counted(refuse: Refuse) -> None:
    error = refuse(BASE + "".join(f"unknown{number}: 1\n" for number in range(100)))
    assert error.also[-1] == "69 more, reported once these are corrected"
    assert len(error.also) == 31


@pytest.mark.parametrize("key", ["version", "name", "app", "old", "new", "targets"])
def test_a_missing_key_is_named(refuse: Refuse, key: str) -> None:
    content = yaml.safe_load(BASE)
    del content[key]
    error = refuse(yaml.safe_dump(content))
    assert error.message == f"{key} is missing"
    assert (error.where, error.exit_code) == ("cutover.yaml:1", ExitCode.USAGE)


def test_a_missing_key_of_a_part_is_named_at_the_part(refuse: Refuse) -> None:
    error = refuse(f"{BASE}verify:\n  refresh_token: {{file: f}}\n")
    assert error.message == "verify: client_id is missing"
    assert error.where == f"cutover.yaml:{END}"


def test_a_key_must_be_unique(refuse: Refuse) -> None:
    error = refuse(f"{BASE}old: [203.0.113.12]\n")
    assert (error.message, error.where) == ("duplicate key old", f"cutover.yaml:{END}")


def test_a_merge_key_is_refused(refuse: Refuse) -> None:
    error = refuse(f"{BASE}<<: {{split_ranges: true}}\n")
    assert (error.message, error.where) == ("<<: unknown key", f"cutover.yaml:{END}")


def test_an_anchor_may_be_used_twice(load: Load) -> None:
    cutover = load(with_org("&org {alias: acme}") + "  - name: second\n    org: *org\n")
    assert [target.org.alias for target in cutover.targets] == ["acme", "acme"]


# Values of the wrong kind


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("version: 2", "version: input should be 1"),
        ('version: "1"', "version: must be 1"),
        ("version: 1.0", "version: must be 1"),
        ("version: true", "version: must be 1"),
        ("name: 2026", "name: must be a string; put it in quotes"),
        ("name: 2026-11-23", "name: must be a string; put it in quotes"),
        ("name: two words", "name: string should match"),
        ("name:", "name: must be a string; put it in quotes"),
        ("app: 1.5", "app: must be a string; put it in quotes"),
        (r'app: "Acme\n"', "app: string should match"),
        ("app: ../Acme", "app: string should match"),
        ("old: 203.0.113.10", "old: must be a list"),
        ("old: {range: 203.0.113.10}", "old: must be a list"),
        ("old: []", "old: must not be empty"),
        ("old:", "old: must not be empty"),
        ("targets: []", "targets: must not be empty"),
        ("targets: {name: a}", "targets: must be a list"),
        ("targets: [a]", "targets[0]: must be a mapping"),
        ("carriers: token-ip-ranges", "carriers: must be a list"),
        ("carriers: []", "carriers: must not be empty unless policies: sets some"),
        ("carriers: [token-ip-range]", "carriers[0]: input should be 'token-ip-ranges',"),
        (
            "carriers: [token-ip-ranges, token-ip-ranges]",
            "carriers[1]: duplicate entry token-ip-ranges",
        ),
        (
            "carriers: [trusted-ip-ranges, connected-app]",
            "carriers: connected-app excludes the carriers of an External Client App",
        ),
        ("split_ranges: perhaps", "split_ranges: must be true or false"),
        ("allow_private: [true]", "allow_private: must be true or false"),
        ("switch: {}", "switch: give either apply (and optionally revert), or manual: true"),
        ("switch: {manual: true, apply: [a]}", "switch: give either apply"),
        ("switch: {manual: true, revert: [a]}", "switch: give either apply"),
        ("switch: {apply: heroku}", "switch.apply: must be a list"),
        ("switch: {apply: [heroku, 5]}", "switch.apply[1]: must be a string"),
        ("verify: {client_id: 5, refresh_token: {file: f}}", "verify.client_id: must be a string"),
        (
            "verify: {client_id: a, refresh_token: {file: f, env: E}}",
            "verify.refresh_token: give exactly one of env, file, or get with put",
        ),
        (
            "verify: {client_id: a, refresh_token: {file: f, put: [x]}}",
            "verify.refresh_token: give exactly one of",
        ),
        ("watch: {failures: 0}", "watch.failures: input should be greater than or equal to 1"),
        ("checks: [{}]", "checks[0]: give exactly one of prometheus and command"),
        ("checks: [{command: []}]", "checks[0].command: must not be empty"),
        ("state: sqlite", "state: must be a mapping"),
        ("state: {url: 5}", "state.url: must be a string"),
    ],
)
def test_a_value_of_the_wrong_kind_is_refused_at_its_line(
    refuse: Refuse, text: str, message: str
) -> None:
    key = text.partition(":")[0]
    kept = {name: value for name, value in yaml.safe_load(BASE).items() if name != key}
    error = refuse(f"{text}\n{yaml.safe_dump(kept)}")
    assert error.message.startswith(message)
    assert (error.where, error.exit_code) == ("cutover.yaml:1", ExitCode.USAGE)


@pytest.mark.parametrize(
    "settle", ["60", "60.0", "-1s", "1 year", "''", "~", "١s", "9" * 400 + "s"]
)
def test_an_invalid_duration_is_refused(refuse: Refuse, settle: str) -> None:
    text = f"{BASE}verify:\n  client_id: a\n  refresh_token: {{file: f}}\n  settle: {settle}\n"
    error = refuse(text)
    assert error.message == "verify.settle: must be a duration such as 60s, 15m or 2h"
    assert error.where == f"cutover.yaml:{END + 3}"


@pytest.mark.parametrize(
    ("settle", "seconds"), [("500ms", 0.5), ("60s", 60), ("1.5m", 90), ("2 h", 7200), ("1d", 86400)]
)
def test_durations_are_read_as_seconds(load: Load, settle: str, seconds: float) -> None:
    text = f"{BASE}verify: {{client_id: a, refresh_token: {{file: f}}, settle: {settle}}}\n"
    verify = load(text).verify
    assert verify is not None
    assert verify.settle == seconds


@pytest.mark.parametrize(
    ("confidence", "said"),
    [
        *((each, "input should be") for each in ("0.5", "1", "2", ".nan", ".inf")),
        ("high", "must be a number"),
    ],
)
def test_confidence_is_between_a_half_and_one(refuse: Refuse, confidence: str, said: str) -> None:
    text = f"{BASE}verify: {{client_id: a, refresh_token: {{file: f}}, confidence: {confidence}}}\n"
    assert refuse(text).message.startswith(f"verify.confidence: {said}")


@pytest.mark.parametrize(
    "version",
    [
        *("67", "67.5", "-67.0", "latest", "v67.0", "''", ".nan", ".inf", "1e400", "true", "~"),
        *("[67.0]", '"²³.0"', '"٦٧.0"', '"067.0"', '"67.0 "', '"' + "9" * 400 + '.0"'),
    ],
)
def test_an_invalid_api_version_is_refused(refuse: Refuse, version: str) -> None:
    error = refuse(f"{BASE}api_version: {version}\n")
    assert error.message == 'api_version: must be an API version such as "67.0"'
    assert (error.where, error.exit_code) == (f"cutover.yaml:{END}", ExitCode.USAGE)


@pytest.mark.parametrize("version", ['"66.0"', "66.0", '"59.0"'])
def test_an_api_version_below_that_of_the_carrier_is_refused(refuse: Refuse, version: str) -> None:
    error = refuse(f"{BASE}api_version: {version}\n")
    assert "must be 67.0 or later for ExtlClntAppOauthSecuritySettings" in error.message
    assert error.where == f"cutover.yaml:{END}"


@pytest.mark.parametrize(
    ("carrier", "version"), [("trusted-ip-ranges", "59.0"), ("connected-app", "32.0")]
)
def test_an_older_carrier_accepts_an_older_api_version(
    load: Load, carrier: str, version: str
) -> None:
    assert load(f"{BASE}carriers: [{carrier}]\napi_version: {version}\n").api_version == version


@pytest.mark.parametrize("app", ["acme__Acme_Connector", "Acme", "A1"])
def test_the_name_of_an_app_may_have_a_namespace(load: Load, app: str) -> None:
    assert load(BASE.replace("Acme_Connector", app)).app == app


def test_the_names_of_targets_must_be_unique(refuse: Refuse) -> None:
    error = refuse(f"{BASE}  - name: packaging\n    org: {{alias: b}}\n")
    assert error.message == "targets[1].name: duplicate name"
    assert error.where == f"cutover.yaml:{END}"


@pytest.mark.parametrize(
    ("org", "message"),
    [
        ("{}", "give exactly one of alias, access_token, jwt, client_credentials and auth_url"),
        ("{alias: a, auth_url: {env: U}}", "give exactly one of"),
        ("{access_token: {env: T}}", "access_token and instance_url require each other"),
        ("{alias: a, instance_url: u}", "access_token and instance_url require each other"),
        ("{alias: ''}", "alias: must not be empty"),
        ("{alias: --help}", "alias: must not start with a dash"),
        (r'{alias: "a\0"}', "alias: must not contain a control character"),
        ("{alias: 5}", "alias: must be a string"),
        ("acme", "must be a mapping"),
        ("{auth_url: {}}", "auth_url: give exactly one of env, file and command"),
        ("{auth_url: {env: A, file: b}}", "auth_url: give exactly one of env, file and command"),
        ("{auth_url: {command: []}}", "auth_url: command must not be empty"),
        ("{auth_url: {command: ['']}}", "auth_url.command[0]: must not be empty"),
        ("{auth_url: {command: op read}}", "auth_url.command: must be a list"),
        ("{auth_url: {file: ''}}", "auth_url.file: must not be empty"),
        (
            r'{auth_url: {file: "a\0b"}}',
            "auth_url.file: must not contain a control character",
        ),
        ("{auth_url: {env: ''}}", "auth_url.env: must be the name of an environment variable"),
        ("{access_token: {env: T}, instance_url: ''}", "instance_url: must not be empty"),
    ],
)
def test_an_org_without_exactly_one_login_is_refused(
    refuse: Refuse, org: str, message: str
) -> None:
    error = refuse(with_org(org))
    assert error.message.removeprefix("targets[0].org").lstrip(":. ").startswith(message)
    assert (error.where, error.exit_code) == (f"cutover.yaml:{ORG_LINE}", ExitCode.USAGE)


# Secrets

SECRET = "00Dxx0000000001!AQ8.hunter2"
LITERALS = [
    "{access_token: SECRET, instance_url: u}",
    "{access_token: {SECRET}, instance_url: u}",
    "{access_token: {SECRET: x}, instance_url: u}",
    "{access_token: [SECRET], instance_url: u}",
    "{access_token: {env: SECRET}, instance_url: u}",
    "{access_token: {env: [SECRET]}, instance_url: u}",
    "{access_token: {value: SECRET}, instance_url: u}",
    "{access_token: {command: SECRET}, instance_url: u}",
    "{access_tokn: SECRET, instance_url: u}",
    "{access_token: !SECRET x, instance_url: u}",
    "{access_token: !!int SECRET, instance_url: u}",
    "{access_token: 'SECRET, instance_url: u}",
    "{auth_url: 'force://a::SECRET@example.com'}",
    "{access_token: {env: T}, instance_url: 'https://me:SECRET@example.com'}",
    "{jwt: {client_id: a, username: b, private_key: SECRET}}",
    "{jwt: SECRET}",
    "{client_credentials: {client_id: a, client_secret: SECRET, login_url: u}}",
    "SECRET",
]
ELSEWHERE = [
    "egress: {old: {proxy: 'http://me:SECRET@proxy.example.com'}}",
    "verify: {client_id: a, client_secret: SECRET, refresh_token: {file: f}}",
    "verify: {client_id: a, refresh_token: SECRET}",
    "verify: {client_id: a, refresh_token: {SECRET}}",
    "verify: {client_id: a, refresh_token: {env: SECRET}}",
    "verify: {client_id: a, refresh_token: {file: f}, settle: SECRET}",
    "state: {url: 'postgresql+psycopg://me:SECRET@db.example.com/runs'}",
]


@pytest.mark.parametrize(
    "text", [*map(with_org, LITERALS), *(f"{BASE}{each}" for each in ELSEWHERE)]
)
def test_a_literal_secret_is_refused_and_never_repeated(
    load: Load, tmp_path: Path, text: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        load(text.replace("SECRET", SECRET))
    assert caught.value.where in (
        f"{tmp_path}/cutover.yaml:{ORG_LINE}",
        f"{tmp_path}/cutover.yaml:{END}",
    )
    shown = "".join(traceback.format_exception(caught.value)) + caught.value.hint
    assert SECRET not in shown
    assert "hunter2" not in shown


def test_the_error_for_a_secret_explains_how_to_supply_it(refuse: Refuse) -> None:
    error = refuse(with_org("{access_token: abc, instance_url: u}"))
    assert error.message == (
        "targets[0].org.access_token: must not be the secret itself; "
        "write {env: NAME}, {file: PATH} or {command: [argv]}"
    )


def test_an_unset_variable_is_named_at_its_line(
    load: Load, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("SF_TOKEN", raising=False)
    org = load(with_org("{access_token: {env: SF_TOKEN}, instance_url: {env: SF_TOKEN}}"))
    assert org.targets[0].org.access_token is not None
    assert org.targets[0].org.instance_url is not None
    for part in (org.targets[0].org.access_token, org.targets[0].org.instance_url):
        with pytest.raises(ConfigError, match="variable SF_TOKEN is not set") as caught:
            part.read()
        assert caught.value.where == f"{tmp_path}/cutover.yaml:{ORG_LINE}"
        assert "export SF_TOKEN=" in caught.value.hint


# Targets


def test_targets_are_selected_by_name_in_the_requested_order(load: Load) -> None:
    cutover = load(f"{BASE}  - name: second\n    org: {{alias: b}}\n")
    assert [each.name for each in cutover.select_targets(())] == ["packaging", "second"]
    chosen = cutover.select_targets(("second", "packaging"))
    assert [each.name for each in chosen] == ["second", "packaging"]


def test_an_unknown_target_suggests_the_closest_one(load: Load) -> None:
    with pytest.raises(ConfigError, match="no target 'packagin'") as caught:
        load(BASE).select_targets(("packagin",))
    assert caught.value.hint == "did you mean packaging?"
    with pytest.raises(ConfigError) as caught:
        load(BASE).select_targets(("zzz",))
    assert caught.value.hint == "the targets are packaging"


# Whole files


@pytest.mark.parametrize("text", ["", "# nothing\n", "~\n"])
def test_an_empty_file_is_reported(refuse: Refuse, text: str) -> None:
    error = refuse(text)
    assert (error.message, error.where) == ("the file is empty", "cutover.yaml:1")
    assert error.hint == "write it from the org: sfcutover init --force"


@pytest.mark.parametrize("text", ["- a\n", "text\n", "5\n", "[]\n", "true\n"])
def test_a_file_must_be_a_mapping(refuse: Refuse, text: str) -> None:
    error = refuse(text)
    assert (error.message, error.where) == ("must be a mapping (key: value)", "cutover.yaml:1")


def test_a_file_that_is_too_large_ends_with_exit_code_8(refuse: Refuse) -> None:
    error = refuse(BASE + "#" * (2 * 1024 * 1024))
    assert (error.exit_code, error.where) == (ExitCode.LIMIT, "cutover.yaml")


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_a_byte_order_mark_and_windows_line_ends_are_accepted(
    load: Load, refuse: Refuse, newline: str
) -> None:
    assert load("\ufeff" + BASE.replace("\n", newline)) == load(BASE)
    error = refuse("\ufeff" + with_old("300.1.1.1").replace("\n", newline))
    assert error.where == f"cutover.yaml:{OLD_LINE}"


# Arbitrary content

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.dates(),
    st.text(max_size=12),
    st.sampled_from(["203.0.113.10", "10.0.0.1", "0.0.0.0/0", "60s", "http://[", "-", "67.0"]),
)
KEYS = st.text(max_size=8) | st.sampled_from(
    sorted(
        {
            key
            for definition in Cutover.model_json_schema()["$defs"].values()
            for key in definition.get("properties", {})
        }
    )
)
TREES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=8,
)


def loads_or_is_refused_in_one_line(path: Path) -> None:
    shown, hint = "one line", "a hint"
    try:
        load_config(path)
    except SfcutoverError as error:
        shown, hint = str(error), error.hint
    assert hint
    assert len(shown.splitlines()) == 1
    assert shown.isprintable()


@pytest.fixture(scope="module")
def any_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("any") / "cutover.yaml"


@settings(deadline=None)
@given(data=st.data())
def test_any_structure_loads_or_is_refused_in_one_line(any_file: Path, data: st.DataObject) -> None:
    content = yaml.safe_load(EXAMPLE)
    for _ in range(data.draw(st.integers(1, 2))):
        replace_somewhere(content, data)
    any_file.write_text(yaml.safe_dump(content, allow_unicode=True), errors="surrogatepass")
    loads_or_is_refused_in_one_line(any_file)


def replace_somewhere(content: object, data: st.DataObject) -> None:
    """Replace something with anything, at any depth."""
    while True:
        places = list(content) if isinstance(content, dict) else range(len(content))  # type: ignore[arg-type]
        place = data.draw(st.sampled_from(places))
        inner = content[place]  # type: ignore[index]
        if not isinstance(inner, dict | list) or not inner or data.draw(st.booleans()):
            content[place] = data.draw(TREES)  # type: ignore[index]
            return
        content = inner


@settings(deadline=None)
@given(content=TREES)
def test_any_tree_loads_or_is_refused_in_one_line(any_file: Path, content: object) -> None:
    any_file.write_text(yaml.safe_dump(content, allow_unicode=True), errors="surrogatepass")
    loads_or_is_refused_in_one_line(any_file)


@settings(deadline=None)
@given(
    edits=st.lists(
        st.tuples(
            st.integers(0, len(EXAMPLE)),
            st.integers(0, 5),
            st.text("\n\t :-?{}[]&*!|>'\"%@`#,~<\\0aé\ufeff\u2028", max_size=6)
            | st.text(max_size=3),
        ),
        min_size=1,
        max_size=4,
    )
)
def test_any_edit_loads_or_is_refused_in_one_line(
    any_file: Path, edits: list[tuple[int, int, str]]
) -> None:
    text = EXAMPLE
    for start, length, inserted in edits:
        text = text[:start] + inserted + text[start + length :]
    any_file.write_bytes(text.encode(errors="surrogatepass"))
    loads_or_is_refused_in_one_line(any_file)
