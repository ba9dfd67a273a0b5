"""The REST resources that clients of the Metadata API read: versions, user, queries, limits."""

from __future__ import annotations

from collections.abc import Mapping

from sfcutover.emulator.ids import is_same
from sfcutover.emulator.org import Org
from sfcutover.emulator.records import records_of, user
from sfcutover.emulator.soql import QueryError, parse_query, run_query

_SEASONS = ("Spring", "Summer", "Winter")
_SPRING_26 = 66
_DAILY_CALLS = 15_000
STATUSES = {"REQUEST_LIMIT_EXCEEDED": 403, "SERVER_UNAVAILABLE": 503, "UNKNOWN_EXCEPTION": 500}


class RestError(Exception):
    """Answered as ``[{"errorCode": …, "message": …}]`` with an HTTP status.

    The status of a code that a fault asks for is that of STATUSES, or 400.
    """

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


class RestApi:
    """Answers for one org; url is its base address. The caller holds the org's lock."""

    def __init__(self, org: Org, url: str) -> None:
        self._org = org
        self._url = url

    def check_session(self, token: str) -> None:
        """Raises RestError with 401 and INVALID_SESSION_ID for a token that isn't alive."""
        if not self._org.sessions.is_alive(token):
            raise RestError(401, "INVALID_SESSION_ID", "Session expired or invalid")

    def check_version(self, text: str) -> None:
        """Raises RestError with 404 for a version that the org doesn't have."""
        try:
            is_supported = self._org.supports(float(text))
        except ValueError:
            is_supported = False
        if not is_supported:
            raise RestError(404, "NOT_FOUND", "The requested resource does not exist")

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
        names = ("limits", "query", "sobjects", "tooling")
        return {"identity": self.identity_url, **{name: f"{base}/{name}" for name in names}}

    @property
    def identity_url(self) -> str:
        return f"{self._url}/id/{self._org.id}/{self._org.user.id}"

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
                "metadata": f"{self._url}/services/Soap/m/{{version}}/{self._org.id}",
                "rest": f"{self._url}/services/data/v{{version}}/",
                "custom_domain": self._url,
            },
        }

    def user(self, version: str, record_id: str) -> dict[str, object]:
        """``/services/data/vXX.0/sobjects/User/<id>``."""
        for one in self._org.users:
            if is_same(record_id, one.id):
                url = f"/services/data/v{version}/sobjects/User/{one.id}"
                return {"attributes": {"type": "User", "url": url}, **user(self._org, one)}
        raise RestError(404, "NOT_FOUND", "The requested resource does not exist")

    def query(self, version: str, text: str, *, tooling: bool) -> dict[str, object]:
        """``/services/data/vXX.0/query?q=…`` and the same below ``tooling/``."""
        self._org.queue.advance()
        try:
            query = parse_query(text)
            rows = run_query(query, records_of(self._org, query, tooling=tooling))
        except QueryError as error:
            raise RestError(400, error.code, str(error)) from error
        base = f"/services/data/v{version}/{'tooling/' if tooling else ''}sobjects/{query.source}"
        records = [
            {"attributes": {"type": query.source, "url": f"{base}/{_id(row)}"}, **_nested(row)}
            for row in rows
        ]
        return {"totalSize": len(records), "done": True, "records": records}

    def limits(self) -> dict[str, object]:
        """``/services/data/vXX.0/limits``, only the daily calls."""
        left = max(0, _DAILY_CALLS - len(self._org.log))
        return {"DailyApiRequests": {"Max": _DAILY_CALLS, "Remaining": left}}


def _season(number: int) -> str:
    """A version's name: 66.0 is Spring '26, 67.0 Summer '26, 68.0 Winter '27, and so on."""
    years, season = divmod(number - _SPRING_26, len(_SEASONS))
    year = 26 + years + (_SEASONS[season] == "Winter")
    return f"{_SEASONS[season]} '{year:02d}"


def _nested(row: Mapping[str, str | bool | int | None]) -> dict[str, object]:
    """A row with its fields of related records, ``CreatedBy.Name``, in objects of their own."""
    fields: dict[str, object] = {}
    for name, value in row.items():
        relation, _, field = name.rpartition(".")
        if relation:
            fields[relation] = {"attributes": {"type": "User"}, field: value}
        else:
            fields[name] = value
    return fields


def _id(row: Mapping[str, str | bool | int | None]) -> str:
    return str(row.get("Id") or "")
