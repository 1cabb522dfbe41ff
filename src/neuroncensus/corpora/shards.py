"""Windows to shards: the unit of collection, one file and one job each.

The windows of a domain's part lie end to end, and shard k holds those whose last position falls in
[k * shard_tokens, (k+1) * shard_tokens). A shard depends on the text before its end alone, so the shards of a
corpus stay the same bytes when the corpus grows. Each one starts from the cursor that the one before it left
and carries its digest, so a chain of shards is of one text.
"""

import hashlib
import logging
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy
import pyarrow

from neuroncensus.corpora.installed import installed_version
from neuroncensus.corpora.sources import DEFAULT_FIELD, read_documents, source_files
from neuroncensus.corpora.taken import Taken, data_commit
from neuroncensus.corpora.tokenizer import load_tokenizer, tokenize_documents
from neuroncensus.corpora.windows import Cursor, Span, check_window, cut_document
from neuroncensus.errors import CensusError
from neuroncensus.files import FORMAT
from neuroncensus.progress import progress
from neuroncensus.tablefiles import read_metadata, read_table, write_table

log = logging.getLogger(__name__)

KIND = "shard of windows"
WHAT = "shard file"
SCHEMA = pyarrow.schema(
    [
        pyarrow.field("document", pyarrow.int64(), nullable=False),
        pyarrow.field("start", pyarrow.int64(), nullable=False),
        pyarrow.field("tokens", pyarrow.list_(pyarrow.field("element", pyarrow.int32(), nullable=False)), nullable=False),
    ]
)
CHARACTERS_A_TOKEN = 6
"""Generous, so that a small shard is mostly one batch and reads little beyond its end."""


@dataclass(frozen=True)
class Shard:
    """The windows of one shard, in order: W of them, N text tokens in all.

    Attributes:
        document: number of each window's document in its source; (W,) int64.
        start: where the window begins in its document, in text tokens; (W,) int64.
        lengths: positions of each window, BOS included; (W,) int64.
        tokens: text tokens of all windows, end to end, without BOS; (N,) int32.
        offsets: window w has `tokens[offsets[w]:offsets[w + 1]]`; (W + 1,) int64.
        metadata: the settings and counts that `write_shard` lists.
    """

    document: numpy.ndarray
    start: numpy.ndarray
    lengths: numpy.ndarray
    tokens: numpy.ndarray
    offsets: numpy.ndarray
    metadata: dict


def _digest(document: numpy.ndarray, start: numpy.ndarray, offsets: numpy.ndarray, tokens: numpy.ndarray) -> str:
    """sha256 over the arrays as little-endian bytes, the number of windows in front."""
    digest = hashlib.sha256(len(document).to_bytes(8, "little"))
    for array, kind in ((document, "<i8"), (start, "<i8"), (offsets, "<i8"), (tokens, "<i4")):
        digest.update(array.astype(kind, copy=False).tobytes())
    return digest.hexdigest()


def _too_short(settings: dict, asked: int, found: int) -> CensusError:
    source, part = settings["source"], settings["part"]
    where = f"domain {settings['domain']} ({part} of corpus {settings['corpus']})"
    if "path" in source and not source_files(source):
        return CensusError(f"{where} is empty: tokens: {asked} asked, {found} found, no file matches path: {source['path']}")
    if not found:
        behind = " behind the documents of core" if part == "extra" else ""
        return CensusError(f"{where} is empty: tokens: {asked} asked, {found} found{behind}: give it text or leave it out")
    return CensusError(f"{where} has fewer tokens than asked: tokens: {asked} asked, {found} found: lower tokens or give it more text")


def _comparable(settings: dict) -> dict:
    """The settings with the default of a source's `field` written out."""
    return settings | {"source": {"field": DEFAULT_FIELD, **settings["source"]}}


