"""What a token detector does at its trigger: zero it there, run on, and look at the end of the network.

**Beyond the paper**, which reads suppression off the weights (section 4.4). In a context, a window of core up to an occurrence of a
token that the neuron detects, its value at the last position is set to zero, and what changes there at the end of the network is
the trigger's log-probability (of the softmax over all rows of the output embedding, as the model has it) and its logit less the
mean logit of all tokens (`neuroncensus.models.projection` says which they are). A neuron that suppresses its trigger has positive
changes. Beside it, each of its *matched* neurons is zeroed alone: of the same layer, active at the same position, those whose
|value| * |update| is nearest to its own, none twice, ties to the lower number. Random neurons are mostly silent there, and any
detector would win. Contexts in which the detector is not active have nothing to be zeroed and are left out.

A causal model's earlier positions do not see the last one, so each version of a context differs in one row only. All contexts go up
layer by layer with one block in memory, and with each of them one row for every neuron that is zeroed.
"""

import itertools
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy
import pyarrow
import torch

from neuroncensus.collect.batches import Batch, make_batches
from neuroncensus.collect.contexts import AblationSettings, Context, draw_contexts
from neuroncensus.collect.devices import Compute, resolve_compute
from neuroncensus.collect.stream import blocks, check_finite, embed
from neuroncensus.corpora.shards import Shard
from neuroncensus.errors import CensusError
from neuroncensus.findings.tokendetectors import read_token_detectors
from neuroncensus.models.architecture import Architecture
from neuroncensus.models.checkpoint import Checkpoint
from neuroncensus.models.description import check_unchanged, read_description
from neuroncensus.models.opt import Block, Head, all_finite
from neuroncensus.models.projection import tokens_of
from neuroncensus.progress import progress
from neuroncensus.tablefiles import read_metadata, table_writer
from neuroncensus.tables import ABLATION

log = logging.getLogger(__name__)

LEAST_MATCHED = 3
"""Fewer matched neurons are no comparison."""
LOGITS = 1 << 24
"""Numbers of a block of logits."""
NOBODY = -1


@dataclass
class Versions:
    """Contexts that go up together, (n), and versions of their last rows, (n, G): the detector zeroed, then each matched neuron.

    Attributes:
        layers, neurons: of the detectors, (n,) int64.
        zeroed: neurons, (n, G) int64; NOBODY where there is none, and of contexts whose detector is not active.
        values: of the detectors at the last positions, (n,) float64.
        rows: the residual stream of each version, (n, G, d), on the device.
    """

    layers: numpy.ndarray
    neurons: numpy.ndarray
    zeroed: numpy.ndarray
    values: numpy.ndarray
    rows: torch.Tensor

    @classmethod
    def of(cls, contexts: Sequence[Context], matched: int, d: int, compute: Compute) -> "Versions":
        """None zeroed yet."""
        shape = len(contexts), 1 + matched
        keys = (numpy.array([getattr(context, name) for context in contexts], dtype=numpy.int64) for name in ("layer", "neuron"))
        rows = torch.zeros(*shape, d, dtype=compute.dtype, device=compute.device)
        return cls(*keys, numpy.full(shape, NOBODY), numpy.zeros(shape[0]), rows)


def nearest(values: numpy.ndarray, lengths: numpy.ndarray, neuron: int, most: int) -> numpy.ndarray:
    """The matched neurons of an active one: others that are active too, whose |value| * |update| is nearest to its own.

    Args:
        values: of a layer's neurons at a position, (F,).
        lengths: of their updates, (F,).
        neuron: whose they are.
        most: how many, at most.
    """
    sizes = numpy.abs(values) * lengths
    others = numpy.flatnonzero(values)
    others = others[others != neuron]
    return others[numpy.argsort(numpy.abs(sizes[others] - sizes[neuron]), kind="stable")][:most]


def _as_shard(contexts: Sequence[Context]) -> Shard:
    """The contexts as windows."""
    tokens = [context.tokens for context in contexts]
    sizes = numpy.array([len(ids) for ids in tokens], dtype=numpy.int64)
    document = numpy.array([context.document for context in contexts], dtype=numpy.int64)
    offsets = numpy.concatenate([[0], numpy.cumsum(sizes)])
    return Shard(document, numpy.zeros_like(document), sizes + 1, numpy.concatenate(tokens), offsets, {})


