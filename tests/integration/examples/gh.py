"""A stand-in for GitHub's command line, ``gh``, on PATH under that name.

It keeps issues, labels and comments in a JSON file and applies --jq by the real jq. Unknown words
end it with 1, as gh does. https://cli.github.com/manual
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from pathlib import Path
from typing import TypedDict

BOT = "github-actions[bot]"


class Issue(TypedDict):
    """An issue."""

    number: int
    title: str
    body: str
    labels: list[str]
    state: str
    comments: list[str]


class User(TypedDict):
    """The author of a comment."""

    login: str


class Comment(TypedDict):
    """A comment on a pull request."""

    id: int
    user: User
    body: str


class State(TypedDict):
    """What GitHub keeps. heads: the commit of each pull request."""

    labels: list[str]
    issues: list[Issue]
    comments: dict[str, list[Comment]]
    heads: dict[str, str]


def empty() -> State:
    """A repository in which nothing happened."""
    return {"labels": [], "issues": [], "comments": {}, "heads": {}}


def read(path: Path) -> State:
    """Read the state from this file."""
    state: State = json.loads(path.read_text(encoding="utf-8"))
    return state


def write(path: Path, state: State) -> None:
    """Write the state to this file."""
    path.write_text(json.dumps(state), encoding="utf-8")


def main(words: list[str]) -> int:
    """Run one command on the file that GH_STAND_IN names."""
    assert os.environ.get("GH_TOKEN"), "gh: set GH_TOKEN"
    path = Path(os.environ["GH_STAND_IN"])
    state, options = read(path), _parser().parse_args(words)
    act: Callable[[State, Namespace], object] = options.act
    answer = act(state, options)
    write(path, state)
    if answer is not None and not getattr(options, "silent", False):
        sys.stdout.write(_filtered(answer, getattr(options, "jq", None)))
    return 0


def _parser() -> ArgumentParser:
    parser = ArgumentParser(prog="gh", allow_abbrev=False)
    nouns = parser.add_subparsers(required=True)
    _add_api(nouns.add_parser("api", allow_abbrev=False))
    issue = nouns.add_parser("issue").add_subparsers(required=True)
    listed = issue.add_parser("list", allow_abbrev=False)
    for name in ("--label", "--state", "--limit", "--json", "--jq"):
        listed.add_argument(name, required=True)
    listed.set_defaults(act=_list)
    create = issue.add_parser("create", allow_abbrev=False)
    for name in ("--title", "--label", "--body-file"):
        create.add_argument(name, required=True)
    create.set_defaults(act=_create)
    edit = issue.add_parser("edit", allow_abbrev=False)
    edit.add_argument("number", type=int)
    edit.add_argument("--body-file", required=True)
    edit.set_defaults(act=_edit)
    close = issue.add_parser("close", allow_abbrev=False)
    close.add_argument("number", type=int)
    close.add_argument("--comment", required=True)
    close.set_defaults(act=_close)
    label = nouns.add_parser("label").add_subparsers(required=True)
    new = label.add_parser("create", allow_abbrev=False)
    new.add_argument("name")
    new.add_argument("--description")
    new.add_argument("--force", action="store_true")
    new.set_defaults(act=_label)
    return parser


def _add_api(api: ArgumentParser) -> None:
    api.add_argument("endpoint")
    api.add_argument("--method", default="GET")
    api.add_argument("--paginate", action="store_true")
    api.add_argument("--field")
    api.add_argument("--jq")
    api.add_argument("--silent", action="store_true")
    api.set_defaults(act=_api)


def _filtered(answer: object, jq: str | None) -> str:
    text = json.dumps(answer)
    if jq is None:
        return text
    done = subprocess.run(["jq", "-r", jq], input=text, capture_output=True, text=True, check=True)
    return done.stdout


def _list(state: State, options: Namespace) -> object:
    assert options.state == "open"
    assert options.json == "number"
    found = [
        {"number": each["number"]}
        for each in state["issues"]
        if each["state"] == "open" and options.label in each["labels"]
    ]
    return found[: int(options.limit)]


def _create(state: State, options: Namespace) -> None:
    if options.label not in state["labels"]:
        sys.exit(f"could not add label: '{options.label}' not found")
    body = Path(options.body_file).read_text(encoding="utf-8")
    number = len(state["issues"]) + 1
    state["issues"].append(
        {
            "number": number,
            "title": options.title,
            "body": body,
            "labels": [options.label],
            "state": "open",
            "comments": [],
        }
    )


def _edit(state: State, options: Namespace) -> None:
    _issue(state, options)["body"] = Path(options.body_file).read_text(encoding="utf-8")


def _close(state: State, options: Namespace) -> None:
    issue = _issue(state, options)
    issue["state"] = "closed"
    issue["comments"].append(options.comment)


def _issue(state: State, options: Namespace) -> Issue:
    number: int = options.number
    return state["issues"][number - 1]


def _label(state: State, options: Namespace) -> None:
    if options.name in state["labels"] and not options.force:
        sys.exit(f'label with name "{options.name}" already exists; use `--force` to update')
    state["labels"] = sorted({*state["labels"], options.name})


def _api(state: State, options: Namespace) -> object:
    """GET of a pull request and of comments; POST and PATCH of a comment."""
    path = options.endpoint.removeprefix(f"repos/{os.environ['GITHUB_REPOSITORY']}/")
    body = ""
    if options.field:
        name, _, value = options.field.partition("=@")
        assert name == "body"
        body = Path(value).read_text(encoding="utf-8")
    if match := re.fullmatch(r"pulls/(\d+)", path):
        return _pull(state, match[1])
    if match := re.fullmatch(r"issues/(\d+)/comments", path):
        return _comments(state, match[1], options.method, body)
    match = re.fullmatch(r"issues/comments/(\d+)", path)
    if not match or options.method != "PATCH":
        sys.exit("gh: Not Found (HTTP 404)")
    return _updated(state, int(match[1]), body)


def _pull(state: State, number: str) -> object:
    if number not in state["heads"]:
        sys.exit("gh: Not Found (HTTP 404)")
    return {"head": {"sha": state["heads"][number]}}


def _comments(state: State, number: str, method: str, body: str) -> object:
    comments = state["comments"].setdefault(number, [])
    if method == "GET":
        return comments
    identity = sum(map(len, state["comments"].values())) + 1
    comments.append({"id": identity, "user": {"login": BOT}, "body": body})
    return comments[-1]


def _updated(state: State, identity: int, body: str) -> object:
    every = [each for comments in state["comments"].values() for each in comments]
    (comment,) = (each for each in every if each["id"] == identity)
    comment["body"] = body
    return comment


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
