from __future__ import annotations

import pytest

from sfcutover.emulator import Emulator
from tests.integration.emulator.client import Client, security_package
from tests.integration.emulator.conftest import StartOrg

Org = tuple[Emulator, Client]
DATA = "/services/data/v67.0"


def test_versions_need_no_session_and_have_labels(org: Org) -> None:
    _, client = org
    client.token = ""
    versions = {one["version"]: one for one in client.get("/services/data").json()}
    assert versions["68.0"]["label"] == "Winter '27"
    assert versions["66.0"]["label"] == "Spring '26"
    assert versions["58.0"]["label"] == "Summer '23"
    assert versions["67.0"]["url"] == "/services/data/v67.0"
    assert max(float(version) for version in versions) == 68


def test_userinfo_names_user_and_org(org: Org) -> None:
    emulator, client = org
    info = client.get("/services/oauth2/userinfo").json()
    assert info["preferred_username"] == "release@acme.example"
    assert info["organization_id"].startswith("00D")
    assert info["user_id"].startswith("005")
    assert info["sub"] == f"{emulator.url}/id/{info['organization_id']}/{info['user_id']}"


def test_userinfo_has_its_own_errors(org: Org) -> None:
    _, client = org
    client.token = "00D!nobody"
    answer = client.get("/services/oauth2/userinfo")
    assert (answer.status_code, answer.text) == (403, "Bad_OAuth_Token")


@pytest.mark.parametrize(
    "path", [f"{DATA}/", f"{DATA}/limits", f"{DATA}/query?q=SELECT Id FROM User"]
)
def test_an_invalid_session_is_refused(org: Org, path: str) -> None:
    _, client = org
    client.token = "00D!nobody"
    answer = client.get(path)
    assert answer.status_code == 401
    assert [one["errorCode"] for one in answer.json()] == ["INVALID_SESSION_ID"]


def test_the_user_is_read_by_id(org: Org) -> None:
    _, client = org
    user_id = client.get("/services/oauth2/userinfo").json()["user_id"]
    user = client.get(f"{DATA}/sobjects/User/{user_id[:15]}").json()
    assert (user["Id"], user["Username"]) == (user_id, "release@acme.example")
    assert client.get(f"{DATA}/sobjects/User/005000000000000AAA").status_code == 404


def test_the_organization_is_read_by_id(org: Org) -> None:
    emulator, client = org
    path = f"{DATA}/sobjects/Organization/"
    record = client.get(path + emulator.organization_id).json()
    assert (record["Name"], record["attributes"]["type"]) == ("Acme Packaging", "Organization")
    assert client.get(f"{path}00D000000000000AAA").status_code == 404


def test_the_organization_can_be_queried(start_org: StartOrg) -> None:
    _, client = start_org(is_sandbox=True, namespace="acme")
    fields = "Name, isSandbox, TrialExpirationDate, NamespacePrefix"
    answer = client.get(f"{DATA}/query?q=SELECT {fields} FROM Organization LIMIT 1").json()
    assert (answer["totalSize"], answer["done"]) == (1, True)
    record = answer["records"][0]
    assert record.pop("attributes")["type"] == "Organization"
    assert record == {
        "Name": "Acme Packaging",
        "IsSandbox": True,
        "TrialExpirationDate": None,
        "NamespacePrefix": "acme",
    }


def test_filters_select_rows(org: Org) -> None:
    _, client = org
    query = f"{DATA}/query?q=SELECT Id FROM User WHERE Username = '{{}}' AND IsActive = true"
    assert client.get(query.format("release@acme.example")).json()["totalSize"] == 1
    assert client.get(query.format("nobody@acme.example")).json()["totalSize"] == 0


@pytest.mark.parametrize(
    ("soql", "code"),
    [
        ("SELECT Id FROM ScratchOrgInfo limit 1", "INVALID_TYPE"),
        ("SELECT Id FROM Nonsense__c", "INVALID_TYPE"),
        ("SELECT Nonsense FROM User", "INVALID_FIELD"),
        ("SELECT Id FROM User WHERE Nonsense = 'a'", "INVALID_FIELD"),
        ("SELECT Id FROM User WHERE Id LIKE 'a'", "MALFORMED_QUERY"),
        ("DELETE everything", "MALFORMED_QUERY"),
        ("", "MALFORMED_QUERY"),
    ],
)
def test_other_queries_are_refused(org: Org, soql: str, code: str) -> None:
    _, client = org
    answer = client.get(f"{DATA}/query?q={soql}")
    assert answer.status_code == 400
    assert [one["errorCode"] for one in answer.json()] == [code]


