from __future__ import annotations

import contextlib
import io
import os
import resource
import stat
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from sfcutover.allowlist.carriers import CARRIERS, METADATA_NAMESPACE, OAUTH_POLICIES, Carrier
from sfcutover.allowlist.component import Component, Field, parse_component
from sfcutover.allowlist.package import Package, PackageFile, build_package, write_folder, write_zip
from sfcutover.allowlist.ranges import Allowlist, IpRange
from sfcutover.allowlist.templates import Templates
from sfcutover.errors import ConfigError, ExitCode, OperationFailedError
from sfcutover.util.files import resource_folder
from tests.unit.strategies import TOKEN_RANGES, TRICKY, any_ranges, components, ranges, xml_text

BUILTIN = Templates()
ROUTE = f"{{{METADATA_NAMESPACE}}}"
COMPONENT = Component(
    TOKEN_RANGES.component_type,
    "Acme_oauthSecurity",
    (
        Field(
            "externalClientApplication",
            "<externalClientApplication>Acme</externalClientApplication>",
        ),
        Field("label", "<label>Acme</label>"),
        Field("scope", "<scope>a</scope>"),
        Field("scope", "<scope>a</scope>"),
        Field("zone", "<zone>z</zone>"),
    ),
    TOKEN_RANGES,
    Allowlist(
        (
            IpRange.parse("203.0.113.10", TRICKY),
            IpRange.parse("2001:db8::1-2001:db8::f"),
            replace(ranges("203.0.113.12")[0], extra=(("note", "<note>n</note>"),)),
        )
    ),
)
POLICIES = Component(
    OAUTH_POLICIES,
    "Acme_oauthPlcy",
    (Field("ipRelaxationPolicyType", "<ipRelaxationPolicyType>Enforce</ipRelaxationPolicyType>"),),
)


def render(component: Component, templates: Templates = BUILTIN) -> bytes:
    files = build_package([component], "67.0", templates).files
    return next(file.data for file in files if file.path == component.path)


def read(component: Component, data: bytes) -> Component:
    return parse_component(
        data,
        component.component_type,
        component.full_name,
        carrier=component.carrier,
        where="rendered.xml",
    )


# What is rendered


@given(components)
def test_a_rendered_component_parses_as_the_same_component(component: Component) -> None:
    assert read(component, render(component)) == component


@pytest.mark.parametrize("carrier", CARRIERS.values(), ids=sorted(CARRIERS))
@given(entries=st.lists(any_ranges, max_size=3), label=xml_text)
def test_the_template_of_every_carrier_loses_nothing(
    carrier: Carrier, entries: list[IpRange], label: str
) -> None:
    component = Component(
        carrier.component_type, "A", (), carrier, Allowlist(tuple(entries))
    ).with_values({"label": label, "zzz": "", "fullName": "A"})
    assert read(component, render(component)) == component


@pytest.mark.parametrize("carrier", CARRIERS.values(), ids=CARRIERS)
def test_attributes_are_rendered_unchanged(carrier: Carrier) -> None:
    names = (carrier.list_element, carrier.start_element, carrier.end_element, "description")
    entry = replace(
        IpRange.parse("203.0.113.10-203.0.113.12", "d"),
        attributes=tuple((name, f' xml:lang="de" note="{name}"') for name in sorted(names)),
    )
    component = replace(
        COMPONENT,
        component_type=carrier.component_type,
        carrier=carrier,
        allowlist=Allowlist((entry,)),
        attributes=' zone="eu"',
    )
    shrunk = component.with_allowlist(
        component.allowlist.subtract(ranges("203.0.113.12"), lambda _: True)
    )
    for each in (component, shrunk):
        assert read(each, render(each)).allowlist.ranges[0].attributes == entry.attributes
        assert read(each, render(each)).fingerprint == each.fingerprint


@pytest.mark.parametrize(
    "lost", ['{{ more.get("description", "") | safe }}', "{{ attributes | safe }}"]
)
def test_a_template_that_drops_an_attribute_is_refused(tmp_path: Path, lost: str) -> None:
    name = "token-ip-ranges.xml.j2"
    text = (resource_folder("templates") / name).read_text()
    assert lost in text
    (tmp_path / name).write_text(text.replace(lost, ""))
    entry = replace(IpRange.parse("203.0.113.1", "d"), attributes=(("description", ' a="1"'),))
    component = replace(COMPONENT, allowlist=Allowlist((entry,)), attributes=' zone="eu"')
    with pytest.raises(ConfigError, match=r"lost or changed (<tokenIpRanges>|an attribute)"):
        render(component, Templates(tmp_path))


