"""Which neurons no input whatever can make active, decided from the weights.

**Beyond the paper**, which asks whether dead neurons are completely dead and cannot tell. What enters an
OPT's FFN is a LayerNorm's output `g * z + b` with `mean(z) = 0` and `|z|^2 <= d`. So over all inputs the
pre-activation `w . (g*z + b) + bias` is at most `sqrt(d) |c(w*g)| + w.b + bias`, where c() subtracts the mean.
"""

from pathlib import Path

import numpy
import pyarrow
import torch

from neuroncensus.errors import CensusError
from neuroncensus.models.architecture import Architecture
from neuroncensus.models.checkpoint import Checkpoint
from neuroncensus.models.description import check_unchanged, read_description
from neuroncensus.tablefiles import read_metadata, write_table
from neuroncensus.tables import BOUNDS

# Neurons looked at in one go: float64 copies of all of 66b's would take 8 GB.
ROWS = 4096


def _as_held(checkpoint: Checkpoint, name: str, dtype: torch.dtype) -> torch.Tensor:
    """A tensor as a run in `dtype` holds it, in float64."""
    return checkpoint.tensor(name).to(dtype).to(torch.float64)


def input_norm(architecture: Architecture, layer: int) -> str:
    """Name of the LayerNorm whose output enters a layer's FFN."""
    return f"layers.{layer}.{'final_layer_norm' if architecture.pre_layer_norm else 'self_attn_layer_norm'}"


def layer_bounds(checkpoint: Checkpoint, architecture: Architecture, layer: int, dtype: torch.dtype) -> dict[str, numpy.ndarray]:
    """Bounds of one layer's neurons, computed in float64.

    Args:
        dtype: number format of the run; its weights are rounded to it, and its unit roundoff u decides what
            rounding can do.

    Returns:
        `bound`: the largest pre-activation that any input can give, (F,).
        `depth`: `-(w.b + bias) / |c(w*g)|`, NaN where the neuron reads nothing, (F,).
        `provably_dead`: `bound <= -m` with `m = (4u + 2^-24 d) (sqrt(d) |w*g| + sum |w_i b_i| + |bias|)`, (F,) bool.
    """
    d = architecture.d
    norm = input_norm(architecture, layer)
    gain = _as_held(checkpoint, f"{norm}.weight", dtype) if architecture.affine else torch.ones(d, dtype=torch.float64)
    shift = _as_held(checkpoint, f"{norm}.bias", dtype) if architecture.affine else torch.zeros(d, dtype=torch.float64)
    weight = checkpoint.tensor(f"layers.{layer}.fc1.weight")  # (F, d)
    biases = _as_held(checkpoint, f"layers.{layer}.fc1.bias", dtype) if architecture.bias else torch.zeros(len(weight), dtype=torch.float64)
    margin_factor = 4 * torch.finfo(dtype).eps / 2 + 2.0**-24 * d
    parts = []
    for rows, bias in zip(weight.split(ROWS), biases.split(ROWS), strict=True):
        read = rows.to(dtype).to(torch.float64)
        scaled = read * gain
        reach = (scaled - scaled.mean(dim=1, keepdim=True)).norm(dim=1)
        offset = read @ shift + bias
        bound = d**0.5 * reach + offset
        margin = margin_factor * (d**0.5 * scaled.norm(dim=1) + (read * shift).abs().sum(dim=1) + bias.abs())
        parts.append((bound, torch.where(reach > 0, -offset / reach, torch.nan), bound <= -margin))
    names = ("bound", "depth", "provably_dead")
    return {name: torch.cat(columns).numpy() for name, columns in zip(names, zip(*parts, strict=True), strict=True)}


def prove_dead(frequency: Path, description: Path, folder: Path, out: Path) -> None:
    """Write the bounds of all neurons, with the weights as the collection held them.

    Args:
        frequency: `frequency.parquet` of the model; its metadata says in which dtype the model ran.
        description: the model's `model.json`.
        folder: its checkpoint, read a layer at a time.
        out: parquet, a row a neuron (`neuroncensus.tables.BOUNDS`).

    Raises:
        CensusError: the weights are not those that were collected with.
    """
    metadata, about = read_metadata(frequency), read_description(description)
    check_unchanged(about, folder)
    if metadata["model_digest"] != about.digest:
        raise CensusError(f"{frequency} was collected with other weights than {folder} has now: collect again")
    torch.set_num_threads(metadata["threads"])
    ffn, n_layers = about.architecture.ffn, about.architecture.n_layers
    with Checkpoint(folder) as checkpoint:
        dtype = getattr(torch, metadata["dtype"])
        layers = [layer_bounds(checkpoint, about.architecture, layer, dtype) for layer in range(n_layers)]
    columns = {name: numpy.concatenate([layer[name] for layer in layers]) for name in layers[0]}
    columns |= {"layer": numpy.repeat(numpy.arange(n_layers), ffn), "neuron": numpy.tile(numpy.arange(ffn), n_layers)}
    arrays = {name: pyarrow.array(columns[name], from_pandas=True) for name in BOUNDS.names}  # NaN is null in a table
    told = ("model", "model_digest", "dtype")
    write_table(pyarrow.table(arrays, schema=BOUNDS.schema), out, {key: metadata[key] for key in told})
