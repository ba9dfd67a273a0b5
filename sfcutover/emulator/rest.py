"""The REST resources that clients of the Metadata API read: versions, user, queries, limits."""

from __future__ import annotations

from sfcutover.emulator.deployments import Deployment
from sfcutover.emulator.deployrequests import RefusedError
from sfcutover.emulator.formats import User, is_same, version_of
from sfcutover.emulator.org import Org
from sfcutover.emulator.setuprecords import audit_trail, security_settings, token_ranges
from sfcutover.emulator.soql import (
    Query,
    QueryError,
    Record,
    Row,
    column_metadata,
    parse_query,
    run_query,
)

_NOT_HERE = (
    "sObject type '{name}' is not supported. If you are attempting to use a custom object, be sure "
    "to append the '__c' after the entity name."
)
_SEASONS = ("Spring", "Summer", "Winter")
_SPRING_26 = 66
_DAILY_CALLS = 15_000
STATUSES = {
    "INSUFFICIENT_ACCESS": 403,
    "INVALID_SESSION_ID": 401,
    "NOT_FOUND": 404,
    "REQUEST_LIMIT_EXCEEDED": 403,
    "SERVER_UNAVAILABLE": 503,
    "UNKNOWN_EXCEPTION": 500,
}
"""HTTP statuses by error code; all others are 400."""

NO_SUCH_RESOURCE = "The requested resource does not exist"


def records_of(org: Org, query: Query, *, tooling: bool) -> list[Record]:
    """All records of the object that a query names, the newest first.

    Raises QueryError with INVALID_TYPE for an object that the org doesn't have;
    ScratchOrgInfo is one, for it is no Dev Hub.
    """
    name = query.source.lower()
    if tooling:
        if name == "deployrequest" and org.scenario.deploy_request_query:
            return [_deploy_request(org, one) for one in reversed(list(org.queue))]
    elif name == "loginhistory":
        return org.logins.records(query)
    elif name == "organization":
        return [organization(org)]
    elif name == "user":
        return [user(org, one) for one in org.users]
    elif name == "userpermissionaccess":
        return [permissions(org)]
    elif name == "setupaudittrail" and org.scenario.setup_audit_trail:
        return audit_trail(org)
    elif name == "extlclntappoauthsecuritysettings" and org.scenario.allowlist_query:
        return security_settings(org)
    elif name == "extlclntappoauthsecuritytokeniprange" and org.scenario.allowlist_query:
        return token_ranges(org)
    raise QueryError("INVALID_TYPE", _NOT_HERE.format(name=query.source))


def organization(org: Org) -> Record:
    """The Organization record."""
    scenario = org.scenario
    return {
        "Id": org.id,
        "Name": scenario.org_name,
        "OrganizationType": scenario.organization_type,
        "InstanceName": scenario.instance_name,
        "IsSandbox": scenario.is_sandbox,
        "NamespacePrefix": scenario.namespace,
        "TrialExpirationDate": None,
        "LanguageLocaleKey": "en_US",
        "CreatedDate": org.clock.rest(org.started),
    }


def user(org: Org, one: User) -> Record:
    """The User record of a user."""
    first, _, last = one.name.rpartition(" ")
    return {
        "Id": one.id,
        "Username": one.username,
        "Name": one.name,
        "FirstName": first or None,
        "LastName": last,
        "Email": one.username,
        "IsActive": True,
        "UserType": "Standard",
        "ProfileId": org.profile_id,
        "LanguageLocaleKey": "en_US",
        "TimeZoneSidKey": "GMT",
        "CreatedDate": org.clock.rest(org.started),
    }


def permissions(org: Org) -> Record:
    """The UserPermissionAccess record: what the calling user may do."""
    may = org.scenario.can_modify_metadata
    return {
        "Id": "000000000000000AAA",
        "LastCacheUpdate": org.clock.rest(org.clock()),
        "PermissionsApiEnabled": True,
        "PermissionsModifyAllData": False,
        "PermissionsModifyMetadata": may,
    }


def _deploy_request(org: Org, deployment: Deployment) -> Record:
    return {
        "Id": deployment.id,
        "Status": deployment.status.value,
        "CheckOnly": deployment.check_only,
        "CreatedById": deployment.by.id,
        "CreatedBy.Name": deployment.by.name,
        "CreatedDate": org.clock.rest(deployment.created),
        "StartDate": org.clock.rest(deployment.started) if deployment.started else None,
        "CompletedDate": org.clock.rest(deployment.ended) if deployment.ended else None,
        "ErrorMessage": deployment.error_message,
        "ErrorStatusCode": deployment.error_code,
        "NumberComponentErrors": len(deployment.failures),
        "NumberComponentsDeployed": deployment.components_deployed,
        "NumberComponentsTotal": deployment.components_total,
        "RollbackOnError": deployment.options.rollback_on_error,
        "StateDetail": None,
    }


