"""Whether token detectors suppress what they detect (section 4.4; over 80% of them do).

**Choice**: a token detector (n = 1) *suppresses its trigger* if the mean logit of its update over its detected tokens is below 0, and
`all_suppressed` if every one of these logits is. Logits, weights and tokens are as in `neuroncensus.models.updates`.

**Beyond the paper**: a logit's sign is not identified, as a constant added to all logits changes nothing, so the same stands for
*centred* logits, less their mean over all tokens. The *null*: over all other token detectors of the layer that have no detected
token in common with it, the share whose tokens this update suppresses, raw and centred; exact, and null where there is no such
detector. `trigger_rank` is the median over detected tokens of how many tokens have a smaller logit.
"""

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy
import pyarrow
import torch

from neuroncensus.collect.devices import resolve_compute
from neuroncensus.errors import CensusError
from neuroncensus.findings.tokendetectors import TokenDetectors, read_token_detectors
from neuroncensus.models.checkpoint import Checkpoint
from neuroncensus.models.description import check_unchanged, read_description
from neuroncensus.models.extremes import find_ranks
from neuroncensus.models.projection import Products, Projection, tokens_of
from neuroncensus.sizes import LOGITS
from neuroncensus.tablefiles import read_metadata, table_writer
from neuroncensus.tables import TRIGGER_UPDATES


def _places(found: TokenDetectors, projection: Projection) -> list[numpy.ndarray]:
    """Rows of the projection of the tokens that each detector detects."""
    places = [numpy.searchsorted(projection.tokens, ids) for ids in found.tokens]
    for neuron, ids, rows in zip(found.neurons, found.tokens, places, strict=True):
        rows[rows == len(projection.tokens)] = 0
        missing = ids[projection.tokens[rows] != ids]
        if len(missing):
            raise CensusError(
                f"layer {found.layer} neuron {neuron} detects token {missing[0]}, which the tokenizer does not have: "
                "give the model its own tokenizer and run again"
            )
    return places


def _null(means: numpy.ndarray, tokens: Sequence[numpy.ndarray]) -> list[float | None]:
    """For each row the share of the columns with other tokens whose number is below 0.

    Args:
        means: mean logit of each detector's update over each detector's tokens, (D, D).
        tokens: of each detector.
    """
    holders = defaultdict(list)
    for number, ids in enumerate(tokens):
        for token in ids.tolist():
            holders[token].append(number)
    shares: list[float | None] = []
    for number, ids in enumerate(tokens):
        others = numpy.ones(len(tokens), dtype=bool)
        others[number] = False  # also of a detector without tokens
        for token in ids.tolist():
            others[holders[token]] = False
        shares.append(int((means[number, others] < 0).sum()) / int(others.sum()) if others.any() else None)
    return shares


def _triggers(vectors: torch.Tensor, places: Sequence[numpy.ndarray], projection: Projection, products: Products) -> list[tuple]:
    """Of each vector (R, e): logits of its own tokens, and how many tokens have smaller ones."""
    found, size = [], max(1, LOGITS // len(projection.tokens))
    for start in range(0, len(vectors), size):
        block, own = vectors[start : start + size].contiguous(), places[start : start + size]
        offsets = numpy.concatenate([[0], numpy.cumsum([len(rows) for rows in own])])
        asked = numpy.concatenate([numpy.empty(0, dtype=numpy.int64), *own])
        values, ranks = numpy.empty(len(asked)), numpy.empty(len(asked), dtype=numpy.int64)
        find_ranks(products(block), projection.rows, block.numpy(), projection.slack(block), offsets, asked, values, ranks)
        found += list(zip(numpy.split(values, offsets[1:-1]), numpy.split(ranks, offsets[1:-1]), strict=True))
    return found


def _layer_rows(found: TokenDetectors, updates: torch.Tensor, projection: Projection, products: Products) -> dict[str, list]:
    """Columns of `trigger_updates.parquet` of one layer; `updates`: of its detectors, (D, d) float64."""
    places = _places(found, projection)
    plain, scaled = projection.plain(updates), projection.scaled(updates)
    rows = [projection.rows[own].astype(numpy.float64) for own in places]
    centres = numpy.stack([of_tokens.mean(axis=0) for of_tokens in rows])  # (D, e)
    means, averages = plain.numpy() @ centres.T, plain.numpy() @ projection.mean  # (D, D), (D,)
    own = _triggers(plain, places, projection, products)
    mean = numpy.array([logits.mean() for logits, _ in own])
    centred = mean - averages
    own_scaled = (
        None if scaled is None else [float((of_tokens @ vector).mean()) for of_tokens, vector in zip(rows, scaled.numpy(), strict=True)]
    )
    return {
        "layer": [found.layer] * len(mean),
        "neuron": found.neurons.tolist(),
        "detected": [len(ids) for ids in found.tokens],
        "mean_logit": mean.tolist(),
        "mean_logit_scaled": [None] * len(mean) if own_scaled is None else own_scaled,
        "mean_logit_centred": centred.tolist(),
        "suppresses_trigger": (mean < 0).tolist(),
        "all_suppressed": [bool((logits < 0).all()) for logits, _ in own],
        "suppresses_centred": (centred < 0).tolist(),
        "trigger_rank": [float(numpy.median(ranks)) for _, ranks in own],
        "null_suppresses": _null(means, found.tokens),
        "null_suppresses_centred": _null(means - averages[:, None], found.tokens),
    }


def classify_trigger_updates(
    detectors: Path,
    ngrams: Path,
    description: Path,
    folder: Path,
    tokenizer: Path,
    *,
    resamples: int,
    seed: int,
    device: str,
    threads: int,
    out: Path,
) -> None:
    """Make `trigger_updates.parquet`: a row a token detector; none if the model has none.

    Args:
        detectors: `detectors.parquet`.
        ngrams: `detector_ngrams.parquet`.
        description: the model's `model.json`.
        folder: its checkpoint.
        tokenizer: folder of its tokenizer.
        resamples, seed: of the intervals that the summary and the figure give; kept in the metadata.
        device, threads: as `neuroncensus.models.updates.project_updates` takes them.
        out: `trigger_updates.parquet`, sorted by layer and neuron. Its metadata are those of `detectors`, with `resamples` and `seed`.

    Raises:
        CensusError: the tables are not of one census or not of this checkpoint, or the tokenizer does not fit them.
    """
    metadata, about = read_metadata(detectors), read_description(description)
    check_unchanged(about, folder)
    if metadata["model_digest"] != about.digest:
        raise CensusError(f"{detectors} is of other weights than {folder} has now: collect again")
    found, compute = read_token_detectors(detectors, ngrams), resolve_compute(device, "float32", threads)
    tokens = tokens_of(tokenizer, about.architecture)
    told = metadata | {"resamples": resamples, "seed": seed}
    with Checkpoint(folder) as checkpoint, torch.inference_mode(), table_writer(out, TRIGGER_UPDATES.schema, told) as write:
        if found:
            projection = Projection(checkpoint, about.architecture, tokens)
            products = Products(projection, compute.device)
        for of_layer in found:
            weight = checkpoint.tensor(f"layers.{of_layer.layer}.fc2.weight")
            updates = weight[:, torch.from_numpy(of_layer.neurons.copy())].T.to(torch.float64)
            write(pyarrow.table(_layer_rows(of_layer, updates, projection, products), schema=TRIGGER_UPDATES.schema))
