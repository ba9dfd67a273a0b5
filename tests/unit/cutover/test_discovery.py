"""Writing what was seen into cutover.yaml: that key's lines change, and nothing else does."""

from __future__ import annotations

import errno
import os
from ipaddress import ip_address
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfcutover.allowlist.ranges import Allowlist
from sfcutover.config.cutover import load_config, parse_config
from sfcutover.config.starter import Starter
from sfcutover.config.yamledit import UneditableError, edit_list
from sfcutover.cutover.discovery import load_for_discovery, write_discovered
from sfcutover.errors import ConfigError, LimitError, OperationFailedError

A, B, C = (ip_address(f"198.51.100.{last}") for last in (20, 21, 22))
HEAD = """\
# A comment at the top.
version: 1
name: one   # ours
app: Acme_Connector
old: [203.0.113.10,   203.0.113.11]
"""
TAIL = """\

# About the targets.
targets:
  - name: packaging
    org: {alias: acme}   # by the CLI
"""


def write(folder: Path, new: str) -> Path:
    path = folder / "cutover.yaml"
    path.write_bytes(f"{HEAD}{new}{TAIL}".encode())
    return path


@pytest.mark.parametrize(
    ("before", "after"),
    [
        # flow
        ("new: [198.51.100.9]\n", 'new: ["198.51.100.20", "198.51.100.21"]\n'),
        ("new: []  # none yet\n", 'new: ["198.51.100.20", "198.51.100.21"]  # none yet\n'),
        ("new: [198.51.100.20] # a\n", 'new: [198.51.100.20, "198.51.100.21"] # a\n'),
        ("new: [198.51.100.9, 198.51.100.21,]\n", 'new: [198.51.100.21, "198.51.100.20",]\n'),
        (
            "new: [{range: 198.51.100.21, description: b}, 198.51.100.9]\n",
            'new: [{range: 198.51.100.21, description: b}, "198.51.100.20"]\n',
        ),
        (
            "new: [198.51.100.20,  # proxy a\n      198.51.100.9]  # gone\n",
            'new: [198.51.100.20, "198.51.100.21"]  # gone\n',
        ),
        # block
        (
            "new:\n  # why\n  - 198.51.100.9  # gone\n  # tail\n",
            'new:\n  # why\n  - "198.51.100.20"\n  - "198.51.100.21"\n  # tail\n',
        ),
        (
            "new:  # c\n- 198.51.100.21   # b\n- range: 198.51.100.9\n  description: gone\n",
            'new:  # c\n- 198.51.100.21   # b\n- "198.51.100.20"\n',
        ),
        (
            "new:\n    - 198.51.100.9\n    - range: 198.51.100.20\n      description: kept  # k\n",
            "new:\n    - range: 198.51.100.20\n      description: kept  # k\n"
            '    - "198.51.100.21"\n',
        ),
        # a range that is wider than what was seen goes, one that is not stays
        ("new:\n  - 198.51.100.20/30\n", 'new:\n  - "198.51.100.20"\n  - "198.51.100.21"\n'),
        ("new:\n  - 198.51.100.20/31\n", "new:\n  - 198.51.100.20/31\n"),
        ("new: [198.51.100.21, 198.51.100.20]\n", "new: [198.51.100.21, 198.51.100.20]\n"),
        # nothing there yet, as init leaves it
        (
            "new:\n  # - 198.51.100.20\n",
            'new:\n  - "198.51.100.20"\n  - "198.51.100.21"\n  # - 198.51.100.20\n',
        ),
        ("new:   # todo\n", 'new:   # todo\n  - "198.51.100.20"\n  - "198.51.100.21"\n'),
        # tags and anchors stay
        ("new: !!seq [198.51.100.9]\n", 'new: !!seq ["198.51.100.20", "198.51.100.21"]\n'),
        ("new: &mine [198.51.100.20]\n", 'new: &mine [198.51.100.20, "198.51.100.21"]\n'),
        # line ends of another system
        (
            "new:\r\n  - 198.51.100.20\r\n",
            'new:\r\n  - 198.51.100.20\r\n  - "198.51.100.21"\n',
        ),
    ],
)
def test_only_that_keys_lines_change(before: str, after: str, tmp_path: Path) -> None:
    path = write(tmp_path, before)
    found = write_discovered(path, (A, B))
    assert path.read_bytes().decode() == f"{HEAD}{after}{TAIL}"
    assert Allowlist(load_config(path).change.new).address_count == 2
    assert bool(found.change) == (before != after)


def test_the_line_ends_of_the_file_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "cutover.yaml"
    text = f"{HEAD}new:\n- 198.51.100.20\n{TAIL}"
    path.write_bytes(text.replace("\n", "\r\n").encode())
    write_discovered(path, (A, B))
    expected = text.replace("- 198.51.100.20\n", '- 198.51.100.20\n- "198.51.100.21"\n')
    assert path.read_bytes().decode() == expected.replace("\n", "\r\n")


def test_a_last_line_without_an_end_gets_one(tmp_path: Path) -> None:
    path = tmp_path / "cutover.yaml"
    path.write_text(f"{HEAD}{TAIL}new:\n  - 198.51.100.20")
    write_discovered(path, (A, B))
    assert path.read_text() == f'{HEAD}{TAIL}new:\n  - 198.51.100.20\n  - "198.51.100.21"\n'


