"""The source tree of an SFDX project: where its components stand, and how a phase changes them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sfcutover.allowlist.component import MAX_COMPONENT_BYTES, Component
from sfcutover.allowlist.plan import PlannedPhase
from sfcutover.allowlist.snapshot import SOURCE_SUFFIX, component_of_file, files_below
from sfcutover.allowlist.sourcefile import update_file
from sfcutover.errors import ConfigError
from sfcutover.util.boundedfile import read_bounded
from sfcutover.util.document import first_problem

PROJECT_FILE = "sfdx-project.json"
_MAX_PROJECT_BYTES = 1024 * 1024
_HINT = "correct the file, or its permissions"


class _PackageDirectory(BaseModel):
    """path: from the project's folder. package: the package that is built from it, if one is."""

    model_config = ConfigDict(frozen=True)

    path: str
    package: str | None = None


class _ProjectFile(BaseModel):
    """What of sfdx-project.json counts here (Salesforce DX Developer Guide, "Project
    Configuration File")."""

    model_config = ConfigDict(frozen=True)

    directories: tuple[_PackageDirectory, ...] = Field((), alias="packageDirectories")


@dataclass(frozen=True)
class Project:
    """An SFDX project.

    folders: its package directories that exist. packaged: those of them that a package is built
    from.
    """

    root: Path
    folders: tuple[Path, ...]
    packaged: tuple[Path, ...]


@dataclass(frozen=True)
class TreeFile:
    """A component's file in a tree as it is to be. changed: False where it is so already."""

    path: Path
    data: bytes
    changed: bool


def find_project(folder: Path) -> Project | None:
    """The project that a folder is in, which need not exist.

    Raises ConfigError or LimitError for a project whose file can't be read.
    """
    real = folder.resolve()
    for each in (real, *real.parents):
        if (each / PROJECT_FILE).is_file():
            return _project(each)
    return None


def find_component(folders: tuple[Path, ...], component: Component) -> Path | None:
    """The file of a component, by its type and full name. Raises ConfigError for several."""
    name = Path(component.path).name + SOURCE_SUFFIX
    every = (file for folder in folders if folder.is_dir() for file in files_below(folder, [name]))
    found = list(dict.fromkeys(shown_path(file) for file in every if file.name == name))
    if len(found) > 1:
        raise ConfigError(
            f"{len(found)} files of the source tree have this component: "
            f"{', '.join(map(str, found))}",
            where=component.path,
            hint="name the folder that holds one of them, or remove the others",
        )
    return found[0] if found else None


def change_tree(
    out: Path, planned: PlannedPhase, policies: Mapping[str, str], app: str
) -> list[TreeFile]:
    """Every component's file as a phase has it; nothing is written.

    out: a folder of the tree. A component that is not below it is looked for in the package
    directories of its project, and one that has no file gets it in out.
    policies: what the phase sets, as text by field.
    Raises ConfigError naming the file that can't be read, or changed, or is another app's.
    """
    rendered = planned.package.contents
    components = planned.after.components
    return [_changed(out, each, policies, rendered[each.path], app) for each in components]


def read_source(path: Path, like: Component, app: str) -> tuple[bytes, Component]:
    """A file of the tree, and the component that it holds."""
    data = read_bounded(path, MAX_COMPONENT_BYTES, hint=_HINT)
    return data, component_of_file(data, path, like.component_type, like.carrier, app)


def shown_path(path: Path) -> Path:
    """Relative to the current folder where possible."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def _changed(
    out: Path, component: Component, policies: Mapping[str, str], rendered: bytes, app: str
) -> TreeFile:
    path = _find(out, component)
    if path is None:
        return TreeFile(_new_path(out, component), rendered, changed=True)
    data, _ = read_source(path, component, app)
    values = {} if component.carrier else policies
    after = update_file(data, component, values, where=str(path))
    return TreeFile(path, after, changed=after != data)


def _find(out: Path, component: Component) -> Path | None:
    if found := find_component((out,), component):
        return found
    project = find_project(out)
    return find_component(project.folders, component) if project else None


def _new_path(out: Path, component: Component) -> Path:
    path = out / f"{component.path}{SOURCE_SUFFIX}"
    if os.path.lexists(path):
        raise ConfigError(
            "it is not a regular file, so the component cannot be written",
            where=str(path),
            hint="remove it, or name another --out folder",
        )
    return path


def _project(root: Path) -> Project:
    path = shown_path(root / PROJECT_FILE)
    try:
        file = _ProjectFile.model_validate_json(read_bounded(path, _MAX_PROJECT_BYTES, hint=_HINT))
    except ValidationError as error:
        raise ConfigError(first_problem(error), where=str(path), hint=_HINT) from None
    every = list(_existing(root, file.directories))
    return Project(
        root,
        tuple(dict.fromkeys(folder for folder, _ in every)),
        tuple(dict.fromkeys(folder for folder, package in every if package)),
    )


def _existing(
    root: Path, directories: tuple[_PackageDirectory, ...]
) -> Iterator[tuple[Path, str | None]]:
    """Folders inside the project: no file of a repository may lead elsewhere."""
    for each in directories:
        folder = root / each.path
        try:
            is_inside = folder.is_dir() and folder.resolve().is_relative_to(root.resolve())
        except (OSError, ValueError):  # what no file system takes for a path
            continue
        if is_inside:
            yield folder, each.package