@given(components)
def test_an_unchanged_component_is_rendered_identically_twice(component: Component) -> None:
    once = render(component)
    assert render(component, Templates()) == once
    assert render(read(component, once)) == once


@given(components)
def test_elements_are_emitted_in_schema_order(component: Component) -> None:
    root = etree.fromstring(render(component))
    names = [etree.QName(child).localname for child in root]
    assert names == sorted(names, key=lambda name: (name != "fullName", name))
    assert component.carrier
    for entry in root.iterfind(f"{ROUTE}{component.carrier.list_element}"):
        known = [etree.QName(child).localname for child in entry]
        known = known[: len(known) - known[::-1].index(component.carrier.start_element)]
        assert known == sorted(known)


def test_a_rendered_file_is_exact_to_the_byte() -> None:
    assert render(COMPONENT).decode() == (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<ExtlClntAppOauthSecuritySettings xmlns="{METADATA_NAMESPACE}">\n'
        "    <externalClientApplication>Acme</externalClientApplication>\n"
        "    <label>Acme</label>\n"
        "    <scope>a</scope>\n"
        "    <scope>a</scope>\n"
        "    <tokenIpRanges>\n"
        "        <description>Müller &amp; &#34;Söhne&#34; &lt;eu&gt;</description>\n"
        "        <endIpAddress>203.0.113.10</endIpAddress>\n"
        "        <startIpAddress>203.0.113.10</startIpAddress>\n"
        "    </tokenIpRanges>\n"
        "    <tokenIpRanges>\n"
        "        <endIpAddress>2001:db8::f</endIpAddress>\n"
        "        <startIpAddress>2001:db8::1</startIpAddress>\n"
        "    </tokenIpRanges>\n"
        "    <tokenIpRanges>\n"
        "        <endIpAddress>203.0.113.12</endIpAddress>\n"
        "        <startIpAddress>203.0.113.12</startIpAddress>\n"
        "        <note>n</note>\n"
        "    </tokenIpRanges>\n"
        "    <zone>z</zone>\n"
        "</ExtlClntAppOauthSecuritySettings>\n"
    )


def test_policies_are_rendered_with_their_values() -> None:
    changed = POLICIES.with_values({"ipRelaxationPolicyType": "Bypass", "startUrl": ""})
    assert read(changed, render(changed)) == changed
    assert b"<ipRelaxationPolicyType>Bypass</ipRelaxationPolicyType>" in render(changed)


def test_the_manifest_lists_every_component_by_type_in_order() -> None:
    others = [replace(COMPONENT, full_name=name) for name in ("Zeta", "Alpha")]
    package = build_package([COMPONENT, *others, POLICIES], "67.0", BUILTIN)
    assert [file.path for file in package.files] == sorted(file.path for file in package.files)
    manifest = etree.fromstring(package.files[-1].data)
    listed = [
        (types.findtext(f"{ROUTE}name"), [each.text for each in types.iterfind(f"{ROUTE}members")])
        for types in manifest.iterfind(f"{ROUTE}types")
    ]
    assert listed == [
        ("ExtlClntAppOauthConfigurablePolicies", ["Acme_oauthPlcy"]),
        ("ExtlClntAppOauthSecuritySettings", ["Acme_oauthSecurity", "Alpha", "Zeta"]),
    ]
    assert manifest.findtext(f"{ROUTE}version") == "67.0"


@pytest.mark.parametrize("name", ["../../etc/x", "/etc/x", "a/b", "a\\b", "", "a\0"])
def test_the_name_of_a_component_cannot_escape_its_folder(name: str) -> None:
    with pytest.raises(ConfigError) as caught:
        build_package([replace(COMPONENT, full_name=name)], "67.0", BUILTIN)
    assert caught.value.message.startswith(repr(name))


# The zip


@given(components)
def test_two_zips_of_the_same_package_are_identical(component: Component) -> None:
    def zipped(parts: list[Component]) -> bytes:
        return build_package(parts, "67.0", BUILTIN).to_zip()

    assert zipped([component, POLICIES]) == zipped([POLICIES, component])


