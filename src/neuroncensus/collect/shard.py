"""One collect job: one shard of text through one stage of a model's layers, every counter written."""

import logging
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path

import pyarrow
import torch

from neuroncensus.collect.activations import ActivationRecorder
from neuroncensus.collect.devicememory import device_memory
from neuroncensus.collect.hidden import hidden_writer, read_hidden
from neuroncensus.collect.job import Job, Settings, open_job
from neuroncensus.collect.ngrams import NgramRecorder, NgramSettings, Open
from neuroncensus.collect.positions import PositionRecorder
from neuroncensus.collect.recorder import Recorder
from neuroncensus.collect.stages import first_half, stage_layers
from neuroncensus.collect.stream import embed, run_layers
from neuroncensus.corpora.ngrams import read_order
from neuroncensus.models.checkpoint import Checkpoint
from neuroncensus.models.description import check_unchanged
from neuroncensus.progress import progress
from neuroncensus.tablefiles import table_writer
from neuroncensus.tables import COUNTERS, NGRAM_COUNTERS, POSITION_COUNTERS

log = logging.getLogger(__name__)

KIND, KIND_NGRAMS, KIND_POSITIONS = "counters of activations", "counters of n-grams", "counters of positions"


@dataclass(frozen=True)
class Ngrams:
    """What n-grams of a shard are counted, and where they are written.

    Attributes:
        settings: which pairs are kept; None counts none, and the file is empty.
        order, ngrams: the shard's positions by n-gram and its n-grams (`neuroncensus.corpora.ngrams`); None with no settings.
        layers: `first_half` or `all` of the model's layers.
        out: parquet of `neuroncensus.tables.NGRAM_COUNTERS`.
    """

    settings: NgramSettings | None
    order: Path | None
    ngrams: Path | None
    layers: str
    out: Path


@dataclass(frozen=True)
class Positions:
    """Whether full windows are counted position by position, and where.

    Attributes:
        counted: whether they are; if not, the file is empty.
        out: parquet of `neuroncensus.tables.POSITION_COUNTERS`.
    """

    counted: bool
    out: Path


def covered_layers(job: Job, layers: str) -> range:
    """The layers whose n-grams are counted: `first_half` or `all`."""
    n_layers = job.about.architecture.n_layers
    return range(n_layers) if layers == "all" else first_half(n_layers)


def _recorders(job: Job, layers: range, out: Path, ngrams: Ngrams | None, positions: Positions | None, files: ExitStack) -> list[Recorder]:
    """The counters of a job, each with its file open."""
    neurons, device, metadata = job.about.architecture.ffn, job.compute.device, job.metadata(layers)
    write = files.enter_context(table_writer(out, COUNTERS.schema, metadata | {"kind": KIND}))
    recorders: list[Recorder] = [ActivationRecorder(job.text.document, neurons, device, write)]
    if ngrams is not None:
        covered = covered_layers(job, ngrams.layers)
        told = {"kind": KIND_NGRAMS, "ngrams": asdict(ngrams.settings) if ngrams.settings else None, "layers_covered": len(covered)}
        write = files.enter_context(table_writer(ngrams.out, NGRAM_COUNTERS.schema, metadata | told))
        if ngrams.settings is not None and ngrams.order is not None and ngrams.ngrams is not None:
            order = read_order(ngrams.order, ngrams.ngrams, job.text)
            recorders.append(NgramRecorder(order, job.text, job.batches, neurons, covered, ngrams.settings, device, write))
    if positions is not None:
        told = {"kind": KIND_POSITIONS, "full_windows": int((job.text.lengths == job.text.metadata["window"]).sum())}
        write = files.enter_context(table_writer(positions.out, POSITION_COUNTERS.schema, metadata | told))
        if positions.counted:
            recorders.append(PositionRecorder(job.text.metadata["window"], neurons, device, write))
    return recorders


def run_stage(
    job: Job, layers: range, recorders: Sequence[Recorder], what: str, *, hidden_before: Path | None, hidden_after: Path | None
) -> None:
    """Push a shard through some layers, from the embedding or from hidden states, and let the recorders see it."""
    d, dtype, rows = job.about.architecture.d, job.compute.dtype, job.rows
    before, after = job.stream_settings(layers.start), job.stream_settings(layers.stop)
    with (
        device_memory(job, recorders),
        Checkpoint(job.folder) as checkpoint,
        torch.inference_mode(),
        progress(total=job.positions * len(layers), unit="position", what=f"{what} {job.about.model}") as bar,
        hidden_writer(hidden_after, rows, d, dtype, after) as finished,
    ):
        if hidden_before is None:
            stream = embed(checkpoint, job.about.architecture, job.text, job.batches, job.compute)
        else:
            stream = read_hidden(hidden_before, before, rows, d, job.compute)
        run_layers(
            checkpoint,
            job.about.architecture,
            stream,
            job.batches,
            layers,
            recorders,
            job.compute,
            skip_silent=job.settings.skip_silent,
            finished=finished,
            advance=bar.update,
        )
        check_unchanged(job.about, job.folder)


