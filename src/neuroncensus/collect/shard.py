"""One collect job: one shard of text through one stage of a model's layers, every counter written."""

import logging
from dataclasses import dataclass
from pathlib import Path

import numpy
import pyarrow
import torch

from neuroncensus.collect.activations import ActivationRecorder
from neuroncensus.collect.batches import make_batches
from neuroncensus.collect.devices import Compute, resolve_compute
from neuroncensus.collect.hidden import hidden_writer, read_hidden
from neuroncensus.collect.stream import embed, run_layers, stage_layers
from neuroncensus.corpora.shards import Shard, read_shard
from neuroncensus.errors import CensusError
from neuroncensus.models.checkpoint import Checkpoint
from neuroncensus.models.description import Description, check_unchanged, read_description
from neuroncensus.progress import progress
from neuroncensus.tablefiles import write_table
from neuroncensus.tables import COUNTERS

log = logging.getLogger(__name__)

KIND = "counters of activations"


@dataclass(frozen=True)
class Settings:
    """What decides the bytes of a shard's counters beside its text and the weights.

    Attributes:
        device, dtype: as in the config; `auto` is resolved in the job.
        threads: torch's threads.
        batch_tokens: rows of a batch.
        stages: number of stages.
        skip_silent: leave neurons that are silent in a whole batch out of the second product of its FFN.
    """

    device: str
    dtype: str
    threads: int
    batch_tokens: int
    stages: int
    skip_silent: bool


def _check_shard(shard: Shard, description: Description, part: str, domain: str, number: int) -> None:
    found = tuple(shard.metadata[key] for key in ("part", "domain", "shard"))
    if found != (part, domain, number):
        raise CensusError(f"shard file of {found} was given for {(part, domain, number)}: delete it and run again")
    vocabulary, window = description.architecture.vocabulary, description.architecture.positions
    highest = int(shard.tokens.max(initial=0))
    if highest >= vocabulary:
        raise CensusError(
            f"tokenizer and model {description.model} do not fit: token id {highest} in domain {domain}, "
            f"but the model's vocabulary has {vocabulary} tokens: give the model its own tokenizer"
        )
    if shard.metadata["window"] > window:
        raise CensusError(f"window is {shard.metadata['window']} but model {description.model} has {window} positions: lower the window")


def _stream_settings(description: Description, shard: Shard, compute: Compute, settings: Settings, done: int) -> dict:
    """What hidden states depend on: `done` layers of a model over a shard's windows."""
    text = {"model": description.digest, "windows": shard.metadata["content_sha256"], "layers": done}
    return text | compute.settings() | {"batch_tokens": settings.batch_tokens, "skip_silent": settings.skip_silent}


def _metadata(description: Description, shard: Shard, settings: Settings, compute: Compute, layers: range) -> dict:
    told = ("corpus", "part", "domain", "shard", "window", "positions", "documents", "content_sha256")
    return (
        {key: shard.metadata[key] for key in told}
        | compute.settings()
        | {
            "kind": KIND,
            "model": description.model,
            "model_digest": description.digest,
            "windows": len(shard.document),
            "first_document": int(shard.document[0]),
            "last_document": int(shard.document[-1]),
            "batch_tokens": settings.batch_tokens,
            "stages": settings.stages,
            "skip_silent": settings.skip_silent,
            "first_layer": layers.start,
            "end_layer": layers.stop,
        }
    )


def _warn_split_bos(layer: int, activations_bos: numpy.ndarray, windows: int) -> None:
    """BOS at position 0 is the same input in every window, so its count is all windows or none."""
    split = numpy.flatnonzero((activations_bos != 0) & (activations_bos != windows))
    for neuron in split[:10]:
        log.warning(
            "layer %d neuron %d: active at BOS of %d of %d windows: rounding near zero", layer, neuron, activations_bos[neuron], windows
        )
    if len(split) > 10:
        log.warning("layer %d: %d neurons are active at BOS of some windows only: rounding near zero", layer, len(split))


def collect_shard(
    settings: Settings,
    *,
    folder: Path,
    description: Path,
    windows: Path,
    part: str,
    domain: str,
    shard: int,
    stage: int,
    hidden_before: Path | None,
    hidden_after: Path | None,
    out: Path,
) -> None:
    """Run one stage over one shard and write its counters.

    Args:
        settings: how to compute.
        folder: the model's checkpoint.
        description: its `model.json`; weights that changed since are refused.
        windows: the shard's windows (`neuroncensus.corpora.shards`).
        part, domain, shard: which shard it must be.
        stage: from 1; `neuroncensus.collect.stream.stage_layers` says which layers.
        hidden_before: hidden states of the stage before; None for stage 1.
        hidden_after: where to write the hidden states; None after the last stage.
        out: parquet with a row for each neuron of the stage's layers (`neuroncensus.tablefiles.COUNTERS`).

    Raises:
        CensusError: a file is corrupt or from something else, text and model do not fit, a weight or the
            residual stream is not finite.
    """
    compute = resolve_compute(settings.device, settings.dtype, settings.threads)
    about = read_description(description)
    check_unchanged(about, folder)
    text = read_shard(windows)
    _check_shard(text, about, part, domain, shard)
    architecture = about.architecture
    layers = stage_layers(architecture.n_layers, settings.stages)[stage - 1]
    batches = make_batches(text.lengths, settings.batch_tokens)
    log.info("%s %s %d, layers %d to %d of %s, %s", part, domain, shard, layers.start, layers.stop - 1, about.model, compute.settings())

    positions, rows = int(text.lengths.sum()), batches[-1].rows.stop
    before, after = (_stream_settings(about, text, compute, settings, done) for done in (layers.start, layers.stop))
    recorder = ActivationRecorder(text.document, architecture.ffn, compute.device)
    columns: dict[str, list[numpy.ndarray]] = {name: [] for name in COUNTERS.names}
    what = f"collecting {about.model} {part} {domain} {shard} stage {stage}"
    with (
        Checkpoint(folder) as checkpoint,
        torch.inference_mode(),
        progress(total=positions * len(layers), unit="position", what=what) as bar,
        hidden_writer(hidden_after, rows, architecture.d, compute.dtype, after) as finished,
    ):
        if hidden_before is None:
            stream = embed(checkpoint, architecture, text, batches, compute)
        else:
            stream = read_hidden(hidden_before, before, rows, architecture.d, compute.dtype)
        for layer, counters in run_layers(
            checkpoint,
            architecture,
            stream,
            batches,
            layers,
            recorder,
            compute,
            skip_silent=settings.skip_silent,
            finished=finished,
            advance=bar.update,
        ):
            _warn_split_bos(layer, counters["activations_bos"], len(text.document))
            columns["layer"].append(numpy.full(architecture.ffn, layer))
            columns["neuron"].append(numpy.arange(architecture.ffn))
            for name, column in counters.items():
                columns[name].append(column)
        check_unchanged(about, folder)
    arrays = [pyarrow.array(numpy.concatenate(columns[f.name]) if columns[f.name] else [], type=f.type) for f in COUNTERS.schema]
    write_table(pyarrow.table(arrays, schema=COUNTERS.schema), out, _metadata(about, text, settings, compute, layers))
