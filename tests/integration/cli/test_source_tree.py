"""A phase in the source tree of a project: what changes, where, and what is refused."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sfcutover.allowlist.carriers import OAUTH_POLICIES
from tests.integration.cli.conftest import StartOrg
from tests.integration.cli.harness import SECURITY_PATH, Desk, environment
from tests.integration.cli.sourcetree import FILE, ODD, SOURCE, TREE, git, make_project, put


def contents(desk: Desk) -> dict[str, bytes]:
    """Every file outside .git by its path, so that a leftover file shows."""
    return {
        str(path.relative_to(desk.folder)): path.read_bytes()
        for path in desk.folder.rglob("*")
        if path.is_file() and ".git/" not in str(path)
    }


def diff_lines(desk: Desk) -> list[str]:
    """The changed lines that git shows, with their sign and without line ends."""
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


def test_undoing_a_phase_leaves_the_file_as_it_was(project: Desk) -> None:
    assert project.run("render", "add-new", *SOURCE).code == 0
    assert (project.folder / FILE).read_bytes() != ODD
    assert project.run("render", "remove-new", *SOURCE).code == 0
    assert (project.folder / FILE).read_bytes() == ODD


def test_a_tree_that_already_holds_the_phase_is_unchanged_and_reported(project: Desk) -> None:
    project.run("render", "add-new", *SOURCE)
    status = (project.folder / FILE).stat()
    result = project.run("render", "add-new", *SOURCE)
    assert (result.out, result.err) == (f"{FILE}\n", f"{FILE} already holds add-new\n")
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


def test_the_mode_of_a_file_is_kept(project: Desk) -> None:
    (project.folder / FILE).chmod(0o640)
    project.run("render", "add-new", *SOURCE)
    assert (project.folder / FILE).stat().st_mode & 0o777 == 0o640


# Where it is found


def test_a_file_is_found_in_any_subfolder(project: Desk) -> None:
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


def test_a_missing_file_is_created_in_its_folder(project: Desk) -> None:
    (project.folder / FILE).unlink()
    before = contents(project)
    assert project.run("render", "add-new", *SOURCE).out == f"{FILE}\n"
    after = contents(project)
    project.run("render", "add-new", "--out", "packages")
    assert after.pop(FILE) == (project.folder / "packages/add-new" / SECURITY_PATH).read_bytes()
    assert after == before


def test_a_folder_outside_of_a_project_is_accepted(desk: Desk) -> None:
    assert desk.run("render", "add-new", "--format", "source", "--out", "out").code == 0
    assert (desk.folder / "out" / f"{SECURITY_PATH}-meta.xml").is_file()


def test_several_files_of_a_component_are_named_and_unchanged(project: Desk) -> None:
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
        ((), "requires exactly one PHASE"),
        (("add-new", "remove-old"), "requires exactly one PHASE"),
        (("add-new", "--zip"), "--zip requires --format mdapi"),
    ],
)
def test_source_format_requires_one_phase_and_no_zip(
    project: Desk, words: tuple[str, ...], said: str
) -> None:
    project.run("render", *words, *SOURCE).refused(2, said)
    assert (project.folder / FILE).read_bytes() == ODD


def test_a_tree_belongs_to_one_org(project: Desk, start_org: StartOrg) -> None:
    project.add_target("second", start_org())
    project.run("render", "add-new", *SOURCE).refused(2, "the files of one org")
    assert project.run("render", "add-new", *SOURCE, "--target", "packaging").code == 0


def test_templates_require_packages(project: Desk) -> None:
    manifest = Path(__file__).parents[3] / "templates" / "package.xml.j2"
    project.write("own/package.xml.j2", manifest.read_text(encoding="utf-8"))
    result = project.run("render", "add-new", *SOURCE, "--templates", "own")
    result.refused(2, "--templates requires --format mdapi")


WRONG = {
    "another app": (ODD.replace(b">Acme_Connector<", b">Other<"), f"{FILE}: the file belongs to"),
    "a bad address": (ODD.replace(b"127.0.0.12", b"127.0.0.300"), f"{FILE}:10: "),
    "a DTD": (ODD.replace(b"<!-- owners", b'<!DOCTYPE a [<!ENTITY b "c">]><!-- owners'), "DTD"),
    "too large": (ODD + b" " * 5 * 1024 * 1024, "larger than 5,242,880 bytes"),
}


@pytest.mark.parametrize(("data", "said"), WRONG.values(), ids=WRONG)
def test_a_wrong_file_is_named_and_unchanged(project: Desk, data: bytes, said: str) -> None:
    put(project, FILE, data)
    result = project.run("render", "add-new", *SOURCE)
    result.refused(8 if "larger" in said else 2, said)
    assert (project.folder / FILE).read_bytes() == data


@pytest.mark.parametrize("text", ["{", '{"packageDirectories": [{"path": 1}]}', "\0"])
def test_an_invalid_project_file_is_named(project: Desk, text: str) -> None:
    (project.folder / FILE).unlink()
    project.write("sfdx-project.json", text)
    project.run("render", "add-new", *SOURCE).refused(2, "sfdx-project.json")


def test_package_directories_outside_the_project_are_ignored(
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


def test_a_full_disk_changes_no_file(project: Desk) -> None:
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