@pytest.mark.parametrize("may", [True, False])
def test_the_permission_can_be_queried(start_org: StartOrg, may: bool) -> None:
    _, client = start_org(can_modify_metadata=may)
    soql = "SELECT PermissionsModifyMetadata FROM UserPermissionAccess"
    record = client.get(f"{DATA}/query?q={soql}").json()["records"][0]
    assert record["PermissionsModifyMetadata"] is may


def test_deployments_can_be_queried_newest_first(org: Org) -> None:
    _, client = org
    ids = [client.deploy(security_package()) for _ in range(3)]
    soql = "SELECT Id, Status FROM DeployRequest ORDER BY CreatedDate DESC LIMIT 2"
    records = client.get(f"{DATA}/tooling/query?q={soql}").json()["records"]
    assert [(one["Id"], one["Status"]) for one in records] == [
        (ids[2], "Succeeded"),
        (ids[1], "Succeeded"),
    ]


def test_an_org_can_refuse_queries_of_deployments(start_org: StartOrg) -> None:
    _, client = start_org(deploy_request_query=False)
    answer = client.get(f"{DATA}/tooling/query?q=SELECT Id FROM DeployRequest")
    assert answer.json()[0]["errorCode"] == "INVALID_TYPE"


@pytest.mark.parametrize(
    "path",
    [
        "/nonsense",
        "/services/data/v69.0/limits",
        "/services/data/vX/",
        f"{DATA}/sobjects/User/005000000000000AAA",
        f"{DATA}/tooling/sobjects/SourceMember/describe",  # the official CLI asks for it
    ],
)
def test_an_unknown_path_is_404(org: Org, path: str) -> None:
    emulator, client = org
    answer = client.get(path)
    assert answer.status_code == 404
    error = {"message": "The requested resource does not exist", "errorCode": "NOT_FOUND"}
    assert answer.json() == [error]
    assert (emulator.log[-1]["code"], emulator.log[-1]["source"]) == ("NOT_FOUND", "127.0.0.1")


def test_read_only_resources_refuse_writes(org: Org) -> None:
    _, client = org
    answer = client.http.post(f"{client.url}{DATA}/limits", timeout=10)
    assert answer.status_code == 405
    assert answer.json()[0]["errorCode"] == "METHOD_NOT_ALLOWED"
    assert "'POST' not allowed. Allowed are GET,HEAD" in answer.json()[0]["message"]


def test_the_columns_of_a_query_are_described(org: Org) -> None:
    _, client = org
    soql = "SELECT Id, IsActive, Name FROM User"
    answer = client.get(f"{DATA}/query?q={soql}&columns=true").json()
    assert (answer["entityName"], answer["keyPrefix"], answer["idSelected"]) == (
        "User",
        "005",
        True,
    )
    columns = {one["columnName"]: one for one in answer["columnMetadata"]}
    assert list(columns) == ["Id", "IsActive", "Name"]
    assert [one["booleanType"] for one in columns.values()] == [False, True, False]


def test_a_related_column_is_nested_in_its_relation(org: Org) -> None:
    _, client = org
    client.deployed(security_package())
    soql = "SELECT CreatedBy.Name, Status FROM DeployRequest"
    answer = client.get(f"{DATA}/tooling/query?q={soql}&columns=true").json()
    (relation, status) = answer["columnMetadata"]
    assert [one["columnName"] for one in relation["joinColumns"]] == ["Name"]
    assert (relation["columnName"], status["joinColumns"]) == ("CreatedBy", [])


def test_the_columns_of_an_invalid_query_are_refused(org: Org) -> None:
    _, client = org
    answer = client.get(f"{DATA}/query?q=SELECT Nonsense FROM User&columns=true")
    assert (answer.status_code, answer.json()[0]["errorCode"]) == (400, "INVALID_FIELD")


def test_limits_count_down(org: Org) -> None:
    _, client = org
    left = [client.get(f"{DATA}/limits").json()["DailyApiRequests"]["Remaining"] for _ in range(2)]
    assert left[0] - left[1] == 1
