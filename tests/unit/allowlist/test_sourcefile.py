"""A source file changed in place: exactly the necessary lines change."""

from __future__ import annotations

import difflib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfcutover.allowlist.carriers import OAUTH_POLICIES, SECURITY_SETTINGS, TOKEN_IP_RANGES
from sfcutover.allowlist.component import Component, parse_component
from sfcutover.allowlist.ranges import Allowlist, IpRange
from sfcutover.allowlist.sourcefile import entry_lines, update_file
from sfcutover.errors import ConfigError
from tests.support import NAMESPACE

# Unusual on purpose: a BOM, quotes, tabs, another order, comments, and no final line end.
ODD = (
    "\ufeff<?xml version='1.0' encoding='utf-8'?>\n"
    "<!-- owners: the -> release team > -->\n"
    f"<ExtlClntAppOauthSecuritySettings xmlns='{NAMESPACE}'>\n"
    "\t<label>Acme &amp; Söhne\n  <!-- inside --></label>\n\n"
    "\t<!-- proxy a -->\n"
    "\t<tokenIpRanges>\n"
    "\t\t<startIpAddress>203.0.113.10</startIpAddress>\n"
    "\t\t<endIpAddress>203.0.113.10</endIpAddress>\n"
    "\t</tokenIpRanges> <!-- since 2024 -->\n"
    "\t<externalClientApplication >Acme</externalClientApplication>\n"
    "\t<tokenIpRanges><startIpAddress>203.0.113.11</startIpAddress>"
    "<endIpAddress>203.0.113.11</endIpAddress></tokenIpRanges>\n"
    "\t<?note keep?>\n"
    "\t<tokenIpRanges>\n"
    "\t\t<description><![CDATA[office > VPN]]></description>\n"
    "\t\t<endIpAddress>192.0.2.71</endIpAddress>\n"
    "\t\t<startIpAddress>192.0.2.64</startIpAddress>\n"
    "\t</tokenIpRanges>\n"
    "</ExtlClntAppOauthSecuritySettings>"
)
LINES = {"lf": ODD.encode(), "crlf": ODD.replace("\n", "\r\n").encode()}
ONE_LINE = (
    f'<ExtlClntAppOauthSecuritySettings xmlns="{NAMESPACE}"><externalClientApplication>Acme'
    "</externalClientApplication><tokenIpRanges><endIpAddress>203.0.113.10</endIpAddress>"
    "<startIpAddress>203.0.113.10</startIpAddress></tokenIpRanges>"
    "</ExtlClntAppOauthSecuritySettings>"
).encode()
both_line_ends = pytest.mark.parametrize("data", LINES.values(), ids=LINES)


def parsed(data: bytes) -> Component:
    return parse_component(
        data, SECURITY_SETTINGS, "Acme_sec", carrier=TOKEN_IP_RANGES, where="tree"
    )


def updated(data: bytes, *ranges: IpRange) -> bytes:
    wanted = parsed(data).with_allowlist(Allowlist(ranges))
    return update_file(data, wanted, {}, where="tree")


def entries(data: bytes) -> tuple[IpRange, ...]:
    return parsed(data).allowlist.ranges


def changed_lines(before: bytes, after: bytes) -> list[bytes]:
    """The lines of a diff without context, with their ends."""
    old, new = ([line.hex() for line in data.splitlines(keepends=True)] for data in (before, after))
    diff = list(difflib.unified_diff(old, new, n=0))[2:]
    return [
        line[0].encode() + bytes.fromhex(line[1:]) for line in diff if not line.startswith("@@")
    ]


NEW = IpRange.parse("198.51.100.20"), IpRange.parse("198.51.100.21", "a & <b>")


@both_line_ends
def test_an_addition_changes_only_the_added_lines(data: bytes) -> None:
    after = updated(data, *entries(data), *NEW)
    lines = changed_lines(data, after)
    assert [line for line in lines if not line.startswith(b"+")] == []
    eol = b"\r\n" if b"\r\n" in data else b"\n"
    assert b"".join(line[1:] for line in lines) == eol.join(
        (
            b"\t<tokenIpRanges>",
            b"\t\t<endIpAddress>198.51.100.20</endIpAddress>",
            b"\t\t<startIpAddress>198.51.100.20</startIpAddress>",
            b"\t</tokenIpRanges>",
            b"\t<tokenIpRanges>",
            b"\t\t<description>a &amp; &lt;b&gt;</description>",
            b"\t\t<endIpAddress>198.51.100.21</endIpAddress>",
            b"\t\t<startIpAddress>198.51.100.21</startIpAddress>",
            b"\t</tokenIpRanges>",
            b"",
        )
    )


