"""A sample of the soak, whose whole is `make soak`: every fault ends in a clear sentence or in the same bytes."""

import pytest

from soak.ground import Ground
from soak.soak import soak


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_sample_of_the_soak(finished, tmp_path):
    ground = Ground(tmp_path, finished)
    try:
        result = soak(ground, 0, lambda kind: kind.sample)
    finally:
        ground.close()
    assert result.clean, result.markdown() + "\n".join(sentence for tally in result.tallies for sentence in tally.sentences)
    assert sum(tally.tried for tally in result.tallies) >= 20
