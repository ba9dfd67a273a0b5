from __future__ import annotations

import traceback
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sfcutover.config.yamlfile import MAX_BYTES, YamlFile, parse_yaml, read_text
from sfcutover.errors import ConfigError, ExitCode, LimitError, SfcutoverError

Refuse = Callable[[str | bytes], SfcutoverError]


def read_yaml(path: Path) -> YamlFile:
    return parse_yaml(read_text(path), str(path))


def write(folder: Path, content: str | bytes) -> Path:
    path = folder / "file.yaml"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


@pytest.fixture
def read(tmp_path: Path) -> Callable[[str | bytes], YamlFile]:
    return lambda content: read_yaml(write(tmp_path, content))


@pytest.fixture
def refuse(tmp_path: Path) -> Refuse:
    """Read an invalid file; the error's place is relative to the folder."""

    def refuse_(content: str | bytes) -> SfcutoverError:
        with pytest.raises(SfcutoverError) as caught:
            read_yaml(write(tmp_path, content))
        caught.value.where = (caught.value.where or "").removeprefix(f"{tmp_path}/")
        return caught.value

    return refuse_


def test_every_value_has_the_line_of_its_key_or_list_item(
    read: Callable[[str], YamlFile],
) -> None:
    file = read("# a comment\na: 1\nb:\n  c: x\n  d:\n    - y\n    -\n      e: z\n")
    assert file.data == {"a": 1, "b": {"c": "x", "d": ["y", {"e": "z"}]}}
    lines = {location: file.line_of(location) for location in file.lines}
    assert lines == {
        (): 2,
        ("a",): 2,
        ("b",): 3,
        ("b", "c"): 4,
        ("b", "d"): 5,
        ("b", "d", 0): 6,
        ("b", "d", 1): 8,
        ("b", "d", 1, "e"): 8,
    }


def test_a_missing_value_has_the_line_of_its_parent(
    read: Callable[[str], YamlFile],
) -> None:
    file = read("\n\na:\n  b: 1\n")
    assert file.where(("a", "x", 3)).endswith("file.yaml:3")
    assert file.where(("z",)).endswith("file.yaml:3")


@pytest.mark.parametrize("content", ["", "# nothing\n", "~\n", "---\n...\n"])
def test_a_file_without_content_is_none(read: Callable[[str], YamlFile], content: str) -> None:
    assert read(content).data is None


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ("a: 1\nb: [1, 2\n", 3),
        ('a: 1\nb: "unclosed\n', 3),
        ("a: 1\n\tb: 2\n", 2),
        ("a: 1\nb: c: d\n", 2),
        ("a: 1\n b: 2\n", 2),
        ("a: 1\n---\nb: 2\n", 2),
        ("a: 1\nb: @x\n", 2),
        ("a: 1\nb: *nobody\n", 2),
        ("%YAML 3.0\n---\na: 1\n", 1),
    ],
)
def test_invalid_yaml_is_refused_at_its_line(refuse: Refuse, content: str, line: int) -> None:
    error = refuse(content)
    assert (error.where, error.exit_code) == (f"file.yaml:{line}", ExitCode.USAGE)
    assert error.message.startswith("not valid YAML: ")
    assert "\n" not in str(error)


def test_a_tab_is_named(refuse: Refuse) -> None:
    assert r"found character '\t'" in refuse("a: 1\n\tb: 2\n").message


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b"a: 1\nb: M\xfcller\n", 2),
        ("a: 1\n".encode("utf-16"), 1),
        (b"a: 1\n# \xff\n", 2),
    ],
)
def test_invalid_utf_8_is_refused_at_its_line(refuse: Refuse, content: bytes, line: int) -> None:
    error = refuse(content)
    assert (error.where, error.message) == (
        f"file.yaml:{line}",
        "the file is not UTF-8",
    )


def test_a_control_character_is_refused_at_its_line(refuse: Refuse) -> None:
    error = refuse("a: 1\n\nb: x\0y\n")
    assert error.where == "file.yaml:3"
    assert "control character" in error.message


