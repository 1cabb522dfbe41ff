"""Shards of given windows, in memory and as files, without a tokenizer."""

import hashlib
import itertools
from collections.abc import Sequence
from pathlib import Path

import numpy
import pyarrow
from hypothesis import strategies as st

from neuroncensus.corpora.shards import FORMAT, KIND, SCHEMA, Shard
from neuroncensus.tablefiles import write_table

LAST = 50_271
"""The last id of OPT's vocabulary."""


def made_shard(windows: Sequence[Sequence[int]], documents: Sequence[int] | None = None) -> Shard:
    """A shard of these text tokens, each window with a document of its own if none are given."""
    document = numpy.array(range(len(windows)) if documents is None else documents, dtype=numpy.int64)
    lengths = numpy.array([len(window) for window in windows], dtype=numpy.int64)
    offsets = numpy.concatenate([[0], numpy.cumsum(lengths)])
    tokens = numpy.array(list(itertools.chain(*windows)), dtype=numpy.int32)
    start = numpy.zeros(len(windows), dtype=numpy.int64)
    content = len(windows).to_bytes(8, "little") + b"".join(array.tobytes() for array in (document, start, offsets, tokens))
    metadata = {"format": FORMAT, "kind": KIND, "corpus": "mine", "part": "core", "domain": "prose", "shard": 0, "window": 20}
    return Shard(document, start, lengths + 1, tokens, offsets, metadata | {"content_sha256": hashlib.sha256(content).hexdigest()})


def write_made_shard(path: Path, shard: Shard) -> None:
    """The file that `neuroncensus.corpora.shards.read_shard` reads as this shard."""
    tokens = [shard.tokens[start:end] for start, end in itertools.pairwise(shard.offsets)]
    write_table(pyarrow.table([pyarrow.array(shard.document), pyarrow.array(shard.start), tokens], schema=SCHEMA), path, shard.metadata)


@st.composite
def texts(draw: st.DrawFn, windows: int = 8, longest: int = 12) -> tuple[list[list[int]], list[int]]:
    """Windows, some of BOS alone, and the document of each, in order; few tokens, so that n-grams come again."""
    ids = draw(st.sampled_from([[7], [0, LAST], [0, 1, LAST - 1, LAST], [2**31 - 1, 0]]))
    window = st.lists(st.sampled_from(ids), max_size=longest)
    text = draw(st.lists(window, min_size=1, max_size=windows))
    return text, sorted(draw(st.lists(st.integers(0, 4), min_size=len(text), max_size=len(text))))
