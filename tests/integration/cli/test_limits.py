"""A limit applies to its own carrier and phase, and a check to its own subject."""

from __future__ import annotations

import pytest

from tests.integration.cli.conftest import OpenDesk
from tests.integration.cli.harness import NAMESPACE, SECURITY, Desk
from tests.integration.cli.traffic import keep_token

SETTINGS = "ExtlClntAppOauthSettings"
SETTINGS_PATH = "extlClntAppOauthSettings/Acme_Connector_oauth.ecaOauth"
BOTH = ["token-ip-ranges", "trusted-ip-ranges"]
VENDORS_SAMPLE = ["192.0.2.0/24", "203.0.113.0/24"]
COMMANDS = [
    ("diff", "add-new"),
    ("doctor", "--only", "config,org"),
    ("plan",),
    ("render", "--out", "out"),
    ("deploy", "add-new", "--yes"),
]


def component(metadata_type: str, fields: str) -> str:
    return f'<{metadata_type} xmlns="{NAMESPACE}">{fields}</{metadata_type}>'


def entry(name: str, start: str, end: str, first: str, last: str) -> str:
    return f"<{name}><{end}>{last}</{end}><{start}>{first}</{start}></{name}>"


def trusted(*ranges: tuple[str, str], old: bool = True) -> dict[str, str]:
    """The app's OAuth settings with these ranges after the old ones."""
    every = [*((each, each) for each in ("127.0.0.11", "127.0.0.12") if old), *ranges]
    entries = "".join(
        entry("trustedIpRanges", "startIpAddress", "endIpAddress", *each) for each in every
    )
    app = "<externalClientApplication>Acme_Connector</externalClientApplication>"
    xml = component(SETTINGS, f"{app}<label>Acme Connector</label>{entries}")
    return {"type": SETTINGS, "full_name": "Acme_Connector_oauth", "xml": xml}


def with_component(open_desk: OpenDesk, one: dict[str, str], **settings: object) -> Desk:
    return open_desk(leave_out=[one["type"]], extra_components=[one], **settings)


# Each limit with its carrier


@pytest.mark.parametrize("command", COMMANDS, ids=lambda words: words[0])
def test_two_networks_in_the_trusted_ranges_exceed_no_limit(
    open_desk: OpenDesk, command: tuple[str, ...]
) -> None:
    networks = [("192.0.2.0", "192.0.2.255"), ("203.0.113.0", "203.0.113.255")]
    desk = with_component(open_desk, trusted(*networks))
    desk.configure(carriers=BOTH)
    result = desk.run(*command)
    assert result.code == 0, result.err


@pytest.mark.slow
def test_a_run_accepts_the_trusted_ranges(open_desk: OpenDesk) -> None:
    desk = with_component(
        open_desk, trusted(("192.0.2.0", "192.0.2.255"), ("10.0.0.0", "10.9.9.9"))
    )
    desk.configure(carriers=BOTH)
    keep_token(desk)
    result = desk.call("run", "--yes", "--pause-before", "switch")
    assert result.code == 75, result.err


def test_the_capacity_names_each_list_and_only_its_own_limits(open_desk: OpenDesk) -> None:
    desk = with_component(open_desk, trusted(("192.0.2.0", "192.0.2.255")))
    desk.configure(carriers=BOTH)
    shown = desk.run("diff", "add-new").out
    assert "5 of 128 ranges, 12 of 256 addresses" in shown
    assert "5 of 128 ranges, 260 addresses" in shown
    doctor = desk.run("doctor").out
    assert f"{SETTINGS_PATH} 5 of 128 ranges, 260 addresses" in doctor
    document = desk.run("diff", "add-new", "--json").json("diff")
    first, second = (each["capacity"] for each in document["targets"][0]["phase"]["components"])
    assert (first["max_ranges"], first["max_addresses"]) == (128, 256)
    assert (second["max_ranges"], second["max_addresses"]) == (128, None)


def test_a_connected_app_may_trust_every_address(open_desk: OpenDesk) -> None:
    everybody = entry("ipRanges", "start", "end", "0.0.0.0", "255.255.255.255")
    xml = component("ConnectedApp", f"{everybody}<label>Acme Legacy</label>")
    one = {"type": "ConnectedApp", "full_name": "Acme_Legacy", "xml": xml}
    desk = with_component(open_desk, one)
    desk.configure(app="Acme_Legacy", carriers=["connected-app"])
    for command in (
        ("diff", "add-new"),
        ("doctor", "--only", "org"),
        ("render", "add-new", "--out", "out"),
    ):
        result = desk.run(*command)
        assert result.code == 0, f"{result.out}{result.err}"
    assert "4294967296 addresses" in desk.run("diff", "add-new").out


@pytest.mark.parametrize("command", COMMANDS, ids=lambda words: words[0])
def test_the_list_that_is_too_long_is_named(open_desk: OpenDesk, command: tuple[str, ...]) -> None:
    many = [(f"192.0.{number}.1", f"192.0.{number}.1") for number in range(126)]
    desk = with_component(open_desk, trusted(*many))
    desk.configure(carriers=BOTH)
    result = desk.run(*command)
    assert result.code == 8, result.err
    words = (
        f"{SETTINGS_PATH}: add-new: the allowlist would have 130 ranges; the limit of "
        "trustedIpRanges is 128, old and new together"
    )
    assert words in f"{result.out}{result.err}"