def test_a_zip_has_fixed_times_sorted_paths_and_regular_files() -> None:
    package = build_package([COMPONENT, POLICIES], "67.0", BUILTIN)
    with zipfile.ZipFile(io.BytesIO(package.to_zip())) as archive:
        infos = archive.infolist()
        assert {info.filename: archive.read(info) for info in infos} == {
            file.path: file.data for file in package.files
        }
    assert [info.filename for info in infos] == sorted(info.filename for info in infos)
    assert {info.date_time for info in infos} == {(1980, 1, 1, 0, 0, 0)}
    assert {info.external_attr >> 16 for info in infos} == {0o644}


def test_the_hash_covers_paths_and_contents() -> None:
    def hash_of(*files: tuple[str, bytes]) -> str:
        return Package(tuple(PackageFile(*file) for file in files)).sha256

    hashes = {
        hash_of(("a", b"1"), ("b", b"2")),
        hash_of(("a", b"1b2")),
        hash_of(("a", b"2"), ("b", b"1")),
        hash_of(("a", b""), ("b", b"12")),
        hash_of(("ab", b"1"), ("", b"2")),
        hash_of(),
    }
    assert len(hashes) == 6
    assert hash_of(("a", b"1")) == hash_of(("a", b"1"))


# Templates that drop something


def overridden(folder: Path, name: str, old: str, new: str) -> Templates:
    source = Path(BUILTIN.origin(name)).read_text()
    assert old in source
    (folder / f"{name}.xml.j2").write_text(source.replace(old, new, 1))
    return Templates(folder)


