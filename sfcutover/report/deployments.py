"""The deployments of a run, as far as they were seen, and what the org said of them. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from sfcutover.allowlist.phases import Phase
from sfcutover.documents.reports import ReportDeploymentDocument
from sfcutover.report.facts import Facts
from sfcutover.report.lists import read_backs
from sfcutover.runs.documents import moment_text
from sfcutover.runs.progress import Deployment
from sfcutover.salesforce.documents import ResultDocument


def deployments(facts: Facts) -> list[ReportDeploymentDocument]:
    """Every deployment that was sent, with what the org said of it."""
    results = {(target, each.id): each for target, each in _results(facts)}
    return [
        _deployment(facts, each, results.get((each.target, each.id)))
        for each in facts.progress.deployments.values()
    ]


def _results(facts: Facts) -> Iterator[tuple[str, ResultDocument]]:
    """With their targets: copies of an org may give the same ids."""
    for phase in Phase:
        for event, evidence in read_backs(facts, phase):
            found = evidence.get("deployments")
            for each in found if isinstance(found, list) else ():
                yield event.target or "", ResultDocument.model_validate(each)


def _deployment(
    facts: Facts, deployment: Deployment, result: ResultDocument | None
) -> ReportDeploymentDocument:
    ended = (
        each.time
        for each in facts.all("deployment-progress")
        if (each.target, each.text("id")) == (deployment.target, deployment.id)
        and each.data.get("done") is True
    )
    seen = next(ended, None)
    return ReportDeploymentDocument(
        id=deployment.id,
        target=deployment.target,
        phase=deployment.phase,
        sent=moment_text(deployment.sent),
        status=deployment.status,
        done=deployment.done,
        ended=None if seen is None else moment_text(seen),
        components_deployed=deployment.deployed,
        components_total=deployment.total,
        created_by=result.created_by if result else None,
        error=result.error_message if result else None,
    )
