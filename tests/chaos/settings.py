"""The random settings of a chaos run's org and of its cutover.yaml."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Literal

import yaml

from sfcutover.emulator import CustomerOrg, Scenario
from tests.chaos.world import CUSTOMERS, Json, World

FIRST, SECOND = "canary.token", "customer.token"
_SHORT_PATIENCE = "2s"  # a stored but ignored list is saved once more afterwards
# All are lenient enough for a busy machine.
_CHECKS = (
    ("customer_redemptions_per_second", ">= 0.3 * before"),
    ("customer_redemption_success_ratio", ">= 0.9"),
)


@dataclass(frozen=True)
class Settings:
    """control: verify.control. blocks: False for an org that enforces no allowlist. honours: as in
    Scenario. quiet: quiet checks show that customers have left, else the operator does. checks:
    some are configured. second_canary: in a customer's org, whose LoginHistory is readable or not.
    old_egress: False if egress.old is missing, so that no rollback is proven."""

    control: bool = True
    blocks: bool = True
    honours: Literal["always", "after-update"] = "always"
    quiet: bool = True
    checks: bool = True
    second_canary: Literal["none", "seen", "unseen"] = "none"
    old_egress: bool = True

    @property
    def has_second(self) -> bool:
        return self.second_canary != "none"

    @property
    def tokens(self) -> tuple[str, ...]:
        """The files of the canaries' tokens."""
        return (FIRST, SECOND) if self.has_second else (FIRST,)

    @property
    def options(self) -> tuple[str, ...]:
        """The options of ``run``."""
        return () if self.quiet else ("--traffic-moved",)

    @property
    def words(self) -> str:
        """The differences from the defaults, for the line of the trial."""
        named = {
            "no control": not self.control,
            "nothing is blocked": not self.blocks,
            "honoured after an update": self.honours != "always",
            "--traffic-moved": not self.quiet,
            "no checks": not self.checks,
            f"a second canary, {self.second_canary}": self.has_second,
            "no old egress": not self.old_egress,
        }
        return "".join(f", {name}" for name, holds in named.items() if holds)

    def scenario(self, settings: Json) -> Scenario:
        """The org, with further settings."""
        own: Json = {
            "customers": (),
            "customer_orgs": CUSTOMERS,
            "enforcement": self.blocks,
            "honours": self.honours,
        }
        return Scenario.model_validate(own | settings)

    def configure(self, here: World) -> None:
        """Change its cutover.yaml, and store the second canary's token."""
        file = here.folder / "cutover.yaml"
        config = yaml.safe_load(file.read_text(encoding="utf-8"))
        config["quiet"] = [each | {"for": "500ms"} for each in config["quiet"] if self.quiet]
        config["checks"] = [_check(here, *each) for each in _CHECKS if self.checks]
        config["verify"]["control"] = self.control
        if not self.old_egress:
            del config["egress"]["old"]
        if self.honours != "always":
            config["verify"]["patience"] = _SHORT_PATIENCE
        if self.has_second:
            first = {"name": "own", "refresh_token": config["verify"].pop("refresh_token")}
            config["verify"]["canaries"] = [first, self._second(here)]
        file.write_text(yaml.safe_dump(config), encoding="utf-8")

    def _second(self, here: World) -> Json:
        home = here.emulator.customer_orgs[0]
        here.store_token(SECOND, home.refresh_token)
        token = {"file": str(here.folder / SECOND)}
        canary: Json = {"name": "customer", "token_url": home.token_url, "refresh_token": token}
        return canary | ({"org": _login(home)} if self.second_canary == "seen" else {})


def draw(chance: random.Random) -> Settings:
    """Each value as often as the others, except an org that blocks nothing."""
    return Settings(
        control=chance.random() < 0.7,
        blocks=chance.random() < 0.9,
        honours=chance.choice(("always", "always", "after-update")),
        quiet=chance.random() < 0.5,
        checks=chance.random() < 0.5,
        second_canary=chance.choice(("none", "none", "seen", "unseen")),
        old_egress=chance.random() < 0.8,
    )


def _check(here: World, query: str, condition: str) -> Json:
    url = f"{here.emulator.url}/prometheus"
    return {
        "prometheus": {"url": url, "query": query, "condition": condition},
        "baseline": "2s",
    }


def _login(home: CustomerOrg) -> Json:
    """A login by the app's client credentials, in that org."""
    client = {"client_id": {"env": "SF_CLIENT_ID"}, "client_secret": {"env": "SF_CLIENT_SECRET"}}
    return {"client_credentials": {**client, "login_url": home.url}}
