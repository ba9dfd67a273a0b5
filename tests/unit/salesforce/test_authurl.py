"""The refresh-token grant of an SFDX auth URL."""

from __future__ import annotations

import pytest

from sfcutover.salesforce.authurl import AuthUrl
from sfcutover.util.secrets import Secret

GRANT = {"grant_type": "refresh_token", "client_id": "PlatformCLI", "refresh_token": "5Aep/1="}


@pytest.mark.parametrize(
    ("secret", "form"),
    [("", GRANT), ("hush%2Bhush", GRANT | {"client_secret": "hush+hush"})],
)
def test_a_client_secret_is_sent_where_the_url_has_one(secret: str, form: dict[str, str]) -> None:
    url = Secret(f"force://PlatformCLI:{secret}:5Aep%2F1%3D@acme.my.salesforce.com")
    assert AuthUrl.parse(url, "auth_url").form == form
