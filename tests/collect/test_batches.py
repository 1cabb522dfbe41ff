import numpy
from hypothesis import given
from hypothesis import strategies as st

from neuroncensus.collect.batches import OF, SHORTEST, make_batches

LENGTHS = st.lists(st.integers(1, 40), min_size=1, max_size=60).map(numpy.array)


@given(LENGTHS, st.integers(1, 200))
def test_every_window_is_in_one_batch_within_the_limits(lengths, batch_tokens):
    batches = make_batches(lengths, batch_tokens)
    assert sorted(numpy.concatenate([batch.windows for batch in batches])) == list(range(len(lengths)))
    row = 0
    for batch in batches:
        windows, longest = batch.shape
        assert (batch.lengths == lengths[batch.windows]).all()
        assert longest == batch.lengths.max()
        assert windows == 1 or windows * longest <= batch_tokens
        assert batch.lengths.min() * OF >= longest * SHORTEST
        assert batch.rows == slice(row, row + windows * longest)
        assert batch.real().sum() == batch.lengths.sum()
        assert batch.padded == (batch.lengths.min() < longest)
        row = batch.rows.stop


def test_equal_windows_share_a_batch_in_order():
    (batch,) = make_batches(numpy.array([8, 8, 8]), 24)
    assert batch.windows.tolist() == [0, 1, 2]
    assert not batch.padded
