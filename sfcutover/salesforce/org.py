"""One org: its session, renewed once when it expires, and its REST API."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

import requests

from sfcutover.errors import (
    UNCHANGED,
    AuthError,
    IdentityError,
    NetworkError,
)
from sfcutover.salesforce.answers import query_error
from sfcutover.salesforce.sessions import Session, SessionProvider
from sfcutover.util.http import check_url, network_error, new_session
from sfcutover.util.serverclock import ServerClock, ServerTime

if TYPE_CHECKING:
    from simple_salesforce.api import Salesforce

_CHECK_URL = "check the instance URL: it is the org's My Domain, without a path"
_ORGANIZATION = "SELECT Id FROM Organization"


@dataclass(frozen=True)
class Bound:
    """The organization that must answer. by: what has bound it, in words. component_ids: of the
    components that must be there still, by path; what is unknown is not checked."""

    organization_id: str
    by: str
    api_version: str
    component_ids: Mapping[str, str] = field(default_factory=dict)


class Org:
    """An org, opened when it is first needed.

    provider: where sessions come from. Every method raises AuthError for a session
    that can't be had and NetworkError for an org that can't be reached.
    """

    def __init__(self, provider: SessionProvider) -> None:
        self._provider = provider
        self._session: Session | None = None
        self._organization: tuple[Session, str] | None = None
        self._bound: Bound | None = None
        self.clock = ServerClock()
        self.http = new_session(self.clock)

    @property
    def session(self) -> Session:
        """The current session, opened now if there is none."""
        return self._session or self._use(self._provider.open_session())

    @property
    def bound(self) -> Bound | None:
        """What this org is bound to."""
        return self._bound

    @property
    def instance_url(self) -> str:
        return self.session.instance_url

    @property
    def opens_sessions(self) -> bool:
        """False where a session is given, which nothing has tried before a request."""
        return self._provider.can_renew

    def renew_session(self) -> bool:
        """Get another session in place of an expired one; False if the provider can't.

        Raises IdentityError for a session of another organization than the one bound to.
        """
        if not self._provider.can_renew:
            return False
        self._use(self._provider.open_session())
        return True

    def bind(self, bound: Bound) -> None:
        """Reach no other organization from now on, with this session and all later ones.

        Raises IdentityError naming both where another one answers, and what a query raises.
        """
        self._bound = bound
        self._require_bound(self.organization_id(bound.api_version), bound)

    @contextmanager
    def _or_none(self) -> Iterator[None]:
        """A session that is unknown to be the right one is not kept."""
        try:
            yield
        except BaseException:
            self._session = None
            raise

    def organization_id(self, api_version: str) -> str:
        """The id of the organization that the session belongs to, 18 characters.

        Asked once a session: a session is never another organization's.
        """
        session = self.session  # where the org is bound, this asks already
        if self._organization is None or self._organization[0] is not session:
            records = self.query(_ORGANIZATION, api_version)
            self._organization = (self.session, self._id_in(records))  # it may be a renewed one
        return self._organization[1]

    @property
    def known_organization(self) -> str | None:
        """The id that was said last, or that must answer; None where nothing has asked. This asks
        nothing, for what must not wait for the org."""
        if self._organization is not None:
            return self._organization[1]
        return self._bound.organization_id if self._bound is not None else None

    def _use(self, session: Session) -> Session:
        """Ask a new session which organization it belongs to before anything else is asked."""
        self._session = session
        if (bound := self._bound) is not None:
            with self._or_none(), self._translated():
                found = self._query(_ORGANIZATION, bound.api_version, tooling=False)
                self._organization = (session, self._id_in(found))
            self._require_bound(self._organization[1], bound)
        return session

    def _require_bound(self, identifier: str, bound: Bound) -> None:
        if identifier == bound.organization_id:
            return
        with self._or_none():
            raise IdentityError(
                f"another org answered: organization {identifier}, but this cutover is bound to "
                f"{bound.organization_id} by {bound.by}",
                where=self.instance_url,
                hint=f"use the environment, alias or URL of {bound.organization_id}, then run "
                f"this again",
                impact="nothing was changed in the other org",
            )

    def _id_in(self, records: list[dict[str, object]]) -> str:
        identifier = records[0].get("Id") if records else None
        if not isinstance(identifier, str):
            raise NetworkError(
                "the org did not report which organization it is",
                where=self.instance_url,
                hint=_CHECK_URL,
            )
        return identifier

    def now(self) -> ServerTime:
        """The time by the org's clock; its times are compared with no other.

        Raises NetworkError for an org that does not date its answers.
        """
        if not self.clock.is_known:
            self.api_versions()
        try:
            return self.clock.now()
        except ValueError as error:
            raise NetworkError(
                "the org's answers have no Date header, so its time is unknown",
                where=self.instance_url,
                hint="check what is between this machine and the org",
            ) from error

    def api_versions(self) -> list[float]:
        """The API versions the org offers, oldest first (``GET /services/data``, no login)."""
        url = f"{check_url(self.instance_url, 'instance_url')}/services/data"
        try:
            response = self.http.get(url, headers={"Accept": "application/json"})
            answer = response.json()
            versions = sorted(float(each["version"]) for each in answer)
        except requests.exceptions.JSONDecodeError as error:
            raise NetworkError(
                f"{url} answered HTTP {response.status_code} without JSON",
                hint=_CHECK_URL,
            ) from error
        except requests.RequestException as error:
            raise network_error(error, url, UNCHANGED) from error
        except (KeyError, TypeError, ValueError):
            versions = []
        if not versions:
            raise NetworkError(f"{url} lists no API versions", hint=_CHECK_URL)
        return versions

    def query(
        self, soql: str, api_version: str, *, tooling: bool = False
    ) -> list[dict[str, object]]:
        """The records of a SOQL query, at most one page. Raises OperationFailedError if refused."""
        from simple_salesforce.exceptions import SalesforceExpiredSession

        with self._translated():
            try:
                return self._query(soql, api_version, tooling)
            except SalesforceExpiredSession:
                if not self.renew_session():
                    raise
                return self._query(soql, api_version, tooling)

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """What a query can meet, as our errors."""
        from simple_salesforce.exceptions import SalesforceError, SalesforceExpiredSession

        try:
            yield
        except SalesforceExpiredSession as error:
            raise self.expired_session() from error
        except SalesforceError as error:
            raise query_error(error.status, error.content, self.instance_url) from error
        except requests.RequestException as error:
            raise network_error(error, self.instance_url, UNCHANGED) from error
        except ValueError as error:  # of simple-salesforce, for a header with API limits
            raise NetworkError(
                "the answer to a query cannot be read",
                where=self.instance_url,
                hint=_CHECK_URL,
            ) from error

    def _query(self, soql: str, api_version: str, tooling: bool) -> list[dict[str, object]]:
        salesforce = self._rest(api_version)
        if tooling:
            answer = salesforce.toolingexecute("query", params={"q": soql})
        else:
            answer = salesforce.query(soql)
        records = answer.get("records") if isinstance(answer, dict) else None
        if not isinstance(records, list) or not all(isinstance(each, dict) for each in records):
            raise NetworkError(
                "the answer to a query has no records",
                where=self.instance_url,
                hint=_CHECK_URL,
            )
        return records

    def _rest(self, api_version: str) -> Salesforce:
        from simple_salesforce.api import Salesforce

        session = self.session
        salesforce = Salesforce(
            instance_url=session.instance_url,
            session_id=session.access_token.reveal(),
            version=api_version,
            session=self.http,
        )
        # It writes https:// in front of every host; an emulated org on loopback may have http.
        salesforce.base_url = f"{session.instance_url}/services/data/v{api_version}/"
        salesforce.tooling_url = f"{salesforce.base_url}tooling/"
        return salesforce

    def expired_session(self) -> AuthError:
        """The error for a session that the org does not know and that was not renewed."""
        if self._provider.can_renew:
            return AuthError(
                "the org rejected a session that was just opened (INVALID_SESSION_ID)",
                where=self.instance_url,
                hint="check that the instance URL is the org's own, and that its session "
                "settings do not lock sessions to another address",
            )
        return AuthError(
            "the session is expired or invalid (INVALID_SESSION_ID)",
            where=self.instance_url,
            hint="get a new access token, or use a login that renews itself: alias, jwt, "
            "client_credentials",
        )

    def close(self) -> None:
        self.http.close()


def time_of(value: object) -> datetime | None:
    """A time of the REST API (``2026-11-23T12:00:00.000+0000``); None for anything else."""
    try:
        return datetime.fromisoformat(str(value).replace("+0000", "+00:00"))
    except ValueError:
        return None
