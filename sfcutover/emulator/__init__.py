"""A local Salesforce org on real sockets, to try and test a cutover against.

It shares only the carriers and the ranges of the allowlist with the client, so that it can't
agree with the client's mistakes.
"""

from sfcutover.emulator.customers import CustomerOrg
from sfcutover.emulator.edits import Edit
from sfcutover.emulator.emulator import Emulator
from sfcutover.emulator.enforcement import ListVersion
from sfcutover.emulator.faults import Fault
from sfcutover.emulator.grants import Redemption
from sfcutover.emulator.lists import Entry
from sfcutover.emulator.scenario import Scenario

__all__ = [
    "CustomerOrg",
    "Edit",
    "Emulator",
    "Entry",
    "Fault",
    "ListVersion",
    "Redemption",
    "Scenario",
]
