"""Which layers a job passes."""

import itertools


def first_half(n_layers: int) -> range:
    """The layers that n-gram findings are about (section 4)."""
    return range(n_layers // 2)


def stage_layers(n_layers: int, stages: int) -> list[range]:
    """The layers of each stage: the first ends with the first half, the others split the rest evenly.

    One stage takes all layers. Where there are more stages than layers, some are empty.
    """
    if stages == 1:
        return [range(n_layers)]
    half, rest = n_layers // 2, n_layers - n_layers // 2
    cuts = [half + rest * k // (stages - 1) for k in range(stages)]
    return [first_half(n_layers), *(range(start, end) for start, end in itertools.pairwise(cuts))]
