from __future__ import annotations

import copy
import pickle

import pytest

from sfcutover import errors
from sfcutover.errors import EXIT_CODE_MEANINGS, UNCHANGED, ConfigError, ExitCode, SfcutoverError

CODES = {
    "SfcutoverError": 1,
    "OperationFailedError": 1,
    "ConfigError": 2,
    "DriftError": 4,
    "ExternalChangeError": 4,
    "IdentityError": 4,
    "GateError": 5,
    "AuthError": 6,
    "NetworkError": 7,
    "LockLostError": 7,
    "BusyError": 7,
    "LimitError": 8,
    "InterruptedRunError": 9,
    "PartialSuccessError": 68,
    "StillRunningError": 69,
    "WaitingForApprovalError": 75,
}
CLASSES = {
    name: each
    for name, each in vars(errors).items()
    if isinstance(each, type) and issubclass(each, SfcutoverError)
}


def test_each_class_has_its_own_exit_code() -> None:
    assert {name: int(each.exit_code) for name, each in CLASSES.items()} == CODES


def test_every_exit_code_has_a_meaning_and_only_0_and_3_are_no_errors() -> None:
    assert list(EXIT_CODE_MEANINGS) == list(ExitCode)
    assert {int(code) for code in ExitCode} - set(CODES.values()) == {0, 3}


@pytest.mark.parametrize("name", sorted(CLASSES))
def test_an_error_survives_copying_and_pickling(name: str) -> None:
    error = CLASSES[name]("it broke", hint="mend it", where="a.yaml:7", impact="some may fail")
    for again in (pickle.loads(pickle.dumps(error)), copy.copy(error), copy.deepcopy(error)):
        assert type(again) is type(error)
        assert vars(again) == vars(error)
        assert str(again) == "a.yaml:7: it broke"
        assert again.args == ("it broke",)


def test_an_error_names_its_place_first() -> None:
    assert str(ConfigError("wrong", hint="h", where="cutover.yaml:3")) == "cutover.yaml:3: wrong"
    assert str(ConfigError("wrong", hint="h")) == "wrong"


def test_an_error_states_its_impact_and_a_usage_error_has_none() -> None:
    assert SfcutoverError("refused", hint="h").impact == UNCHANGED
    assert ConfigError("wrong", hint="h").impact == ""
    assert ConfigError("wrong", hint="h", impact="unknown").impact == "unknown"
    assert ConfigError("wrong", hint="h", impact="").impact == ""


def test_an_error_requires_a_next_step() -> None:
    with pytest.raises(TypeError, match="hint"):
        ConfigError("wrong")  # type: ignore[call-arg]