def test_ipv6_is_written_so_that_yaml_takes_it_for_a_text(tmp_path: Path) -> None:
    path = write(tmp_path, "new: []\n")
    odd = ip_address("1:2:3:4:5:6:7:8")  # without quotes, YAML 1.1 has it for a number
    write_discovered(path, (odd,))
    assert load_config(path).change.new[0].start == odd


def test_the_change_is_shown_and_the_mode_kept(tmp_path: Path) -> None:
    path = write(tmp_path, "new: [198.51.100.9]\n")
    path.chmod(0o640)
    change = write_discovered(path, (A,)).change
    assert "-new: [198.51.100.9]" in change
    assert '+new: ["198.51.100.20"]' in change
    assert path.stat().st_mode & 0o777 == 0o640
    assert [each.name for each in tmp_path.iterdir()] == ["cutover.yaml"]


@pytest.mark.parametrize(
    "new",
    [
        "old: [203.0.113.10]\nnew: 198.51.100.9\n",
        "old: [203.0.113.10]\nnew: {range: 198.51.100.9}\n",
        "old: &mine [198.51.100.9]\nnew: *mine\n",
        "new: &mine [198.51.100.9]\nold: *mine\n",  # one change would be two
        "old: [203.0.113.10]\n? new\n: - 198.51.100.9\n",
        "old: [203.0.113.10]\n",
    ],
)
def test_what_it_does_not_foresee_is_left_to_a_person(new: str, tmp_path: Path) -> None:
    path = tmp_path / "cutover.yaml"
    path.write_text(f"version: 1\nname: one\napp: Acme\n{new}{TAIL}")
    before = path.read_bytes()
    with pytest.raises(ConfigError, match="nothing was written") as caught:
        write_discovered(path, (A, B))
    assert path.read_bytes() == before
    assert 'new: ["198.51.100.20", "198.51.100.21"]' in caught.value.hint


def test_nothing_is_written_that_would_not_load(tmp_path: Path) -> None:
    path = write(tmp_path, "new: [198.51.100.9]\n")
    before = path.read_bytes()
    same = tuple(map(ip_address, ("203.0.113.10", "203.0.113.11")))
    for seen in (same, (ip_address("10.0.0.1"),)):
        with pytest.raises(ConfigError, match="nothing was written, as the file would not") as it:
            write_discovered(path, seen)
        assert it.value.where
        assert it.value.where.startswith(f"{path}:6")
        assert path.read_bytes() == before


def test_a_file_that_is_too_large_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "cutover.yaml"
    path.write_text("#" * 2_000_000)
    with pytest.raises(LimitError):
        write_discovered(path, (A,))


def test_a_full_disk_leaves_the_file_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path, "new: [198.51.100.9]\n")
    before = path.read_bytes()

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OperationFailedError, match="was not written: No space"):
        write_discovered(path, (A,))
    assert path.read_bytes() == before
    assert [each.name for each in tmp_path.iterdir()] == ["cutover.yaml"]


def test_a_file_that_init_wrote_can_be_filled(tmp_path: Path) -> None:
    path = tmp_path / "cutover.yaml"
    starter = Starter("one", "Acme", "67.0", "{alias: acme}", Allowlist(), ["203.0.113.10"], [])
    path.write_text(starter.render())
    with pytest.raises(ConfigError):
        load_config(path)
    assert load_for_discovery(path).name == "one"
    assert path.read_text() == starter.render()  # looking changes nothing
    write_discovered(path, (A, B))
    assert [str(each) for each in load_config(path).change.new] == [str(A), str(B)]


@pytest.mark.parametrize("new", ["", "new: [nonsense]\n", "new:\nnonsense: 1\n"])
def test_looking_forgives_nothing_but_an_empty_new(new: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError):
        load_for_discovery(write(tmp_path, new))


def test_an_unknown_key_is_uneditable() -> None:
    for text in ("a: [1]\n", "- 1\n", "", "new: text\n", "a: &m [1]\nnew: *m\n"):
        with pytest.raises(UneditableError):
            edit_list(text, "new", lambda _: True, ["x"])


ADDRESSES = [f"198.51.100.{last}" for last in range(1, 9)]


@given(
    st.lists(st.sampled_from(ADDRESSES), unique=True, min_size=1),
    st.lists(st.sampled_from(ADDRESSES), unique=True, min_size=1),
    st.sampled_from(["flow", "block", "indentless"]),
)
def test_any_list_becomes_any_other(before: list[str], seen: list[str], style: str) -> None:
    if style == "flow":
        new = f"new: [{', '.join(before)}] # end\n"
    else:
        indent = "  " if style == "block" else ""
        new = "new:\n" + "".join(f"{indent}- {each} # of {each}\n" for each in before)
    text = f"{HEAD}{new}{TAIL}"
    kept = [each in seen for each in before]
    added = [f'"{each}"' for each in seen if each not in before]
    after = edit_list(text, "new", kept.__getitem__, added)
    assert after.startswith(HEAD)
    assert after.endswith(TAIL)
    entries = [entry.range for entry in parse_config(after, "cutover.yaml").new]
    assert entries == [e for e in before if e in seen] + [e for e in seen if e not in before]
    if style != "flow":
        assert all(f"# of {each}\n" in after for each in before if each in seen)
