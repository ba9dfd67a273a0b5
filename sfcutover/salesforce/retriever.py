"""Reading components out of an org: found by listMetadata, matched by the app they name.

A child component's full name can't be guessed from the app's (seen: ``<App>``,
``<App>_oauthSecurity``, ``<App>_oauthPlcy``, ``<Settings>_defaultPolicy``, with a
namespace in front), so each candidate is read and its ``<externalClientApplication>``
compared.
"""

from __future__ import annotations

import difflib
import io
import lzma
import stat
import struct
import zipfile
import zlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import PurePosixPath, PureWindowsPath

from sfcutover.allowlist.carriers import APP, OAUTH_POLICIES, Carrier, ComponentType
from sfcutover.allowlist.component import Component, FileProperties, app_of, parse_component
from sfcutover.allowlist.snapshot import Snapshot
from sfcutover.errors import (
    Answer,
    BusyError,
    ConfigError,
    DriftError,
    LimitError,
    NetworkError,
    OperationFailedError,
    StillRunningError,
)
from sfcutover.salesforce.answers import OTHER_ADDRESS, AccessRefusedError, is_about_address
from sfcutover.salesforce.metadata import MetadataClient
from sfcutover.salesforce.results import ListedComponent, RetrieveResult
from sfcutover.util.clock import Clock

MAX_FILES = 10_000  # of a deploy or retrieve (Metadata API Developer Guide)
MAX_UNZIPPED_BYTES = 64 * 1024 * 1024
_DAMAGED = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    EOFError,
    OSError,
    RuntimeError,  # encrypted; NotImplementedError: an unknown compression
    MemoryError,  # LZMA says itself how much it needs
    ValueError,  # names that are no UTF-8, offsets outside the file
)
_HINT = "nothing of it was used; retrieve again, or check what is between this machine and the org"


def read_zip(data: bytes, where: str) -> dict[str, bytes]:
    """The files by path. Raises OperationFailedError for a zip that is broken or that
    would leave its folder, LimitError for one that is too large."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = [entry for entry in archive.infolist() if not entry.filename.endswith("/")]
            _check_size(entries, where)
            paths = [_safe_path(entry, where) for entry in entries]
            _check_unique(paths, where)
            return dict(zip(paths, map(archive.read, entries), strict=True))
    except _DAMAGED as error:
        raise OperationFailedError(
            f"not a readable zip file: {error}", where=where, hint=_HINT
        ) from error


def _check_size(entries: list[zipfile.ZipInfo], where: str) -> None:
    """By what the zip declares: zipfile reads no more of an entry than that."""
    if len(entries) > MAX_FILES:
        raise LimitError(
            f"the zip has {len(entries):,} files; the limit is {MAX_FILES:,}",
            where=where,
            hint=_HINT,
        )
    if sum(entry.file_size for entry in entries) > MAX_UNZIPPED_BYTES:
        raise LimitError(
            f"the zip unpacks to more than {MAX_UNZIPPED_BYTES:,} bytes", where=where, hint=_HINT
        )


def _safe_path(entry: zipfile.ZipInfo, where: str) -> str:
    """A full name may hold a colon; only a drive's stands in front."""
    path = PurePosixPath(entry.filename.replace("\\", "/"))
    has_drive = bool(PureWindowsPath(entry.filename).drive)
    if not path.parts or path.is_absolute() or ".." in path.parts or has_drive:
        raise OperationFailedError(
            f"the zip has a path that leads out of it: {entry.filename!r}",
            where=where,
            hint=_HINT,
        )
    if stat.S_ISLNK(entry.external_attr >> 16):
        raise OperationFailedError(
            f"the zip has a link: {entry.filename!r}", where=where, hint=_HINT
        )
    return str(path)


def _check_unique(paths: list[str], where: str) -> None:
    twice = [path for path, count in Counter(paths).items() if count > 1]
    if twice:
        raise OperationFailedError(f"the zip has {twice[0]!r} twice", where=where, hint=_HINT)


