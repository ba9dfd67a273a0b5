"""The orgs of the ISV's customers: they log in there, and the owner's list decides."""

from __future__ import annotations

from collections.abc import Iterable

from sfcutover.allowlist.ranges import IpRange
from sfcutover.emulator.org import Org
from sfcutover.emulator.soql import Record


class CustomerOrg:
    """An org of its own at an address of its own, which stands for its My Domain.

    Its token endpoint takes the grants of its own users for the owner's apps, and redeems them
    against the owner's lists; the owner's token endpoint takes them, too. The rows that they
    leave are in the LoginHistory of this org alone.
    """

    def __init__(self, number: int, org: Org) -> None:
        self._number = number
        self._org = org

    @property
    def url(self) -> str:
        """The instance URL."""
        return self._org.url

    @property
    def token_url(self) -> str:
        return f"{self.url}/services/oauth2/token"

    @property
    def organization_id(self) -> str:
        return self._org.id

    @property
    def access_token(self) -> str:
        """A session of the ISV's own user in this org, a secret."""
        return self._org.access_token

    @property
    def refresh_token(self) -> str:
        """The current one of the canary, a grant of the same user; empty once it is dead."""
        with self._org.lock:
            return self._org.canary.refresh_token or ""

    @property
    def tokens(self) -> list[tuple[str, str]]:
        """Name and current refresh token of every grant that was issued and is alive."""
        with self._org.lock:
            return self._org.customer_tokens

    @property
    def logins(self) -> list[Record]:
        """The rows of LoginHistory, the newest first, also those that queries don't show yet."""
        with self._org.lock:
            return self._org.logins.rows

    def issue_grant(self, name: str) -> str:
        """A refresh token of a user of this org for the External Client App."""
        with self._org.lock:
            return self._org.add_customer(name, self._org.apps.eca).refresh_token or ""

    def set_login_ranges(self, ranges: Iterable[str] | None) -> None:
        """Set the org-wide rule: the ranges from which all its users may log in, None for no rule.

        Raises RangeError.
        """
        rule = None if ranges is None else tuple(IpRange.parse(text) for text in ranges)
        with self._org.lock:
            self._org.org_wide_login_ranges = rule

    @property
    def environment(self) -> dict[str, str]:
        """The variables that a client of this org needs; tokens are among them."""
        return {
            f"SFCUTOVER_CUSTOMER{self._number}_INSTANCE_URL": self.url,
            f"SFCUTOVER_CUSTOMER{self._number}_TOKEN_URL": self.token_url,
            f"SF_CUSTOMER{self._number}_ACCESS_TOKEN": self.access_token,
            f"SF_CUSTOMER{self._number}_REFRESH_TOKEN": self.refresh_token,
        }