@pytest.mark.parametrize(
    ("old", "new", "lost"),
    [
        ("for field in fields_before_list", "for field in fields_before_list[1:]",
         "<externalClientApplication>"),
        ("for field in fields_before_list", "for field in fields_before_list[:-1]", "<scope>"),
        ("for field in fields_after_list", "for field in []", "<zone>"),
        ("for field in fields_before_list", "for field in []",
         "<externalClientApplication>, <label>, <scope>"),
        ("for range in allowlist", "for range in allowlist.ranges[1:]", "<tokenIpRanges>"),
        ("for range in allowlist", "for range in allowlist.ranges | reverse", "<tokenIpRanges>"),
        ("{{ range.end }}", "{{ range.start }}", "<tokenIpRanges>"),
        ("{{ range.description }}", "{{ range.description | upper }}", "<tokenIpRanges>"),
        ("{{ range.description }}", "{{ range.description | replace('ü', 'u') }}",
         "<tokenIpRanges>"),
        ("for name, xml in range.extra", "for name, xml in []", "<tokenIpRanges>"),
        ("{{ field.xml | safe }}", "{{ field.xml | replace('Acme', 'Emca') | safe }}",
         "<externalClientApplication>, <label>"),
    ],
)  # fmt: skip
def test_a_template_that_drops_or_changes_something_is_refused(
    tmp_path: Path, old: str, new: str, lost: str
) -> None:
    templates = overridden(tmp_path, "token-ip-ranges", old, new)
    with pytest.raises(ConfigError) as caught:
        render(COMPONENT, templates)
    assert caught.value.message == f"the template's output lost or changed {lost}"
    assert caught.value.where == str(tmp_path / "token-ip-ranges.xml.j2")
    assert caught.value.hint
    assert caught.value.exit_code is ExitCode.USAGE


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            '<endIpAddress{% if more %}{{ more.get("endIpAddress", "") | safe }}{% endif %}>'
            "{{ range.end }}</endIpAddress>",
            "",
            "<tokenIpRanges> has no <endIpAddress>",
        ),
        ("{{ range.end }}", "1.1.1.1", "is reversed"),
        ("ExtlClntAppOauthSecuritySettings xmlns", "ConnectedApp xmlns", "not well-formed"),
        ("2006/04/metadata", "2006/04/other", "the root element is"),
    ],
)
def test_a_template_with_an_invalid_component_as_output_is_refused(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    templates = overridden(tmp_path, "token-ip-ranges", old, new)
    with pytest.raises(ConfigError) as caught:
        render(COMPONENT, templates)
    assert message in caught.value.message
    assert str(caught.value.where).startswith(str(tmp_path / "token-ip-ranges.xml.j2"))
    assert "in Setup" not in caught.value.hint
    assert "from the org" not in caught.value.hint


def test_a_template_may_add_a_field(tmp_path: Path) -> None:
    added = "    <zzz>{{ full_name }}</zzz>\n</ExtlClnt"
    templates = overridden(tmp_path, "token-ip-ranges", "</ExtlClnt", added)
    assert f"<zzz>{COMPONENT.full_name}</zzz>".encode() in render(COMPONENT, templates)


@pytest.mark.parametrize(
    ("old", "new", "lost"),
    [
        ("for member in type.members", "for member in type.members[1:]", "Acme_oauthSecurity"),
        ("for type in types", "for type in []", "Acme_oauthSecurity"),
        ("{{ type.name }}", "ConnectedApp", "Acme_oauthSecurity"),
        ("{{ api_version }}", "12.0", "<version>"),
        ("<version>{{ api_version }}</version>", "", "<version>"),
    ],
)
def test_an_incomplete_manifest_is_refused(tmp_path: Path, old: str, new: str, lost: str) -> None:
    templates = overridden(tmp_path, "package", old, new)
    with pytest.raises(ConfigError) as caught:
        build_package([COMPONENT], "67.0", templates)
    assert caught.value.message == f"the template's output lost or changed {lost}"
    assert caught.value.where == str(tmp_path / "package.xml.j2")


# Writing: all or nothing

PACKAGE = Package(
    (
        PackageFile("extlClntAppOauthPolicies/A.ecaOauthPlcy", b"policies" * 50),
        PackageFile("extlClntAppOauthSecuritySettings/A.ecaOauthSecurity", b"settings" * 50),
        PackageFile("package.xml", b"manifest" * 50),
    )
)
EARLIER = Package((PackageFile("connectedApps/Stale.connectedApp", b"stale"),))
FILES = {file.path: file.data for file in PACKAGE.files}
Writer = Callable[[Package, Path], None]
both_writers = pytest.mark.parametrize("write", [write_folder, write_zip])


def tree(folder: Path) -> dict[str, bytes | None]:
    """Every file and folder below the folder, including hidden ones."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in folder.rglob("*")
    }


def files_in(folder: Path) -> dict[str, bytes | None]:
    return {path: data for path, data in tree(folder).items() if data is not None}


@contextlib.contextmanager
def files_no_larger_than(size: int) -> Iterator[None]:
    """Simulates a disk that is full after this many bytes of a file."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def refused(write: Writer, path: Path) -> OperationFailedError:
    with pytest.raises(OperationFailedError) as caught:
        write(PACKAGE, path)
    assert caught.value.message.startswith("the package was not written: ")
    assert caught.value.where == str(path)
    assert caught.value.exit_code is ExitCode.FAILED
    assert "--out" in caught.value.hint
    return caught.value


def test_a_folder_is_written_with_its_parents(tmp_path: Path) -> None:
    write_folder(PACKAGE, tmp_path / "a" / "b" / "out")
    assert files_in(tmp_path / "a" / "b" / "out") == FILES
    assert [path.name for path in (tmp_path / "a" / "b").iterdir()] == ["out"]


def test_a_zip_is_written_with_its_parents(tmp_path: Path) -> None:
    write_zip(PACKAGE, tmp_path / "a" / "b" / "out.zip")
    assert files_in(tmp_path) == {"a/b/out.zip": PACKAGE.to_zip()}


@both_writers
def test_a_package_is_staged_beside_its_target(
    tmp_path: Path, write: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A rename from the system's temporary folder may lead to another file system."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "missing"))
    write(PACKAGE, tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@both_writers
def test_written_files_have_ordinary_permissions(tmp_path: Path, write: Writer) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    write(PACKAGE, tmp_path / "out")
    alike = tmp_path / ("folder" if write is write_folder else "file")
    assert stat.S_IMODE((tmp_path / "out").stat().st_mode) == stat.S_IMODE(alike.stat().st_mode)


def test_an_earlier_package_is_replaced_completely(tmp_path: Path) -> None:
    write_folder(EARLIER, tmp_path / "out")
    write_folder(PACKAGE, tmp_path / "out")
    assert files_in(tmp_path) == {f"out/{path}": data for path, data in FILES.items()}
    assert files_in(tmp_path / "out") == FILES


def test_an_empty_folder_and_an_earlier_zip_are_replaced(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out.zip").write_bytes(b"earlier")
    write_folder(PACKAGE, tmp_path / "out")
    write_zip(PACKAGE, tmp_path / "out.zip")
    assert files_in(tmp_path / "out") == FILES
    assert (tmp_path / "out.zip").read_bytes() == PACKAGE.to_zip()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "out.zip"]


def test_a_symlink_stays_and_its_target_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    (tmp_path / "real.zip").touch()
    (tmp_path / "link.zip").symlink_to("real.zip")
    write_folder(PACKAGE, tmp_path / "link")
    write_zip(PACKAGE, tmp_path / "link.zip")
    assert (tmp_path / "link").is_symlink()
    assert files_in(tmp_path / "real") == FILES
    assert (tmp_path / "link.zip").is_symlink()
    assert (tmp_path / "real.zip").read_bytes() == PACKAGE.to_zip()


def test_a_folder_with_other_files_is_not_changed(tmp_path: Path) -> None:
    (tmp_path / "out" / "src").mkdir(parents=True)
    (tmp_path / "out" / "src" / "main.py").write_text("precious")
    (tmp_path / "out" / "package.xml").write_text("<a/>")
    before = tree(tmp_path)
    with pytest.raises(ConfigError) as caught:
        write_folder(PACKAGE, tmp_path / "out")
    assert caught.value.where == str(tmp_path / "out")
    assert caught.value.message == (
        "the folder has more than a package (src), and writing would replace all of it"
    )
    assert tree(tmp_path) == before


@both_writers
@pytest.mark.parametrize("below", ["out", "a/b/out"])
def test_nothing_is_written_below_a_regular_file(tmp_path: Path, write: Writer, below: str) -> None:
    (tmp_path / "file").write_text("mine")
    refused(write, tmp_path / "file" / below)
    assert tree(tmp_path) == {"file": b"mine"}


def test_a_regular_file_is_not_replaced_by_a_folder(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("mine")
    refused(write_folder, tmp_path / "out")
    assert tree(tmp_path) == {"out": b"mine"}


def test_a_folder_is_not_replaced_by_a_zip(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    refused(write_zip, tmp_path / "out")
    assert tree(tmp_path) == {"out": None}


@both_writers
def test_a_pipe_or_device_is_not_replaced(tmp_path: Path, write: Writer) -> None:
    os.mkfifo(tmp_path / "out")
    refused(write, tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert (tmp_path / "out").is_fifo()


@both_writers
def test_a_full_disk_leaves_nothing(tmp_path: Path, write: Writer) -> None:
    with files_no_larger_than(200):
        error = refused(write, tmp_path / "a" / "b" / "out")
    assert error.message == "the package was not written: File too large"
    assert tree(tmp_path) == {}


@both_writers
def test_a_full_disk_keeps_what_was_there(tmp_path: Path, write: Writer) -> None:
    write(EARLIER, tmp_path / "out")
    before = tree(tmp_path)
    with files_no_larger_than(200):
        refused(write, tmp_path / "out")
    assert tree(tmp_path) == before


@both_writers
def test_a_failed_last_rename_keeps_what_was_there(
    tmp_path: Path, write: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(EARLIER, tmp_path / "out")
    before = tree(tmp_path)
    rename = Path.replace

    def fail_on_the_new_one(self: Path, target: Path) -> Path:
        if self.name == "new":
            raise OSError(28, "No space left on device")
        return rename(self, target)

    monkeypatch.setattr(Path, "replace", fail_on_the_new_one)
    error = refused(write, tmp_path / "out")
    assert error.message == "the package was not written: No space left on device"
    assert tree(tmp_path) == before


@both_writers
def test_a_name_that_is_too_long_leaves_no_parents(tmp_path: Path, write: Writer) -> None:
    refused(write, tmp_path / "a" / ("x" * 300))
    assert tree(tmp_path) == {}


@both_writers
def test_the_longest_allowed_name_works(tmp_path: Path, write: Writer) -> None:
    write(PACKAGE, tmp_path / ("x" * 255))
    assert [path.name for path in tmp_path.iterdir()] == ["x" * 255]


@both_writers
def test_the_current_folder_is_not_replaced(
    tmp_path: Path, write: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(OperationFailedError):
        write(PACKAGE, Path())
    assert tree(tmp_path) == {}


@both_writers
@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_folder_is_unchanged(tmp_path: Path, write: Writer) -> None:
    tmp_path.chmod(0o500)
    try:
        refused(write, tmp_path / "out")
        assert tree(tmp_path) == {}
    finally:
        tmp_path.chmod(0o700)


@both_writers
@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs /proc")
def test_a_read_only_place_is_refused(write: Writer) -> None:
    refused(write, Path("/proc/sfcutover-out"))