@both_line_ends
def test_a_duplicate_entry_stays_as_often_as_wanted(data: bytes) -> None:
    twice = updated(data, *entries(data), entries(data)[0])
    assert len(entries(twice)) == len(entries(data)) + 1
    assert updated(twice, *entries(twice)) == twice
    assert entries(updated(twice, *entries(data))) == entries(data)


@both_line_ends
def test_a_removal_changes_only_the_removed_lines(data: bytes) -> None:
    after = updated(data, entries(data)[2])
    lines = changed_lines(data, after)
    assert {line[:1] for line in lines} == {b"-", b"+"}
    # A comment on the line of an entry stays, on a line of its own.
    assert [line.strip() for line in lines if line.startswith(b"+")] == [b"+\t <!-- since 2024 -->"]
    for kept in (b"<!-- proxy a -->", b"<?note keep?>", b"<![CDATA[office > VPN]]>"):
        assert kept in after


@both_line_ends
def test_an_addition_can_be_removed_without_a_trace(data: bytes) -> None:
    first, *rest = entries(data)
    there = updated(data, NEW[0], first, NEW[1], *rest)
    assert entries(there) == (NEW[0], first, NEW[1], *rest)
    assert updated(there, first, *rest) == data


@both_line_ends
def test_a_correct_list_leaves_every_byte(data: bytes) -> None:
    assert updated(data, *reversed(entries(data))) == data


def test_an_entry_is_formatted_like_its_neighbor() -> None:
    data = LINES["lf"]
    first, second, third = entries(data)
    after = updated(data, first, second, NEW[0], third)
    assert (
        b"\n\t<tokenIpRanges><endIpAddress>198.51.100.20</endIpAddress>"
        b"<startIpAddress>198.51.100.20</startIpAddress></tokenIpRanges>\n"
    ) in after


def test_a_changed_description_replaces_the_entry() -> None:
    data = LINES["lf"]
    first, second, third = entries(data)
    other = IpRange(third.start, third.end, "office")
    after = updated(data, first, second, other)
    assert entries(after) == (first, second, other)
    assert [line.rstrip() for line in changed_lines(data, after)] == [
        b"-\t\t<description><![CDATA[office > VPN]]></description>",
        b"+\t\t<description>office</description>",
    ]


def test_a_file_of_one_line_stays_one_line() -> None:
    (old,) = entries(ONE_LINE)
    both = updated(ONE_LINE, old, NEW[0])
    assert b"\n" not in both
    assert updated(both, old) == ONE_LINE
    assert entries(updated(ONE_LINE, NEW[0])) == (NEW[0],)


@pytest.mark.parametrize("data", [*LINES.values(), ONE_LINE])
def test_the_first_entry_is_placed_by_the_schema(data: bytes) -> None:
    none = updated(data)
    assert entries(none) == ()
    after = updated(none, *NEW)
    assert entries(after) == NEW
    assert after.index(b"externalClientApplication") < after.index(b"<tokenIpRanges>")


@pytest.mark.parametrize("data", [*LINES.values(), ONE_LINE])
@given(st.data())
def test_any_list_can_become_any_other(data: bytes, draw: st.DataObject) -> None:
    pool = [*entries(data), *NEW, IpRange.parse("198.51.100.30", "c\rd")]
    wanted = draw.draw(st.lists(st.sampled_from(pool), unique=True))
    back = draw.draw(st.lists(st.sampled_from(pool), unique=True))
    for step in (wanted, back):
        data = updated(data, *step)
        assert sorted(entries(data), key=str) == sorted(step, key=str)