def _begin(versions: Versions, here: numpy.ndarray, seen: torch.Tensor, x: torch.Tensor, block: Block) -> None:
    """Choose whom to zero in contexts whose detectors are in this layer, and let their versions begin.

    Args:
        here: which contexts, (k,).
        seen: the layer's values at their last positions, (k, F).
        x: the layer's input there, (k, d).
        block: of the layer.
    """
    lengths = block.dense("fc2.weight").double().norm(dim=0).cpu().numpy()
    for number, values in zip(here, seen.double().cpu().numpy(), strict=True):
        neuron = versions.neurons[number]
        versions.values[number] = values[neuron]
        if values[neuron] > 0:
            chosen = [neuron, *nearest(values, lengths, neuron, versions.zeroed.shape[1] - 1)]
            versions.zeroed[number, : len(chosen)] = chosen
    versions.rows[torch.from_numpy(here).to(x.device)] = x[:, None]


def _pass_layer(layer: int, block: Block, x: torch.Tensor, batch: Batch, versions: Versions, buffer: torch.Tensor) -> torch.Tensor:
    """A batch of contexts, (w, T, d), through a layer, and those of their versions that have begun."""
    owners, last = versions.layers[batch.windows], torch.from_numpy(batch.lengths - 1).to(x.device)
    every, seen = torch.arange(len(x), device=x.device), []

    def keep(values: torch.Tensor) -> None:
        torch.relu_(values)
        seen.append(values[every, last])  # (w, F)

    y = block(x, keep, buffer)
    values = seen[0].square() if block.architecture.activation == "relu2" else seen[0]
    own, begun = (torch.from_numpy(numpy.flatnonzero(mask)).to(x.device) for mask in (owners == layer, owners <= layer))
    if len(own):
        _begin(versions, batch.windows[own.cpu().numpy()], values[own], x[own, last[own]], block)
    if len(begun):
        here = batch.windows[begun.cpu().numpy()]
        zeroed = torch.from_numpy(numpy.where((versions.layers[here] == layer)[:, None], versions.zeroed[here], NOBODY)).to(x.device)

        def zero(of_versions: torch.Tensor) -> None:
            torch.relu_(of_versions)  # (k, G, F)
            context, version = (zeroed != NOBODY).nonzero(as_tuple=True)
            of_versions[context, version, zeroed[context, version]] = 0

        numbers = torch.from_numpy(here).to(x.device)
        versions.rows[numbers] = block.beside(versions.rows[numbers], x[begun], last[begun], zero)
    if batch.padded:
        y.masked_fill_(torch.from_numpy(~batch.real()).to(x.device)[:, :, None], 0.0)
    return y