RETRIEVE_SECONDS = 300.0


class _MissingError(Exception):
    """No file names the app."""


class Retriever:
    """Retrieves components through one org's Metadata API. Changes nothing in the org."""

    def __init__(self, client: MetadataClient, clock: Clock | None = None) -> None:
        self._client = client
        self._clock = clock or Clock()

    def snapshot(
        self, app: str, carriers: Sequence[Carrier], *, policies: bool = False
    ) -> Snapshot:
        """The app's components. Raises ConfigError for an app that isn't there, DriftError
        for a component that is missing or there twice."""
        types = [carrier.component_type for carrier in carriers]
        types += [OAUTH_POLICIES] if policies else []
        listed = self._client.list_metadata([each.metadata_type for each in types])
        result = self._wait(self._client.retrieve(_members(listed, types)))
        files = self._files_of(result)

        def find(component_type: ComponentType, carrier: Carrier | None) -> Component:
            try:
                found = self._only(files, component_type, carrier, app)
            except _MissingError as error:
                self._require_given(listed, files, component_type, result)
                raise self._missing(component_type, app) from error
            return replace(found, properties=_properties(listed, found))

        return Snapshot(
            tuple(find(carrier.component_type, carrier) for carrier in carriers),
            find(OAUTH_POLICIES, None) if policies else None,
        )

    def is_unmodified(self, snapshot: Snapshot) -> bool:
        """True if the org lists every component as saved last when the snapshot was read.

        False where it does not say. One request, where snapshot() takes several and waits.
        """
        now = self._properties_now(snapshot)
        return all(
            each.properties is not None and each.properties == now[each.path]
            for each in snapshot.components
        )

    def modified_since(self, snapshot: Snapshot) -> FileProperties | None:
        """Who saved a component when, since the snapshot was read; None where none was saved, or
        the org does not say. One request."""
        now = self._properties_now(snapshot)
        for each in snapshot.components:
            newest = now[each.path]
            if each.properties is not None and newest is not None and newest != each.properties:
                return newest
        return None

    def _properties_now(self, snapshot: Snapshot) -> dict[str, FileProperties | None]:
        types = [each.component_type.metadata_type for each in snapshot.components]
        listed = self._client.list_metadata(types)
        return {each.path: _properties(listed, each) for each in snapshot.components}

    def _files_of(self, result: RetrieveResult) -> dict[str, bytes]:
        where = f"{self._client.org.instance_url} retrieve {result.id}"
        if not result.success or result.zip_file is None:
            reason = result.error_message or "; ".join(result.messages) or result.status
            if result.answer is Answer.PASSING:
                hint = "this is temporary: run this again in a moment"
                raise BusyError(f"the retrieve failed: {reason}", where=where, hint=hint)
            if is_about_address(reason):
                refused = f"the retrieve failed: {reason}"
                raise AccessRefusedError(refused, where=where, hint=OTHER_ADDRESS)
            raise OperationFailedError(
                f"the retrieve failed: {reason}",
                where=where,
                hint="fix what the org reports, then run this again",
            )
        return read_zip(result.zip_file, where)

    def apps(self, component_type: ComponentType = APP) -> list[str]:
        """The full names of the org's External Client Apps, or of its apps of another type."""
        listed = self._client.list_metadata([component_type.metadata_type])
        return _names(listed, component_type.metadata_type)

    def _wait(self, retrieval_id: str) -> RetrieveResult:
        problem: NetworkError | None = None
        for _ in self._clock.polls(RETRIEVE_SECONDS):
            try:
                result = self._client.check_retrieve_status(retrieval_id)
            except NetworkError as error:
                problem = error
                continue
            problem = None
            if result.done:
                return result
        raise problem or StillRunningError(
            f"the retrieve is not done after {RETRIEVE_SECONDS:.0f} s",
            where=retrieval_id,
            hint="run this again; reading changes nothing",
        )

    def _only(
        self,
        files: Mapping[str, bytes],
        component_type: ComponentType,
        carrier: Carrier | None,
        app: str,
    ) -> Component:
        candidates = _matching(files, component_type, app)
        if len(candidates) == 1:
            full_name, data = candidates[0]
            where = component_type.path(full_name)
            return parse_component(data, component_type, full_name, carrier=carrier, where=where)
        if not candidates:
            raise _MissingError
        names = ", ".join(name for name, _ in candidates)
        raise DriftError(
            f"{len(candidates)} components of type {component_type.metadata_type} belong to the "
            f"app {app}: {names}",
            where=self._client.org.instance_url,
            hint="set app: to its full name with the namespace, or remove the wrong component",
        )

    def _require_given(
        self,
        listed: Sequence[ListedComponent],
        files: Mapping[str, bytes],
        component_type: ComponentType,
        result: RetrieveResult,
    ) -> None:
        """Raises OperationFailedError for what the org lists and has not given: it may be it."""
        names = _names(listed, component_type.metadata_type)
        withheld = [each for each in names if component_type.path(each) not in files]
        if not withheld:
            return
        said = f" ({'; '.join(filter(None, result.messages))})" if any(result.messages) else ""
        raise OperationFailedError(
            f"the org lists {component_type.metadata_type} {', '.join(withheld)}, but a retrieve "
            f"did not return it{said}",
            where=f"{self._client.org.instance_url} retrieve {result.id}",
            hint="run this again; if it repeats, check that the user may see the app, and that "
            f"API version {self._client.api_version} supports all of the component "
            "(api_version:)",
        )

    def _missing(self, component_type: ComponentType, app: str) -> Exception:
        where = self._client.org.instance_url
        known = self.apps(component_type if component_type.app_element is None else APP)
        if not any(_is_app(name, app) for name in known):
            close = difflib.get_close_matches(app, known, n=3, cutoff=0.5)
            return ConfigError(
                f"the org has no app {app!r}",
                where=where,
                hint=f"did you mean {' or '.join(close)}? (app: in cutover.yaml)"
                if close
                else "check app: in cutover.yaml and that this is the right org",
            )
        return DriftError(
            f"the app {app} has no {component_type.metadata_type}",
            where=where,
            hint="save the allowlist once in Setup (External Client App Manager, the app's OAuth "
            "settings), then run this again; also check that the user may see the app",
        )


