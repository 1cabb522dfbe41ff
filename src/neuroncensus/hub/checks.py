"""What can be said of a repository before its large files are fetched."""

import logging
from collections.abc import Iterable
from pathlib import Path

from neuroncensus.errors import CensusError
from neuroncensus.hub.listing import Listing
from neuroncensus.hub.places import TOKENIZER_FILES, HubSource, outside
from neuroncensus.models.architecture import CONFIG, LAYOUTS, read_json

log = logging.getLogger(__name__)

INDEX = ".index.json"
SAME_VOCABULARY = TOKENIZER_FILES[:3]
"""The files that make the same ids of the same text."""


def check_tokenizer(listing: Listing, tokenizer: Listing, asked: HubSource) -> None:
    """A model and the tokenizer that it shares have the same vocabulary, by checksum, as far as both are listed.

    Raises:
        CensusError: they have not; names the first file that differs.
    """
    for name in SAME_VOCABULARY:
        own, shared = listing.files.get(name), tokenizer.files.get(name)
        if own is None or shared is None or (own.sha256 is None) != (shared.sha256 is None):
            continue
        if own.checksum != shared.checksum:
            raise CensusError(
                f"{name} of {listing.repo} ({own.checksum}) is not that of the shared tokenizer from {tokenizer.repo} ({shared.checksum}): "
                f"set {asked.entry}.tokenizer to one that fits, or leave it out to use the model's own"
            )
        log.info("%s of %s is that of the shared tokenizer", name, listing.repo)


def check_config(path: Path, asked: HubSource) -> None:
    """A `config.json` says what the configuration takes the model to be.

    Raises:
        CensusError: it says something else; names the key and both values.
    """
    found = read_json(path)
    for key, value in asked.architecture:
        if key in found and found[key] != value:
            raise CensusError(
                f"{CONFIG} of {asked.repo} has {key} {found[key]!r}, but {asked.entry}.architecture.{key} is {value!r}: "
                f"correct {asked.entry}.architecture, or {asked.entry}.revision"
            )


def indexed_files(path: Path, index: str, listing: Listing) -> list[str]:
    """The weight files that an index names, sorted.

    Args:
        path: where the index lies.
        index: what it is called, for sentences.
        listing: of its repository.

    Raises:
        CensusError: it has none, or one that is not in the repository.
    """
    named = read_json(path).get("weight_map")
    if not isinstance(named, dict) or not named:
        raise CensusError(f"{index} of {listing.repo} has no weight_map of tensors to files: use another revision")
    for name in named.values():
        if not isinstance(name, str) or outside(name) or "/" in name or name not in listing.files:
            raise CensusError(f"{index} of {listing.repo} names {name!r}, which is no file of the repository: refused")
    return sorted(set(named.values()))


def check_index(path: Path, index: str, listing: Listing, asked: HubSource) -> None:
    """The weight files of an index are those that the configuration wants.

    Raises:
        CensusError: the configuration lacks one, or as `indexed_files`.
    """
    for name in indexed_files(path, index, listing):
        if name not in asked.files:
            raise CensusError(f"{index} of {asked.repo} names {name}, which {asked.entry}.files lacks: add it")


def main_weights(listing: Listing, asked: HubSource) -> str:
    """The file of weights or of their index to read: safetensors if there are any, else `.bin`.

    Raises:
        CensusError: there are only weights of other formats, or none.
    """
    main = next((name for name in LAYOUTS if name in listing.files), None)
    if main is None:
        raise CensusError(f"{asked.key} is {asked.repo}, which has none of {', '.join(LAYOUTS)} at commit {listing.commit}: name another")
    return main


def tokenizer_files(names: Iterable[str], asked: HubSource) -> list[str]:
    """Those of the names that make a tokenizer.

    Raises:
        CensusError: neither form of a tokenizer is among them.
    """
    found = [name for name in TOKENIZER_FILES if name in names]
    if "tokenizer.json" not in found and not {"vocab.json", "merges.txt"} <= set(found):
        raise CensusError(
            f"{asked.key} is {asked.repo}, which has neither tokenizer.json nor vocab.json with merges.txt: set a tokenizer that has"
        )
    return found
