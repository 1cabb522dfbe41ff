"""How time grows: with the positions, with the layers, and when the same positions lie in more shards.

Ours against itself, 125m width, every counter. Each shard is a job of its own that reads the weights again and writes counters whose
size hardly grows with its positions, about a second of these layers; a real one has a million positions, so that this is the harder case.
"""

from collections.abc import Iterator
from functools import partial

from benchmarks._common import Options, Row, collect, main, paired, ratio
from benchmarks._made import OPT_125M, TINY, make_model, make_text

LAYERS, POSITIONS, WINDOW = 4, 8192, 512
CUT_LAYERS, SHARD, SHARDS = 2, 32768, 8


def rows(options: Options) -> Iterator[Row]:
    """4 times the positions, twice the layers, 8 times the shards."""
    shape, positions, window = (TINY, 512, 16) if options.quick else (OPT_125M, POSITIONS, WINDOW)
    once, twice = (make_model(options.folder / f"model-{layers}", shape.with_layers(layers)) for layers in (LAYERS, 2 * LAYERS))

    def text(held: int, shards: int = 1):
        folder = options.folder / f"text-{held}-{shards}"
        return make_text(folder, shape.vocabulary, window=window, positions=held, shards=shards)

    small, large = text(positions), text(4 * positions)
    ours = partial(collect, out=options.folder / "out")
    seconds = paired(options, {"1x": partial(ours, once, small), "4x": partial(ours, once, large)})
    yield Row(f"4 times the positions, {LAYERS} layers, {positions} positions", ratio(seconds, "4x", "1x"), "at most 4.1", seconds)
    seconds = paired(options, {"1x": partial(ours, once, large), "2x": partial(ours, twice, large)})
    yield Row(f"twice the layers, {LAYERS} layers, {4 * positions} positions", ratio(seconds, "2x", "1x"), "at most 2.05", seconds)
    few, held = make_model(options.folder / "model-cut", shape.with_layers(CUT_LAYERS)), positions if options.quick else SHARD * SHARDS
    whole, cut = text(held), text(held, SHARDS)
    seconds = paired(options, {"1 shard": partial(ours, few, whole), f"{SHARDS} shards": partial(ours, few, cut)})
    name = f"{SHARDS} shards ÷ 1 shard, {CUT_LAYERS} layers, {held} positions"
    yield Row(name, ratio(seconds, f"{SHARDS} shards", "1 shard"), "at most 1.1", seconds)


if __name__ == "__main__":
    main(rows)