class RestApi:
    """Answers for one org. The caller holds the org's lock."""

    def __init__(self, org: Org) -> None:
        self._org = org

    def check_session(self, token: str) -> None:
        """Raises RefusedError with INVALID_SESSION_ID for a token that isn't alive."""
        if not self._org.sessions.is_alive(token):
            raise RefusedError("INVALID_SESSION_ID", "Session expired or invalid")

    def check_version(self, text: str) -> None:
        """Raises RefusedError for a version that the org doesn't have."""
        if not self._org.supports(version_of(text) or 0):
            raise RefusedError("NOT_FOUND", NO_SUCH_RESOURCE)

    def versions(self) -> list[dict[str, object]]:
        """``/services/data``: needs no session."""
        scenario = self._org.scenario
        numbers = range(int(scenario.min_api_version), int(scenario.max_api_version) + 1)
        return [
            {
                "label": _season(number),
                "url": f"/services/data/v{number}.0",
                "version": f"{number}.0",
            }
            for number in numbers
        ]

    def resources(self, version: str) -> dict[str, object]:
        """``/services/data/vXX.0/``."""
        base = f"/services/data/v{version}"
        names = ("limits", "metadata", "query", "sobjects", "tooling")
        return {"identity": self.identity_url, **{name: f"{base}/{name}" for name in names}}

    @property
    def identity_url(self) -> str:
        return f"{self._org.url}/id/{self._org.id}/{self._org.user.id}"

    def identity(self) -> dict[str, object]:
        """``/services/oauth2/userinfo``, and the identity URL."""
        scenario = self._org.scenario
        return {
            "sub": self.identity_url,
            "user_id": self._org.user.id,
            "organization_id": self._org.id,
            "preferred_username": scenario.username,
            "username": scenario.username,
            "nickname": scenario.username.partition("@")[0],
            "name": scenario.user_name,
            "email": scenario.username,
            "email_verified": True,
            "user_type": "STANDARD",
            "active": True,
            "urls": {
                "metadata": f"{self._org.url}/services/Soap/m/{{version}}/{self._org.id}",
                "rest": f"{self._org.url}/services/data/v{{version}}/",
                "custom_domain": self._org.url,
            },
        }

    def record(self, version: str, source: str, record_id: str) -> dict[str, object]:
        """``/services/data/vXX.0/sobjects/<User or Organization>/<id>``."""
        if source == "User":
            records = [user(self._org, one) for one in self._org.users]
        else:
            records = [organization(self._org)]
        for one in records:
            if is_same(record_id, str(one["Id"])):
                url = f"/services/data/v{version}/sobjects/{source}/{one['Id']}"
                return {"attributes": {"type": source, "url": url}, **one}
        raise RefusedError("NOT_FOUND", NO_SUCH_RESOURCE)

    def columns(self, text: str, *, tooling: bool) -> dict[str, object]:
        """``query?columns=true``: what a query's columns are, without its records."""
        query, rows = self._rows(text, tooling=tooling)
        return {
            "columnMetadata": column_metadata(query, rows),
            "entityName": query.source,
            "groupBy": False,
            "idSelected": "id" in [name.lower() for name in query.fields],
            "keyPrefix": next((_id(row)[:3] for row in rows if _id(row)), None),
        }

    def _rows(self, text: str, *, tooling: bool) -> tuple[Query, list[Row]]:
        self._org.queue.advance()
        try:
            query = parse_query(text)
            return query, run_query(query, records_of(self._org, query, tooling=tooling))
        except QueryError as error:
            raise RefusedError(error.code, str(error)) from error

    def query(self, version: str, text: str, *, tooling: bool) -> dict[str, object]:
        """``/services/data/vXX.0/query?q=…`` and the same below ``tooling/``."""
        query, rows = self._rows(text, tooling=tooling)
        base = f"/services/data/v{version}/{'tooling/' if tooling else ''}sobjects/{query.source}"
        records = [
            {"attributes": {"type": query.source, "url": f"{base}/{_id(row)}"}, **_nested(row)}
            for row in rows
        ]
        return {"totalSize": len(records), "done": True, "records": records}

    def limits(self, calls: int) -> dict[str, object]:
        """``/services/data/vXX.0/limits``, only the daily calls, after so many of them."""
        left = max(0, _DAILY_CALLS - calls)
        return {"DailyApiRequests": {"Max": _DAILY_CALLS, "Remaining": left}}


def _season(number: int) -> str:
    """A version's name: 66.0 is Spring '26, 67.0 Summer '26, 68.0 Winter '27, and so on."""
    years, season = divmod(number - _SPRING_26, len(_SEASONS))
    year = 26 + years + (_SEASONS[season] == "Winter")
    return f"{_SEASONS[season]} '{year:02d}"


def _nested(row: Row) -> dict[str, object]:
    """A row with its fields of related records, ``CreatedBy.Name``, in objects of their own."""
    fields: dict[str, object] = {}
    for name, value in row.items():
        relation, _, field = name.rpartition(".")
        if relation:
            fields[relation] = {"attributes": {"type": "User"}, field: value}
        else:
            fields[name] = value
    return fields


def _id(row: Row) -> str:
    return str(row.get("Id") or "")
