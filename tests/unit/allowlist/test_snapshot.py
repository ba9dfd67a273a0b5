from __future__ import annotations

from pathlib import Path

import pytest

from sfcutover.allowlist.carriers import CARRIERS, Carrier
from sfcutover.allowlist.component import MAX_COMPONENT_BYTES
from sfcutover.allowlist.snapshot import Snapshot, read_baseline
from sfcutover.errors import ConfigError, LimitError, SfcutoverError
from tests.support import NAMESPACE

TOKEN, TRUSTED = CARRIERS["token-ip-ranges"], CARRIERS["trusted-ip-ranges"]
APP = "Acme_Connector"


def xml(carrier: Carrier = TOKEN, app: str = APP, address: str = "203.0.113.10") -> str:
    root, entry = carrier.component_type.metadata_type, carrier.list_element
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<{root} xmlns="{NAMESPACE}">\n'
        f"    <externalClientApplication>{app}</externalClientApplication>\n"
        f"    <{entry}><endIpAddress>{address}</endIpAddress>"
        f"<startIpAddress>{address}</startIpAddress></{entry}>\n</{root}>\n"
    )


POLICIES = xml(TOKEN).partition("<tokenIpRanges>")[0].replace(
    "ExtlClntAppOauthSecuritySettings", "ExtlClntAppOauthConfigurablePolicies"
) + (
    "<ipRelaxationPolicyType>Enforce</ipRelaxationPolicyType></ExtlClntAppOauthConfigurablePolicies>"
)


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def read(
    *paths: Path, carriers: tuple[Carrier, ...] = (TOKEN,), policies: bool = False
) -> Snapshot:
    return read_baseline(paths, APP, carriers, policies=policies)


@pytest.mark.parametrize(
    "name",
    ["Acme_sec.ecaOauthSecurity", "Acme_sec.ecaOauthSecurity-meta.xml", "Acme_sec.xml", "Acme_sec"],
)
def test_a_baseline_is_recognized_by_name_or_content(name: str, tmp_path: Path) -> None:
    snapshot = read(write(tmp_path, name, xml()))
    (component,) = snapshot.components
    assert component.full_name == "Acme_sec"
    assert component.path == "extlClntAppOauthSecuritySettings/Acme_sec.ecaOauthSecurity"
    assert [str(each) for each in component.allowlist] == ["203.0.113.10"]


def test_files_are_accepted_in_any_order_and_sorted_as_in_the_cutover(tmp_path: Path) -> None:
    files = [
        write(tmp_path, "a.ecaOauthPlcy", POLICIES),
        write(tmp_path, "a.ecaOauth", xml(TRUSTED)),
        write(tmp_path, "a.ecaOauthSecurity", xml(TOKEN)),
    ]
    snapshot = read(*files, carriers=(TOKEN, TRUSTED), policies=True)
    assert [each.carrier for each in snapshot.components] == [TOKEN, TRUSTED, None]
    assert snapshot.policies is not None
    assert snapshot.policies.text("ipRelaxationPolicyType") == "Enforce"
    assert set(snapshot.fingerprints) == {each.path for each in snapshot.components}


def test_the_same_component_of_another_snapshot_is_found_by_its_path(tmp_path: Path) -> None:
    one = read(write(tmp_path, "a.ecaOauthSecurity", xml()))
    same = read(write(tmp_path, "a.ecaOauthSecurity", xml(address="203.0.113.11")))
    other = read(write(tmp_path, "b.ecaOauthSecurity", xml()))
    assert one.same_as(same.components[0]) is one.components[0]
    assert one.same_as(other.components[0]) is None


def test_only_the_components_of_another_snapshot_are_left(tmp_path: Path) -> None:
    every = read(
        write(tmp_path, "a.ecaOauthSecurity", xml(TOKEN)),
        write(tmp_path, "a.ecaOauth", xml(TRUSTED)),
        write(tmp_path, "a.ecaOauthPlcy", POLICIES),
        carriers=(TOKEN, TRUSTED),
        policies=True,
    )
    list_alone, policies_alone = Snapshot(every.carriers[1:]), Snapshot((), every.policies)
    assert every.like(list_alone) == list_alone
    assert every.like(policies_alone) == policies_alone


WRONG = {
    "of another app": (xml(app="Other"), "belongs to the app 'Other'", ConfigError),
    "of another type": (xml(TRUSTED), "root element", ConfigError),
    "half a file": (xml()[:100], "not well-formed", ConfigError),
    "with a DTD": (xml().replace("<Extl", "<!DOCTYPE x>\n<Extl", 1), "DTD", ConfigError),
    "empty": ("", "not well-formed", ConfigError),
    "a bad address": (xml(address="300.1.1.1"), "300.1.1.1", ConfigError),
    "without an app": (
        xml().replace("<externalClientApplication>Acme_Connector</externalClientApplication>", ""),
        "belongs to the app None",
        ConfigError,
    ),
    "too large": (xml() + " " * MAX_COMPONENT_BYTES, "larger than 5,242,880 bytes", LimitError),
}


@pytest.mark.parametrize(("text", "message", "kind"), WRONG.values(), ids=WRONG)
def test_an_invalid_baseline_is_refused_by_file(
    text: str, message: str, kind: type[SfcutoverError], tmp_path: Path
) -> None:
    path = write(tmp_path, "a.ecaOauthSecurity", text)
    with pytest.raises(kind) as caught:
        read(path)
    assert message in caught.value.message
    assert (caught.value.where or "").startswith(str(path))
    assert caught.value.hint


def test_a_missing_file_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read") as caught:
        read(tmp_path / "nowhere.ecaOauthSecurity")
    assert "nowhere.ecaOauthSecurity" in str(caught.value)


def test_a_folder_is_searched_for_the_components_of_the_app(tmp_path: Path) -> None:
    folder = tmp_path / "force-app" / "main"
    for name in ("", ".hidden", "node_modules"):
        (folder / name).mkdir(parents=True, exist_ok=True)
        write(folder / name, "a.ecaOauthSecurity-meta.xml", xml())
    write(folder, "b.ecaOauthSecurity-meta.xml", xml(app="Other"))
    write(folder, "c.ecaOauth-meta.xml", xml(TRUSTED))
    (folder / "d.ecaOauthSecurity-meta.xml").symlink_to(folder / "a.ecaOauthSecurity-meta.xml")
    (component,) = read(tmp_path).components
    assert component.full_name == "a"
    assert len(read(tmp_path, carriers=(TOKEN, TRUSTED)).components) == 2


def test_an_empty_folder_contains_no_component(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no baseline file of type"):
        read(tmp_path)


def test_two_files_of_a_type_are_named(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write(tmp_path, f"{name}.ecaOauthSecurity-meta.xml", xml())
    with pytest.raises(ConfigError) as caught:
        read(tmp_path)
    assert f"{tmp_path}/a." in caught.value.message
    assert f"{tmp_path}/b." in caught.value.message


def test_a_component_without_a_file_is_requested(tmp_path: Path) -> None:
    path = write(tmp_path, "a.ecaOauthSecurity", xml())
    with pytest.raises(ConfigError, match="ExtlClntAppOauthSettings") as caught:
        read(path, carriers=(TOKEN, TRUSTED))
    assert "*.ecaOauth file" in caught.value.hint


def test_an_unused_file_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path, "a.xml", xml(TRUSTED))
    with pytest.raises(ConfigError, match="not one of the cutover's components"):
        read(path)
