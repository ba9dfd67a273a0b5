"""Zips from the network: only regular files within their own folder are accepted."""

from __future__ import annotations

import io
import stat
import warnings
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfcutover.errors import LimitError, OperationFailedError
from sfcutover.salesforce import retriever as archive
from sfcutover.salesforce.retriever import read_zip

WHERE = "https://acme.example retrieve 09S"
COMPRESSIONS = [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]


def zipped(*files: tuple[str | zipfile.ZipInfo, bytes], compression: int = 8) -> bytes:
    buffer = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(buffer, "w", compression) as file:
        warnings.simplefilter("ignore")  # about duplicate names
        for name, data in files:
            file.writestr(name, data)
    return buffer.getvalue()


def renamed(data: bytes, old: bytes, new: bytes) -> bytes:
    """Insert another name of the same length, past zipfile's normalization of names."""
    assert len(old) == len(new)
    return data.replace(old, new)


def encrypted(data: bytes) -> bytes:
    """Set the bit that marks encryption, in the local header and in the directory."""
    changed = bytearray(data)
    for head, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        changed[changed.index(head) + offset] |= 1
    return bytes(changed)


def test_files_are_returned_by_path_without_folders() -> None:
    data = zipped(("package.xml", b"<a/>"), ("folder/", b""), ("folder/b.xml", b"<b/>"))
    assert read_zip(data, WHERE) == {"package.xml": b"<a/>", "folder/b.xml": b"<b/>"}


@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_every_compression_of_zip_is_read(compression: int) -> None:
    data = zipped(("a", b"x" * 1000), compression=compression)
    assert read_zip(data, WHERE) == {"a": b"x" * 1000}


@pytest.mark.parametrize(
    "path",
    [
        "../evil",
        "folder/../../evil",
        "/etc/passwd",
        "..",
        "..\\evil",
        "folder\\..\\..\\evil",
        "\\\\server\\share",
        "C:\\evil",
        "C:evil",
    ],
)
def test_a_path_outside_of_the_folder_is_refused(path: str) -> None:
    data = renamed(zipped(("x" * len(path), b"")), b"x" * len(path), path.encode())
    with pytest.raises(OperationFailedError, match="leads out") as caught:
        read_zip(data, WHERE)
    assert caught.value.where == WHERE


@pytest.mark.parametrize("name", ["Acme: Connector", "ns:Acme", "a:b:c", "Acme%3A1"])
def test_a_full_name_may_hold_a_colon(name: str) -> None:
    path = f"extlClntAppOauthSecuritySettings/{name}.ecaOauthSecurity"
    assert read_zip(zipped((path, b"<a/>")), WHERE) == {path: b"<a/>"}


def test_a_symlink_is_refused() -> None:
    link = zipfile.ZipInfo("folder/link")
    link.create_system = 3
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with pytest.raises(OperationFailedError, match="link"):
        read_zip(zipped((link, b"/etc/passwd")), WHERE)


def test_a_duplicate_name_is_refused() -> None:
    with pytest.raises(OperationFailedError, match="twice"):
        read_zip(zipped(("a/b", b"one"), ("a/b", b"two")), WHERE)
    with pytest.raises(OperationFailedError, match="twice"):
        read_zip(zipped(("a/b", b"one"), ("a//b", b"two")), WHERE)


def test_too_many_files_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MAX_FILES", 3)
    assert len(read_zip(zipped(*((str(n), b"") for n in range(3))), WHERE)) == 3
    with pytest.raises(LimitError, match="4 files"):
        read_zip(zipped(*((str(n), b"") for n in range(4))), WHERE)


@pytest.mark.parametrize("files", [1, 5])
def test_a_zip_bomb_is_refused_before_it_is_unpacked(
    files: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive, "MAX_UNZIPPED_BYTES", 1_000_000)
    data = zipped(*((str(n), bytes(1_000_001 // files + 1)) for n in range(files)))
    assert len(data) < 5_000
    with pytest.raises(LimitError, match="1,000,000"):
        read_zip(data, WHERE)


def test_a_zip_bomb_with_a_false_size_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MAX_UNZIPPED_BYTES", 1_000_000)
    size = 5_000_000
    data = zipped(("a", bytes(size)))
    lying = data.replace(size.to_bytes(4, "little"), (10).to_bytes(4, "little"))
    assert lying != data
    with pytest.raises(OperationFailedError, match="not a readable zip"):
        read_zip(lying, WHERE)


def test_a_nested_zip_is_a_file_and_not_unpacked() -> None:
    inner = zipped(("../evil", b"x"))
    assert read_zip(zipped(("inner.zip", inner)), WHERE) == {"inner.zip": inner}


def test_an_encrypted_zip_is_refused() -> None:
    with pytest.raises(OperationFailedError, match="encrypted"):
        read_zip(encrypted(zipped(("a", b"x"))), WHERE)


@pytest.mark.parametrize(
    "data",
    [b"", b"PK", b"<html>maintenance</html>", zipped(("a", b"x"))[:-10], bytes(1000)],
    ids=["empty", "two letters", "a page", "cut off", "zeros"],
)
def test_bytes_that_are_not_a_zip_are_refused(data: bytes) -> None:
    with pytest.raises(OperationFailedError, match="not a readable zip"):
        read_zip(data, WHERE)


def test_an_empty_zip_contains_nothing() -> None:
    assert read_zip(zipped(), WHERE) == {}


def test_an_undecodable_name_is_refused() -> None:
    data = renamed(zipped(("ä" * 4, b"x")), "ä".encode(), b"\xff\xfe")
    with pytest.raises(OperationFailedError, match="not a readable zip"):
        read_zip(data, WHERE)


def test_a_changed_byte_is_detected() -> None:
    data = zipped(("a", b"content"), compression=zipfile.ZIP_STORED)
    with pytest.raises(OperationFailedError, match="CRC"):
        read_zip(data.replace(b"content", b"contemt"), WHERE)


def test_a_file_without_a_name_is_refused() -> None:
    data = bytearray(zipped(("c", b"x")))
    entry = data.index(b"PK\x01\x02")
    data[entry + 28] = 0  # the length of the name in the directory
    with pytest.raises(OperationFailedError):
        read_zip(bytes(data), WHERE)


@given(
    st.sampled_from(
        [zipped(("a/b", b"abc" * 50), ("c", b""), compression=c) for c in COMPRESSIONS]
    ),
    st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), min_size=1, max_size=4),
    st.integers(0, 400),
)
def test_a_damaged_zip_is_read_or_refused(
    data: bytes, changes: list[tuple[int, int]], cut: int
) -> None:
    damaged = bytearray(data)
    for place, value in changes:
        damaged[place % len(damaged)] = value
    try:
        files = read_zip(bytes(damaged[: len(damaged) - cut % 7]), WHERE)
    except (OperationFailedError, LimitError):
        return
    assert all(".." not in path and not path.startswith("/") for path in files)