def _predecessor(previous: Path, settings: dict) -> tuple[Cursor, str]:
    """Where the shard starts, and the content digest of the one before it, which must be of the same text."""
    theirs = _comparable(read_shard(previous).metadata)
    ahead = settings["shard"] > 0
    wanted = settings | ({"shard": settings["shard"] - 1} if ahead else {"part": "core", "shard": theirs["shard"]})
    for key, value in _comparable(wanted).items():
        if theirs.get(key) != value:
            found = f"{key}: {theirs.get(key)}, here {value}"
            raise CensusError(f"{WHAT} {previous} is from another corpus or setting ({found}): delete it and run again")
    if ahead == (theirs["tokens"] is not None):
        place = "the last" if ahead else "not the last"
        raise CensusError(f"{WHAT} {previous} was {place} of its domain when it was written: delete it and run again")
    cursor = Cursor(**theirs["cursor"])
    return (cursor if ahead else cursor.next_part()), theirs["content_sha256"]


class _Rows:
    """The shard's windows as they come."""

    def __init__(self):
        self.document: list[int] = []
        self.start: list[int] = []
        self.pieces: list[numpy.ndarray] = [numpy.empty(0, dtype=numpy.int32)]

    def add(self, document: int, span: Span, ids: numpy.ndarray) -> None:
        self.document.append(document)
        self.start.append(span.start)
        self.pieces.append(ids[span.start : span.stop])

    def arrays(self) -> tuple[numpy.ndarray, numpy.ndarray, numpy.ndarray, numpy.ndarray]:
        """document, start, offsets, tokens as in `Shard`."""
        offsets = numpy.cumsum([len(piece) for piece in self.pieces], dtype=numpy.int64)
        numbers = numpy.asarray(self.document, dtype=numpy.int64), numpy.asarray(self.start, dtype=numpy.int64)
        return *numbers, offsets, numpy.concatenate(self.pieces)


Documents = Iterator[tuple[int, numpy.ndarray]]
"""(number, text tokens) of each."""


def _fill(rows: _Rows, documents: Documents, cursor: Cursor, settings: dict, *, end: int, cut: bool) -> tuple[Cursor, bool]:
    """Add the windows that end before position `end` to `rows`, the last one cut to end there if `cut`.

    Returns the cursor behind them, and whether there was text enough.
    """
    what = f"tokenizing {settings['domain']} {settings['part']} {settings['shard']}"
    with progress(total=end - cursor.position, unit="token", what=what) as bar:
        for document, ids in documents:
            for whole in cut_document(len(ids), settings["window"], settings["windows"], cursor.used(document)):
                span = whole.cut(end - cursor.position) if cut else whole
                if cursor.position + span.length > end:
                    return cursor, True
                rows.add(document, span, ids)
                cursor = cursor.after(document, span)
                bar.update(span.length)
                if cursor.position == end:
                    return cursor, True
    return cursor, False


