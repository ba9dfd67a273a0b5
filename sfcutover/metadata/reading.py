"""From zeep's objects to plain data. Every field may be absent: orgs differ in version."""

from __future__ import annotations

from datetime import UTC, datetime

from sfcutover.metadata.results import (
    DeployMessage,
    DeployResult,
    FileProperties,
    MetadataTypes,
    RetrieveResult,
    TestFailure,
)


def read_deploy_result(answer: object) -> DeployResult:
    details = getattr(answer, "details", None)
    messages = _read_messages(details)
    return DeployResult(
        id=_text(answer, "id"),
        status=_text(answer, "status"),
        done=_flag(answer, "done"),
        success=_flag(answer, "success"),
        check_only=_flag(answer, "checkOnly"),
        components_deployed=_count(answer, "numberComponentsDeployed"),
        components_total=_count(answer, "numberComponentsTotal"),
        component_errors=_count(answer, "numberComponentErrors"),
        tests_completed=_count(answer, "numberTestsCompleted"),
        tests_total=_count(answer, "numberTestsTotal"),
        test_errors=_count(answer, "numberTestErrors"),
        state_detail=_optional(answer, "stateDetail"),
        error_message=_optional(answer, "errorMessage"),
        canceled_by=_optional(answer, "canceledByName"),
        created_by=_optional(answer, "createdByName"),
        created_date=_time(answer, "createdDate"),
        completed_date=_time(answer, "completedDate"),
        failures=tuple(each for each in messages if not each.success),
        warnings=tuple(each for each in messages if each.success and each.problem),
        test_failures=_read_test_failures(details),
    )


def read_retrieve_result(answer: object) -> RetrieveResult:
    zip_file = getattr(answer, "zipFile", None)
    return RetrieveResult(
        id=_text(answer, "id"),
        done=_flag(answer, "done"),
        success=_flag(answer, "success"),
        status=_text(answer, "status"),
        zip_file=zip_file if isinstance(zip_file, bytes) else None,
        error_message=_optional(answer, "errorMessage"),
        messages=tuple(_text(each, "problem") for each in _items(answer, "messages")),
    )


def read_file_properties(answer: object) -> list[FileProperties]:
    items = answer if isinstance(answer, list) else [answer] if answer is not None else []
    return [
        FileProperties(_text(each, "type"), _text(each, "fullName"), _text(each, "fileName"))
        for each in items
    ]


def read_metadata_types(answer: object) -> MetadataTypes:
    names = frozenset(_text(each, "xmlName") for each in _items(answer, "metadataObjects"))
    return MetadataTypes(names, _flag(answer, "testRequired"))


def _read_messages(details: object) -> list[DeployMessage]:
    return [
        DeployMessage(
            component_type=_text(each, "componentType"),
            full_name=_text(each, "fullName"),
            file_name=_text(each, "fileName"),
            problem=_optional(each, "problem"),
            problem_type=_optional(each, "problemType"),
            line=_optional_count(each, "lineNumber"),
            column=_optional_count(each, "columnNumber"),
            success=_flag(each, "success"),
        )
        for name in ("componentFailures", "componentSuccesses")
        for each in _items(details, name)
    ]


def _read_test_failures(details: object) -> tuple[TestFailure, ...]:
    results = getattr(details, "runTestResult", None)
    return tuple(
        TestFailure(_text(each, "name"), _text(each, "methodName"), _text(each, "message"))
        for each in _items(results, "failures")
    )


def _items(answer: object, name: str) -> list[object]:
    value = getattr(answer, name, None)
    return value if isinstance(value, list) else []


def _optional(answer: object, name: str) -> str | None:
    value = getattr(answer, name, None)
    return str(value) if value is not None else None


def _text(answer: object, name: str) -> str:
    return _optional(answer, name) or ""


def _flag(answer: object, name: str) -> bool:
    return getattr(answer, name, None) is True


def _optional_count(answer: object, name: str) -> int | None:
    value = getattr(answer, name, None)
    return value if isinstance(value, int) else None


def _count(answer: object, name: str) -> int:
    return _optional_count(answer, name) or 0


def _time(answer: object, name: str) -> str | None:
    value = getattr(answer, name, None)
    if not isinstance(value, datetime):
        return None
    return value.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
