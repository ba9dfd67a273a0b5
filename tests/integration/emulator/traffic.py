"""A redeeming client made of requests."""

from __future__ import annotations

from collections.abc import Mapping

import requests

from sfcutover.emulator.emulator import Emulator

TIMEOUT = 10.0


def send(
    emulator: Emulator,
    method: str,
    url: str,
    proxy: str | None = None,
    *,
    data: Mapping[str, str] | None = None,
    json: object = None,
    headers: Mapping[str, str] | None = None,
) -> requests.Response:
    """Send one request on a connection of its own, through a proxy URL if one is given."""
    with requests.Session() as session:
        session.trust_env = False
        session.verify = emulator.environment.get("REQUESTS_CA_BUNDLE", True)
        if proxy is not None:
            session.proxies = {"http": proxy, "https": proxy}
        return session.request(
            method,
            url,
            data=data,
            json=json,
            headers=headers,
            timeout=TIMEOUT,
            allow_redirects=False,
        )


def old_proxy(emulator: Emulator) -> str:
    return emulator.environment["SFCUTOVER_OLD_PROXY_URL"]


def new_proxy(emulator: Emulator) -> str:
    return emulator.environment["SFCUTOVER_NEW_PROXY_URL"]


def redeem(
    emulator: Emulator,
    token: str | None = None,
    proxy: str | None = None,
    url: str | None = None,
    **changes: str,
) -> requests.Response:
    """Redeem a token: by default the canary's current one, through the old egress, at the owner's
    token endpoint."""
    environment = emulator.environment
    form = {
        "grant_type": "refresh_token",
        "refresh_token": token or environment["SF_REFRESH_TOKEN"],
        "client_id": environment["SF_CLIENT_ID"],
        "client_secret": environment["SF_CLIENT_SECRET"],
    } | changes
    way = proxy or old_proxy(emulator)
    endpoint = url or environment["SFCUTOVER_TOKEN_URL"]
    return send(emulator, "POST", endpoint, way, data=form)


def legacy(emulator: Emulator) -> dict[str, str]:
    """The form fields of the legacy app's client and its canary."""
    environment = emulator.environment
    return {
        "client_id": environment["SF_LEGACY_CLIENT_ID"],
        "client_secret": environment["SF_LEGACY_CLIENT_SECRET"],
        "refresh_token": environment["SF_LEGACY_REFRESH_TOKEN"],
    }


def echo(emulator: Emulator, proxy: str | None = None) -> str:
    """The address that the echo returns."""
    return send(emulator, "GET", emulator.environment["SFCUTOVER_ECHO_URL"], proxy).text.strip()


def works(emulator: Emulator, access_token: str) -> bool:
    """True if an access token is valid."""
    headers = {"Authorization": f"Bearer {access_token}"}
    url = f"{emulator.url}/services/oauth2/userinfo"
    return send(emulator, "GET", url, headers=headers).status_code == 200


def results(emulator: Emulator) -> list[str]:
    return [one.result for one in emulator.redemptions]
