"""jsforce deploys, polls, cancels, retrieves and lists, and reads and saves components."""

from __future__ import annotations

import base64
from collections.abc import Iterator

import pytest

from sfcutover.emulator.emulator import Emulator
from sfcutover.emulator.scenario import Scenario
from tests.integration.emulator.client import security_package, security_xml, unzip
from tests.interop.jsforce import Jsforce, JsforceError
from tests.support import SECURITY, SECURITY_NAME, SECURITY_PATH, operations

pytestmark = pytest.mark.interop

ZIP = base64.b64encode(security_package(security_xml("127.0.0.21", "127.0.0.22"))).decode()
ALL = f'{{ types: [{{ members: ["*"], name: "{SECURITY}" }}], version: "67.0" }}'


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with Emulator(tls=False) as started:
        yield started


@pytest.fixture
def jsforce(installed_jsforce: None, emulator: Emulator) -> Jsforce:
    return Jsforce(emulator, ZIP)


def live(emulator: Emulator) -> bytes:
    return emulator.component_xml(SECURITY, SECURITY_NAME)


def test_conn_deploys_a_zip(jsforce: Jsforce, emulator: Emulator) -> None:
    result = jsforce.run("return conn.metadata.deploy(zip, options).complete(true)")
    assert (result["status"], result["success"]) == ("Succeeded", True)
    names = [one["fullName"] for one in result["details"]["componentSuccesses"]]
    assert names == [SECURITY_NAME, "package.xml"]
    assert b"127.0.0.22" in live(emulator)


def test_a_failure_is_reported(installed_jsforce: None, emulator: Emulator) -> None:
    package = security_package(security_xml("127.0.0.21", app="Acme_Nobody"))
    jsforce = Jsforce(emulator, base64.b64encode(package).decode())
    result = jsforce.run("return conn.metadata.deploy(zip, options).complete(true)")
    assert (result["status"], result["success"]) == ("Failed", False)
    # of one element its parser makes no list
    assert "INVALID_CROSS_REFERENCE_KEY" in result["details"]["componentFailures"][0]["problem"]


@pytest.mark.parametrize("rest", ["false", "true"])
def test_a_deployment_is_polled_and_canceled(installed_jsforce: None, rest: str) -> None:
    with Emulator(Scenario(deploy_seconds=600), tls=False) as slow:
        start = "deployRest" if rest == "true" else "deploy"
        pending, canceled = Jsforce(slow, ZIP).run(
            f"const job = await conn.metadata.{start}(zip, options);"
            f"const pending = await conn.metadata.checkDeployStatus(job.id, true, {rest});"
            "await conn.metadata.cancelDeploy(job.id);"
            f"return [pending, await conn.metadata.checkDeployStatus(job.id, true, {rest})]"
        )
        assert (pending["status"], pending["done"]) == ("Pending", False)
        assert (canceled["status"], canceled["done"]) == ("Canceled", True)
        assert operations(slow, "deploy")[0]["kind"] == ("rest" if rest == "true" else "soap")


@pytest.mark.parametrize("rest", ["false", "true"])
def test_a_validation_is_deployed(jsforce: Jsforce, emulator: Emulator, rest: str) -> None:
    validation, deployment = jsforce.run(
        'const checked = { ...options, checkOnly: true, testLevel: "RunLocalTests" };'
        "const job = await conn.metadata.deploy(zip, checked).complete();"
        f"const quick = {{ id: job.id, rest: {rest} }};"
        "return [job.id, await conn.metadata.deployRecentValidation(quick)]"
    )
    assert deployment not in (None, validation)
    assert emulator.deployments[-1].id == deployment
    assert b"127.0.0.22" in live(emulator)


def test_components_are_listed_and_described(jsforce: Jsforce) -> None:
    listed, described = jsforce.run(
        f'const listed = await conn.metadata.list([{{ type: "{SECURITY}" }}]);'
        "return [listed, await conn.metadata.describe()]"
    )
    assert [one["fullName"] for one in listed] == [SECURITY_NAME]
    assert SECURITY in [one["xmlName"] for one in described["metadataObjects"]]


@pytest.mark.parametrize("more", ["", f', packageNames: null, specificFiles: ["{SECURITY_PATH}"]'])
def test_components_are_retrieved(jsforce: Jsforce, emulator: Emulator, more: str) -> None:
    request = f"{{ singlePackage: true, unpackaged: {ALL} {more} }}"
    result = jsforce.run(f"return conn.metadata.retrieve({request}).complete()")
    files = unzip(base64.b64decode(result["zipFile"]))
    assert set(files) == {SECURITY_PATH, "package.xml"}
    assert files[SECURITY_PATH] == live(emulator)


def test_a_retrieve_of_an_unknown_package_is_reported(jsforce: Jsforce) -> None:
    result = jsforce.run('return conn.metadata.retrieve({ packageNames: ["Abacus"] }).complete()')
    assert (result["status"], result["zipFile"]) == ("Failed", "")
    assert "No package named 'Abacus' found" in result["errorMessage"]


def test_a_component_is_read_and_updated(jsforce: Jsforce, emulator: Emulator) -> None:
    saved = jsforce.run(
        f'const app = await conn.metadata.read("{SECURITY}", "{SECURITY_NAME}");'
        'app.tokenIpRanges[0].description = "changed";'
        f'return conn.metadata.update("{SECURITY}", app)'
    )
    assert (saved["fullName"], saved["success"]) == (SECURITY_NAME, True)
    text = live(emulator).decode()
    assert text.count("<tokenIpRanges>") == 3
    assert "<description>changed</description>" in text


def test_a_failed_update_is_reported(jsforce: Jsforce) -> None:
    saved = jsforce.run(
        f'return conn.metadata.update("{SECURITY}", [{{ fullName: "Nobody" }}, '
        f'{{ fullName: "{SECURITY_NAME}", externalClientApplication: "Nobody" }}])'
    )
    assert [one["success"] for one in saved] == [False, False]
    assert "Nobody" in saved[1]["errors"][0]["message"]


def test_a_query_and_the_user_are_read(jsforce: Jsforce) -> None:
    records, identity = jsforce.run(
        'const found = await conn.query("SELECT Name FROM Organization");'
        "return [found.records, await conn.identity()]"
    )
    assert records[0]["Name"] == "Acme Packaging"
    assert identity["username"] == "release@acme.example"


def test_a_refusal_is_thrown(jsforce: Jsforce) -> None:
    with pytest.raises(JsforceError, match="sf:INVALID_CROSS_REFERENCE_KEY"):
        jsforce.run('return conn.metadata.checkDeployStatus("0Af000000000000AAA", true)')
    with pytest.raises(JsforceError, match="NOT_FOUND The requested resource does not exist"):
        jsforce.run("return conn.describeGlobal()")
