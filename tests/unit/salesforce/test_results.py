"""What is read from an answer with missing or unusual values."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from types import SimpleNamespace

import pytest

from sfcutover.allowlist.component import FileProperties
from sfcutover.errors import Answer
from sfcutover.salesforce.results import (
    DeployResult,
    DeployState,
    ListedComponent,
    MetadataTypes,
    ResultDocument,
    RetrieveResult,
)

FAILURE = SimpleNamespace(
    componentType="T", fullName="a", fileName="t/a.t", problem="wrong", lineNumber=3, success=False
)
SUCCESS = SimpleNamespace(fullName="b", fileName="t/b.t", problem="careful", success=True)
QUIET = SimpleNamespace(fullName="package.xml", problem=None, success=True)
TESTS = SimpleNamespace(failures=[SimpleNamespace(name="N", methodName="m", message="no")])


def test_a_deploy_result_is_read_by_the_names_of_the_wsdl() -> None:
    created = datetime(2026, 11, 23, 14, tzinfo=timezone(timedelta(hours=2)))
    details = SimpleNamespace(
        componentFailures=[FAILURE], componentSuccesses=[SUCCESS, QUIET], runTestResult=TESTS
    )
    result = DeployResult.model_validate(
        SimpleNamespace(
            id="0Af",
            done=True,
            status="Failed",
            numberComponentsTotal=2,
            numberComponentErrors=1,
            createdByName="Ada",
            createdDate=created,
            details=details,
        )
    )
    assert (result.id, result.state, result.success) == ("0Af", DeployState.FAILED, False)
    assert (result.components_total, result.component_errors) == (2, 1)
    assert (result.created_by, result.created_date) == ("Ada", "2026-11-23T12:00:00Z")
    assert [str(each) for each in result.failures] == ["t/a.t:3: wrong"]
    assert [str(each) for each in result.warnings] == ["t/b.t: careful"]
    assert [each.method for each in result.test_failures] == ["m"]


@pytest.mark.parametrize(
    "answer",
    [
        None,
        "",
        SimpleNamespace(),
        SimpleNamespace(id=None, done=None, status=None, details=None, numberComponentsTotal=None),
        SimpleNamespace(done="true", numberComponentsTotal="two", createdDate="today"),
        SimpleNamespace(details=SimpleNamespace(componentFailures=None, runTestResult=None)),
    ],
)
def test_absent_or_unusual_values_are_unknown(answer: object) -> None:
    result = DeployResult.model_validate(answer)
    assert result.state is DeployState.RUNNING
    assert (result.id, result.components_total, result.created_date) == ("", 0, None)
    assert (result.failures, result.warnings, result.test_failures) == ((), (), ())


def test_the_repr_of_a_result_lists_its_attributes() -> None:
    details = SimpleNamespace(componentFailures=[FAILURE])
    result = DeployResult.model_validate(SimpleNamespace(id="0Af", done=True, details=details))
    document = ResultDocument.model_validate(result).model_dump(mode="json")
    assert (document["state"], document["id"], document["created_by"]) == ("failed", "0Af", None)
    assert document["failures"] == [
        {
            "component_type": "T",
            "full_name": "a",
            "file_name": "t/a.t",
            "line": 3,
            "column": None,
            "problem": "wrong",
            "problem_type": None,
        }
    ]


def test_a_retrieve_result_has_its_zip_and_what_is_missing() -> None:
    messages = [SimpleNamespace(problem="no such thing"), None]
    done = RetrieveResult.model_validate(
        SimpleNamespace(id="09S", done=True, success=True, zipFile=b"PK", messages=messages)
    )
    assert (done.zip_file, done.messages) == (b"PK", ("no such thing", ""))
    bare = RetrieveResult.model_validate(SimpleNamespace(zipFile=5, messages=None))
    assert (bare.zip_file, bare.messages, bare.done) == (None, (), False)


@pytest.mark.parametrize(
    ("keys", "answer"),
    [
        ({"errorStatusCode": "sf:ORG_LOCKED"}, Answer.PASSING),
        ({"errorMessage": "please retry your request"}, Answer.PASSING),
        ({"messages": [SimpleNamespace(problem="ORG_LOCKED: wait")]}, Answer.PASSING),
        ({"errorMessage": "no room"}, Answer.FINAL),
        ({"messages": [SimpleNamespace(problem="Entity is unknown")]}, Answer.FINAL),
    ],
)
def test_a_failed_retrieve_is_passing_where_its_reason_passes(
    keys: dict[str, object], answer: Answer
) -> None:
    assert RetrieveResult.model_validate(SimpleNamespace(done=True, **keys)).answer is answer


def test_lists_of_components_and_types_are_read() -> None:
    one = SimpleNamespace(type="T", fullName="a", fileName="t/a.t")
    found = ListedComponent.model_validate(one)
    assert (found.metadata_type, found.full_name, found.file_name) == ("T", "a", "t/a.t")
    assert found.properties is None
    objects = [SimpleNamespace(xmlName="T"), SimpleNamespace(xmlName="U")]
    types = MetadataTypes.model_validate(SimpleNamespace(metadataObjects=objects))
    assert types.names == {"T", "U"}


def test_a_listed_component_has_its_properties() -> None:
    saved = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    one = SimpleNamespace(id="0Xx1", lastModifiedDate=saved, lastModifiedByName="Avery Admin")
    found = ListedComponent.model_validate(one)
    assert found.properties == FileProperties("0Xx1", saved, "Avery Admin")
