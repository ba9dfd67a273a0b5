"""A phase in the source tree of a project: the files that change, and what is said of them."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from sfcutover.allowlist.carriers import OAUTH_POLICIES
from tests.integration.cli.conftest import StartOrg
from tests.integration.cli.harness import (
    NAMESPACE,
    SECURITY,
    SECURITY_PATH,
    Desk,
    environment,
    range_xml,
    with_entry,
)
from tests.unit.allowlist.test_forceignore import CASES
from tests.unit.allowlist.test_forceignore import FILE as EXCLUDED

TREE = "force-app/main/default"
FILE = f"{TREE}/{SECURITY_PATH}-meta.xml"
SOURCE = ("--format", "source", "--out", TREE)
# Odd on purpose: comments, an order of its own, line ends of Windows, quotes, no line end at last.
ODD = "\r\n".join(
    (
        "<?xml version='1.0' encoding='UTF-8'?>",
        "<!-- owners: release -->",
        f"<{SECURITY} xmlns='{NAMESPACE}'>",
        "\t<label>Acme Connector</label>",
        "\t<!-- proxy a, then b -->",
        "\t<tokenIpRanges>",
        "\t\t<startIpAddress>127.0.0.11</startIpAddress>",
        "\t\t<endIpAddress>127.0.0.11</endIpAddress>",
        "\t</tokenIpRanges>",
        "\t<tokenIpRanges>",
        "\t\t<startIpAddress>127.0.0.12</startIpAddress>",
        "\t\t<endIpAddress>127.0.0.12</endIpAddress>",
        "\t</tokenIpRanges>",
        "\t<externalClientApplication>Acme_Connector</externalClientApplication>",
        "\t<!-- the office -->",
        "\t<tokenIpRanges>",
        "\t\t<description>office VPN</description>",
        "\t\t<startIpAddress>192.0.2.64</startIpAddress>",
        "\t\t<endIpAddress>192.0.2.71</endIpAddress>",
        "\t</tokenIpRanges>",
        f"</{SECURITY}>",
    )
).encode()


@pytest.fixture
def project(desk: Desk) -> Desk:
    """The desk's folder is a project that holds the odd file."""
    make_project(desk, {"path": "force-app", "default": True})
    put(desk, FILE, ODD)
    return desk


def make_project(desk: Desk, *directories: Mapping[str, object]) -> None:
    described = {"packageDirectories": directories, "sourceApiVersion": "67.0", "namespace": ""}
    desk.write("sfdx-project.json", json.dumps(described))


def put(desk: Desk, name: str, data: bytes) -> Path:
    path = desk.folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def contents(desk: Desk) -> dict[str, bytes]:
    """Every file by its path, and nothing that was left behind."""
    return {
        str(path.relative_to(desk.folder)): path.read_bytes()
        for path in desk.folder.rglob("*")
        if path.is_file() and ".git/" not in str(path)
    }


