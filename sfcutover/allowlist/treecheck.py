"""What a source tree would damage: undo a cutover, or break a package build."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sfcutover.allowlist.carriers import OAUTH_POLICIES, SECURITY_SETTINGS
from sfcutover.allowlist.component import Component
from sfcutover.allowlist.diff import compare
from sfcutover.allowlist.forceignore import Pattern, is_excluded, read_patterns
from sfcutover.allowlist.ranges import IpRange
from sfcutover.allowlist.snapshot import SOURCE_SUFFIX, Snapshot, files_below
from sfcutover.allowlist.sourcefile import entry_lines
from sfcutover.allowlist.sourcetree import Project, find_component, read_source, shown_path
from sfcutover.errors import ConfigError
from sfcutover.util.boundedfile import read_bounded

IGNORE_FILE = ".forceignore"
_MAX_IGNORE_BYTES = 64 * 1024
# The security, policy and global files make the build of a second-generation package fail; only the
# app itself and its OAuth settings go into one (users' reports). By suffix.
_NOT_PACKAGED = {
    SECURITY_SETTINGS.suffix: SECURITY_SETTINGS.metadata_type,
    OAUTH_POLICIES.suffix: OAUTH_POLICIES.metadata_type,
    "ecaPlcy": "ExtlClntAppConfigurablePolicies",
    "ecaGlblOauth": "ExtlClntAppGlobalOauthSettings",
}


@dataclass(frozen=True)
class TreeDifference:
    """How a list in a source tree differs from the live one.

    where: file and line. lacking: addresses that are live only. extra: those that are in the tree
    only. rewritten: entries of the tree that are live otherwise, as with another description.
    """

    where: str
    lacking: tuple[IpRange, ...]
    extra: tuple[IpRange, ...]
    rewritten: tuple[IpRange, ...]


@dataclass(frozen=True)
class Unignored:
    """A file that a package build refuses. line: what to add to .forceignore."""

    path: Path
    metadata_type: str
    line: str


def differences(project: Project, live: Snapshot, app: str) -> Iterator[TreeDifference]:
    """Where the project's package directories hold a live list, and hold it otherwise.

    Raises ConfigError and LimitError for files that can't be read.
    """
    for component in live.carriers:
        path = find_component(project.folders, component)
        if path is not None:
            data, found = read_source(path, component, app)
            changes = compare(component, found)
            if changes.added or changes.removed:
                yield _difference(path, data, found, component)


def unignored(project: Project) -> list[Unignored]:
    """A file of each type that a package build refuses, in a directory that a package is built
    from, unless .forceignore excludes it.

    Raises ConfigError and LimitError for what can't be read.
    """
    ignored = _patterns(project.root / IGNORE_FILE)
    endings = {f".{suffix}{SOURCE_SUFFIX}": kind for suffix, kind in _NOT_PACKAGED.items()}
    found: dict[str, Unignored] = {}
    for path in (file for folder in project.packaged for file in files_below(folder, endings)):
        ending = next(each for each in endings if path.name.endswith(each))
        relative = path.relative_to(project.root).as_posix()
        if ending not in found and not is_excluded(ignored, relative):
            found[ending] = Unignored(shown_path(path), endings[ending], f"**/*{ending}")
    return list(found.values())


def _difference(path: Path, data: bytes, found: Component, live: Component) -> TreeDifference:
    extra = live.allowlist.uncovered(found.allowlist)
    lacking = found.allowlist.uncovered(live.allowlist)
    rewritten = () if extra or lacking else compare(live, found).added
    lines = entry_lines(data, found, str(path))
    marked = [
        line
        for line, entry in zip(lines, found.allowlist, strict=False)
        if entry in rewritten or live.allowlist.uncovered([entry])
    ]
    return TreeDifference(f"{path}:{(marked or lines)[0]}", lacking, extra, rewritten)


def _patterns(path: Path) -> list[Pattern]:
    if not path.is_file():
        return []
    hint = "correct the file, or its permissions"
    data = read_bounded(path, _MAX_IGNORE_BYTES, hint=hint)
    try:
        return read_patterns(data.decode("utf-8-sig"))
    except UnicodeError as error:
        raise ConfigError("not in UTF-8", where=str(shown_path(path)), hint=hint) from error
