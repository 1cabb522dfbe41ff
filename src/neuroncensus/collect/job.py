"""What every collect job begins with: its settings, its shard of text and its model, checked against each other."""

from dataclasses import dataclass
from pathlib import Path

from neuroncensus.collect.batches import Batch, make_batches
from neuroncensus.collect.devices import Compute, resolve_compute
from neuroncensus.corpora.shards import Shard, read_shard
from neuroncensus.errors import CensusError
from neuroncensus.models.description import Description, check_unchanged, read_description


@dataclass(frozen=True)
class Settings:
    """What decides the bytes of a shard's counters beside its text and the weights.

    Attributes:
        device, dtype: as in the config; `auto` is resolved in the job.
        threads: torch's threads.
        batch_tokens: rows of a batch.
        stages: number of stages.
        skip_silent: leave out what adds exactly nothing, as `neuroncensus.models.opt.Block` says.
    """

    device: str
    dtype: str
    threads: int
    batch_tokens: int
    stages: int
    skip_silent: bool


@dataclass(frozen=True)
class Job:
    """One shard of text and one model, ready to compute."""

    settings: Settings
    compute: Compute
    folder: Path
    about: Description
    text: Shard
    batches: list[Batch]

    @property
    def positions(self) -> int:
        """Of the shard, BOS included."""
        return int(self.text.lengths.sum())

    @property
    def rows(self) -> int:
        """Of the residual stream: positions, and padding."""
        return self.batches[-1].rows.stop

    def stream_settings(self, done: int) -> dict:
        """What hidden states depend on: `done` layers of the model over the shard's windows."""
        text = {"model": self.about.digest, "windows": self.text.metadata["content_sha256"], "layers": done}
        batches = {"batch_tokens": self.settings.batch_tokens, "skip_silent": self.settings.skip_silent}
        return text | self.compute.settings() | batches

    def metadata(self, layers: range) -> dict:
        """What the files of counters of these layers tell of how they were made."""
        told = ("corpus", "part", "domain", "shard", "window", "positions", "documents", "content_sha256")
        return (
            {key: self.text.metadata[key] for key in told}
            | self.compute.settings()
            | {
                "model": self.about.model,
                "model_digest": self.about.digest,
                "windows": len(self.text.document),
                "first_document": int(self.text.document[0]),
                "last_document": int(self.text.document[-1]),
                "batch_tokens": self.settings.batch_tokens,
                "stages": self.settings.stages,
                "skip_silent": self.settings.skip_silent,
                "first_layer": layers.start,
                "end_layer": layers.stop,
            }
        )


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


def open_job(settings: Settings, *, folder: Path, description: Path, windows: Path, part: str, domain: str, shard: int) -> Job:
    """Read and check what a collect job needs; the weights are read later, block by block.

    Args:
        settings: how to compute.
        folder: the model's checkpoint.
        description: its `model.json`; weights that changed since are refused.
        windows: the shard's windows (`neuroncensus.corpora.shards`).
        part, domain, shard: which shard it must be.

    Raises:
        CensusError: a file is corrupt or from something else, or text and model do not fit.
    """
    compute = resolve_compute(settings.device, settings.dtype, settings.threads)
    about = read_description(description)
    check_unchanged(about, folder)
    text = read_shard(windows)
    _check_shard(text, about, part, domain, shard)
    return Job(settings, compute, folder, about, text, make_batches(text.lengths, settings.batch_tokens))