def git(desk: Desk, *words: str) -> str:
    variables = environment(
        GIT_CONFIG_GLOBAL=os.devnull, GIT_CONFIG_SYSTEM=os.devnull, HOME=str(desk.folder)
    )
    settings = ("-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "core.autocrlf=false")
    done = subprocess.run(
        ["git", *settings, *words],
        cwd=desk.folder,
        env=variables,
        capture_output=True,
        check=True,
    )
    return done.stdout.decode()


def diff_lines(desk: Desk) -> list[str]:
    """The changed lines that git shows, with their sign and without their line's end."""
    shown = git(desk, "diff", "--unified=0", "--ws-error-highlight=none").split("\n")
    return [each for each in shown if each[:1] in "+-" and each[:3] not in ("+++", "---") and each]


# What changes


def test_a_diff_shows_range_elements_only(project: Desk) -> None:
    git(project, "init", "-q")
    git(project, "add", ".")
    git(project, "commit", "-qm", "before")
    result = project.run("render", "add-new", *SOURCE)
    assert (result.code, result.out, result.err) == (0, f"{FILE}\n", "")
    assert git(project, "status", "--porcelain", "-uall").split() == ["M", FILE]
    assert diff_lines(project) == [
        "+\t<tokenIpRanges>\r",
        "+\t\t<endIpAddress>127.0.0.21</endIpAddress>\r",
        "+\t\t<startIpAddress>127.0.0.21</startIpAddress>\r",
        "+\t</tokenIpRanges>\r",
        "+\t<tokenIpRanges>\r",
        "+\t\t<endIpAddress>127.0.0.22</endIpAddress>\r",
        "+\t\t<startIpAddress>127.0.0.22</startIpAddress>\r",
        "+\t</tokenIpRanges>\r",
    ]
    git(project, "commit", "-qam", "add-new")
    assert project.run("render", "remove-old", *SOURCE).code == 0
    lines = diff_lines(project)
    assert {line[0] for line in lines} == {"-"}
    assert len(lines) == 8


def test_a_phase_that_is_undone_leaves_the_file_as_it_was(project: Desk) -> None:
    assert project.run("render", "add-new", *SOURCE).code == 0
    assert (project.folder / FILE).read_bytes() != ODD
    assert project.run("render", "remove-new", *SOURCE).code == 0
    assert (project.folder / FILE).read_bytes() == ODD


def test_a_tree_that_holds_the_phase_is_left_and_said(project: Desk) -> None:
    project.run("render", "add-new", *SOURCE)
    status = (project.folder / FILE).stat()
    result = project.run("render", "add-new", *SOURCE)
    assert (result.out, result.err) == (f"{FILE}\n", f"{FILE} holds add-new already\n")
    assert (project.folder / FILE).stat().st_mtime_ns == status.st_mtime_ns


def test_json_names_the_files(project: Desk) -> None:
    document = project.run("render", "add-new", *SOURCE, "--json").json("render")
    (package,) = document["packages"]
    assert (document["format"], package["phase"], package["path"]) == ("source", "add-new", TREE)
    assert package["files"] == [FILE]


def test_policies_are_set_in_their_file(project: Desk) -> None:
    project.configure(policies={"ipRelaxationPolicyType": "Bypass"})
    name = f"{TREE}/policies/Acme_Connector_oauthPlcy.ecaOauthPlcy-meta.xml"
    xml = project.emulator.component_xml(OAUTH_POLICIES.metadata_type, "Acme_Connector_oauthPlcy")
    assert b">Enforce<" in xml
    put(project, name, xml)
    assert project.run("render", "add-new", *SOURCE).out.splitlines() == [FILE, name]
    assert (project.folder / name).read_bytes() == xml.replace(b">Enforce<", b">Bypass<")


def test_the_mode_of_a_file_stays(project: Desk) -> None:
    (project.folder / FILE).chmod(0o640)
    project.run("render", "add-new", *SOURCE)
    assert (project.folder / FILE).stat().st_mode & 0o777 == 0o640


# Where it is found


def test_a_file_is_found_wherever_the_folder_keeps_it(project: Desk) -> None:
    moved = put(project, f"{TREE}/apps/acme/{Path(FILE).name}", ODD)
    (project.folder / FILE).unlink()
    before = set(contents(project))
    result = project.run("render", "add-new", *SOURCE)
    assert result.out == f"{moved.relative_to(project.folder)}\n"
    assert b"127.0.0.21" in moved.read_bytes()
    assert set(contents(project)) == before


def test_a_file_is_found_in_another_package_directory(project: Desk) -> None:
    make_project(project, {"path": "force-app"}, {"path": "apart"}, {"path": "gone"})
    (project.folder / FILE).unlink()
    moved = put(project, f"apart/{Path(FILE).name}", ODD)
    assert project.run("render", "add-new", *SOURCE).out == f"apart/{Path(FILE).name}\n"
    assert b"127.0.0.21" in moved.read_bytes()


def test_a_missing_file_is_written_in_its_folder(project: Desk) -> None:
    (project.folder / FILE).unlink()
    before = contents(project)
    assert project.run("render", "add-new", *SOURCE).out == f"{FILE}\n"
    after = contents(project)
    project.run("render", "add-new", "--out", "packages")
    assert after.pop(FILE) == (project.folder / "packages/add-new" / SECURITY_PATH).read_bytes()
    assert after == before


def test_a_folder_outside_of_a_project_will_do(desk: Desk) -> None:
    assert desk.run("render", "add-new", "--format", "source", "--out", "out").code == 0
    assert (desk.folder / "out" / f"{SECURITY_PATH}-meta.xml").is_file()


def test_several_files_are_named_and_none_is_changed(project: Desk) -> None:
    second = put(project, f"{TREE}/copy/{Path(FILE).name}", ODD)
    before = contents(project)
    result = project.run("render", "add-new", *SOURCE)
    result.refused(2, FILE, str(second.relative_to(project.folder)))
    assert contents(project) == before
    narrow = str(second.parent.relative_to(project.folder))
    assert project.run("render", "add-new", *SOURCE[:3], narrow).code == 0
    assert b"127.0.0.21" in second.read_bytes()
    assert (project.folder / FILE).read_bytes() == ODD


# What is refused


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "takes one PHASE"),
        (("add-new", "remove-old"), "takes one PHASE"),
        (("add-new", "--zip"), "--zip goes with --format mdapi"),
    ],
)
def test_a_tree_is_in_one_state(project: Desk, words: tuple[str, ...], said: str) -> None:
    project.run("render", *words, *SOURCE).refused(2, said)
    assert (project.folder / FILE).read_bytes() == ODD


