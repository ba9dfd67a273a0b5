"""Packages on disk: formats, sources, templates, and never a partial package."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

import pytest

from sfcutover.allowlist.carriers import OAUTH_POLICIES, OAUTH_SETTINGS
from tests.integration.cli.conftest import StartOrg
from tests.integration.cli.harness import SECURITY_NAME, SECURITY_PATH, Desk, environment

PHASES = ["add-new", "remove-old", "restore-old", "remove-new"]


def _files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_every_phase_is_a_folder(desk: Desk) -> None:
    result = desk.run("render", "--out", "out")
    assert (result.code, result.err) == (0, "")
    assert result.out.splitlines() == [f"out/{phase}" for phase in PHASES]
    for phase in PHASES:
        assert _files(desk.folder / "out" / phase) == [SECURITY_PATH, "package.xml"]


def test_only_the_requested_phases_are_written(desk: Desk) -> None:
    desk.run("render", "remove-old", "add-new", "--out", "out")
    assert sorted(path.name for path in (desk.folder / "out").iterdir()) == [
        "add-new",
        "remove-old",
    ]


def test_a_zip_holds_the_same_files(desk: Desk) -> None:
    desk.run("render", "add-new", "--out", "out")
    assert desk.run("render", "add-new", "--out", "out", "--zip").out == "out/add-new.zip\n"
    with zipfile.ZipFile(desk.folder / "out" / "add-new.zip") as archive:
        for name in archive.namelist():
            assert archive.read(name) == (desk.folder / "out" / "add-new" / name).read_bytes()
        assert archive.namelist() == [SECURITY_PATH, "package.xml"]


def test_json_lists_the_written_files(desk: Desk) -> None:
    document = desk.run("render", "--out", "out", "--json").json("render")
    assert document["format"] == "mdapi"
    for package in document["packages"]:
        assert sorted(package["files"]) == _files(desk.folder / package["path"])


def test_the_hash_is_that_of_diff(desk: Desk) -> None:
    rendered = desk.run("render", "add-new", "--out", "out", "--json").json("render")
    planned = desk.run("diff", "add-new", "--json").json("diff")
    assert (
        rendered["packages"][0]["package_sha256"]
        == planned["targets"][0]["phase"]["package_sha256"]
    )


def test_two_targets_have_a_folder_each(desk: Desk, start_org: StartOrg) -> None:
    desk.add_target("second", start_org())
    result = desk.run("render", "add-new", "--out", "out")
    assert result.out.splitlines() == ["out/packaging/add-new", "out/second/add-new"]


@pytest.mark.parametrize("suffix", ["", "-meta.xml"])
def test_a_baseline_file_is_rendered_offline(desk: Desk, suffix: str) -> None:
    path = desk.baseline(f"{SECURITY_NAME}.ecaOauthSecurity{suffix}")
    desk.run("render", "--out", "online")
    desk.emulator.stop()
    desk.monkeypatch.delenv("SF_ACCESS_TOKEN")
    assert desk.run("render", "--out", "offline", "--baseline", path.name).code == 0
    for name in _files(desk.folder / "online"):
        online, offline = desk.folder / "online" / name, desk.folder / "offline" / name
        assert online.read_bytes() == offline.read_bytes()


def test_several_carriers_and_policies_are_rendered_offline(desk: Desk) -> None:
    desk.configure(
        carriers=["token-ip-ranges", "trusted-ip-ranges"],
        policies={"ipRelaxationPolicyType": "Bypass"},
    )
    emulator = desk.emulator
    words = ["--baseline", desk.baseline().name]
    for kind, name in ((OAUTH_SETTINGS, "oauth"), (OAUTH_POLICIES, "oauthPlcy")):
        xml = emulator.component_xml(kind.metadata_type, f"Acme_Connector_{name}")
        path = desk.folder / f"Acme_Connector_{name}.{kind.suffix}-meta.xml"
        path.write_bytes(xml)
        words += ["--baseline", path.name]
    emulator.stop()
    assert desk.run("render", "add-new", "--out", "out", *words).code == 0
    assert len(_files(desk.folder / "out" / "add-new")) == 4
    missing = desk.run("render", "add-new", "--out", "more", *words[:4])
    missing.refused(2, "no baseline file of type ExtlClntAppOauthConfigurablePolicies was given")
    assert not (desk.folder / "more").exists()


def test_a_connected_app_is_rendered_offline(desk: Desk) -> None:
    desk.configure(carriers=["connected-app"], app="Acme_Legacy")
    path = desk.folder / "Acme_Legacy.connectedApp-meta.xml"
    path.write_bytes(desk.emulator.component_xml("ConnectedApp", "Acme_Legacy"))
    assert desk.run("render", "add-new", "--out", "out", "--baseline", path.name).code == 0
    assert "connectedApps/Acme_Legacy.connectedApp" in _files(desk.folder / "out" / "add-new")


def test_a_user_template_overrides_the_built_in_one(desk: Desk) -> None:
    manifest = Path(__file__).parents[3] / "templates" / "package.xml.j2"
    text = manifest.read_text(encoding="utf-8").replace("<Package", "<!-- ours --><Package")
    desk.write("own/package.xml.j2", text)
    assert desk.run("render", "add-new", "--out", "out", "--templates", "own").code == 0
    assert "<!-- ours -->" in (desk.folder / "out/add-new/package.xml").read_text()


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("<Package>\n{{ nothing }}\n</Package>", 2),
        ("<Package>\n\n{% if %}</Package>", 3),
        ("<Package>\n<a>\n</Package>", 3),
    ],
    ids=["undefined", "syntax", "ill-formed"],
)
def test_a_faulty_template_is_named_and_nothing_is_written(
    desk: Desk, text: str, line: int
) -> None:
    desk.write("own/package.xml.j2", text)
    result = desk.run("render", "--out", "out", "--templates", "own")
    result.refused(2, f"own/package.xml.j2:{line}")
    assert not (desk.folder / "out").exists()


def test_a_template_that_drops_an_entry_is_named(desk: Desk) -> None:
    built_in = Path(__file__).parents[3] / "templates" / "token-ip-ranges.xml.j2"
    text = built_in.read_text(encoding="utf-8")
    assert " in allowlist" in text
    desk.write("own/token-ip-ranges.xml.j2", text.replace(" in allowlist", " in []"))
    result = desk.run("render", "--out", "out", "--templates", "own")
    result.refused(2, "own/token-ip-ranges.xml.j2", "lost or changed <tokenIpRanges>")
    assert not (desk.folder / "out").exists()


def test_a_fault_while_writing_keeps_the_earlier_package(desk: Desk) -> None:
    desk.run("render", "add-new", "--out", "out")
    before = (desk.folder / "out/add-new/package.xml").read_bytes()
    desk.write("own/package.xml.j2", "{{ nothing }}")
    desk.run("render", "add-new", "--out", "out", "--templates", "own").refused(2)
    assert (desk.folder / "out/add-new/package.xml").read_bytes() == before


def test_an_earlier_package_is_replaced(desk: Desk) -> None:
    desk.run("render", "add-new", "--out", "out")
    stale = desk.write("out/add-new/extlClntAppOauthSecuritySettings/Stale.ecaOauthSecurity", "x")
    desk.configure(new=["127.0.0.33"])
    assert desk.run("render", "add-new", "--out", "out").code == 0
    assert not stale.exists()
    assert "127.0.0.33" in (desk.folder / "out/add-new" / SECURITY_PATH).read_text()


def test_a_folder_with_unrelated_files_is_not_replaced(desk: Desk) -> None:
    note = desk.write("out/add-new/notes.txt", "mine")
    result = desk.run("render", "add-new", "--out", "out")
    result.refused(
        2, "the folder has more than a package (notes.txt), and writing would replace all of it"
    )
    assert note.read_text() == "mine"


def test_a_file_in_place_of_the_folder_is_refused(desk: Desk) -> None:
    desk.write("out", "mine")
    result = desk.run("render", "add-new", "--out", "out")
    result.refused(2, "'--out'", "'out' is a file")
    assert (desk.folder / "out").read_text() == "mine"


@pytest.mark.parametrize("option", [(), ("--zip",)], ids=["folder", "zip"])
def test_an_unwritable_output_folder_is_refused(desk: Desk, option: tuple[str, ...]) -> None:
    result = desk.run("render", "add-new", "--out", "/proc/packages", *option)
    result.refused(1, "/proc/packages/add-new", "the package was not written")


@pytest.mark.parametrize("option", [(), ("--zip",)], ids=["folder", "zip"])
def test_a_full_disk_is_an_error(desk: Desk, option: tuple[str, ...]) -> None:
    code = (
        "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); "
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100)); "
        "sys.argv[1:1] = []; from sfcutover.__main__ import main; main()"
    )
    words = ("-c", code, "render", "add-new", "--out", "out", *option)
    result = desk.call(*words, module=False, env=environment(PYTHONDONTWRITEBYTECODE="1"))
    result.refused(1, "out/add-new", "the package was not written: File too large")
    assert not os.path.lexists(desk.folder / "out")
