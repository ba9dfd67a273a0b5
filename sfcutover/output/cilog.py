"""What a CI system reads in a log: groups that fold, and annotations of errors. All on stderr.

GitHub and Azure read both streams of a step, so that stdout stays for data. Nothing is written
elsewhere. Sources: GitHub "Workflow commands" and actions/toolkit, command.ts; GitLab "Job logs";
Azure Pipelines "Logging commands" and azure-pipelines-task-lib, taskcommand.ts.
"""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

from sfcutover.errors import Advice, SfcutoverError, Text
from sfcutover.util.ciprovider import AZURE, GITHUB, GITLAB, Provider, checkout, provider_of

Present = Callable[[Text], str]
MAX_ANNOTATIONS = 10  # in a process; GitHub shows no more of a step
_PLACE = r"(?s)(?P<file>[^\n]+?):(?P<line>\d+)(?::\s+(?P<text>.*))?"


class Annotation(NamedTuple):
    """A remark that the CI system shows at a line of a file, or of the job. file: empty for none,
    else as the repository has it."""

    level: Literal["error", "notice"]
    text: str
    file: str = ""
    line: str = ""


@dataclass
class _Log:
    """Of this process. group: the name of the open one, empty for none. groups: how many there
    were."""

    group: str = ""
    groups: int = 0
    annotations: int = 0


_log = _Log()


def restart() -> None:
    """Count from the beginning: a process starts."""
    _log.group, _log.groups, _log.annotations = "", 0, 0


def begin_group(title: str) -> None:
    """Close the open group, as none holds another, and open one. title: presentable."""
    end_group()
    if (provider := provider_of()) is None:
        return
    name = f"sfcutover_{_log.groups}"
    if line := group_start(provider, " ".join(title.split()), name, time.time()):
        _log.group, _log.groups = name, _log.groups + 1
        _write(line)


def end_group() -> None:
    """Close the open group, if one is open."""
    name, provider = _log.group, provider_of()
    _log.group = ""
    if name and provider is not None:
        _write(group_end(provider, name, time.time()))


def annotate(error: SfcutoverError, presentable: Present) -> None:
    """Show an error beside the job, and each mistake at its line; MAX_ANNOTATIONS in all."""
    if (provider := provider_of()) is None:
        return
    for each in annotations_of(error, presentable):
        line = annotation_line(provider, each)
        if line and _log.annotations < MAX_ANNOTATIONS:
            _log.annotations += 1
            _write(line)


def annotations_of(
    error: SfcutoverError, presentable: Callable[[Text], str]
) -> Iterator[Annotation]:
    """The error with its fix, and what else is wrong, each at its place."""
    file, line, _ = _placed(error.where or "")
    text = error.message if file else str(error)
    yield Annotation(
        "error" if error.heading == "error" else "notice",
        presentable(Advice(f"{text}\nnext: ", error.advice)),
        file,
        line,
    )
    for each in error.also:
        file, line, text = _placed(each)
        yield Annotation("error", presentable(text), file, line)


def group_start(provider: Provider, title: str, name: str, now: float) -> str:
    """The line that opens a group; empty where the system has none. now: seconds since 1970."""
    match provider:
        case _ if provider is GITHUB:
            return f"::group::{_github_data(title)}"
        case _ if provider is GITLAB:
            return f"\x1b[0Ksection_start:{int(now)}:{name}\r\x1b[0K{title}"
        case _ if provider is AZURE:
            return f"##[group]{title}"
        case _:
            return ""


def group_end(provider: Provider, name: str, now: float) -> str:
    """The line that closes it."""
    match provider:
        case _ if provider is GITHUB:
            return "::endgroup::"
        case _ if provider is GITLAB:
            return f"\x1b[0Ksection_end:{int(now)}:{name}\r\x1b[0K"
        case _ if provider is AZURE:
            return "##[endgroup]"
        case _:
            return ""


def annotation_line(provider: Provider, note: Annotation) -> str:
    """The command that shows it; empty where the system has none."""
    if provider is GITHUB:
        place = {"file": note.file, "line": note.line, "title": "sfcutover"}
        listed = ",".join(f"{name}={_github_property(value)}" for name, value in _set(place))
        return f"::{note.level} {listed}::{_github_data(note.text)}"
    if provider is AZURE:
        level = "error" if note.level == "error" else "warning"  # it has no third
        place = {"type": level, "sourcepath": note.file, "linenumber": note.line}
        listed = "".join(f"{name}={_azure(value)};" for name, value in _set(place))
        return f"##vso[task.logissue {listed}]{_azure(note.text)}"
    return ""


def _set(properties: dict[str, str]) -> Iterator[tuple[str, str]]:
    return ((name, value) for name, value in properties.items() if value)


def _github_data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _github_property(text: str) -> str:
    return _github_data(text).replace(":", "%3A").replace(",", "%2C")


def _azure(text: str) -> str:
    text = text.replace("%", "%AZP25").replace("\r", "%0D").replace("\n", "%0A")
    return text.replace(";", "%3B").replace("]", "%5D")


def _placed(text: str) -> tuple[str, str, str]:
    """File, line and the rest of a text that starts with a place; no file where it has none."""
    found = re.fullmatch(_PLACE, text)
    if found is None or not Path(found["file"]).is_file():
        return "", "", text
    return _in_repository(Path(found["file"])), found["line"], found["text"] or ""


def _in_repository(file: Path) -> str:
    """Its path from the top of the checkout; as it is where it lies elsewhere."""
    top, path = checkout(), file.resolve()
    if top is None or not path.is_relative_to(top.resolve()):
        return str(file)
    return path.relative_to(top.resolve()).as_posix()


def _write(line: str) -> None:
    with suppress(OSError, ValueError):  # stderr has no reader, or is closed
        print(line, file=sys.stderr, flush=True)