def write_shard(
    source: dict,
    tokenizer_folder: Path | str,
    out: Path | str,
    *,
    window: int,
    windows: str = "all",
    shard: int = 0,
    shard_tokens: int,
    tokens: int | None,
    asked: int,
    previous: Path | str | None = None,
    part: str,
    domain: str,
    corpus: str,
) -> None:
    """Tokenize one shard of a domain's part into a parquet file of windows.

    A row is a window: `document`, `start` (its offset in the document's text tokens) and `tokens` (text alone;
    BOS is the model's and is only counted). The file's metadata holds the settings given here, `first_position`,
    `positions` and `documents` of the shard (those with a window in it), the tokenizer's fingerprint, the
    source (with the version of the package that holds it; of a data set its commit, and which rows of which files were taken,
    `neuroncensus.corpora.taken`), the cursor behind its last window, and digests of the
    content and of the predecessor's.

    Args:
        source: mapping of the config (`read_documents`); a key `tokens` in it is left aside.
        tokenizer_folder: folder for `load_tokenizer`.
        out: file to write.
        window: T, the most positions of a window, BOS included.
        windows: `all`, or `first` for each document's first window only.
        shard: k, from 0.
        shard_tokens: positions of a shard.
        tokens: positions of the whole part if this is its last shard, whose last window is cut so that the
            count is met exactly; else None, and the file does not depend on it.
        asked: positions of the whole part, for what is said if the source has fewer.
        previous: the shard before this one; for shard 0 of extra, core's last shard if the domain is in core
            too: extra begins at the document after that shard's last.
        part: `core` or `extra`.
        domain, corpus: names, recorded and quoted.

    Raises:
        CensusError: the source has fewer positions than asked; a document, the tokenizer or `previous` is
            broken; `window` is below 2 or above `shard_tokens`.
        ValueError: the arguments contradict each other.
    """
    check_window(window, shard_tokens)
    if windows not in ("all", "first") or part not in ("core", "extra"):
        raise ValueError(f"windows is all or first, part core or extra, not {windows} and {part}")
    if (shard > 0 and previous is None) or (shard == 0 and part == "core" and previous is not None):
        raise ValueError(f"shard {shard} of {part} cannot follow {previous}")
    end = (shard + 1) * shard_tokens
    if asked <= end - shard_tokens or tokens != (asked if asked <= end else None):
        raise ValueError(f"shard {shard} of {shard_tokens} positions does not fit tokens {tokens} of {asked} asked")
    source = {key: value for key, value in source.items() if key != "tokens"}
    tokenizer = load_tokenizer(tokenizer_folder)
    settings = {
        "format": FORMAT,
        "kind": KIND,
        "corpus": corpus,
        "part": part,
        "domain": domain,
        "shard": shard,
        "window": window,
        "windows": windows,
        "shard_tokens": shard_tokens,
        "tokenizer": tokenizer.fingerprint,
        "source": source,
        **data_commit(source),
    }
    if "installed" in source:
        settings["package"] = installed_version(source["installed"])
    cursor, before = _predecessor(Path(previous), settings) if previous else (Cursor(), None)
    first = cursor.position
    end = min(end, asked)
    documents = Taken(source, read_documents(source, cursor.next_document))
    batches = tokenize_documents(iter(documents), tokenizer, CHARACTERS_A_TOKEN * (end - first))
    rows = _Rows()
    cursor, enough = _fill(rows, batches, cursor, settings, end=end, cut=tokens is not None)
    if not enough:
        raise _too_short(settings, asked, cursor.position)
    document, start, offsets, flat = rows.arrays()
    used = numpy.unique(document)
    counts = {
        **documents.rows(used),
        "tokens": tokens,
        "first_position": first,
        "positions": cursor.position - first,
        "documents": len(used),
        "cursor": asdict(cursor),
        "content_sha256": _digest(document, start, offsets, flat),
        "previous_sha256": before,
    }
    lists = pyarrow.ListArray.from_arrays(pyarrow.array(offsets.astype(numpy.int32)), pyarrow.array(flat), type=SCHEMA.field("tokens").type)
    write_table(pyarrow.table([pyarrow.array(document), pyarrow.array(start), lists], schema=SCHEMA), out, settings | counts)
    log.info("%s %s shard %d: %d windows, %d positions", domain, part, shard, len(document), counts["positions"])


def _settings(metadata: dict, path: Path | str) -> dict:
    if metadata.get("kind") != KIND:
        raise CensusError(f"{WHAT} {path} holds something else ({metadata.get('kind', 'no kind named')}): delete it and run again")
    return metadata


def read_shard_metadata(path: Path | str) -> dict:
    """The settings and counts of a shard alone (`write_shard` lists them), without its tokens.

    Raises:
        CensusError: as `read_shard`, but for the tokens, which are not looked at.
    """
    return _settings(read_metadata(path, what=WHAT), path)


def read_shard(path: Path | str) -> Shard:
    """A shard, held against the checksums of its pages and of its content.

    Raises:
        CensusError: the file is missing, corrupt, truncated, another program's or another version's.
    """
    metadata = read_shard_metadata(path)
    table = read_table(path, what=WHAT)
    if table.schema.remove_metadata() != SCHEMA:
        raise CensusError(f"{WHAT} {path} is corrupt (its columns are {', '.join(table.schema.names)}): delete it and run again")
    table = table.combine_chunks()
    lists = table["tokens"].combine_chunks()
    sizes = lists.value_lengths().to_numpy(zero_copy_only=False).astype(numpy.int64)  # (W,)
    offsets = numpy.concatenate([numpy.zeros(1, dtype=numpy.int64), numpy.cumsum(sizes)])  # (W + 1,)
    document, start = table["document"].to_numpy(), table["start"].to_numpy()
    tokens = lists.flatten().to_numpy(zero_copy_only=False)
    if _digest(document, start, offsets, tokens) != metadata["content_sha256"]:
        raise CensusError(f"{WHAT} {path} is corrupt (its windows do not match their checksum): delete it and run again")
    return Shard(document, start, sizes + 1, tokens, offsets, metadata)
