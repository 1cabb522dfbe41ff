"""The Hub asked, politely: what a repository holds, and one file of it, held against its checksum.

All requests are made by huggingface_hub, which knows the user's token, cache (HF_HOME), mirror (HF_ENDPOINT) and whether it
may ask at all (HF_HUB_OFFLINE). It checks the size of what it gets, not the content; that is done here.
"""

import logging
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from huggingface_hub import HfApi, constants, hf_hub_download, try_to_load_from_cache
from huggingface_hub.hf_api import RepoFile

from neuroncensus.errors import CensusError
from neuroncensus.hub.faults import RAISED, cause, may_pass, of_the_hub, told, unreachable
from neuroncensus.hub.listing import Listing, RemoteFile, check_record
from neuroncensus.hub.places import COMMIT, HubSource

log = logging.getLogger(__name__)

Result = TypeVar("Result")
PAUSES = (2, 10, 30)
"""Seconds before each further try of what may pass: a server that is busy, a connection that was cut."""
TRIES_OF_CONTENT = 2


def _patiently(call: Callable[[], Result], asked: HubSource, what: str) -> Result:
    """A request, tried again where that may help; only what the Hub is at fault for becomes a sentence."""
    for pause in (*PAUSES, None):
        try:
            return call()
        except RAISED as raised:
            error = cause(raised)
            if not of_the_hub(error):
                raise
            if pause is None or not may_pass(error):
                raise told(error, asked, what) from error
            log.warning("%s of %s did not come through (%s): trying again in %d s", what, asked.repo, type(error).__name__, pause)
            time.sleep(pause)
    raise AssertionError("the last try returns or raises")


def list_repository(asked: HubSource, endpoint: str | None = None) -> Listing:
    """Every file of a repository at its revision, from the Hub; where that cannot be reached, what is in the Hub's cache.

    Args:
        asked: the repository.
        endpoint: of the Hub; HF_ENDPOINT's or its own if None.

    Raises:
        CensusError: no such repository or revision, not for this user, or neither the Hub nor a cached copy can be reached.
    """
    api = HfApi(endpoint=endpoint)

    def ask() -> tuple[str, list[RemoteFile]]:
        commit = asked.revision
        if not COMMIT.fullmatch(commit):
            commit = str(api.repo_info(asked.repo, repo_type=asked.kind, revision=asked.revision).sha)
        tree = api.list_repo_tree(asked.repo, recursive=True, revision=commit, repo_type=asked.kind)
        return commit, [_remote(entry) for entry in tree if isinstance(entry, RepoFile)]

    try:
        commit, files = _patiently(ask, asked, "the list of files")
    except CensusError as error:
        cached = _cached(asked) if unreachable(error.__cause__ or error) else None
        if cached is None:
            raise
        log.warning("the Hub cannot be reached: %s is taken from its cache, commit %s", asked.repo, cached.commit)
        return cached
    where = f"{asked.repo} at commit {commit}"
    return Listing(asked.kind, asked.repo, commit, {file.name: check_record(file, where) for file in files})


def _remote(entry: RepoFile) -> RemoteFile:
    if entry.lfs is not None:
        return RemoteFile(entry.path, entry.lfs.size, entry.lfs.sha256, None)
    return RemoteFile(entry.path, entry.size, None, entry.blob_id)


def _cached(asked: HubSource) -> Listing | None:
    """A repository as far as the Hub's cache has it, whose blobs are named by their checksums; None if it has nothing."""
    folder = Path(constants.HF_HUB_CACHE) / f"{asked.kind}s--{asked.repo.replace('/', '--')}"
    named = folder / "refs" / asked.revision
    commit = asked.revision if COMMIT.fullmatch(asked.revision) else named.read_text().strip() if named.is_file() else ""
    snapshot, files = folder / "snapshots" / commit, {}
    for path in sorted(snapshot.rglob("*")) if commit and snapshot.is_dir() else ():
        blob = path.resolve()
        if path.is_symlink() and blob.is_file() and len(blob.name) in (40, 64):
            name, large = path.relative_to(snapshot).as_posix(), len(blob.name) == 64
            files[name] = RemoteFile(name, blob.stat().st_size, blob.name if large else None, None if large else blob.name)
    return Listing(asked.kind, asked.repo, commit, files) if files else None


def check_space(folder: Path, needed: int, what: str) -> None:
    """Whether a disk has room, before anything is written to it.

    Raises:
        CensusError: it has not; with both figures.
    """
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise CensusError(f"disk too small for {what}: {needed:,} bytes are needed and {free:,} are free in {folder}: free some, run again")


def fetch(listing: Listing, file: RemoteFile, to: Path, asked: HubSource, endpoint: str | None = None) -> None:
    """One file of a repository, whole and checked, at `to`.

    From the Hub's cache if it is there: linked, where both are on one file system, so that it takes no second place. Else
    downloaded straight to where it belongs, past the cache. The content is held against the checksum of the listing; a
    cached file that is damaged is left alone, one that came damaged is asked for once more.

    Raises:
        CensusError: the file cannot be had, came damaged twice, or the disk has no room for it.
    """
    if _take_cached(listing, file, to):
        return
    check_space(to.parent, file.bytes, f"{file.name} of {listing.repo}")
    log.info("fetching %s of %s at commit %s, %d bytes", file.name, listing.repo, listing.commit, file.bytes)
    folder = to.with_name(f".{Path(file.name).name}.download")
    shutil.rmtree(folder, ignore_errors=True)
    try:
        for _ in range(TRIES_OF_CONTENT):
            _patiently(lambda: _download(listing, file, folder, endpoint), asked, file.name)
            os.replace(folder / file.name, to)
            found = file.found(to)
            if found == file.checksum:
                return
            log.warning("%s of %s came damaged (%s, listed %s)", file.name, listing.repo, found, file.checksum)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    raise CensusError(
        f"{file.name} of {listing.repo} at commit {listing.commit} came damaged {TRIES_OF_CONTENT} times "
        f"({found}, listed {file.checksum}): run again later, or use another mirror (HF_ENDPOINT)"
    )


def _download(listing: Listing, file: RemoteFile, folder: Path, endpoint: str | None) -> None:
    # Forced: the client would copy a file from its cache as it is, damaged or not.
    hf_hub_download(
        listing.repo,
        file.name,
        repo_type=listing.kind,
        revision=listing.commit,
        local_dir=folder,
        force_download=True,
        endpoint=endpoint,
    )


def _take_cached(listing: Listing, file: RemoteFile, to: Path) -> bool:
    cached = try_to_load_from_cache(listing.repo, file.name, revision=listing.commit, repo_type=listing.kind)
    if not isinstance(cached, str):
        return False
    blob = Path(cached).resolve()
    if not file.is_at(blob):
        log.warning("%s of %s is damaged in the Hub's cache, %s: it is left alone", file.name, listing.repo, constants.HF_HUB_CACHE)
        return False
    try:
        # Its time will be set as an output's is, so not if it is another user's.
        if not os.access(blob, os.W_OK):
            raise PermissionError
        os.link(blob, to)
    except OSError:
        check_space(to.parent, file.bytes, f"{file.name} of {listing.repo}")
        shutil.copyfile(blob, to)
    return True
