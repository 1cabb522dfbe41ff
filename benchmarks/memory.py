"""How much memory a collect job takes: at its peak, against what the engine must hold, and against what plan.md says.

Memory is anonymous resident memory (RssAnon), looked at every 5 ms from another process; the page cache, through which weights
are read, is not in it. What the engine must hold is

- the process after its imports,
- two blocks, `2 p i`: the one that computes, and the next, which is being read,
- the residual stream, `S d i`,
- one batch, `7 b d i`: in attention LayerNorm's output, q, k, v, the heads mixed, the same put together, and the output;
  in the FFN as much, where F is 4 d,
- the counters: bits of the layer for n-grams `S F / 8`, activations by position `4 T F`;

d width, F neurons, T window, S positions of the shard, b of a batch, p weights of a block, i bytes of a number. Once with the
125m shape, whose embedding is larger than all of these and stays in its file, and once with the width of 1.3b. Then the 66b
shape: 2 layers, random float16 weights in several `.bin` files with a layer across two, against plan.md's formula alone.
Models of 2 layers pass in one stage, so that a second block is read while the first computes.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks._common import BATCH_TOKENS, NGRAMS, SIZES, Options, Row, collect, main
from benchmarks._made import OPT_125M, TINY, Model, Shape, Text, make_model, make_text
from benchmarks._memory import anonymous, watched
from neuroncensus.report.jobmemory import ITEMSIZE, JobShape, block_weights, job_memory

WIDE = Shape(2, 2048, 8192, 32, 4096)
OPT_66B = Shape(2, 9216, 36864, 72, 4096)
FILES_66B = 3


def run(model: Model, text: Text, out: Path, dtype: str) -> int:
    """Collect jobs; returns the process's anonymous memory after the imports."""
    imported = anonymous()
    collect(model, text, out, dtype=dtype, stages=1 if model.architecture.n_layers == 2 else 2)
    return imported


def _least(model: Model, text: Text, dtype: str) -> int:
    """Bytes that the engine must hold beside the process."""
    of, size, rows = model.architecture, ITEMSIZE[dtype], min(BATCH_TOKENS, text.positions)
    counters = text.positions * of.ffn // 8 + 4 * text.window * of.ffn
    return 2 * block_weights(of) * size + (text.positions + 7 * rows) * of.d * size + counters


def _planned(model: Model, text: Text, dtype: str) -> int:
    """What plan.md says of the job."""
    how = {"device": "cpu", "skip_silent": True, "batch_tokens": BATCH_TOKENS, "positions": True}
    ngrams = {"sizes": len(SIZES), "rotation_null": NGRAMS.rotation_null, "most": NGRAMS.most}
    shape: Any = {"architecture": model.architecture, "window": text.window, "dtype": dtype, "shard": text.positions, **how, **ngrams}
    return job_memory(JobShape(**shape))[0].total


def rows(options: Options) -> Iterator[Row]:
    """Three shapes."""
    cases = [
        ("125m shape", OPT_125M, "float32", 512, 16384, 1),
        ("width of 1.3b, V = 4096", WIDE, "float32", 512, 8192, 1),
        ("66b shape, 2 layers, V = 4096", OPT_66B, "bfloat16", 512, 512, FILES_66B),
    ]
    if options.quick:
        cases = [("tiny", TINY, "float32", 32, 256, 3)]
    for name, shape, dtype, window, positions, files in cases:
        model = make_model(options.folder / f"d{shape.d}", shape, files=files)
        text = make_text(options.folder / f"text-d{shape.d}", shape.vocabulary, window=window, positions=positions)
        found = watched(run, model, text, options.folder / "out", dtype)
        least, planned = found.result + _least(model, text, dtype), _planned(model, text, dtype)
        case = f"peak, {name}, T = {window}, S = {positions}, {dtype}"
        sizes = {"peak": found.peak, "after imports": found.result, "least": least, "plan.md": planned}
        note = ", ".join(f"{what} {size / 1e6:.0f} MB" for what, size in sizes.items())
        if shape is not OPT_66B:
            yield Row(f"{case} ÷ least", found.peak / least, "at most 1.2", note=note)
        yield Row(f"{case} ÷ plan.md", found.peak / planned, "at most 1", note=note)


if __name__ == "__main__":
    main(rows)
