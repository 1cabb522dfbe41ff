"""Which token detectors are zeroed, and where: occurrences of what they detect, drawn from core by a seed."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy

from neuroncensus.corpora.shards import Shard, read_shard
from neuroncensus.findings.tokendetectors import TokenDetectors


@dataclass(frozen=True)
class AblationSettings:
    """What is zeroed, as the configuration writes it.

    Attributes:
        detectors: token detectors of a layer, at most.
        contexts: occurrences drawn for each.
        matched: neurons zeroed beside each, at most.
        seed: of what is drawn.
    """

    detectors: int
    contexts: int
    matched: int
    seed: int


@dataclass(frozen=True)
class Context:
    """A token detector and an occurrence of a token that it detects.

    Attributes:
        layer, neuron: of the detector.
        domain, shard, window, position: where it is; BOS is position 0.
        document: of its domain.
        tokens: text tokens of the window up to the position, the trigger last, (position,) int32.
    """

    layer: int
    neuron: int
    domain: str
    shard: int
    window: int
    position: int
    document: int
    tokens: numpy.ndarray

    @property
    def token(self) -> int:
        """The trigger's id."""
        return int(self.tokens[-1])


def _generator(*seed: int) -> numpy.random.Generator:
    return numpy.random.Generator(numpy.random.PCG64(list(seed)))


class _Text:
    """All tokens of core, found by their ids."""

    def __init__(self, shards: Sequence[Shard]):
        self.shards = shards
        self.flat = numpy.concatenate([shard.tokens for shard in shards])
        self.starts = numpy.cumsum([0, *(len(shard.tokens) for shard in shards)])
        self.order = numpy.argsort(self.flat, kind="stable")
        self.sorted = self.flat[self.order]

    def occurrences(self, tokens: numpy.ndarray) -> numpy.ndarray:
        """Places in all text of some tokens, rising."""
        ends = zip(*(numpy.searchsorted(self.sorted, tokens, side=side) for side in ("left", "right")), strict=True)
        return numpy.sort(numpy.concatenate([self.order[first:end] for first, end in ends]))

    def context(self, layer: int, neuron: int, place: int) -> Context:
        number = int(numpy.searchsorted(self.starts, place, side="right")) - 1
        shard, here = self.shards[number], place - int(self.starts[number])
        window = int(numpy.searchsorted(shard.offsets, here, side="right")) - 1
        begin = int(shard.offsets[window])
        where = (shard.metadata["domain"], shard.metadata["shard"], window, here - begin + 1, int(shard.document[window]))
        return Context(layer, neuron, *where, shard.tokens[begin : here + 1])


def draw_contexts(found: Sequence[TokenDetectors], windows: Sequence[Path], settings: AblationSettings) -> list[Context]:
    """Draw detectors of each layer, and for each of them occurrences of its tokens, all alike likely, none twice.

    Args:
        found: the token detectors of each layer.
        windows: the shards of core, in order.
        settings: how many are drawn, and the seed: a detector's contexts hang on it, its layer and its number, not on the others'.
    """
    if not found:
        return []
    text, contexts = _Text([read_shard(path) for path in windows]), []
    for of_layer in found:
        count = len(of_layer.neurons)
        drawn = _generator(settings.seed, of_layer.layer).choice(count, min(count, settings.detectors), replace=False)
        for number in sorted(drawn.tolist()):
            neuron, places = int(of_layer.neurons[number]), text.occurrences(of_layer.tokens[number])
            draw = _generator(settings.seed, of_layer.layer, neuron)
            for place in sorted(draw.choice(places, min(len(places), settings.contexts), replace=False).tolist()):
                contexts.append(text.context(of_layer.layer, neuron, place))
    return contexts