@pytest.mark.parametrize("prefix", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("newline", [b"\n", b"\r\n"])
def test_a_byte_order_mark_and_windows_line_ends_change_nothing(
    read: Callable[[bytes], YamlFile], prefix: bytes, newline: bytes
) -> None:
    file = read(prefix + newline.join([b"a: 1", b"b:", b"  - c", b""]))
    assert file.data == {"a": 1, "b": ["c"]}
    assert file.line_of(("b", 0)) == 3


def test_a_key_must_be_unique(refuse: Refuse) -> None:
    error = refuse("a:\n  b: 1\n  c: 2\n  'b': 3\n")
    assert (error.where, error.message) == ("file.yaml:4", "duplicate key b")


@pytest.mark.parametrize(
    "key", ["[a]", "{a: b}", "''", r'"a\nb"', r'"\e[31m"', r'"\ud800"', "k" * 101]
)
def test_a_key_must_be_a_printable_word(refuse: Refuse, key: str) -> None:
    error = refuse(f"a: 1\n? {key}\n: 2\n")
    assert (error.where, error.message) == (
        "file.yaml:2",
        "a key must be a short, non-empty string",
    )


def test_an_alias_is_replaced_by_its_anchor(read: Callable[[str], YamlFile]) -> None:
    file = read("a: &x [1, 2]\nb: *x\n")
    assert file.data == {"a": [1, 2], "b": [1, 2]}
    assert file.line_of(("b",)) == 2


def test_a_merge_key_is_an_ordinary_key(read: Callable[[str], YamlFile]) -> None:
    assert read("a: &x {b: 1}\nc: {<<: *x}\n").data == {"a": {"b": 1}, "c": {"<<": {"b": 1}}}


BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n"
    for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    "content",
    [
        "a: &a [*a]\n",
        "a: &a {b: *a}\n",
        BOMB,
        "[" * 5000,
        "{a: " * 5000,
        "- " * 5000,
        "".join(f"{' ' * depth}a:\n" for depth in range(30)),
        "[" + "1, " * 50_000 + "1]",
        "".join(f"k{number}: 1\n" for number in range(30_000)),
    ],
    ids=["self", "self-map", "bomb", "lists", "maps", "dashes", "blocks", "values", "keys"],
)
def test_a_document_that_is_too_deep_or_too_large_is_refused(refuse: Refuse, content: str) -> None:
    error = refuse(content)
    assert "nested too deeply" in error.message or "too many values" in error.message
    assert error.where.startswith("file.yaml:")  # type: ignore[union-attr]


def test_depth_is_limited(read: Callable[[str], YamlFile]) -> None:
    assert read("[" * 20 + "]" * 20).data is not None


@pytest.mark.parametrize(
    "value",
    [
        "!!bool perhaps",
        "!!timestamp never",
        "!!int ''",
        "!!int 0b",
        "!!float hunter2",
        "!!binary hunter2",
        "!!binary ü",
        "!hunter2 hunter2",
        "!!python/object/apply:os.getpid [hunter2]x",
        "2026-13-45",
        "1:" + "59:" * 300 + "59.5",
        "0x" + "f" * 9000,
        "9" * 5000,
    ],
)
def test_a_value_that_contradicts_its_tag_is_refused_at_its_line(
    refuse: Refuse, value: str
) -> None:
    error = refuse(f"a: 1\nb: {value}\n")
    assert error.where == "file.yaml:2"
    assert error.exit_code == ExitCode.USAGE
    assert "hunter2" not in str(error)


def test_no_object_is_ever_built(read: Callable[[str], YamlFile]) -> None:
    assert read("a: !!python/object/apply:os.getpid []\n").data == {"a": []}


@pytest.mark.parametrize(
    "line",
    [
        "s: 'hunter2",
        's: "hunter2',
        "s: hunter2: x",
        "s: *hunter2",
        "s: !hunter2!x y",
        "s: !hunter2 y",
        "s: {hunter2",
        "s: !!int hunter2",
        "  s: hunter2",
        "s: hunter2\n- x",
        "s: hunter2\0",
    ],
)
def test_no_error_repeats_the_content_of_the_file(tmp_path: Path, line: str) -> None:
    with pytest.raises(SfcutoverError) as caught:
        read_yaml(write(tmp_path, f"a: 1\n{line}\n"))
    assert "hunter2" not in "".join(traceback.format_exception(caught.value))


def test_a_file_over_the_limit_is_refused_as_too_large(refuse: Refuse) -> None:
    error = refuse("#" * (MAX_BYTES + 1))
    assert isinstance(error, LimitError)
    assert error.message == "the file is larger than 1,048,576 bytes"


def test_a_file_of_exactly_the_limit_is_read(read: Callable[[str], YamlFile]) -> None:
    assert read("a: 1\n#" + "x" * (MAX_BYTES - 6)).data == {"a": 1}


def test_a_huge_file_is_refused_as_too_large(tmp_path: Path) -> None:
    (tmp_path / "cutover.yaml").write_bytes(bytes(MAX_BYTES + 1))
    with pytest.raises(LimitError, match="larger"):
        read_yaml(tmp_path / "cutover.yaml")


def test_a_missing_file_names_its_folder_and_the_command_that_writes_it(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        read_yaml(tmp_path / "cutover.yaml")
    assert str(caught.value) == f"no cutover.yaml in {tmp_path}"
    assert "sfcutover init" in caught.value.hint


@pytest.mark.parametrize("name", [".", "x" * 300, "file/cutover.yaml"])
def test_a_path_that_is_not_a_file_is_a_config_error(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match=r"cannot be read: [A-Z][a-z ]+$"):
        read_yaml(tmp_path / name)


@settings(deadline=None)
@given(content=st.binary(max_size=200) | st.text(max_size=200))
def test_any_content_is_read_or_refused_in_one_line(
    tmp_path_factory: pytest.TempPathFactory, content: str | bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.yaml"
    data = content.encode(errors="surrogatepass") if isinstance(content, str) else content
    path.write_bytes(data)
    message = ""
    try:
        read_yaml(path)
    except SfcutoverError as error:
        message = str(error)
    assert len(message.splitlines()) <= 1
