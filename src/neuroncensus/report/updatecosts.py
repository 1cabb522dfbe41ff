"""What reading updates off the vocabulary and zeroing detectors cost beside the collection, from the shapes alone.

A neuron's update takes `2 V e` FLOP, and as many again with the final LayerNorm folded in: V rows of the embedding of width e. A
context that is ablated is T / 2 positions on average through every layer, whose keys and values are computed once more
(`4 d^2` FLOP a position) for the rows of its versions, and a version, of which there are 1 + the number of matched neurons, one row.
"""

from neuroncensus.models.architecture import Architecture
from neuroncensus.report.jobmemory import ITEMSIZE, PROCESS, Memory, Part
from neuroncensus.sizes import LOGITS

# Vectors of a block in float64: updates, rows of the first matrix, both products with gains, and what comes between.
VECTORS = 6


def projection_flops(architecture: Architecture) -> int:
    """FLOP of `updates.parquet`."""
    neurons, width = architecture.n_layers * architecture.ffn, architecture.embedding_width
    each = 2 * architecture.vocabulary * width + (2 * architecture.d * width if width != architecture.d else 0)
    return neurons * each * (2 if architecture.final_layer_norm else 1)


def ablation_flops(architecture: Architecture, window: int, contexts: int, matched: int, layer: int) -> int:
    """FLOP of `ablation.parquet` at most.

    Args:
        architecture: of the model.
        window: T.
        contexts: how many, if every layer covered has as many detectors as are asked for.
        matched: neurons zeroed beside each.
        layer: FLOP of a layer for one position.
    """
    positions, rows = contexts * window // 2, contexts * (1 + matched)
    head = 2 * architecture.vocabulary * architecture.embedding_width * (rows + contexts)
    return architecture.n_layers * (positions * (layer + 4 * architecture.d**2) + rows * layer) + head


def projection_memory(architecture: Architecture, stored: str) -> Memory:
    """Host memory of project_updates at most; on CUDA the embedding and a block of logits are there too.

    Args:
        architecture: of the model.
        stored: dtype of the checkpoint.
    """
    vocabulary, width, d = architecture.vocabulary, architecture.embedding_width, architecture.d
    block = min(max(1, LOGITS // vocabulary), architecture.ffn)
    return Memory(
        (
            Part("Python and its libraries", "measured", PROCESS),
            Part("embedding", "4 V e", 4 * vocabulary * width),
            Part("updates of a layer, as stored", "d F i", d * architecture.ffn * ITEMSIZE[stored]),
            Part("a block of logits", "4 V R", 4 * vocabulary * block),
            Part("vectors of a block", f"{VECTORS} · 8 d R", VECTORS * 8 * d * block),
        )
    )