def test_a_tree_is_of_one_org(project: Desk, start_org: StartOrg) -> None:
    project.add_target("second", start_org())
    project.run("render", "add-new", *SOURCE).refused(2, "of one org")
    assert project.run("render", "add-new", *SOURCE, "--target", "packaging").code == 0


def test_templates_go_with_packages(project: Desk) -> None:
    manifest = Path(__file__).parents[3] / "templates" / "package.xml.j2"
    project.write("own/package.xml.j2", manifest.read_text(encoding="utf-8"))
    result = project.run("render", "add-new", *SOURCE, "--templates", "own")
    result.refused(2, "--templates goes with --format mdapi")


WRONG = {
    "another app": (ODD.replace(b">Acme_Connector<", b">Other<"), f"{FILE}: the file belongs to"),
    "a bad address": (ODD.replace(b"127.0.0.12", b"127.0.0.300"), f"{FILE}:10: "),
    "a DTD": (ODD.replace(b"<!-- owners", b'<!DOCTYPE a [<!ENTITY b "c">]><!-- owners'), "DTD"),
    "too large": (ODD + b" " * 5 * 1024 * 1024, "larger than 5,242,880 bytes"),
}


@pytest.mark.parametrize(("data", "said"), WRONG.values(), ids=WRONG)
def test_a_wrong_file_is_named_and_left(project: Desk, data: bytes, said: str) -> None:
    put(project, FILE, data)
    result = project.run("render", "add-new", *SOURCE)
    result.refused(8 if "larger" in said else 2, said)
    assert (project.folder / FILE).read_bytes() == data


@pytest.mark.parametrize("text", ["{", '{"packageDirectories": [{"path": 1}]}', "\0"])
def test_a_project_file_that_is_none_is_named(project: Desk, text: str) -> None:
    (project.folder / FILE).unlink()
    project.write("sfdx-project.json", text)
    project.run("render", "add-new", *SOURCE).refused(2, "sfdx-project.json")


