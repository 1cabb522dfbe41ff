"""What neurons write: their updates read off the vocabulary (section 4.4, figure 5; section 5.5).

A neuron's *update* is its column of the FFN's second matrix: what it adds to the residual stream when it is active, times its
value. `logits = E @ update` with E the output embedding, through `project_out` first where embeddings are narrower than the
stream (350m). *Promoted* are the tokens with the largest logits, *suppressed* those with the smallest; ties go to the lower id.
**Choice**: no final LayerNorm is applied; the columns `..._scaled` have its centring and gain folded in, `g * (update - mean)`,
and are null where there is none (350m). **Choice**: the weights are as the checkpoint stores them, in whatever dtype the model is
run, so that updates take no collection. **Choice**: see `neuroncensus.models.projection` for which tokens there are.

Logits, means and lengths are products in float64. The kurtosis is of logits in float32: six digits hold.

**Beyond the paper**, which says that updates of positional neurons mean nothing in the vocabulary: the excess kurtosis of each
neuron's logits (0 is a bell curve; heavy tails are tokens that stand out), and the cosine of what a neuron reads (its row of the
first matrix times the gain of the LayerNorm before it) and what it writes.
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy
import pyarrow
import torch

from neuroncensus.collect.devices import resolve_compute
from neuroncensus.models.architecture import Architecture
from neuroncensus.models.bounds import input_norm
from neuroncensus.models.checkpoint import Checkpoint
from neuroncensus.models.description import check_unchanged, read_description
from neuroncensus.models.extremes import find_extremes, find_kurtosis
from neuroncensus.models.origin import read_source
from neuroncensus.models.projection import Products, Projection, read_double, tokens_of
from neuroncensus.progress import progress
from neuroncensus.sizes import LOGITS
from neuroncensus.tablefiles import lists, table_writer
from neuroncensus.tables import UPDATES

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Written:
    """Extremes of a block of vectors.

    Attributes:
        promoted, suppressed: ids, (R, k) int64.
        promoted_logits, suppressed_logits: (R, k) float64.
        means: of all tokens' logits, (R,) float64.
        kurtosis: (R,) float64, NaN where the logits do not differ.
    """

    promoted: numpy.ndarray
    promoted_logits: numpy.ndarray
    suppressed: numpy.ndarray
    suppressed_logits: numpy.ndarray
    means: numpy.ndarray
    kurtosis: numpy.ndarray


def read_off(vectors: torch.Tensor, projection: Projection, products: Products, top: int) -> Written:
    """What vectors, (R, e) float64, write into the vocabulary."""
    logits, slack, numbers = products(vectors), projection.slack(vectors), vectors.contiguous().numpy()
    rows, shape = projection.rows, (len(numbers), min(top, len(projection.rows)))
    extremes = []
    for sign in (1.0, -1.0):
        places, values = numpy.empty(shape, dtype=numpy.int64), numpy.empty(shape)
        # All logits of a vector of zeros tie, and there may be many: they need no products.
        places[:], values[:] = numpy.arange(shape[1]), 0.0
        some = numpy.flatnonzero(slack)
        found = [numpy.empty((len(some), shape[1]), dtype=kind) for kind in (numpy.int64, numpy.float64)]
        find_extremes(logits[some] if len(some) < len(slack) else logits, rows, numbers[some], slack[some], sign, *found)
        places[some], values[some] = found
        extremes += [projection.tokens[places], values]
    means, kurtosis = numbers @ projection.mean, numpy.empty(len(numbers))
    find_kurtosis(logits, means, kurtosis)
    return Written(*extremes, means, numpy.where(slack > 0, kurtosis, numpy.nan))


def _columns(plain: Written, scaled: Written | None, norm: torch.Tensor, cosine: torch.Tensor) -> Iterator[pyarrow.Array]:
    """Columns of `updates.parquet` but for layer and neuron, of a block."""
    nothing = pyarrow.nulls(len(norm))
    yield pyarrow.array(norm.numpy())
    for written, suffix in ((plain, ""), (scaled, "_scaled")):
        for name in ("promoted", "promoted_logits", "suppressed", "suppressed_logits"):
            field = UPDATES.schema.field(name + suffix)
            yield nothing.cast(field.type) if written is None else lists(getattr(written, name), field)
    yield from (pyarrow.array(values, from_pandas=True) for values in (plain.means, plain.kurtosis, cosine.numpy()))


def layer_updates(
    checkpoint: Checkpoint, architecture: Architecture, layer: int, projection: Projection, products: Products, top: int
) -> Iterator[pyarrow.Table]:
    """Rows of `updates.parquet` of one layer, a block of neurons after the other."""
    writes = checkpoint.tensor(f"layers.{layer}.fc2.weight").T.contiguous()  # (F, d)
    reads, norm = checkpoint.tensor(f"layers.{layer}.fc1.weight"), input_norm(architecture, layer)
    gain = read_double(checkpoint, f"{norm}.weight") if architecture.affine else torch.ones(architecture.d, dtype=torch.float64)
    size = max(1, LOGITS // len(projection.tokens))
    for start in range(0, len(writes), size):
        updates = writes[start : start + size].to(torch.float64)
        read, lengths = reads[start : start + size].to(torch.float64) * gain, updates.norm(dim=1)
        both = lengths * read.norm(dim=1)
        cosine = torch.where(both > 0, (read * updates).sum(dim=1) / both, torch.nan)
        vectors = [projection.plain(updates), projection.scaled(updates)]
        written = [None if some is None else read_off(some, projection, products, top) for some in vectors]
        assert written[0] is not None, "every model has an output embedding"
        keys = numpy.full(len(updates), layer), numpy.arange(start, start + len(updates))
        columns = [*map(pyarrow.array, keys), *_columns(written[0], written[1], lengths, cosine)]
        yield pyarrow.table(columns, schema=UPDATES.schema)


def project_updates(
    description: Path, source: Path, folder: Path, tokenizer: Path, *, corpus: str, top: int, device: str, threads: int, out: Path
) -> None:
    """Make `updates.parquet`: a row a neuron, the checkpoint read a layer at a time.

    Beside the checkpoint's pages it holds the embedding in float32, one layer's updates and a block of logits.

    Args:
        description: the model's `model.json`.
        source: its `source.json`.
        folder: its checkpoint.
        tokenizer: folder of its tokenizer.
        corpus: of the census, named in the metadata.
        top: how many tokens are listed as promoted and as suppressed; fewer if the vocabulary has fewer.
        device: auto, cpu or cuda: where products are computed; what is found does not depend on it.
        threads: torch's.
        out: `updates.parquet`, sorted by layer and neuron. Its metadata say in which dtypes the weights are stored.

    Raises:
        CensusError: the checkpoint is not the one described, or the tokenizer is missing, broken or another model's.
    """
    about = read_description(description)
    check_unchanged(about, folder)
    compute, tokens = resolve_compute(device, "float32", threads), tokens_of(tokenizer, about.architecture)
    told: dict = {"model": about.model, "model_digest": about.digest, "corpus": corpus, "dtype": "/".join(about.dtypes)}
    told |= {"device": compute.device.type, "top": top, "tokens_in_vocabulary": len(tokens), "version": version("neuroncensus")}
    layers = about.architecture.n_layers
    with (
        Checkpoint(folder) as checkpoint,
        torch.inference_mode(),
        progress(total=layers * about.architecture.ffn, unit="neuron", what=f"projecting updates of {about.model}") as bar,
        table_writer(out, UPDATES.schema, told | read_source(source, about.digest)) as write,
    ):
        projection = Projection(checkpoint, about.architecture, tokens)
        products = Products(projection, compute.device)
        for layer in range(layers):
            for part in layer_updates(checkpoint, about.architecture, layer, projection, products, top):
                write(part)
                bar.update(len(part))
        check_unchanged(about, folder)
