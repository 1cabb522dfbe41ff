"""A neuron that is active at BOS of some windows and not of others: a warning, since BOS at position 0 is the same input everywhere."""

import logging

import numpy

log = logging.getLogger(__name__)

# Neurons that a line is written about, each.
TOLD = 10


def warn_split_bos(activations_bos: numpy.ndarray, layer: numpy.ndarray, neuron: numpy.ndarray, windows: int, where: str) -> None:
    """Warn of neurons whose count at BOS is neither none nor all.

    Args:
        activations_bos: windows at whose BOS each neuron is active, (R,).
        layer, neuron: which neurons these are, (R,).
        windows: how many there are.
        where: what they are of, for the reader.
    """
    split = numpy.flatnonzero((activations_bos != 0) & (activations_bos != windows))
    for row in split[:TOLD]:
        seen = f"{activations_bos[row]} of {windows} windows"
        log.warning("layer %d neuron %d: active at BOS of %s of %s: rounding near zero", layer[row], neuron[row], seen, where)
    if len(split) > TOLD:
        log.warning("%d neurons are active at BOS of some windows of %s only: rounding near zero", len(split), where)
