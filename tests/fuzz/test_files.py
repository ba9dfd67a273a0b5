"""Files: cutover.yaml, components, zips, plans, evidence, and the contents of the state."""

from __future__ import annotations

import io
import json
import warnings
import zipfile
from collections.abc import Callable
from datetime import timedelta
from functools import cache
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner
from hypothesis import example, given
from hypothesis import strategies as st

from sfcutover.allowlist.baseline import baseline_documents, snapshot_of
from sfcutover.allowlist.phases import LIST_PHASES
from sfcutover.allowlist.planfile import TargetPlan, make_plan, make_target_plan, read_plan
from sfcutover.allowlist.ranges import IpRange
from sfcutover.allowlist.sourcefile import update_file
from sfcutover.allowlist.sourcetree import find_project
from sfcutover.allowlist.templates import Templates
from sfcutover.allowlist.treecheck import unignored
from sfcutover.cli import cli
from sfcutover.config.cutover import Cutover, load_config
from sfcutover.config.state import State
from sfcutover.config.values import Text
from sfcutover.cutover.evidence import Wanted, check_evidence, read_evidence
from sfcutover.cutover.supportcase import Confirmations
from sfcutover.runs.database import Database
from sfcutover.runs.store import RunStore
from sfcutover.salesforce.retriever import read_zip
from sfcutover.salesforce.sessions import provider_for
from sfcutover.traffic.egress import echo_url_of, egress_of
from sfcutover.traffic.switch import facts_of
from sfcutover.traffic.switchhelper import read_record
from sfcutover.traffic.tokenstores import RecoveryFile
from sfcutover.util.secrets import Secret
from sfcutover.util.secretsources import secret_from_file
from sfcutover.util.serverclock import ServerTime
from tests.fuzz.hostile import changed, cut, encoded, json_texts, texts, xml_texts
from tests.fuzz.limits import FUZZ, fuzzed, must_end
from tests.fuzz.material import CONFIG, CUTOVER, DOCUMENT, FILES, component, snapshot
from tests.unit.cutover.proven import NOON
from tests.unit.cutover.test_evidence import EVIDENCE

pytestmark = FUZZ
BUILTIN = Templates()
PLANNER = CUTOVER.planner(BUILTIN)


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fuzz") / "file"


_YAML = cut(CONFIG) | changed(DOCUMENT).map(lambda data: yaml.safe_dump(data, allow_unicode=True))


@given(data=encoded(_YAML | st.sampled_from(["[" * 100_000, "{a: " * 100_000, "- " * 100_000])))
@fuzzed
def test_any_cutover_yaml_loads_or_is_refused(file: Path, data: bytes) -> None:
    file.write_bytes(data)
    must_end(lambda: _use(load_config(file)))


def _use(cutover: Cutover) -> None:
    """What a command computes from it before its first request."""
    for target in cutover.targets:
        provider_for(target.org)
        _ = cutover.verify and cutover.verify.canaries_of(target.name)
    cutover.planner(BUILTIN)
    _ = cutover.state.is_missing, cutover.missing_for_run, cutover.notes, facts_of(cutover, "apply")
    echo_url_of(cutover)
    egress_of(cutover, "new")


@given(name=st.sampled_from(sorted(FILES)), data=st.data())
@fuzzed
def test_any_component_file_is_read_or_refused(name: str, data: st.DataObject) -> None:
    content = data.draw(encoded(xml_texts(FILES[name])))
    must_end(lambda: _plan(name, content))


def _plan(name: str, content: bytes) -> None:
    if name not in (*CUTOVER.carriers, "oauth-policies"):
        component(name, content)
        return
    live = snapshot({name: content})
    PLANNER.plan_all(live)
    documents = baseline_documents(live, CUTOVER.api_version)
    again = snapshot_of(documents, "baseline", hint="")
    assert again.fingerprints == live.fingerprints


_ADDED = (IpRange.parse("198.51.100.20", "a & b"), IpRange.parse("2001:db8::1"))


@given(name=st.sampled_from(sorted(FILES)), data=st.data())
@fuzzed
def test_any_source_file_is_changed_correctly_or_refused(name: str, data: st.DataObject) -> None:
    content = data.draw(encoded(xml_texts(FILES[name])))
    must_end(lambda: _change(name, content))


