"""How answers of the org are classified, in every spelling."""

from __future__ import annotations

import pytest

from sfcutover.errors import (
    Answer,
    BusyError,
    ConfigError,
    LimitError,
    NetworkError,
    OperationFailedError,
    SfcutoverError,
)
from sfcutover.salesforce.answers import (
    AccessRefusedError,
    NotTakenError,
    UnknownIdError,
    ended_answer,
    fault_error,
    http_error,
    local_code,
    login_answer,
    login_hint,
    query_error,
)

LOCKED = (
    "The changes you requested require Salesforce to temporarily lock your organization's "
    "administration setup. However, the administration setup has already been locked by another "
    "change. Please wait for the previous action to finish, then try again."
)
ERROR_ID = (
    "An unexpected error occurred. Please include this ErrorId if you contact support: "
    "1234567890-12345 (-1234567890)"
)


@pytest.mark.parametrize(
    "code",
    ["sf:ORG_LOCKED", "fns:ORG_LOCKED", "{urn:fault.soap.sforce.com}ORG_LOCKED", "ORG_LOCKED"],
)
def test_a_prefix_is_not_part_of_the_code(code: str) -> None:
    assert local_code(code) == "ORG_LOCKED"


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("INSUFFICIENT_ACCESS", AccessRefusedError),
        ("API_DISABLED_FOR_ORG", AccessRefusedError),
        ("API_CURRENTLY_DISABLED", BusyError),
        ("ALREADY_IN_PROCESS", BusyError),
        ("LIMIT_EXCEEDED", BusyError),
        ("REQUEST_LIMIT_EXCEEDED", BusyError),
        ("UNABLE_TO_LOCK_ROW", BusyError),
        ("SERVER_UNAVAILABLE", NetworkError),
        ("UNKNOWN_EXCEPTION", NetworkError),
        ("UNSUPPORTED_API_VERSION", ConfigError),
        ("INVALID_CROSS_REFERENCE_KEY", UnknownIdError),
        ("ORG_LOCKED", BusyError),
        ("SOMETHING_NEW", OperationFailedError),
    ],
)
def test_every_code_has_its_error(code: str, kind: type[SfcutoverError]) -> None:
    error = fault_error(code, f"{code}: so\n it is", "https://acme.example.com deploy")
    assert type(error) is kind
    assert str(error) == f"https://acme.example.com deploy: {code}: so it is"


def test_a_long_text_is_truncated() -> None:
    assert len(fault_error("ORG_LOCKED", "x" * 9999, "here").message) < 600


@pytest.mark.parametrize("code", [None, ""])
def test_a_missing_code_is_none(code: str | None) -> None:
    assert local_code(code) == ""


def test_an_unknown_fault_is_temporary_by_its_words() -> None:
    assert fault_error("SOMETHING_NEW", LOCKED, "here").answer is Answer.PASSING


@pytest.mark.parametrize(
    ("code", "message", "problems"),
    [
        ("ALREADY_IN_PROCESS", LOCKED, []),
        ("sf:ALREADY_IN_PROCESS", None, []),
        ("UNKNOWN_EXCEPTION", ERROR_ID, []),
        ("REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.", []),
        (None, f"ALREADY_IN_PROCESS: {LOCKED}", []),
        (None, LOCKED, []),
        (None, ERROR_ID, []),
        (None, None, ["admin operation already in progress"]),
        (None, None, ["ALREADY_IN_PROCESS"]),
        (None, None, ["UNABLE_TO_LOCK_ROW: unable to obtain exclusive access to this record"]),
        (None, None, [LOCKED, "Admin operation already in progress"]),
    ],
)
def test_a_deployment_that_failed_on_a_temporary_condition_is_recognized(
    code: str | None, message: str | None, problems: list[str]
) -> None:
    assert ended_answer(code, message, problems) is Answer.PASSING


