"""What counting costs: collecting with every counter ÷ transformers' bare forward pass of the same model and windows.

The bare forward is `OPTModel` with sdpa attention, in the same dtype, with the same batches. Ours reads the checkpoint and the
shard, computes in two stages and writes every counter: activations, at BOS, documents, n-grams of 1 to 3 tokens, positions; with
the null of n-grams too in a row of its own. 125m shape, random weights; then with SILENT of each layer's neurons silent, where
ours leaves their columns out of the second product of the FFN, and with `collect.skip_silent` off, which takes whole attention too.
"""

from collections.abc import Callable, Iterator
from functools import partial

from benchmarks._common import Options, Row, batches_of, collect, forward, main, paired, ratio, transformers_model
from benchmarks._made import OPT_125M, TINY, Model, Text, make_model, make_text

SILENT = 0.5
POSITIONS = {"float32": 16_384, "bfloat16": 65_536}
"""A real shard has a million. What a job costs however long its shard is, such as writing counters, is in here all the more."""
WINDOWS = (512, 2048)
OURS, BARE, UNSKIPPED, NULL = "ours", "bare forward", "ours without the skip", "ours with the null"


def _rows(model: Model, texts: list[Text], dtype: str, silent: float, options: Options) -> Iterator[Row]:
    theirs = transformers_model(model, dtype)
    for text in texts:
        ours = partial(collect, model, text, options.folder / "out", dtype=dtype, null=False)
        contenders: dict[str, Callable[[], None]] = {OURS: ours, BARE: partial(forward, theirs, batches_of(text))}
        contenders |= {UNSKIPPED: partial(ours, skip_silent=False)} if silent else {NULL: partial(ours, null=True)}
        seconds = paired(options, contenders)
        case = f"T = {text.window}, {dtype}" + (f", {silent:.0%} of the neurons silent" if silent else "")
        target = "at most 0.95" if silent else "at most 1.00, floor 1.05"
        yield Row(f"{case}: ours ÷ bare forward", ratio(seconds, OURS, BARE), target, seconds)
        if silent:
            yield Row(f"{case}: ours with the skip ÷ without", ratio(seconds, OURS, UNSKIPPED), "under 1")
        else:
            yield Row(f"{case}: ours with the null of n-grams too ÷ bare forward", ratio(seconds, NULL, BARE), "")


def rows(options: Options) -> Iterator[Row]:
    """Every T, dtype and share of silent neurons."""
    shape, windows = (TINY, (32,)) if options.quick else (OPT_125M, WINDOWS)
    for silent in (0.0, SILENT):
        model = make_model(options.folder / f"model-{silent}", shape, silent=silent)
        for dtype, positions in POSITIONS.items():
            made = {"vocabulary": shape.vocabulary, "positions": 512 if options.quick else positions}
            texts = [make_text(options.folder / f"text-{silent}-{dtype}-{window}", window=window, **made) for window in windows]
            yield from _rows(model, texts, dtype, silent, options)


if __name__ == "__main__":
    main(rows)