POLICIES = (
    "<?xml version='1.0'?>\n"
    f"<ExtlClntAppOauthConfigurablePolicies xmlns='{NAMESPACE}'>\n"
    "  <startUrl/>\n"
    "  <!-- why: case 17 -->\n"
    "  <ipRelaxationPolicyType>Bypass</ipRelaxationPolicyType>\n"
    "  <externalClientApplication>Acme</externalClientApplication>\n"
    "</ExtlClntAppOauthConfigurablePolicies>\n"
).encode()


def test_policies_change_in_place_and_new_ones_follow_the_schema() -> None:
    component = parse_component(POLICIES, OAUTH_POLICIES, "Acme_plcy", where="tree")
    values = {
        "ipRelaxationPolicyType": "Enforce",
        "startUrl": "",
        "refreshTokenPolicyType": "Zero",
        "label": "A & B",
    }
    after = update_file(POLICIES, component, values, where="tree")
    assert [line.rstrip() for line in changed_lines(POLICIES, after)] == [
        b"-  <ipRelaxationPolicyType>Bypass</ipRelaxationPolicyType>",
        b"+  <ipRelaxationPolicyType>Enforce</ipRelaxationPolicyType>",
        b"+  <label>A &amp; B</label>",
        b"+  <refreshTokenPolicyType>Zero</refreshTokenPolicyType>",
    ]
    assert update_file(after, component, values, where="tree") == after


def test_a_correct_policy_keeps_its_spelling_while_another_changes() -> None:
    data = POLICIES.replace(b"<ipRelaxationPolicyType>", b"<ipRelaxationPolicyType >")
    component = parse_component(data, OAUTH_POLICIES, "Acme_plcy", where="tree")
    values = {"ipRelaxationPolicyType": "Bypass", "startUrl": "https://acme.example"}
    after = update_file(data, component, values, where="tree")
    assert changed_lines(data, after) == [
        b"-  <startUrl/>\n",
        b"+  <startUrl>https://acme.example</startUrl>\n",
    ]


def test_a_new_policy_is_inserted_between_its_neighbors() -> None:
    data = POLICIES.replace(b"  <startUrl/>\n", b"").replace(b"</Extl", b"  <startUrl/>\n</Extl")
    component = parse_component(data, OAUTH_POLICIES, "Acme_plcy", where="tree")
    after = update_file(data, component, {"label": "A"}, where="tree")
    assert after == data.replace(b"  <startUrl/>", b"  <label>A</label>\n  <startUrl/>")


REFUSED = {
    "a DTD": (LINES["lf"].replace(b"<!-- owners", b"<!DOCTYPE x []><!-- owners"), "DTD"),
    "entities": (
        LINES["lf"].replace(b"<!-- owners", b'<!DOCTYPE x [<!ENTITY a "b">]><!-- owners'),
        "DTD",
    ),
    "another encoding": (ODD[1:].replace("utf-8", "iso-8859-1").encode("iso-8859-1"), "UTF-8"),
    "an encoding of its own": (
        ODD[1:].replace("ö", "o").replace("utf-8", "shift_jis").encode("ascii"),
        "UTF-8",
    ),
    "UTF-16": (ODD[1:].replace("utf-8", "utf-16").encode("utf-16"), "UTF-8"),
    "half a file": (LINES["lf"][:200], "not well-formed"),
}


@pytest.mark.parametrize(("data", "message"), REFUSED.values(), ids=REFUSED)
def test_unusual_metadata_is_refused(data: bytes, message: str) -> None:
    wanted = parsed(LINES["lf"]).with_allowlist(Allowlist(NEW))
    with pytest.raises(ConfigError, match=message) as caught:
        update_file(data, wanted, {}, where="tree")
    assert (caught.value.where or "").startswith("tree")


def test_a_prefix_that_an_entry_would_lack_is_refused() -> None:
    data = ONE_LINE.replace(b"<", b"<m:").replace(b"<m:/", b"</m:").replace(b"xmlns=", b"xmlns:m=")
    with pytest.raises(ConfigError, match="cannot be changed in place"):
        updated(data, *NEW)


def test_the_lines_of_the_entries_are_known() -> None:
    for data in LINES.values():
        assert entry_lines(data, parsed(data), "tree") == [8, 13, 15]
    bare = updated(LINES["lf"])
    assert entry_lines(bare, parsed(bare), "tree") == [3]
