"""`hub.json`: what a repository of the Hub holds at one commit, with sizes and checksums; asked for once, read ever after.

It has the whole repository, not only what is wanted of it: the same commit gives the same file whatever a model asks for.
"""

import difflib
import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from neuroncensus.errors import CensusError
from neuroncensus.files import atomic_path
from neuroncensus.hub.places import COMMIT, LISTING, HubSource, outside
from neuroncensus.models.architecture import read_json

HASH_BYTES = 1 << 22


@dataclass(frozen=True)
class RemoteFile:
    """A file as the Hub lists it: a large one by the sha256 of its content, a small one by git's own checksum.

    Attributes:
        name: inside the repository.
        bytes: its size.
        sha256: of a file that is stored as git-lfs or xet has it; else None.
        git: git's blob id (sha1 of `blob <size>`, a zero byte and the content) of any other; else None.
    """

    name: str
    bytes: int
    sha256: str | None
    git: str | None

    @property
    def checksum(self) -> str:
        """The one there is, with its kind."""
        return f"sha256 {self.sha256}" if self.sha256 else f"git {self.git}"

    def found(self, path: Path, advance: Callable[[int], object] = lambda _bytes: None) -> str:
        """The checksum of the same kind of a file on disk; `advance` is told the bytes of each block."""
        digest = hashlib.sha256() if self.sha256 else hashlib.sha1(b"blob %d\0" % path.stat().st_size, usedforsecurity=False)
        with path.open("rb") as file:
            while chunk := file.read(HASH_BYTES):
                digest.update(chunk)
                advance(len(chunk))
        return f"{'sha256' if self.sha256 else 'git'} {digest.hexdigest()}"

    def is_at(self, path: Path) -> bool:
        """Whether a file on disk is this one, by size and checksum."""
        return path.is_file() and path.stat().st_size == self.bytes and self.found(path) == self.checksum


@dataclass(frozen=True)
class Listing:
    """A repository at a commit, and every file of it by name."""

    kind: str
    repo: str
    commit: str
    files: Mapping[str, RemoteFile]

    def file(self, name: str, asked: HubSource) -> RemoteFile:
        """A file that the configuration wants.

        Raises:
            CensusError: the repository has no such file.
        """
        if name not in self.files:
            close = difflib.get_close_matches(name, self.files, n=1)
            meant = f" (did you mean {close[0]}?)" if close else ""
            raise CensusError(
                f"{asked.entry}.files has {name}, which {self.repo} does not have at commit {self.commit}{meant}: "
                f"correct {asked.entry}.files or {asked.entry}.revision"
            )
        return self.files[name]


def check_record(record: RemoteFile, where: str) -> RemoteFile:
    """A file as it was listed, if it can be one.

    Raises:
        CensusError: it would lie outside the folder, or has no checksum.
    """
    if outside(record.name):
        raise CensusError(f"{where} lists {record.name!r}, a file outside its folder: refused; use another source or mirror")
    if record.bytes < 0 or not (record.sha256 or record.git):
        raise CensusError(f"{where} lists {record.name} without size or checksum: use another source or mirror")
    return record


def write_listing(listing: Listing, path: Path) -> None:
    """Write a listing as JSON, sorted by name."""
    files = {name: {k: v for k, v in asdict(file).items() if k != "name" and v is not None} for name, file in sorted(listing.files.items())}
    told = {"kind": listing.kind, "repo": listing.repo, "commit": listing.commit, "files": files}
    with atomic_path(path) as partial:
        partial.write_text(json.dumps(told, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def read_listing(path: Path) -> Listing:
    """What `write_listing` wrote, in a file or in a folder under its usual name.

    Raises:
        CensusError: the file is missing, broken or something else.
    """
    told = read_json(path / LISTING if path.is_dir() else path, "delete it and run again")
    try:
        files = {
            name: check_record(RemoteFile(name, int(entry["bytes"]), entry.get("sha256"), entry.get("git")), str(path))
            for name, entry in told["files"].items()
        }
        if not COMMIT.fullmatch(told["commit"]):
            raise ValueError
        return Listing(str(told["kind"]), str(told["repo"]), told["commit"], files)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise CensusError(f"{path} is not what the Hub was asked for (broken): delete it and run again") from error
