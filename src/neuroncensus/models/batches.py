"""Which windows a step of training sees: decided by the recipe's seed and the step alone."""

from pathlib import Path

import numpy
import torch
from datasets import Dataset

from neuroncensus.errors import CensusError

BOS = 2


class Batches:
    """Windows of the packed text, the domains in turn; every domain in a new order each time it is through.

    Args:
        text: folder of `pack_text`.
        domains: the data sets of that folder, in the recipe's order.
        seed: decides the orders.
    """

    def __init__(self, text: Path, domains: list[str], seed: int):
        self.domains = domains
        self.blocks = [Dataset.load_from_disk(str(text / domain)).with_format("numpy") for domain in domains]
        self.seed = seed
        self._orders: dict[tuple[int, int], numpy.ndarray] = {}

    def check_size(self, count: int) -> None:
        """Refuse batches of so many windows that a domain would stand in one twice with the same.

        Raises:
            CensusError: a domain has fewer windows than its share of a batch.
        """
        share = -(-count // len(self.blocks))
        for domain, blocks in zip(self.domains, self.blocks, strict=True):
            if len(blocks) < share:
                raise CensusError(
                    f"domain {domain} of the training text has {len(blocks)} windows, and a batch of batch_windows {count} takes {share} "
                    "of them: give it more text, or lower batch_windows"
                )

    def _block(self, draw: int) -> numpy.ndarray:
        turn, domain = divmod(draw, len(self.blocks))
        blocks = self.blocks[domain]
        epoch, place = divmod(turn, len(blocks))
        if (domain, epoch) not in self._orders:
            generator = numpy.random.Generator(numpy.random.PCG64([self.seed, domain, epoch]))
            self._orders[domain, epoch] = generator.permutation(len(blocks))
            self._orders.pop((domain, epoch - 1), None)
        return blocks[int(self._orders[domain, epoch][place])]["tokens"]

    def windows(self, first: int, count: int) -> torch.Tensor:
        """Draws `first .. first+count-1`, BOS in front of each; (count, T) int64."""
        rows = numpy.stack([self._block(draw) for draw in range(first, first + count)]).astype(numpy.int64)
        return torch.from_numpy(numpy.pad(rows, ((0, 0), (1, 0)), constant_values=BOS))
