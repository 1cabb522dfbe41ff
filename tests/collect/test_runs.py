"""The kernels of n-grams against plain counting on made-up bits."""

from collections import Counter
from fractions import Fraction

import numpy
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from neuroncensus.collect.runs import LINE, SURELY, count_runs, gather_neurons, list_runs

SLOTS = st.sampled_from([0, 1, 2, 63, 64, 65, 128, 150, 300])


def packed(bits: numpy.ndarray) -> numpy.ndarray:
    """Truth values, (..., N), as words, (..., ceil(N / 64)) uint64."""
    missing = -bits.shape[-1] % 64
    padded = numpy.pad(bits, [(0, 0)] * (bits.ndim - 1) + [(0, missing)])
    return numpy.ascontiguousarray(numpy.packbits(padded, axis=-1, bitorder="little")).view("<u8")


@settings(max_examples=60)
@given(slots=SLOTS, lines=st.integers(1, LINE), before=st.integers(0, 3), seed=st.integers(0, 1000))
def test_gathered_rows_are_the_neurons_in_the_order_of_the_slots(slots, lines, before, seed):
    random = numpy.random.default_rng(seed)
    active = random.random((slots + 5, (before + lines + 1) * 64)) < random.random()  # (rows, neurons)
    rows = random.permutation(slots + 5)[:slots].astype(numpy.int32)
    out = random.integers(2**64, size=(64 * lines, -(-slots // 64)), dtype=numpy.uint64)  # what was there must not shine through
    gather_neurons(packed(active), rows, before, out)
    neurons = slice(before * 64, (before + lines) * 64)
    assert (out == packed(active[rows, neurons].T)).all()


@pytest.mark.parametrize("fill", [0, 1])
def test_all_bits_or_none_are_gathered(fill):
    out = numpy.zeros((64, 2), dtype=numpy.uint64)
    gather_neurons(numpy.full((100, 3), -fill, dtype=numpy.int64).view(numpy.uint64), numpy.arange(100, dtype=numpy.int32), 2, out)
    assert (out == packed(numpy.full((64, 100), bool(fill)))).all()


class Made:
    """Made-up runs of slots, some slots in none, and neurons of every density."""

    def __init__(self, slots: int, longest: int, seed: int):
        random = numpy.random.default_rng(seed)
        runs, run = [], -1
        while len(runs) < slots:
            run += 1
            runs += [-1] * int(random.integers(3)) + [run] * int(random.integers(1, longest + 1))
        self.runs = numpy.array(runs[:slots], dtype=numpy.int32)
        density = numpy.concatenate([[0, 1], random.random(37) ** 3])
        self.active = random.random((len(density), slots)) < density[:, None]  # (B, N)
        self.even = random.random(slots) < 0.5
        sizes = Counter(self.runs[self.runs >= 0].tolist())
        self.alone = numpy.array([sizes[run] == 1 for run in self.runs.tolist()], dtype=bool)
        self.longest = max(sizes.values(), default=0)
        self.sizes = sorted(sizes.values(), reverse=True)

    def counts(self, neuron: int) -> Counter:
        return Counter(self.runs[self.active[neuron] & (self.runs >= 0)].tolist())

    def count_runs(self, most: int, bound: int, hopeless: tuple[int, int], least: int) -> numpy.ndarray:
        """activations, covered and pairs, (3, B)."""
        found = numpy.full((3, len(self.active)), -7)
        rules = (self.longest, most, bound, hopeless, least)
        count_runs(packed(self.active), packed(self.runs >= 0), packed(self.alone), self.runs, *rules, *found)
        return found


@settings(max_examples=60)
@given(
    slots=SLOTS,
    longest=st.sampled_from([1, 3, 40, 200]),
    seed=st.integers(0, 1000),
    most=st.sampled_from([1, 2, 5, 10_000]),
    hopeless=st.sampled_from([(1, 10), (0, 1), (1, 2), (1, 1)]),
    least=st.sampled_from([0, 3, 50]),
)
@example(slots=300, longest=200, seed=0, most=1, hopeless=(0, 1), least=0)
def test_counts_are_plain_counting(slots, longest, seed, most, hopeless, least):
    made = Made(slots, longest, seed)
    bound = sum(made.sizes[:most])
    exact, early = made.count_runs(most, slots, hopeless, least), made.count_runs(most, bound, hopeless, least)
    for neuron in range(len(made.active)):
        counts = made.counts(neuron)
        best = sum(sorted(counts.values(), reverse=True)[:most])
        assert exact[:, neuron].tolist() == [counts.total(), best, len(counts)]
        beyond = counts.total() - bound
        if beyond > least and beyond > SURELY * Fraction(*hopeless) * counts.total():
            assert early[:, neuron].tolist() == [counts.total(), bound, -1]
            assert best <= bound
        else:
            assert early[:, neuron].tolist() == exact[:, neuron].tolist()


@pytest.mark.parametrize(
    ("slots", "hopeless", "least", "at_once"),
    [
        (100, (10, 100 * SURELY), 0, True),  # 90 of 100 lie beyond ten n-grams of one slot
        (100, (90, 100 * SURELY), 0, False),  # 90 of 100 is not more than 90 of 100
        (100, (89, 100 * SURELY), 0, True),
        (100, (1, 100 * SURELY), 90, False),
        (100, (1, 100 * SURELY), 89, True),
    ],
)
def test_a_neuron_is_left_at_once_only_above_both_limits(slots, hopeless, least, at_once):
    found = numpy.zeros((3, 1), dtype=numpy.int64)
    every = packed(numpy.ones(slots, dtype=bool))
    count_runs(every[None], every, every, numpy.arange(slots, dtype=numpy.int32), 1, 10, 10, hopeless, least, *found)
    assert found.ravel().tolist() == [slots, 10, -1 if at_once else slots]


@settings(max_examples=60)
@given(slots=SLOTS, longest=st.sampled_from([1, 3, 40, 200]), seed=st.integers(0, 1000), data=st.data())
def test_listed_pairs_are_plain_counting(slots, longest, seed, data):
    made = Made(slots, longest, seed)
    neurons = data.draw(st.lists(st.integers(0, len(made.active) - 1), unique=True))
    starts, room = [], 3
    for neuron in neurons:
        starts.append(room)
        room += len(made.counts(neuron)) + data.draw(st.integers(0, 2))
    lists = numpy.full((3, room), -7, dtype=numpy.int32)
    expected = lists.copy()
    for neuron, start in zip(neurons, starts, strict=True):
        of_even = Counter(made.runs[made.active[neuron] & made.even].tolist())
        rows = [(ngram, count, of_even[ngram]) for ngram, count in sorted(made.counts(neuron).items())]
        expected[:, start : start + len(rows)] = numpy.array(rows).reshape(-1, 3).T
    arguments = (packed(made.active), packed(made.runs >= 0), packed(made.even), made.runs)
    list_runs(*arguments, numpy.array(neurons, dtype=numpy.int64), numpy.array(starts, dtype=numpy.int64), *lists)
    assert (lists == expected).all()