def _measure(rows: torch.Tensor, triggers: torch.Tensor, tokens: torch.Tensor, head: Head) -> tuple[torch.Tensor, torch.Tensor]:
    """Log-probability of the triggers, (R,), and their logits less the mean logit of all tokens, (R,); float64.

    Args:
        rows: after the last block, (R, d).
        triggers: ids, (R,).
        tokens: ids of all tokens.
        head: of the model.
    """
    size, found = max(1, LOGITS // len(head.rows)), []
    for part, of_part in zip(rows.split(size), triggers.split(size), strict=True):
        logits = head(part).double()
        own = logits.gather(1, of_part[:, None])[:, 0]
        found.append((own - logits.logsumexp(dim=1), own - logits[:, tokens].mean(dim=1)))
    first, second = (torch.cat(parts) for parts in zip(*found, strict=True))
    return first, second


def _run(
    contexts: Sequence[Context],
    checkpoint: Checkpoint,
    architecture: Architecture,
    compute: Compute,
    matched: int,
    batch_tokens: int,
    advance,
) -> tuple[Versions, torch.Tensor]:
    """All contexts through all layers; their versions, and their own last rows, (n, d)."""
    text = _as_shard(contexts)
    batches = make_batches(text.lengths, batch_tokens)
    stream = embed(checkpoint, architecture, text, batches, compute)
    versions = Versions.of(contexts, matched, architecture.d, compute)
    widest = max(batch.rows.stop - batch.rows.start for batch in batches)
    buffer = torch.empty(widest, architecture.ffn, dtype=compute.dtype, device=compute.device)
    # Whole sums: what is compared are small differences.
    for layer, block in blocks(checkpoint, architecture, range(architecture.n_layers), compute, skip=False):
        finite = []
        for batch in batches:
            x = stream[batch.rows].to(compute.device).view(*batch.shape, architecture.d)
            y = _pass_layer(layer, block, x, batch, versions, buffer)
            finite.append(all_finite(y))
            stream[batch.rows] = y.flatten(0, 1).to(stream.device)
            advance(int(batch.lengths.sum()))
        check_finite(finite, layer, compute)
    last = numpy.empty(len(contexts), dtype=numpy.int64)
    for batch in batches:
        last[batch.windows] = batch.first_row + numpy.arange(len(batch.windows)) * batch.shape[1] + batch.lengths - 1
    return versions, stream[torch.from_numpy(last)].to(compute.device)


def _rows(contexts: Sequence[Context], versions: Versions, whole: torch.Tensor, tokens: numpy.ndarray, head: Head) -> dict[str, list]:
    """Columns of `ablation.parquet`."""
    count, width = versions.zeroed.shape
    device = whole.device
    rows = torch.cat([whole[:, None], versions.rows], dim=1)  # (n, 1 + G, d)
    triggers = torch.tensor([context.token for context in contexts], device=device)
    measured = _measure(rows.flatten(0, 1), triggers.repeat_interleave(1 + width), torch.from_numpy(tokens).to(device), head)
    probability, logit = (numbers.view(count, 1 + width).cpu().numpy() for numbers in measured)
    names = ("layer", "neuron", "domain", "shard", "window", "position", "document", "token")
    told: dict[str, list] = {name: [] for name in ABLATION.names}
    for number, context in enumerate(contexts):
        others = int((versions.zeroed[number] != NOBODY).sum()) - 1
        if others < 0:
            continue
        changes = [numbers[number, 1:] - numbers[number, 0] for numbers in (probability, logit)]
        means = [float(change[1 : 1 + others].mean()) if others >= LEAST_MATCHED else None for change in changes]
        for name in names:
            told[name].append(getattr(context, name))
        numbers = (versions.values[number], probability[number, 0], changes[0][0], changes[1][0], others, *means)
        for name, value in zip(ABLATION.names[len(names) :], numbers, strict=True):
            told[name].append(value)
    return told


def _together(contexts: Sequence[Context], positions: int) -> Iterator[list[Context]]:
    """Contexts in order, so many positions of them at most."""
    held = list(itertools.accumulate(len(context.tokens) + 1 for context in contexts))
    start = 0
    while start < len(contexts):
        before = held[start - 1] if start else 0
        end = max(start + 1, int(numpy.searchsorted(held, before + positions, side="right")))
        yield list(contexts[start:end])
        start = end


def collect_ablation(
    settings: dict,
    asked: dict,
    *,
    positions: int,
    folder: Path,
    description: Path,
    detectors: Path,
    ngrams: Path,
    windows: Sequence[Path],
    tokenizer: Path,
    out: Path,
) -> None:
    """Make `ablation.parquet`: a row for each drawn context in which its detector is active; none if the model has no token detector.

    Args:
        settings: device, dtype, threads and batch_tokens of `neuroncensus.collect.job.Settings`; others are not read.
        asked: fields of `AblationSettings`.
        positions: of contexts that go up together, at most.
        folder: the model's checkpoint.
        description: its `model.json`.
        detectors, ngrams: `detectors.parquet` and `detector_ngrams.parquet`.
        windows: the shards of core (`neuroncensus.corpora.shards`), in order.
        tokenizer: folder of its tokenizer.
        out: `ablation.parquet`, sorted by layer, neuron, domain, shard, window and position. Its metadata are those of `detectors`
            with the fields of `asked`, each with `ablation_` in front.

    Raises:
        CensusError: the tables are of another census, other weights, or collected in another dtype or on another kind of device;
            a weight or the residual stream is not finite.
    """
    metadata, about = read_metadata(detectors), read_description(description)
    compute, rules = resolve_compute(settings["device"], settings["dtype"], settings["threads"]), AblationSettings(**asked)
    check_unchanged(about, folder)
    if metadata["model_digest"] != about.digest:
        raise CensusError(f"{detectors} is of other weights than {folder} has now: collect again")
    for key in ("dtype", "device"):
        if metadata[key] != compute.settings()[key]:
            raise CensusError(
                f"{detectors} was collected with {key} {metadata[key]}, but this job computes with {compute.settings()[key]}: "
                f"set {key} in the config and run again"
            )
    contexts = draw_contexts(read_token_detectors(detectors, ngrams), windows, rules)
    total = sum(len(context.tokens) + 1 for context in contexts)
    log.info("%d contexts of %s, %d positions, %s", len(contexts), about.model, total, compute.settings())
    told = metadata | {f"ablation_{key}": value for key, value in asked.items()}
    with (
        Checkpoint(folder) as checkpoint,
        torch.inference_mode(),
        progress(total=total * about.architecture.n_layers, unit="position", what=f"ablating {about.model}") as bar,
        table_writer(out, ABLATION.schema, told) as write,
    ):
        head = Head(checkpoint, about.architecture, compute.dtype, compute.device) if contexts else None
        tokens = tokens_of(tokenizer, about.architecture)
        for part in _together(contexts, positions):
            assert head is not None, "there are contexts"
            versions, whole = _run(part, checkpoint, about.architecture, compute, rules.matched, settings["batch_tokens"], bar.update)
            write(pyarrow.table(_rows(part, versions, whole, tokens, head), schema=ABLATION.schema))
        check_unchanged(about, folder)
