"""What a price is made of: the text, the settings of the run, and what the device does."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Domain:
    """One domain of one part: its budget in positions, how many shards that is, and whether its full windows are counted by position."""

    part: str
    name: str
    tokens: int
    shards: int
    positions: bool = False


@dataclass(frozen=True)
class Settings:
    """What of the configuration prices are made of.

    Attributes:
        model, corpus: their names.
        device, dtype: resolved, e.g. `cpu` and `float32`.
        shard_tokens, batch_tokens, stages, skip_silent, keep_hidden: as in `collect`.
        n, layers, rotation_null: as in `coverage`.
        most: the largest number of n-grams that a finding asks about.
        stored: number format of the checkpoint.
        origin: where it comes from: `folder`, `training` or `hub`.
        ablation_detectors, ablation_contexts, ablation_matched: as in `ablation`.
        training_positions: positions of the training run, for a model that the workflow trains.
        checkpoint: bytes of the files of a Hub model together, where the configuration says them.
        downloads: jobs of the Hub by rule: for the text of core, of all, or of what positions are counted in, with its tokenizer
            (`core text`, `all text`, `positional text`), or with the model too (`core`, `all`, `positional`).
    """

    model: str
    corpus: str
    device: str
    dtype: str
    shard_tokens: int
    batch_tokens: int
    stages: int
    skip_silent: bool
    keep_hidden: bool
    n: Sequence[int]
    layers: str
    rotation_null: bool
    most: int
    stored: str
    origin: str
    ablation_detectors: int
    ablation_contexts: int
    ablation_matched: int
    training_positions: int = 0
    checkpoint: int | None = None
    downloads: Mapping[str, Mapping[str, int]] = field(default_factory=dict)

    @property
    def covered_stages(self) -> int:
        """How many stages, from the first, have layers whose n-grams are counted."""
        return self.stages if self.layers == "all" else 1

    @property
    def series(self) -> int:
        """Counts of n-grams that a neuron has: for each n, and each again with the null."""
        return len(self.n) * (2 if self.rotation_null else 1)


@dataclass(frozen=True)
class Rate:
    """What the device does.

    Attributes:
        flops: FLOP a second.
        on: the kind of device, with dtype and threads.
        width: of the block in which it was measured; None if the configuration gives the rate.
        memory: bytes of the CUDA device, where one was found.
    """

    flops: float
    on: str
    width: int | None = None
    memory: int | None = None