def _change(name: str, content: bytes) -> None:
    """The written file contains what the phase requires, and undoing it restores every byte."""
    before = component(name, content)
    wanted = before.with_allowlist(before.allowlist.add(_ADDED)) if before.carrier else before
    values = {} if before.carrier else {"ipRelaxationPolicyType": "Enforce"}
    after = update_file(content, wanted, values, where=name)
    expected = wanted.with_values(values)
    assert component(name, after).fingerprint == expected.fingerprint
    if before.carrier and before.allowlist.ranges:
        assert update_file(after, before, {}, where=name) == content


_PROJECT = {"packageDirectories": [{"path": "a", "package": "b"}, {"path": "c", "default": True}]}


@given(
    project=encoded(json_texts(_PROJECT)),
    patterns=encoded(st.lists(texts | st.text("*/a!#\\[].?-")).map("\n".join)),
)
@fuzzed
def test_any_project_is_read_or_refused(file: Path, project: bytes, patterns: bytes) -> None:
    folder = file.parent / "project"
    (folder / "a" / "deep").mkdir(parents=True, exist_ok=True)
    (folder / "a" / "deep" / "x.ecaPlcy-meta.xml").touch()
    (folder / "sfdx-project.json").write_bytes(project)
    (folder / ".forceignore").write_bytes(patterns)
    must_end(lambda: [unignored(each) for each in [find_project(folder)] if each])


_ZIP_NAMES = texts | st.sampled_from(
    ["package.xml", "a/../../b", "/etc/passwd", "C:x", "a\\b", "a/", "ns:a"]
)


@st.composite
def zips(draw: st.DrawFn) -> bytes:
    buffer = io.BytesIO()
    has_safe_names = draw(st.booleans())  # only of such a zip the contents are read
    with zipfile.ZipFile(buffer, "w") as archive:
        for number in range(draw(st.integers(0, 4))):
            name = f"{number}.xml" if has_safe_names else draw(_ZIP_NAMES)
            info = zipfile.ZipInfo(name.replace("\0", "")[:60_000] or "a")
            info.compress_type = draw(st.sampled_from([0, 8, 12, 14]))
            info.external_attr = draw(st.sampled_from([0o644 << 16, 0o120777 << 16, 0]))
            size = draw(st.sampled_from([0, 10, 1000, 1_000_000]))
            with warnings.catch_warnings(action="ignore"):  # of a duplicate name
                archive.writestr(info, bytes(size))
    return buffer.getvalue()


@cache
def _bomb() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("a", "b", "c", "d"):
            archive.writestr(name, bytes(60_000_000))
    return buffer.getvalue()


