"""Invalid packages, seen by a client."""

from __future__ import annotations

import pytest

from sfcutover.emulator import Emulator
from tests.integration.emulator.client import (
    SECURITY,
    SECURITY_NAME,
    SECURITY_PATH,
    Client,
    make_zip,
    manifest,
    problems,
    security_package,
    security_xml,
)

Org = tuple[Emulator, Client]
MANIFEST = manifest({SECURITY: [SECURITY_NAME]})


def test_bytes_that_are_not_a_zip_fail_the_deployment(org: Org) -> None:
    _, client = org
    result = client.deployed(b"certainly not a zip")
    assert result.text("status") == "Failed"
    assert "not a valid zip" in (result.text("errorMessage") or "")
    assert result.text("errorStatusCode") == "UNKNOWN_EXCEPTION"


def test_a_damaged_zip_fails_the_deployment(org: Org) -> None:
    _, client = org
    good = security_package()
    at = good.index(b"<tokenIpRanges>")
    result = client.deployed(good[:at] + b"X" + good[at + 1 :])
    assert "not a valid zip" in (result.text("errorMessage") or "")


@pytest.mark.parametrize(
    ("files", "problem"),
    [
        ({SECURITY_PATH: security_xml("127.0.0.21")}, "No package.xml found"),
        ({"package.xml": "<Package"}, "package.xml, line 1"),
        ({"package.xml": MANIFEST.replace("<version>67.0</version>", "")}, "No version"),
        ({"package.xml": MANIFEST.replace("67.0", "99.0")}, "UNSUPPORTED_API_VERSION"),
        ({"package.xml": MANIFEST}, f"An object '{SECURITY_NAME}' of type {SECURITY} was named"),
        ({"package.xml": manifest({"Nonsense": ["a"]})}, "Unknown type name 'Nonsense'"),
        (
            {
                "package.xml": MANIFEST,
                SECURITY_PATH: security_xml("127.0.0.21"),
                "classes/A.cls": "class A {}",
            },
            "Not in package.xml",
        ),
    ],
)
def test_incomplete_packages_are_refused(org: Org, files: dict[str, str], problem: str) -> None:
    _, client = org
    result = client.deployed(make_zip(files))
    assert result.text("status") == "Failed"
    assert any(problem in one for one in problems(result))


@pytest.mark.parametrize(
    ("files", "single", "places"),
    [
        ({SECURITY_PATH: "<a/>"}, "true", ["package.xml"]),
        (
            {"package.xml": MANIFEST, "a/x": "", "b/c/x": ""},
            "false",
            ["a/package.xml", "b/package.xml"],
        ),
    ],
)
def test_without_package_xml_no_component_counts(
    org: Org, files: dict[str, str], single: str, places: list[str]
) -> None:
    _, client = org
    result = client.deployed(make_zip(files), singlePackage=single)
    assert result.texts("details/componentFailures/fileName") == places
    assert set(problems(result)) == {"No package.xml found"}
    for failure in result.all("details/componentFailures"):
        assert not {"columnNumber", "lineNumber"} & set(failure.names())
        assert failure.text("fullName") == "package.xml"
    counts = ("numberComponentsDeployed", "numberComponentsTotal")
    assert [result.text(one) for one in counts] == ["0", "0"]


def test_only_problems_in_a_file_have_a_line(org: Org) -> None:
    _, client = org
    result = client.deployed(make_zip({"package.xml": MANIFEST}))
    assert "lineNumber" not in result.all("details/componentFailures")[0].names()
    result = client.deployed(security_package("<broken"))
    assert result.text("details/componentFailures/lineNumber") == "1"


def test_a_single_package_may_be_in_the_only_top_folder(org: Org) -> None:
    _, client = org
    files = {
        "zip/package.xml": MANIFEST,
        f"zip/{SECURITY_PATH}": security_xml("127.0.0.21"),
    }
    result = client.deployed(make_zip(files))
    assert result.text("status") == "Succeeded"
    assert f"zip/{SECURITY_PATH}" in result.texts("details/componentSuccesses/fileName")


def test_several_packages_are_in_separate_folders(org: Org) -> None:
    _, client = org
    result = client.deployed(security_package(), singlePackage="false")
    assert problems(result) == ["No package.xml found"]


def test_a_wildcard_deploys_every_file_of_the_type(org: Org) -> None:
    emulator, client = org
    files = {"package.xml": manifest({SECURITY: ["*"]}), SECURITY_PATH: security_xml("127.0.0.21")}
    assert problems(client.deployed(make_zip(files))) == []
    assert b"127.0.0.21" in emulator.component_xml(SECURITY, SECURITY_NAME)


def test_destructive_changes_delete_components(org: Org) -> None:
    emulator, client = org
    files = {
        "package.xml": manifest({}),
        "destructiveChanges.xml": manifest({SECURITY: [SECURITY_NAME]}),
    }
    result = client.deployed(make_zip(files))
    assert result.texts("details/componentSuccesses/deleted") == ["true", "false"]
    with pytest.raises(KeyError):
        emulator.component_xml(SECURITY, SECURITY_NAME)
