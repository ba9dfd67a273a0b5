"""A source tree as input: as a baseline, compared with the org, and checked for a package build."""

from __future__ import annotations

import pytest

from tests.integration.cli.harness import (
    SECURITY,
    SECURITY_PATH,
    Desk,
    range_xml,
    with_entry,
)
from tests.integration.cli.sourcetree import FILE, ODD, SOURCE, TREE, git, make_project, put
from tests.unit.allowlist.test_forceignore import CASES
from tests.unit.allowlist.test_forceignore import FILE as EXCLUDED

# Without an org


@pytest.mark.parametrize("baseline", ["force-app", TREE, FILE, "."])
def test_a_tree_can_be_the_baseline(project: Desk, baseline: str) -> None:
    project.emulator.stop()
    project.monkeypatch.delenv("SF_ACCESS_TOKEN")
    diff = project.run("diff", "add-new", "--baseline", baseline, "--exit-code")
    assert (diff.code, diff.err) == (3, "")
    assert "+ 127.0.0.21" in diff.out
    assert SECURITY_PATH in diff.out
    assert project.run("plan", "--baseline", baseline).code == 0
    assert project.run("render", "add-new", *SOURCE, "--baseline", baseline).code == 0
    assert project.run("diff", "add-new", "--baseline", baseline, "--exit-code").code == 0


def test_a_folder_without_the_component_cannot_be_the_baseline(desk: Desk) -> None:
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
def test_a_tree_that_would_undo_the_cutover_is_a_warning(
    project: Desk, words: tuple[str, ...]
) -> None:
    assert project.run("deploy", "add-new", "--yes").code == 0
    result = project.run(*words)
    assert result.code == 0
    assert result.err == (
        f"warning: {FILE}:6: differs from the live allowlist of packaging; a deployment from this "
        "tree would remove 127.0.0.21, 127.0.0.22; update the tree: sfcutover render add-new "
        "--format source --out force-app\n"
    )
    assert project.run("render", "add-new", *SOURCE[:3], "force-app").code == 0
    assert project.run(*words).err == ""


def test_the_warning_names_the_line_of_an_entry_that_is_not_live(project: Desk) -> None:
    put(project, FILE, ODD.replace(b"127.0.0.12", b"127.0.0.13"))
    (line,) = project.run("plan").err.splitlines()
    assert line.startswith(f"warning: {FILE}:10: differs from the live allowlist of packaging; ")
    assert "would remove 127.0.0.12 and add 127.0.0.13; retrieve the component" in line


def test_a_different_description_is_a_difference(project: Desk) -> None:
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


def test_an_invalid_tree_stops_no_command(project: Desk) -> None:
    put(project, FILE, ODD[:100])
    result = project.run("plan")
    assert result.code == 0
    (line,) = result.err.splitlines()
    assert line.startswith(f"warning: the source tree was not compared with the org: {FILE}:")


def test_without_a_project_nothing_is_reported(project: Desk) -> None:
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
    assert said.startswith(f"warning  source tree: {FILE}: a package build fails on {SECURITY}")
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
def test_an_ignored_file_is_not_mentioned(project: Desk, line: str) -> None:
    make_project(project, {"path": "force-app", "package": "Acme"})
    project.write(".forceignore", f"# apart\n{line}\n")
    assert doctor(project) == []


def test_a_file_that_a_negated_pattern_includes_is_named(project: Desk) -> None:
    make_project(project, {"path": "force-app", "package": "Acme"})
    line = "**/*.ecaOauthSecurity-meta.xml"
    project.write(".forceignore", f"{line}\n!{line}\n#{line}\n")
    assert doctor(project)


def test_every_refused_type_is_named_once(project: Desk) -> None:
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


def test_a_binary_forceignore_is_named(project: Desk) -> None:
    make_project(project, {"path": "force-app", "package": "Acme"})
    put(project, ".forceignore", b"\xff\xfe\0")
    (line, _fix) = doctor(project)
    assert line.startswith("FAILED   source tree: .forceignore: not in UTF-8")


@pytest.mark.parametrize(("text", "excluded"), CASES.items())
def test_git_excludes_the_same_paths(desk: Desk, text: str, excluded: bool) -> None:
    git(desk, "init", "-q")
    put(desk, EXCLUDED, b"")
    desk.write(".gitignore", text)
    assert bool(git(desk, "ls-files", "-oi", "--exclude-standard", EXCLUDED)) is excluded