def _members(
    listed: Sequence[ListedComponent], types: Sequence[ComponentType]
) -> dict[str, list[str]]:
    """What to retrieve: the names listMetadata gives, and a wildcard where it gives none."""
    return {each.metadata_type: _names(listed, each.metadata_type) or ["*"] for each in types}


def _names(listed: Sequence[ListedComponent], metadata_type: str) -> list[str]:
    return sorted(each.full_name for each in listed if each.metadata_type == metadata_type)


def _properties(listed: Sequence[ListedComponent], component: Component) -> FileProperties | None:
    wanted = component.component_type.metadata_type, component.full_name
    found = (each for each in listed if (each.metadata_type, each.full_name) == wanted)
    return next((each.properties for each in found), None)


def _matching(
    files: Mapping[str, bytes], component_type: ComponentType, app: str
) -> list[tuple[str, bytes]]:
    """The files that name the app, by full name; an exact name beats one under a namespace."""
    prefix, suffix = f"{component_type.folder}/", f".{component_type.suffix}"
    exact, namespaced = [], []
    for path, data in sorted(files.items()):
        if path.startswith(prefix) and path.endswith(suffix):
            full_name = path[len(prefix) : -len(suffix)]
            named = app_of(data, component_type, full_name, path)
            if named == app:
                exact.append((full_name, data))
            elif _is_app(named, app):
                namespaced.append((full_name, data))
    return exact or namespaced


def _is_app(name: str | None, app: str) -> bool:
    """True for the app itself, also under the org's namespace (``ns__App``)."""
    return name is not None and (name == app or name.partition("__")[2] == app)