def collect_shard(
    settings: Settings,
    *,
    folder: Path,
    description: Path,
    windows: Path,
    part: str,
    domain: str,
    shard: int,
    stage: int = 1,
    hidden_before: Path | None = None,
    hidden_after: Path | None = None,
    out: Path,
    ngrams: Ngrams | None = None,
    positions: Positions | None = None,
) -> None:
    """Run one stage over one shard and write its counters.

    Args:
        settings, folder, description, windows, part, domain, shard: as `neuroncensus.collect.job.open_job` takes them.
        stage: from 1; `neuroncensus.collect.stages.stage_layers` says which layers.
        hidden_before: hidden states of the stage before; None for stage 1.
        hidden_after: where to write the hidden states; None after the last stage.
        out: parquet with a row for each neuron of the stage's layers (`neuroncensus.tables.COUNTERS`).
        ngrams: counters of n-grams; None for none, and no file.
        positions: counters of positions; None for none, and no file.

    Raises:
        CensusError: a file is corrupt or from something else, text and model do not fit, a weight or the
            residual stream is not finite.
    """
    job = open_job(settings, folder=folder, description=description, windows=windows, part=part, domain=domain, shard=shard)
    layers = stage_layers(job.about.architecture.n_layers, settings.stages)[stage - 1]
    log.info("%s %s %d, layers %s of %s, %s", part, domain, shard, layers, job.about.model, job.compute.settings())
    with ExitStack() as files:
        recorders = _recorders(job, layers, out, ngrams, positions, files)
        what = f"collecting {part} {domain} {shard} stage {stage} of"
        run_stage(job, layers, recorders, what, hidden_before=hidden_before, hidden_after=hidden_after)


def collect_configured(
    settings: dict, ngrams: dict | None, order: Sequence[Path], out_ngrams: Path, by_position: bool, out_positions: Path, **shard
) -> None:
    """`collect_shard` from what the configuration says.

    Args:
        settings: fields of `Settings`.
        ngrams: `layers`, and fields of `NgramSettings`; None where no n-grams are counted.
        order: the shard's positions by n-gram and its n-grams; nothing where none are counted.
        out_ngrams: the file of n-gram counters; empty where none are counted.
        by_position: whether the domain's full windows are counted position by position.
        out_positions: the file of position counters; empty where none are counted.
        shard: as `collect_shard` takes it.
    """
    asked = Ngrams(None, None, None, "", out_ngrams)
    if ngrams is not None:
        told = {key: value for key, value in ngrams.items() if key != "layers"}
        asked = Ngrams(NgramSettings(**told), *order, ngrams["layers"], out_ngrams)
    collect_shard(Settings(**settings), ngrams=asked, positions=Positions(by_position, out_positions), **shard)


def collect_again(
    settings: dict,
    asked: dict,
    dropped: Open,
    write: Callable[[pyarrow.Table], object],
    *,
    order: Path,
    ngrams: Path,
    **shard,
) -> None:
    """Run a shard once more, as far as n-grams of some neurons are missing, and write those.

    Args:
        settings: fields of `neuroncensus.collect.job.Settings`.
        asked: fields of `NgramSettings`.
        dropped: what is missing.
        write: given rows of `neuroncensus.tables.NGRAM_COUNTERS`.
        order, ngrams: the shard's positions by n-gram and its n-grams.
        shard: as `neuroncensus.collect.job.open_job` takes it.
    """
    job = open_job(Settings(**settings), **shard)
    layers, positions = range(max(dropped) + 1), read_order(order, ngrams, job.text)
    neurons = job.about.architecture.ffn
    rules = (NgramSettings(**asked), job.compute.device)
    recorder = NgramRecorder(positions, job.text, job.batches, neurons, layers, *rules, write, again=dropped)
    run_stage(job, layers, [recorder], "collecting n-grams again of", hidden_before=None, hidden_after=None)
