"""Who else changed a list, by an org that records just what each test gives it."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta, timezone
from types import SimpleNamespace
from urllib.parse import parse_qs, urlsplit

import pytest
from lxml import etree

from sfcutover.allowlist.carriers import CARRIERS
from sfcutover.allowlist.component import Component, Field, FileProperties
from sfcutover.salesforce.changehistory import ChangeHistory, RecordedChange
from sfcutover.salesforce.deployer import Deployer
from sfcutover.salesforce.metadata import MetadataClient
from sfcutover.salesforce.org import Org
from sfcutover.salesforce.results import DeployResult
from tests.support import Request, StartServer, answer, envelope, one_session

READ = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
DEPLOYED = READ + timedelta(seconds=60)
BETWEEN = READ + timedelta(seconds=30)
TYPE = CARRIERS["token-ip-ranges"].component_type
APP = "acme__Acme_Connector"
COMPONENT = Component(
    TYPE,
    "acme__Acme_Connector_oauthSecurity",
    (Field.of_text("label", "Our Front Door"),),
    CARRIERS["token-ip-ranges"],
    properties=FileProperties("888000000000001AAA", READ, "Avery Admin"),
)
OWN = DeployResult.model_validate(
    SimpleNamespace(id="0Af0", createdByName="Release Engineer", completedDate=DEPLOYED)
)
Record = dict[str, object]


def at(time: datetime) -> str:
    return f"{time:%Y-%m-%dT%H:%M:%S}.000+0000"


def deployment(
    time: datetime | None = BETWEEN, identifier: str = "0Af1", by: str = "Casey"
) -> Record:
    ended = {"Status": "Succeeded", "CompletedDate": at(time)} if time else {"Status": "Pending"}
    return {"Id": identifier, "CheckOnly": False, "CreatedBy": {"Name": by}, **ended}


def row(
    time: datetime = BETWEEN, display: str = f"Changed {APP}", by: str = "Casey", number: int = 1
) -> Record:
    created = {"CreatedDate": at(time), "CreatedBy": {"Name": by}}
    return {"Id": f"0Ym{number}", "Display": display, **created}


@dataclass
class RecordingOrg:
    """deployments: of DeployRequest. rows: of SetupAuditTrail. changing: ids of deployments that
    have changed the component; the org has no others. asked: the queries."""

    deployments: list[Record] = field(default_factory=list)
    rows: list[Record] = field(default_factory=list)
    changing: Collection[str] = ("0Af1",)
    asked: list[str] = field(default_factory=list)

    def handle(self, request: Request) -> None:
        if request.command == "POST":
            answer(request, self._status(request.body))
            return
        url = urlsplit(request.path)
        self.asked += parse_qs(url.query)["q"]
        records = self.deployments if "/tooling/" in url.path else self.rows
        answer(request, json.dumps({"records": records}).encode())

    def _status(self, body: bytes) -> bytes:
        identifier = etree.fromstring(body).findtext(".//{*}asyncProcessId")
        changed = (
            f"<componentSuccesses><changed>true</changed><componentType>{TYPE.metadata_type}"
            f"</componentType><fullName>{COMPONENT.full_name}</fullName><success>true</success>"
            "</componentSuccesses>"
        )
        details = changed if identifier in self.changing else ""
        return envelope(
            f"<checkDeployStatusResponse><result><details>{details}</details><done>true</done>"
            f"<id>{identifier}</id></result></checkDeployStatusResponse>"
        )


Open = Callable[[RecordingOrg], ChangeHistory]


@pytest.fixture
def open_history(start_server: StartServer) -> Iterator[Open]:
    orgs: list[Org] = []

    def open_(recorded: RecordingOrg) -> ChangeHistory:
        orgs.append(Org(one_session(start_server(recorded.handle))))
        client = MetadataClient(orgs[-1], "67.0")
        return ChangeHistory(client, Deployer(client))

    yield open_
    for org in orgs:
        org.close()


def saved(text: str, time: datetime = BETWEEN, by: str = "Casey") -> RecordedChange:
    return RecordedChange("setup", by, time, f"in Setup: {text}")


# Deployments of others


@pytest.mark.parametrize(
    ("found", "is_reported"),
    [
        (deployment(), True),
        (deployment(DEPLOYED), True),
        (deployment(READ), False),
        (deployment(DEPLOYED + timedelta(seconds=1)), False),
        (deployment(None), False),
        (deployment(identifier="0Af0"), False),
        (deployment(identifier="0AfOurs"), False),
        (deployment(identifier="0AfElsewhere"), False),
    ],
    ids=[
        "between",
        "at-our-end",
        "at-the-read",
        "after",
        "pending",
        "own",
        "ours",
        "of-something-else",
    ],
)
def test_a_deployment_is_reported_that_changed_the_list_after_it_was_read(
    found: Record, is_reported: bool, open_history: Open
) -> None:
    org = RecordingOrg([found], changing=("0Af0", "0Af1", "0AfOurs"))
    changes = open_history(org).changes(COMPONENT, APP, OWN, ["0AfOurs"], None)
    assert [(each.source, each.by, each.text) for each in changes] == (
        [("deployment", "Casey", "by deployment 0Af1")] if is_reported else []
    )


def test_the_row_that_a_deployment_leaves_in_the_trail_is_not_reported_again(
    open_history: Open,
) -> None:
    second = timedelta(seconds=1)
    rows = [row(BETWEEN + second), row(BETWEEN + 3 * second), row(BETWEEN, by="Dana")]
    changes = open_history(RecordingOrg([deployment()], rows)).changes(
        COMPONENT, APP, OWN, (), None
    )
    assert changes == [
        RecordedChange("deployment", "Casey", BETWEEN, "by deployment 0Af1"),
        saved(f"Changed {APP}", BETWEEN + 3 * second),
        saved(f"Changed {APP}", by="Dana"),
    ]


# Saves in Setup


@pytest.mark.parametrize(
    ("found", "is_reported"),
    [
        (row(), True),
        (row(READ), False),
        (row(READ + timedelta(seconds=1)), True),
        (row(DEPLOYED), True),
        (row(DEPLOYED + timedelta(seconds=1)), False),
        (row(by="Release Engineer"), False),
        (row() | {"CreatedDate": None}, False),
    ],
    ids=[
        "between",
        "at-the-read",
        "after-the-read",
        "at-our-end",
        "after-our-end",
        "own",
        "undated",
    ],
)
def test_a_save_is_reported_that_others_made_after_the_list_was_read(
    found: Record, is_reported: bool, open_history: Open
) -> None:
    changes = open_history(RecordingOrg(rows=[found])).changes(COMPONENT, APP, OWN, (), None)
    assert [(each.source, each.by) for each in changes] == [("setup", "Casey")] * is_reported


@pytest.mark.parametrize(
    ("display", "is_reported"),
    [
        ("Changed ACME__Acme_Connector", True),
        ("Changed Acme_Connector", True),
        ("Changed Acme Connector", True),
        ("Changed acme__Acme_Connector_oauthSecurity", True),
        ("Changed our front door", True),
        ("Changed Acme", False),
        ("", False),
    ],
)
def test_a_save_is_told_by_each_name_that_setup_may_use(
    display: str, is_reported: bool, open_history: Open
) -> None:
    changes = open_history(RecordingOrg(rows=[row(display=display)])).changes(
        COMPONENT, APP, OWN, (), None
    )
    assert changes == [saved(display)] * is_reported


def test_an_app_without_a_namespace_is_told_by_its_name(open_history: Open) -> None:
    org = RecordingOrg(rows=[row(display="Changed Acme Connector")])
    changes = open_history(org).changes(COMPONENT, "Acme_Connector", OWN, (), None)
    assert changes == [saved("Changed Acme Connector")]


def test_in_the_second_of_the_read_only_rows_that_were_not_there_count(open_history: Open) -> None:
    rows = [row(READ, by="Dana", number=2), row(READ)]
    changes = open_history(RecordingOrg(rows=rows)).changes(COMPONENT, APP, OWN, (), {"0Ym1"})
    assert changes == [saved(f"Changed {APP}", READ, "Dana")]


def test_the_rows_since_the_save_that_was_read_are_known_by_id(open_history: Open) -> None:
    org = RecordingOrg(rows=[row(number=2), row()])
    there = READ.astimezone(timezone(timedelta(hours=2)))
    component = replace(COMPONENT, properties=FileProperties("888", there, "Avery Admin"))
    assert open_history(org).rows(component) == frozenset({"0Ym1", "0Ym2"})
    assert "CreatedDate >= 2026-11-23T12:00:00Z" in org.asked[0]


# What has no ends


@pytest.mark.parametrize("unknown", ["the save", "our end"])
def test_nothing_is_reported_of_a_time_with_one_end(unknown: str, open_history: Open) -> None:
    org = RecordingOrg([deployment()], [row()])
    component = replace(COMPONENT, properties=None) if unknown == "the save" else COMPONENT
    own = DeployResult(id="0Af0") if unknown == "our end" else OWN
    assert open_history(org).changes(component, APP, own, (), None) == []
    assert org.asked == []