def test_no_project_leads_out_of_itself(
    project: Desk, tmp_path_factory: pytest.TempPathFactory
) -> None:
    outside = tmp_path_factory.mktemp("outside") / Path(FILE).name
    outside.write_bytes(ODD)
    (project.folder / FILE).unlink()
    (project.folder / "link").symlink_to(outside.parent)
    directories = [{"path": os.path.relpath(outside.parent, project.folder)}, {"path": "link"}]
    make_project(project, *directories, {"path": str(outside.parent)})
    assert project.run("render", "add-new", *SOURCE).out == f"{FILE}\n"
    assert outside.read_bytes() == ODD


def test_a_disk_that_is_full_changes_nothing(project: Desk) -> None:
    code = (
        "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); "
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100)); "
        "from sfcutover.__main__ import main; main()"
    )
    before = contents(project)
    words = ("-c", code, "render", "add-new", *SOURCE)
    result = project.call(*words, module=False, env=environment(PYTHONDONTWRITEBYTECODE="1"))
    result.refused(1, TREE, "the source tree was not changed: File too large")
    assert contents(project) == before


# Without an org


@pytest.mark.parametrize("baseline", ["force-app", TREE, FILE, "."])
def test_a_tree_is_a_baseline(project: Desk, baseline: str) -> None:
    project.emulator.stop()
    project.monkeypatch.delenv("SF_ACCESS_TOKEN")
    diff = project.run("diff", "add-new", "--baseline", baseline, "--exit-code")
    assert (diff.code, diff.err) == (3, "")
    assert "+ 127.0.0.21" in diff.out
    assert SECURITY_PATH in diff.out
    assert project.run("plan", "--baseline", baseline).code == 0
    assert project.run("render", "add-new", *SOURCE, "--baseline", baseline).code == 0
    assert project.run("diff", "add-new", "--baseline", baseline, "--exit-code").code == 0


def test_a_folder_without_the_component_is_no_baseline(desk: Desk) -> None:
    (desk.folder / "empty").mkdir()
    result = desk.run("diff", "add-new", "--baseline", "empty")
    result.refused(2, f"no baseline file of type {SECURITY}")


# Tree and org


@pytest.mark.parametrize("words", [("plan",), ("diff", "add-new"), ("diff", "add-new", "--json")])
def test_a_tree_that_agrees_with_the_org_is_not_mentioned(
    project: Desk, words: tuple[str, ...]
) -> None:
    assert project.run(*words).err == ""


@pytest.mark.parametrize("words", [("plan",), ("diff", "remove-old"), ("plan", "--json")])
def test_a_tree_that_would_undo_the_cutover_is_warned_of(
    project: Desk, words: tuple[str, ...]
) -> None:
    assert project.run("deploy", "add-new", "--yes").code == 0
    result = project.run(*words)
    assert result.code == 0
    assert result.err == (
        f"warning: {FILE}:6: not the live list of packaging; a deployment from this tree would "
        "remove 127.0.0.21, 127.0.0.22; update the tree: sfcutover render add-new --format source "
        "--out force-app\n"
    )
    assert project.run("render", "add-new", *SOURCE[:3], "force-app").code == 0
    assert project.run(*words).err == ""


def test_the_line_is_that_of_an_entry_that_is_not_live(project: Desk) -> None:
    put(project, FILE, ODD.replace(b"127.0.0.12", b"127.0.0.13"))
    (line,) = project.run("plan").err.splitlines()
    assert line.startswith(f"warning: {FILE}:10: not the live list of packaging; ")
    assert "would remove 127.0.0.12 and add 127.0.0.13; retrieve the component" in line


def test_another_description_is_a_difference(project: Desk) -> None:
    put(project, FILE, ODD.replace(b"office VPN", b"office"))
    (line,) = project.run("plan").err.splitlines()
    assert f"{FILE}:16: " in line
    assert "would change the description of 192.0.2.64-192.0.2.71; " in line


def test_many_addresses_are_counted(project: Desk) -> None:
    for number in range(12):
        address = f"198.51.100.{2 * number}"
        project.put_live(with_entry(range_xml(address, address)))
    (line,) = project.run("plan").err.splitlines()
    assert "198.51.100.18 and 2 more; " in line


