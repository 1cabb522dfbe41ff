"""Updates of a layer of the 66b shape: its neurons against every token of OPT's vocabulary, with the final LayerNorm and without.

Ours is all of `project_updates` for a layer: weights read from a float16 file, products, exact lists, moments, rows. The bare side is
the two products alone, in float32, of weights in memory. A few blocks of neurons are done and the time of one is multiplied to the
layer's; memory does not grow with blocks, and is what a process was seen with.
"""

import itertools
import time
from collections.abc import Iterator
from pathlib import Path

import numpy
import torch

from benchmarks._common import THREADS, Options, Row, main
from benchmarks._made import TINY, Shape, make_model
from benchmarks._memory import watched
from neuroncensus.models.checkpoint import Checkpoint
from neuroncensus.models.description import read_description
from neuroncensus.models.projection import Products, Projection
from neuroncensus.models.updates import layer_updates
from neuroncensus.report.updatecosts import projection_memory
from neuroncensus.sizes import LOGITS

OPT_66B = Shape(1, 9216, 36864, 72)
TOP, BLOCKS = 10, 2
LAYERS = 64


def _project(folder: Path, description: Path, blocks: int) -> tuple[float, list[float], list[float]]:
    """Seconds until the first block is done, of each of the following, and of the bare products of each of these."""
    torch.set_num_threads(THREADS)
    about = read_description(description)
    with Checkpoint(folder) as checkpoint, torch.inference_mode():
        start = time.perf_counter()
        projection = Projection(checkpoint, about.architecture, numpy.arange(about.architecture.vocabulary))
        products = Products(projection, torch.device("cpu"))
        parts = layer_updates(checkpoint, about.architecture, 0, projection, products, TOP)
        size = len(next(parts))
        first, seconds, bare = time.perf_counter() - start, [], []
        vectors = torch.randn(size, about.architecture.d)
        for _ in itertools.islice(iter(lambda: None, 0), blocks):
            start = time.perf_counter()
            next(parts)
            middle = time.perf_counter()
            for _ in range(2):
                _ = vectors @ products.columns
            seconds.append(middle - start)
            bare.append(time.perf_counter() - middle)
    return first, seconds, bare


def rows(options: Options) -> Iterator[Row]:
    """Time and memory of a layer."""
    shape = TINY.with_layers(1) if options.quick else OPT_66B
    model = make_model(options.folder / "model", shape, kind="safetensors")
    size = max(1, LOGITS // shape.vocabulary)
    blocks = 0 if options.quick else BLOCKS * options.repeats
    found = watched(_project, model.folder, model.description, blocks)
    first, seconds, bare = found.result
    block = min(seconds, default=first)
    layer = first + block * (shape.ffn / min(size, shape.ffn) - 1)
    note = f"{first:.0f} s to the first block of {size} neurons, {block:.1f} s each; {LAYERS} layers: {LAYERS * layer / 3600:.1f} hours"
    yield Row("updates of a layer, extrapolated", layer, "", unit="s", note=note)
    if seconds:
        told = {"ours": seconds, "bare": bare}
        yield Row("updates ÷ bare float32 products", min(seconds) / min(bare), "", seconds=told)
    expected = projection_memory(model.architecture, "float16").total
    yield Row("peak ÷ what plan.md says", found.peak / expected, "at most 1.2", note=f"{found.peak / 1e9:.2f} GB, {expected / 1e9:.2f} GB")


if __name__ == "__main__":
    main(rows)