def test_the_allowlist_that_is_too_long_is_named(open_desk: OpenDesk) -> None:
    desk = open_desk(unrelated=[{"range": "192.0.2.0-192.0.2.252"}])
    desk.configure(carriers=BOTH)
    desk.run("diff", "add-new").refused(
        8,
        ".ecaOauthSecurity: add-new: the allowlist would have 257 addresses; the limit of tokenIp",
    )


@pytest.mark.parametrize("key", ["old", "new"])
def test_the_address_limit_of_the_config_is_that_of_its_carriers(desk: Desk, key: str) -> None:
    desk.configure(**{key: VENDORS_SAMPLE}, verify=None)
    desk.run("diff", "add-new").refused(
        8,
        f"{key}[1]: 203.0.113.0/24 brings {key}: to 512 addresses; an allowlist of token-ip-ranges",
    )
    desk.configure(carriers=["trusted-ip-ranges"])
    assert desk.run("diff", "restore-old").code == 0


def test_the_number_of_addresses_to_prove_has_its_own_limit(desk: Desk) -> None:
    desk.configure(new=VENDORS_SAMPLE, carriers=["trusted-ip-ranges"])
    desk.run("diff", "add-new").refused(
        8, "new[1]: 203.0.113.0/24 brings new: to 512 addresses; verify proves at most 256"
    )


# Each list in its own role


def test_the_list_that_lacks_an_address_is_named(open_desk: OpenDesk) -> None:
    desk = with_component(open_desk, trusted(("192.0.2.0", "192.0.2.255"), old=False))
    desk.configure(carriers=BOTH)
    desk.run("deploy", "add-new", "--yes").refused(
        4,
        f"{SETTINGS_PATH}: the old addresses 127.0.0.11, 127.0.0.12 are not on the live allowlist",
    )


def test_verify_checks_the_allowlist_at_any_position_in_the_config(desk: Desk) -> None:
    """The trusted ranges lack the new addresses, and are not checked for redemptions."""
    assert desk.run("deploy", "add-new", "--yes").code == 0
    keep_token(desk)
    desk.configure(carriers=["trusted-ip-ranges", "token-ip-ranges"])
    result = desk.run("verify")
    assert result.code == 0, result.err


# Each phase for itself


def test_an_impossible_phase_does_not_prevent_another_phase(desk: Desk) -> None:
    """remove-new would leave this allowlist empty."""
    empty = desk.write("Acme.ecaOauthSecurity", component(SECURITY, app_element()))
    result = desk.run("render", "add-new", "--out", "out", "--baseline", str(empty))
    assert result.code == 0, result.err
    refused = desk.run("render", "remove-new", "--out", "out", "--baseline", str(empty))
    refused.refused(8, "Acme.ecaOauthSecurity: remove-new: the allowlist would be empty")


def test_a_range_that_remove_old_would_split_does_not_prevent_add_new(desk: Desk) -> None:
    wide = entry("tokenIpRanges", "startIpAddress", "endIpAddress", "127.0.0.8", "127.0.0.15")
    file = desk.write("Acme.ecaOauthSecurity", component(SECURITY, f"{app_element()}{wide}"))
    result = desk.run("render", "add-new", "--out", "out", "--baseline", str(file))
    assert result.code == 0, result.err
    refused = desk.run("render", "remove-old", "--out", "out", "--baseline", str(file))
    refused.refused(2, "only a part of the live range 127.0.0.8-127.0.0.15 would be removed")


def test_a_list_that_already_exceeds_the_limit_is_shown(open_desk: OpenDesk) -> None:
    """Nothing is to be deployed; how the org counts is up to the org."""
    desk = open_desk(
        old=["127.0.0.11", "127.0.0.12", "127.0.0.21", "127.0.0.22"],
        unrelated=[{"range": "192.0.2.0/24"}],
        new_egress=["127.0.0.21", "127.0.0.22"],
    )
    desk.configure(old=["127.0.0.11", "127.0.0.12"])
    result = desk.run("diff", "add-new")
    assert result.code == 0, result.err
    assert "no change; 5 of 128 ranges, 260 of 256 addresses" in result.out


def app_element() -> str:
    return "<externalClientApplication>Acme_Connector</externalClientApplication>"


# Names


def another_apps(name: str) -> dict[str, str]:
    app = "<externalClientApplication>Other</externalClientApplication>"
    return {"type": SECURITY, "full_name": name, "xml": component(SECURITY, app)}


@pytest.mark.parametrize("command", COMMANDS, ids=lambda words: words[0])
def test_a_colon_in_a_component_name_of_another_app_is_ignored(
    open_desk: OpenDesk, command: tuple[str, ...]
) -> None:
    desk = open_desk(extra_components=[another_apps("Other: security")])
    result = desk.run(*command)
    assert result.code == 0, f"{result.out}{result.err}"


@pytest.mark.parametrize("command", COMMANDS, ids=lambda words: words[0])
def test_a_colon_in_the_component_name_of_the_app_is_accepted(
    open_desk: OpenDesk, command: tuple[str, ...]
) -> None:
    desk = open_desk(security_settings_name="Acme: security")
    result = desk.run(*command)
    assert result.code == 0, f"{result.out}{result.err}"


def test_a_package_with_a_colon_is_written_as_folder_and_zip(open_desk: OpenDesk) -> None:
    desk = open_desk(security_settings_name="Acme: security")
    assert desk.run("render", "add-new", "--out", "out").code == 0
    assert desk.run("render", "add-new", "--out", "out", "--zip").code == 0
    assert (
        desk.folder / "out/add-new/extlClntAppOauthSecuritySettings/Acme: security.ecaOauthSecurity"
    ).is_file()
