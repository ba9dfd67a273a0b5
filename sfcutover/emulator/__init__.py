"""A local Salesforce org on real sockets, to try and test a cutover against.

It shares only ``carriers`` and ``ipranges`` with the client, so that it can't agree with
the client's mistakes.
"""

from sfcutover.emulator.allowlists import ListVersion
from sfcutover.emulator.edits import Edit
from sfcutover.emulator.emulator import Emulator
from sfcutover.emulator.faults import Fault
from sfcutover.emulator.redemption import Redemption
from sfcutover.emulator.scenario import Scenario

__all__ = ["Edit", "Emulator", "Fault", "ListVersion", "Redemption", "Scenario"]