@pytest.mark.parametrize(
    ("code", "message", "problems"),
    [
        (None, None, []),
        (None, None, ["invalid value in field startIpAddress"]),
        (None, None, ["In field: externalClientApplication - no such app named Acme"]),
        (None, None, ["admin operation already in progress", "invalid value"]),
        ("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id", []),
        ("INSUFFICIENT_ACCESS", "no access", []),
        ("ALREADY_IN_PROCESS", LOCKED, ["invalid value"]),
    ],
)
def test_one_real_refusal_is_final(
    code: str | None, message: str | None, problems: list[str]
) -> None:
    assert ended_answer(code, message, problems) is Answer.FINAL


@pytest.mark.parametrize(
    ("status", "code", "answer"),
    [
        (403, "REQUEST_LIMIT_EXCEEDED", Answer.PASSING),
        (429, "", Answer.PASSING),
        (420, "", Answer.PASSING),
        (503, "SERVER_UNAVAILABLE", Answer.UNKNOWN),
        (500, "UNKNOWN_EXCEPTION", Answer.UNKNOWN),
        (400, "INVALID_TYPE", Answer.FINAL),
        (403, "API_DISABLED_FOR_ORG", Answer.FINAL),
    ],
)
def test_refused_queries_are_classified(status: int, code: str, answer: Answer) -> None:
    content = [{"errorCode": code, "message": "it was refused"}]
    assert query_error(status, content, "https://acme.example.com").answer is answer


ELSEWHERE = [
    "Access from current IP address is not allowed",
    "INSUFFICIENT_ACCESS: Access from current IP address is not allowed",
    "Your IP address is not permitted",
    "ip restricted",
    "Restricted IP",
]


@pytest.mark.parametrize("message", ELSEWHERE)
def test_a_refused_address_is_not_a_missing_permission(message: str) -> None:
    where = "https://acme.example.com deploy"
    refused = [{"errorCode": "INSUFFICIENT_ACCESS", "message": message}]
    for error in (
        fault_error("INSUFFICIENT_ACCESS", message, where),
        query_error(403, refused, where),
    ):
        assert error.exit_code == 6
        assert "login IP ranges" in error.hint
        assert "Modify Metadata" not in error.hint
    assert "login IP ranges" in login_hint(message)


@pytest.mark.parametrize(
    "message", ["insufficient access rights on cross-reference id", "no permission", ""]
)
def test_a_missing_permission_is_recognized(message: str) -> None:
    error = fault_error("INSUFFICIENT_ACCESS", message, "https://acme.example.com deploy")
    assert "Modify Metadata Through Metadata API Functions" in error.hint


def test_an_org_without_the_api_is_reported() -> None:
    error = fault_error("API_DISABLED_FOR_ORG", "API is not enabled", "https://acme.example.com")
    assert "'API Enabled'" in error.hint
    assert error.exit_code == 6


@pytest.mark.parametrize(
    ("description", "word"),
    [
        ("audience is invalid", "audience:"),
        ("ip restricted", "login IP ranges"),
        ("invalid client credentials", "client id and secret"),
    ],
)
def test_a_refused_login_explains_what_to_do(description: str, word: str) -> None:
    assert word in login_hint(description)


@pytest.mark.parametrize(
    ("status", "kind", "code"),
    [
        (413, LimitError, 8),
        (429, BusyError, 7),
        (403, NotTakenError, 7),
        (404, NotTakenError, 7),
        (401, NotTakenError, 7),
    ],
)
def test_statuses_that_prove_that_nothing_was_done(
    status: int, kind: type[SfcutoverError], code: int
) -> None:
    error = http_error(status, "deploy", "https://acme.example.com")
    assert type(error) is kind
    assert error.exit_code == code
    assert f"deploy was answered with HTTP {status}" in error.message
    assert "nothing was changed" in error.impact


@pytest.mark.parametrize("status", [200, 302, 408, 500, 502, 503, 504])
def test_statuses_that_leave_the_result_unknown(status: int) -> None:
    assert http_error(status, "deploy", "https://acme.example.com") is None


@pytest.mark.parametrize(
    "code", ["rate_limit_exceeded", "server_error", "temporarily_unavailable", "unknown_error"]
)
def test_a_temporary_login_error_is_retried(code: str) -> None:
    assert login_answer(code, "") is Answer.PASSING
    assert login_answer("invalid_request", "retry your request") is Answer.PASSING
    assert login_answer("invalid_grant", "expired access/refresh token") is Answer.FINAL
