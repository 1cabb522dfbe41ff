"""What the browser's page reads: one script a file, in which nothing but base64 stands between two quotes.

A page that was opened from disk may load scripts and nothing else. So a file is a call, `Census.take("name","…");`, with the zlib
stream of JSON, or of bytes, in base64: whatever a text of a corpus or a tokenizer holds, no part of it can be read as HTML or script.
"""

import base64
import json
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy
import polars

NEURON_IDS = "neuron"
DIGITS = 4
"""Significant digits of floats; integers are exact."""
BINS = 256
"""Parts that the positions of a profile are averaged into at most, BOS aside."""
STATES = ("active", "dead", "dead for every input", "active at BOS only")
TYPES = ("not counted", "not positional", "oscillatory", "both", "one", "other")
NOT_COUNTED = "not counted"
GRAMS = {1: "token", 2: "bigram", 3: "trigram"}
LEVELS, LEAST = 254, -6.0
"""Steps of a frequency on the map, from 10^LEAST to 1; 0 is never."""


def write_bytes(folder: Path, name: str, content: bytes) -> None:
    """Write `name`.js, a script that gives these bytes to the page under their name."""
    path = folder / f"{name}.js"
    path.parent.mkdir(exist_ok=True)
    path.write_text(f'Census.take("{name}","{base64.b64encode(zlib.compress(content)).decode()}");\n', encoding="ascii")


def write_json(folder: Path, name: str, content: object) -> None:
    """The same of anything that JSON can hold."""
    write_bytes(folder, name, json.dumps(content, allow_nan=False, separators=(",", ":")).encode())


def rounded(table: polars.DataFrame) -> polars.DataFrame:
    """The table with its floats, and lists of them, to DIGITS significant digits."""
    shorter: list[polars.Expr] = []
    for name, kind in table.schema.items():
        if kind.is_float():
            shorter.append(polars.col(name).round_sig_figs(DIGITS))
        elif isinstance(kind, polars.List) and isinstance(kind.inner, polars.DataType) and kind.inner.is_float():
            shorter.append(polars.col(name).list.eval(polars.element().round_sig_figs(DIGITS)))
    return table.with_columns(shorter)


def columns(table: polars.DataFrame) -> dict[str, list]:
    """The table as JSON has it: a list a column, floats rounded."""
    return rounded(table).to_dict(as_series=False)


def group_names(sizes: Sequence[int], classes: Sequence[str]) -> dict[str, list[str]]:
    """What the neurons can be coloured and filtered by: for each, the names of its codes, which are their places here."""
    by_n = {f"class_{n}": [NOT_COUNTED, *classes] for n in sizes}
    detectors = {"detector": [NOT_COUNTED, "no detector", *(f"{GRAMS.get(n, f'{n}-gram')} detector" for n in sizes)]} if sizes else {}
    return {"state": list(STATES), **by_n, **detectors, "type": list(TYPES)}


def group_codes(neurons: polars.DataFrame, sizes: Sequence[int], classes: Sequence[str]) -> polars.DataFrame:
    """The codes of `group_names`, and `level` of the frequency, of neurons of a layer, as bytes.

    A neuron that detects n-grams of several n counts for the least.
    """
    col, when, lit = polars.col, polars.when, polars.lit
    state = when(col("dead") & col("provably_dead")).then(2).when(col("dead")).then(1).when(col("bos_only")).then(3).otherwise(0)
    codes = {"state": state}
    for n in sizes:
        places = {name: place for place, name in enumerate(classes, start=1)}
        codes[f"class_{n}"] = col(f"class_{n}").replace_strict(places, default=0, return_dtype=polars.Int64)
    if sizes:
        detector = when(polars.all_horizontal(col(f"detector_{n}").is_null() for n in sizes)).then(0).otherwise(1)
        for place, n in reversed(list(enumerate(sizes, start=2))):
            detector = when(col(f"detector_{n}").fill_null(False)).then(place).otherwise(detector)
        codes["detector"] = detector
    codes["type"] = when(col("positional").is_null()).then(0).when(~col("positional")).then(1)
    codes["type"] = codes["type"].otherwise(
        col("type").replace_strict({name: place for place, name in enumerate(TYPES) if place > 1}, default=5, return_dtype=polars.Int64)
    )
    share = ((col("frequency").log10() - LEAST) / -LEAST).clip(0.0, 1.0)
    codes["level"] = when(col("activations") == 0).then(lit(0)).otherwise((share * LEVELS).round().cast(polars.Int64) + 1)
    return neurons.select(**{name: code.cast(polars.UInt8) for name, code in codes.items()})


def token_ids(lists: polars.DataFrame) -> bytes:
    """Lists of token ids of all neurons of a layer, each column's one after the other: the whole of the first column, then the next.

    Little-endian int32: a layer of 66b has 737,280 of them, which a page takes as they are.
    """
    return b"".join(lists[name].explode().to_numpy().astype("<i4").tobytes() for name in lists.columns) if len(lists) else b""


def bin_starts(window: int) -> list[int]:
    """First positions of the parts that profiles over T positions are averaged into: BOS alone, then at most BINS about equal ones."""
    text = min(BINS, window - 1)
    return [0, *(1 + place * (window - 1) // text for place in range(text))]


def binned(profiles: polars.DataFrame, starts: Sequence[int]) -> polars.DataFrame:
    """Rows of `profiles.parquet` with `fr` averaged over parts of the positions, in thousandths, as integers."""
    if not len(profiles):
        return profiles.drop("layer")
    fr = profiles["fr"].explode().to_numpy().reshape(len(profiles), -1)
    sizes = numpy.diff([*starts, fr.shape[1]])
    means = numpy.add.reduceat(fr, starts, axis=1) / sizes
    return profiles.drop("layer", "fr").with_columns(fr=polars.Series((1000 * means).round().astype(int).tolist()))


def chunk_content(tables: Mapping[str, polars.DataFrame], first: int, end: int) -> dict[str, dict[str, list]]:
    """The rows of neurons `first` to `end - 1` of each table of a layer."""
    within = polars.col(NEURON_IDS).is_between(first, end - 1)
    return {name: columns(table.filter(within)) for name, table in tables.items()}
