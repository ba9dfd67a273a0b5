"""The documents of single steps, read from files, as far as they belong to one cutover."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

from pydantic import BaseModel, Field, ValidationError

from sfcutover.allowlist.planfile import PlanDocument
from sfcutover.cutover.evidence import EvidenceFile, is_same_org
from sfcutover.cutover.stepdocuments import DeployDocument, DeployTargetDocument, WatchDocument
from sfcutover.cutover.switch import SwitchDocument
from sfcutover.errors import Advice, Command, ConfigError
from sfcutover.util.boundedfile import read_bounded
from sfcutover.util.document import first_problem

_MAX_BYTES = 16 * 1024 * 1024
StepDocument = PlanDocument | DeployDocument | SwitchDocument | EvidenceFile | WatchDocument
_KINDS: dict[str, type[StepDocument]] = {
    "sfcutover/plan/1": PlanDocument,
    "sfcutover/deploy/1": DeployDocument,
    "sfcutover/switch/1": SwitchDocument,
    "sfcutover/evidence/1": EvidenceFile,
    "sfcutover/watch/1": WatchDocument,
}
_TAKEN = "report --from takes what plan, deploy, switch, verify and watch write with --out"


class _Head(BaseModel):
    """What every document begins with, whatever else it has."""

    schema_: str = Field("", alias="schema")


@dataclass(frozen=True)
class Binding:
    """What a document says that its target is. component_ids: by path."""

    organization_id: str | None
    component_ids: dict[str, str]


@dataclass(frozen=True)
class StepFile:
    """A document and the file that it was read from."""

    path: Path
    document: StepDocument

    @property
    def bindings(self) -> Iterator[tuple[str, Binding]]:
        """By target."""
        match self.document:
            case PlanDocument(targets=targets):
                for plan in targets:
                    ids = {each.path: each.id for each in plan.baseline if each.id is not None}
                    yield plan.name, Binding(plan.organization_id, ids)
            case EvidenceFile(targets=proofs):
                for proof in proofs:
                    ids = {p: x.component_id for p, x in proof.lists.items() if x.component_id}
                    yield proof.target, Binding(proof.organization_id, ids)
            case DeployDocument(targets=deployed, watch=watch):
                yield from map(_deployed, deployed)
                yield from _watched(watch) if watch else ()
            case WatchDocument() as watch:
                yield from _watched(watch)
            case _:
                return


def read_step_files(paths: Sequence[Path], cutover: str, where: str) -> list[StepFile]:
    """The documents of these files. where: the cutover's file, of this name.

    Raises ConfigError for what is no such document, or belongs to another cutover, organization or
    component than another one, naming both files; LimitError over 16 MiB.
    """
    files = [_read(path) for path in sorted(set(paths))]
    for each in files:
        if each.document.cutover != cutover:
            raise _apart(f"{each.path} is of the cutover {each.document.cutover}", where, cutover)
    for one, other in combinations(files, 2):
        _require_same(one, other)
    return files


def _read(path: Path) -> StepFile:
    data = read_bounded(path, _MAX_BYTES, hint="check --from")
    try:
        kind = _KINDS.get(_Head.model_validate_json(data).schema_)
        if kind is None:
            raise ConfigError("no document of a step", where=str(path), hint=_TAKEN)
        return StepFile(path, kind.model_validate_json(data))
    except ValidationError as error:
        raise ConfigError(
            f"not a document of this version: {first_problem(error)}", where=str(path), hint=_TAKEN
        ) from error


def _deployed(document: DeployTargetDocument) -> tuple[str, Binding]:
    return document.target, Binding(document.organization_id, document.component_ids)


def _watched(watch: WatchDocument) -> Iterator[tuple[str, Binding]]:
    yield from ((each.target, Binding(each.organization_id, {})) for each in watch.targets)
    yield from map(_deployed, watch.restored)


def _require_same(one: StepFile, other: StepFile) -> None:
    for name, mine in one.bindings:
        for target, theirs in other.bindings:
            if name == target and (difference := _difference(mine, theirs)):
                raise ConfigError(
                    f"{one.path} and {other.path} do not belong together: {name} is {difference}",
                    where=str(other.path),
                    hint="give the documents of one cutover, of the same orgs",
                )


def _difference(one: Binding, other: Binding) -> str:
    first, second = one.organization_id, other.organization_id
    if first is not None and second is not None and not is_same_org(first, second):
        return f"the organization {first} in one and {second} in the other"
    for path in one.component_ids.keys() & other.component_ids.keys():
        ids = one.component_ids[path], other.component_ids[path]
        if ids[0] != ids[1]:
            return f"the component {ids[0]} in one and {ids[1]} in the other ({path})"
    return ""


def _apart(what: str, where: str, cutover: str) -> ConfigError:
    return ConfigError(
        f"{what}, and {where} describes {cutover}",
        where=where,
        hint=Advice("name its cutover.yaml: ", Command("report", "--config", "FILE")),
    )