def _hungry() -> bytes:
    """LZMA itself states how large its dictionary is: here, almost 4 GiB."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("a", b"a" * 100)
    data = bytearray(buffer.getvalue())
    size = data.index(b"\x05\x00\x5d") + 3  # behind the length of the properties, and the first
    data[size : size + 4] = b"\xff" * 4
    return bytes(data)


@st.composite
def broken_zips(draw: st.DrawFn) -> bytes:
    data = bytearray(draw(zips() if draw(st.integers(0, 9)) else st.builds(_bomb)))
    keeps_length = draw(st.booleans())  # and so the offsets in the zip
    for _ in range(draw(st.integers(0, 6))):
        place = draw(
            st.integers(max(0, len(data) - 200), max(0, len(data) - 1)) | st.integers(0, 60)
        )
        put = draw(st.binary(max_size=4) | st.just(b"\xff" * 4))
        taken = len(put) if keeps_length else draw(st.integers(0, 4))
        data[place : place + taken] = put
    return bytes(data)


@given(data=broken_zips())
@example(data=_hungry())
@fuzzed
def test_any_zip_is_read_or_refused(data: bytes) -> None:
    must_end(lambda: read_zip(data, "zip"))


_PLAN = json.loads(
    make_plan(
        PLANNER,
        [
            make_target_plan(
                "packaging", snapshot({}), PLANNER, organization_id="00D000000000001AAA"
            )
        ],
        {"add-new": "0" * 64},
    ).model_dump_json(by_alias=True)
)


@given(data=encoded(json_texts(_PLAN)))
@fuzzed
def test_any_plan_file_is_read_or_refused(file: Path, data: bytes) -> None:
    file.write_bytes(data)

    def use() -> None:
        plan = TargetPlan(read_plan(file), file, "packaging", PLANNER)
        for phase in LIST_PHASES:
            plan.check_live(plan.planned(phase), snapshot({}))

    must_end(use)


_EVIDENCE = json.loads(EVIDENCE.model_dump_json(by_alias=True))
_WANTED = Wanted("Acme_Connector", "00D000000000001AAA", "new", (), (), 0.9, timedelta(hours=1))


@given(data=encoded(json_texts(_EVIDENCE)))
@fuzzed
def test_any_evidence_file_is_read_or_refused(file: Path, data: bytes) -> None:
    file.write_bytes(data)
    live = snapshot({})

    def use() -> None:
        for each in read_evidence(file).targets:
            check_evidence(each, _WANTED, live, ServerTime.around(NOON, 1.0))

    must_end(use)


_RECORD = {
    "started": 1.0,
    "status": 0,
    "seconds": 2.0,
    "cut_short": False,
    "words": "exit status 0",
}


@given(data=encoded(json_texts(_RECORD)))
@fuzzed
def test_any_record_of_the_switch_command_is_read_or_refused(file: Path, data: bytes) -> None:
    file.write_bytes(data)

    def use() -> None:
        record = read_record(file)
        if record is not None:
            _ = record.succeeded, record.could_not_run, f"{record.started:.1f} {record.seconds:.1f}"

    must_end(use)


@given(data=encoded(cut("a-token\n0123456789abcdef0123456789abcdef\n")))
@fuzzed
def test_any_secret_file_or_recovered_token_is_read_or_refused(file: Path, data: bytes) -> None:
    recovery = RecoveryFile("fuzz", "fuzz")
    recovery.path.write_bytes(data)
    file.write_bytes(data)
    must_end(lambda: recovery.recover(Secret("an-old-token"), lambda _: None))
    must_end(lambda: secret_from_file(file, "x"))
    recovery.path.unlink(missing_ok=True)


_CONFIRMATION = {
    "schema": "sfcutover/confirmation/1", "cutover": "move", "target": "packaging",
    "app": "Acme_Connector", "instance_url": "https://acme.example", "phase": "add-new",
    "organization_id": "00D000000000001AAA", "ranges": ["203.0.113.1"],
    "confirmed": "2026-11-23T12:00:00Z", "confirmed_by": "sam",
}  # fmt: skip


@given(data=encoded(json_texts(_CONFIRMATION)))
@fuzzed
def test_any_confirmation_is_read_or_refused(
    file: Path, data: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    confirmations = Confirmations(
        CUTOVER, "packaging", "https://acme.example", "00D000000000001AAA"
    )
    path = confirmations.path("add-new")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    must_end(lambda: confirmations.require("add-new"))


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Callable[[bytes], object]:
    """Opens the state with other bytes, as the command ``runs`` does."""
    folder = tmp_path_factory.mktemp("state")
    (folder / "cutover.yaml").write_text(CONFIG, encoding="utf-8")

    def open_(content: bytes) -> object:
        (folder / "state.db").write_bytes(content)
        for name in ("state.db-wal", "state.db-shm"):
            (folder / name).unlink(missing_ok=True)
        arguments = ["runs", "--json", "--config", str(folder / "cutover.yaml")]
        return CliRunner().invoke(cli, arguments, standalone_mode=False, catch_exceptions=False)

    return open_


@pytest.fixture(scope="module")
def right_state(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("right") / "state.db"
    database = Database.open(State(url=Text(literal=f"sqlite:///{path}")))
    RunStore(database)
    database.close()
    return path.read_bytes()


@st.composite
def broken(draw: st.DrawFn, content: bytes) -> bytes:
    data = bytearray(content)
    for _ in range(draw(st.integers(1, 8))):
        place = draw(st.integers(0, 200) | st.integers(0, len(data) - 1))
        data[place : place + draw(st.integers(0, 8))] = draw(st.binary(max_size=8))
    return bytes(data[: draw(st.sampled_from([len(data), len(data), 100, 5000]))])


@given(data=st.data())
@fuzzed
def test_any_state_is_read_or_refused(
    state: Callable[[bytes], object], right_state: bytes, data: st.DataObject
) -> None:
    content = data.draw(broken(right_state))
    must_end(lambda: state(content))