def test_a_tree_that_cannot_be_compared_stops_nothing(project: Desk) -> None:
    put(project, FILE, ODD[:100])
    result = project.run("plan")
    assert result.code == 0
    (line,) = result.err.splitlines()
    assert line.startswith(f"warning: {FILE}:")
    assert line.endswith("so the source tree was not compared with the org")


def test_without_a_project_nothing_is_said(project: Desk) -> None:
    (project.folder / "sfdx-project.json").unlink()
    put(project, FILE, ODD.replace(b"127.0.0.12", b"127.0.0.13"))
    assert project.run("plan").err == ""


# Package builds


def doctor(desk: Desk) -> list[str]:
    lines = desk.run("doctor", "--only", "config").out.splitlines()
    return [
        line.strip()
        for number, line in enumerate(lines)
        if "source tree" in line or "source tree" in lines[number - 1]
    ]


def test_a_file_that_a_package_build_refuses_is_named_with_its_line(project: Desk) -> None:
    assert doctor(project) == []  # no package is built from it
    make_project(project, {"path": "force-app", "package": "Acme"})
    said, fix = doctor(project)
    assert said.startswith(f"warning  source tree: {FILE}: a package can't contain {SECURITY}")
    assert "add the line **/*.ecaOauthSecurity-meta.xml to .forceignore" in fix
    assert project.run("doctor", "--only", "config", "--strict").code == 1


@pytest.mark.parametrize(
    "line",
    [
        "**/*.ecaOauthSecurity-meta.xml",
        "*.ecaOauthSecurity-meta.xml",
        "**/extlClntAppOauthSecuritySettings/**",
        "force-app/main/default/extlClntAppOauthSecuritySettings",
    ],
)
def test_a_file_that_is_ignored_is_not_mentioned(project: Desk, line: str) -> None:
    make_project(project, {"path": "force-app", "package": "Acme"})
    project.write(".forceignore", f"# apart\n{line}\n")
    assert doctor(project) == []


def test_a_file_that_is_excluded_from_the_ignored_ones_is_named(project: Desk) -> None:
    make_project(project, {"path": "force-app", "package": "Acme"})
    line = "**/*.ecaOauthSecurity-meta.xml"
    project.write(".forceignore", f"{line}\n!{line}\n#{line}\n")
    assert doctor(project)


def test_every_type_that_is_refused_is_named_once(project: Desk) -> None:
    make_project(project, {"path": "force-app", "package": "Acme"}, {"path": "apart"})
    for suffix in ("ecaPlcy", "ecaOauthPlcy", "ecaGlblOauth", "eca", "ecaOauth"):
        put(project, f"{TREE}/{suffix}/A.{suffix}-meta.xml", b"<a/>")
        put(project, f"{TREE}/{suffix}/B.{suffix}-meta.xml", b"<a/>")
    put(project, "apart/C.ecaPlcy-meta.xml", b"<a/>")
    lines = doctor(project)
    assert len(lines) == 8
    text = "\n".join(lines)
    for suffix in ("ecaOauthSecurity", "ecaPlcy", "ecaOauthPlcy", "ecaGlblOauth"):
        assert text.count(f"the line **/*.{suffix}-meta.xml") == 1


def test_a_forceignore_that_is_no_text_is_named(project: Desk) -> None:
    make_project(project, {"path": "force-app", "package": "Acme"})
    put(project, ".forceignore", b"\xff\xfe\0")
    (line, _fix) = doctor(project)
    assert line.startswith("FAILED   source tree: .forceignore: not in UTF-8")


@pytest.mark.parametrize(("text", "excluded"), CASES.items())
def test_git_excludes_the_same(desk: Desk, text: str, excluded: bool) -> None:
    git(desk, "init", "-q")
    put(desk, EXCLUDED, b"")
    desk.write(".gitignore", text)
    assert bool(git(desk, "ls-files", "-oi", "--exclude-standard", EXCLUDED)) is excluded
