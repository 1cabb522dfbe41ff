"""What the rules of the Hub do: list a repository, fetch one file of it, or all that is needed of it in one job.

What is fetched is held against the Hub's own checksums, so nothing hangs on the code or the mirror that fetched it. A
branch is resolved once, in the listing; every file is then of that one commit.
"""

import logging
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from neuroncensus.errors import CensusError
from neuroncensus.files import atomic_path
from neuroncensus.hub.checks import INDEX, check_config, check_index, check_tokenizer, indexed_files, main_weights, tokenizer_files
from neuroncensus.hub.client import check_space, fetch, list_repository
from neuroncensus.hub.listing import read_listing, write_listing
from neuroncensus.hub.places import COMMIT, LISTING, HubSource
from neuroncensus.models.architecture import CONFIG

log = logging.getLogger(__name__)

MEMORY = ".commit"
"""Where a branch was when its files were first listed; no output of a rule, or it would be gone when it is asked for."""


def _check_branch(asked: HubSource, commit: str, memory: Path) -> None:
    """A branch must be where it was when its files were first listed; `memory` says where that was."""
    if COMMIT.fullmatch(asked.revision):
        memory.unlink(missing_ok=True)
        return
    before = memory.read_text(encoding="utf-8").strip() if memory.is_file() else commit
    if before != commit:
        raise CensusError(
            f"{asked.revision} of {asked.repo} has changed upstream, from commit {before} to {commit}: "
            f"set {asked.entry}.revision to the first to stay with it, or to the second to go on with that"
        )
    log.warning("%s of %s is commit %s: set %s.revision to it, so that it stays", asked.revision, asked.repo, commit, asked.entry)
    with atomic_path(memory) as partial:
        partial.write_text(commit + "\n", encoding="utf-8")


def list_files(asked: HubSource, out: Path, *, tokenizers: Sequence[Path] = (), endpoint: str | None = None) -> None:
    """Write what a repository holds at its revision (`neuroncensus.hub.listing`), checked against what is wanted of it.

    Args:
        asked: the repository.
        out: the JSON file, in the folder that the files will come to lie in; beside it `.commit` keeps where a branch was.
        tokenizers: the listing of the tokenizer that the model shares, if it shares one from the Hub.
        endpoint: of the Hub.

    Raises:
        CensusError: no such repository, revision or file; another vocabulary than the shared tokenizer's; a branch that moved
            since it was listed before; a disk too small for all that is missing.
    """
    listing = list_repository(asked, endpoint)
    wanted = [listing.file(name, asked) for name in asked.files]
    for tokenizer in tokenizers:
        check_tokenizer(listing, read_listing(tokenizer), asked)
    out.parent.mkdir(parents=True, exist_ok=True)
    missing = sum(file.bytes for file in wanted if not (out.parent / file.name).is_file())
    check_space(out.parent, missing, f"the files of {asked.repo}")
    _check_branch(asked, listing.commit, out.with_name(MEMORY))
    write_listing(listing, out)
    log.info("%s at commit %s: %d files wanted, %d bytes to fetch", asked.repo, listing.commit, len(wanted), missing)


def download_file(asked: HubSource, listing: Path, name: str, out: Path, *, endpoint: str | None = None) -> None:
    """Fetch one file, whole and with the listed checksum; its name stands only when it is.

    A `config.json` is held against the architecture that the configuration knows, an index of weights against its files.

    Args:
        asked: the repository.
        listing: what `list_files` wrote.
        name: of the file, in the repository.
        out: where it comes to lie.
        endpoint: of the Hub.

    Raises:
        CensusError: the file cannot be had, came damaged twice, is not what was expected, or the disk has no room.
    """
    known = read_listing(listing)
    with atomic_path(out) as partial:
        fetch(known, known.file(name, asked), partial, asked, endpoint)
        if asked.kind == "model" and name == CONFIG:
            check_config(partial, asked)
        elif asked.kind == "model" and asked.files and name.endswith(INDEX):
            check_index(partial, name, known, asked)


def _fetch_all(asked: HubSource, names: Sequence[str], folder: Path, endpoint: str | None) -> None:
    listing = read_listing(folder / LISTING)
    for name in names:
        if not listing.file(name, asked).is_at(folder / name):
            download_file(asked, folder / LISTING, name, folder / name, endpoint=endpoint)


def download_repository(asked: HubSource, out: Path, *, tokenizers: Sequence[Path] = (), endpoint: str | None = None) -> None:
    """Fetch all that is needed of a repository of which no files are named, into a folder that stands when all are there.

    Needed are, as asked, config.json and the weights (safetensors if it has any, else `.bin`; no other format), and the
    tokenizer's files. Files that a killed job had finished are kept, if the repository is still at the same commit.

    Args:
        asked: the repository.
        out: the folder; beside it, while it is being filled, `<name>.partial`.
        tokenizers, endpoint: as `list_files`.

    Raises:
        CensusError: as `list_files` and `download_file`; or the repository has no weights, no tokenizer, or an index that names
            a file outside it.
    """
    folder = out.with_name(f"{out.name}.partial")
    list_files(asked, folder / LISTING, tokenizers=tokenizers, endpoint=endpoint)
    listing = read_listing(folder / LISTING)
    names = tokenizer_files(listing.files, asked) if asked.tokenizer else []
    if asked.weights:
        main = main_weights(listing, asked)
        _fetch_all(asked, (CONFIG, main), folder, endpoint)
        names += [CONFIG, main, *(indexed_files(folder / main, main, listing) if main.endswith(INDEX) else ())]
    _fetch_all(asked, names, folder, endpoint)
    for left in folder.iterdir():
        # Of another commit, which a job that was killed had begun with.
        if left.name not in (*names, LISTING, MEMORY):
            shutil.rmtree(left) if left.is_dir() else left.unlink()
    shutil.rmtree(out, ignore_errors=True)
    os.replace(folder, out)
