"""The recorder of n-grams against dictionaries of tuples, on made-up activations."""

from collections import Counter, defaultdict
from fractions import Fraction

import numpy
import polars
import pyarrow
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from neuroncensus.collect.batches import make_batches
from neuroncensus.collect.ngrams import NgramRecorder, NgramSettings
from neuroncensus.collect.observation import Wanted, observe_compiled, observe_with_torch
from neuroncensus.collect.runs import SURELY
from neuroncensus.corpora.ngrams import order_shard
from neuroncensus.pairs import unpack_pairs
from neuroncensus.sizes import BLOCK
from neuroncensus.tables import NGRAM_COUNTERS
from shards_made import made_shard, texts

CPU = torch.device("cpu")
KEYS = ["layer", "neuron", "n", "rotated"]
WIDTHS = st.sampled_from([1, 5, 63, 64, 65, 130, 200])
RULES = st.builds(
    NgramSettings,
    share=st.sampled_from([0.95, 0.6, 0.5, 1.0]),
    most=st.sampled_from([1, 2, 5, 500]),
    rotation_null=st.booleans(),
    times=st.sampled_from([0, 1, 2]),
    least=st.sampled_from([0, 1, None]),
)
LAYERS = range(4)


class Census:
    """Made-up activations of a text in four layers: dead neurons, such as are active everywhere, and every density between."""

    def __init__(self, text, neurons: int, sizes: list[int], batch_tokens: int, seed: int):
        self.text, self.neurons, self.sizes = text, neurons, sizes
        self.shard = made_shard(*text)
        self.order = order_shard(self.shard, sizes)
        self.batches = make_batches(self.shard.lengths, batch_tokens)
        self.random = numpy.random.default_rng(seed)
        places = len(self.shard.tokens)
        # Some follow the token, so that few n-grams have all of their activations.
        follows = self.random.random((len(LAYERS), self.random.integers(1, 50), neurons)) < 0.3
        density = self.random.choice([0, 0.02, 0.3, 0.9, 1], size=neurons)
        by_chance = self.random.random((len(LAYERS), places, neurons)) < density
        follow = follows[:, self.shard.tokens % follows.shape[1]]
        self.active = numpy.where(self.random.random(neurons) < 0.5, by_chance, follow)  # (layers, N, F)

    def collect(self, rules: NgramSettings, layers: range, again=None, observe=observe_compiled) -> list[pyarrow.Table]:
        """What the recorder writes."""
        written = []
        recorder = NgramRecorder(self.order, self.shard, self.batches, self.neurons, layers, rules, CPU, written.append, again)
        for layer in LAYERS:
            wanted = recorder.begin(layer)
            assert wanted == Wanted(bits=layer in layers and (again is None or layer in again))
            for batch in self.batches:
                values = torch.ones(*batch.shape, self.neurons)  # padding looks active: it must not be counted
                values[:, 0] = torch.from_numpy(self.random.choice([-1.0, 1.0], size=(len(batch.windows), self.neurons)))  # nor BOS
                for row, window in enumerate(batch.windows):
                    active = self.active[layer, self.shard.offsets[window] : self.shard.offsets[window + 1]]
                    values[row, 1 : len(active) + 1] = torch.from_numpy(numpy.where(active, 0.5, -0.5))
                recorder.record(batch, observe(values, batch, wanted))
            recorder.end(layer)()
        assert all(table.schema.equals(NGRAM_COUNTERS.schema) for table in written)
        return written

    def pairs(self, layer: int, n: int, rotated: bool) -> list[dict[int, tuple[int, int]]]:
        """For each neuron, by the number of the n-gram: activations, and those in even documents."""
        given_by = numpy.empty(len(self.order.place), dtype=int)
        given_by[self.order.place] = self.order.rotated if rotated else self.order.place
        counts, even = defaultdict(int), defaultdict(int)
        place = 0
        for window, document in zip(*self.text, strict=True):
            for k in range(len(window)):
                if k >= n - 1:
                    active = self.active[layer, given_by[place]].astype(int)  # (F,)
                    counts[tuple(window[k - n + 1 : k + 1])] += active
                    even[tuple(window[k - n + 1 : k + 1])] += active * (document % 2 == 0 and not rotated)
                place += 1
        (runs,) = (runs for runs in self.order.runs if runs.n == n)
        found = [{} for _ in range(self.neurons)]
        for number, ngram in enumerate(map(tuple, runs.ngrams.tolist())):
            for neuron in numpy.flatnonzero(counts[ngram]):
                found[neuron][number] = int(counts[ngram][neuron]), int(even[ngram][neuron])
        return found

    def bound(self, n: int, most: int) -> int:
        """Occurrences of the most frequent n-grams."""
        occurrences = Counter(tuple(window[k - n + 1 : k + 1]) for window in self.text[0] for k in range(n - 1, len(window)))
        return sum(sorted(occurrences.values(), reverse=True)[:most])


def rows_of(tables: list[pyarrow.Table]) -> list[dict]:
    rows = polars.concat([polars.DataFrame(unpack_pairs(table)) for table in tables], how="vertical").rows(named=True) if tables else []
    keys = [tuple(row[key] for key in KEYS) for row in rows]
    assert keys == sorted(set(keys))
    return rows


def kinds(census: Census, rules: NgramSettings) -> list[tuple[int, bool]]:
    return [(n, rotated) for n in census.sizes for rotated in ([False, True] if rules.rotation_null else [False])]


def assert_pairs(row: dict, pairs: dict[int, tuple[int, int]]):
    assert row["ngrams"] == sorted(pairs)
    assert list(zip(row["counts"], row["counts_even"], strict=True)) == [pairs[ngram] for ngram in row["ngrams"]]


def assert_rows(census: Census, rules: NgramSettings, layers: range, rows: list[dict]) -> dict[str, int]:
    """Every row is what plain counting and the rule say; returns how many pairs were kept, dropped, and dropped at once."""
    asked = [(layer, neuron, *kind) for layer in layers for neuron in range(census.neurons) for kind in kinds(census, rules)]
    assert [tuple(row[key] for key in KEYS) for row in rows] == asked
    expected = {(layer, *kind): census.pairs(layer, *kind) for layer in layers for kind in kinds(census, rules)}
    bounds = {n: census.bound(n, rules.most) for n in census.sizes}
    left = 1 - Fraction(str(rules.share))
    uncovered = min(rules.times * left, (1 + left) / 2)
    least = rules.most if rules.least is None else rules.least
    fates = {"kept": 0, "dropped": 0, "dropped at once": 0}
    for row in rows:
        pairs = expected[row["layer"], row["n"], row["rotated"]][row["neuron"]]
        counts = sorted((count for count, _ in pairs.values()), reverse=True)
        total, best = sum(counts), sum(counts[: rules.most])
        assert row["activations"] == total
        assert row["kept"] == (total - best <= least or total - best <= uncovered * total)
        if row["kept"]:
            assert row["covered"] == best
            assert_pairs(row, pairs)
            fates["kept"] += 1
        else:
            bound = bounds[row["n"]]
            at_once = total - bound > least and total - bound > SURELY * uncovered * total
            assert row["covered"] == (bound if at_once else best) and best <= row["covered"] <= total
            assert row["ngrams"] == row["counts"] == row["counts_even"] == []
            fates["dropped at once" if at_once else "dropped"] += 1
    return fates


CENSUSES = st.builds(
    Census,
    text=texts(windows=10, longest=16),
    neurons=WIDTHS,
    sizes=st.sampled_from([[1], [1, 2, 3], [2, 4], [5]]),
    batch_tokens=st.sampled_from([1, 34, 60, 1000]),
    seed=st.integers(0, 1000),
)


@settings(max_examples=50)
@given(
    census=CENSUSES,
    rules=RULES,
    layers=st.sampled_from([range(0), range(2), range(1, 2), range(4)]),
    observe=st.sampled_from([observe_compiled, observe_with_torch]),
)
def test_rows_equal_plain_counting(census, rules, layers, observe):
    assert_rows(census, rules, layers, rows_of(census.collect(rules, layers, observe=observe)))


def long_text() -> tuple[list[list[int]], list[int]]:
    """Of frequent and rare tokens; windows of several lengths, so that batches are padded."""
    random = numpy.random.default_rng(5)
    lengths = [16, 15, 15, 14, 16, 1, 0, 8, 9, 16, 3, 2]
    tokens = [(random.zipf(1.3, size=length) % 30).tolist() for length in lengths]
    return tokens, [0, 0, 1, 1, 2, 3, 4, 4, 5, 7, 8, 8]


@pytest.mark.parametrize(
    ("rules", "fates"),
    [
        (NgramSettings(0.95, most=1, rotation_null=True, times=0, least=0), {"kept", "dropped", "dropped at once"}),
        (NgramSettings(0.95, most=1, rotation_null=True, times=1, least=0), {"kept", "dropped", "dropped at once"}),
        (NgramSettings(0.95, most=5, rotation_null=True), {"kept", "dropped", "dropped at once"}),
        (NgramSettings(0.6, most=1, rotation_null=False, times=1, least=3), {"kept", "dropped"}),
        (NgramSettings(0.95, most=500, rotation_null=True, least=0), {"kept"}),
        (NgramSettings(0.5, most=1, rotation_null=True, least=0), {"kept", "dropped"}),
    ],
)
def test_limits_drop_what_they_say(rules, fates):
    census = Census(long_text(), 130, [1, 2, 3], 64, 0)
    assert any(batch.padded for batch in census.batches) and len(census.batches) > 3
    found = assert_rows(census, rules, range(2), rows_of(census.collect(rules, range(2))))
    assert {fate for fate, count in found.items() if count} == fates


def test_a_share_of_many_digits_overflows_nothing():
    for share in (0.9500000000000001, 1 / 3, 1.0, 0.95):
        part, whole = NgramSettings(share, most=500, rotation_null=False, times=2).hopeless
        assert part / whole == pytest.approx(min(2 * (1 - share), (2 - share) / 2), abs=1e-6)
        assert max(part, whole) * SURELY * 10**9 < 2**63


@pytest.mark.parametrize("neurons", [1, 63, 64, 511, 512, 513, 1100])
def test_every_width_of_a_layer(neurons):
    census = Census(long_text(), neurons, [1, 3], 64, neurons)
    rules = NgramSettings(0.95, most=1, rotation_null=True, times=1, least=0)
    assert_rows(census, rules, range(1, 2), rows_of(census.collect(rules, range(1, 2))))


def assert_again(census: Census, rules: NgramSettings, again: dict[int, frozenset[tuple[int, int, bool]]], observe=observe_compiled):
    """Just the rows that are named are written, each with all of its pairs."""
    rows = rows_of(census.collect(rules, LAYERS, again, observe))
    assert [tuple(row[key] for key in KEYS) for row in rows] == sorted((layer, *named) for layer in again for named in again[layer])
    expected = {(layer, *kind): census.pairs(layer, *kind) for layer in again for kind in kinds(census, rules)}
    for row in rows:
        pairs = expected[row["layer"], row["n"], row["rotated"]][row["neuron"]]
        counts = sorted((count for count, _ in pairs.values()), reverse=True)
        assert (row["activations"], row["covered"], row["kept"]) == (sum(counts), sum(counts[: rules.most]), True)
        assert_pairs(row, pairs)


@settings(max_examples=40)
@given(census=CENSUSES, rules=RULES, observe=st.sampled_from([observe_compiled, observe_with_torch]), data=st.data())
def test_again_collects_all_pairs_of_those_named_and_no_others(census, rules, observe, data):
    every = [(neuron, *kind) for neuron in range(census.neurons) for kind in kinds(census, rules)]
    named = st.frozensets(st.sampled_from(every), max_size=8)
    assert_again(census, rules, data.draw(st.dictionaries(st.sampled_from(LAYERS), named, max_size=3)), observe)


def test_again_collects_what_was_dropped():
    census = Census(long_text(), 130, [1, 2, 3], 64, 0)
    rules = NgramSettings(0.95, most=1, rotation_null=True, times=0, least=0)
    dropped = defaultdict(set)
    for row in rows_of(census.collect(rules, range(1, 4))):
        if not row["kept"]:
            dropped[row["layer"]].add((row["neuron"], row["n"], row["rotated"]))
    assert set(dropped) == {1, 2, 3}
    assert_again(census, rules, {layer: frozenset(named) for layer, named in dropped.items()})


def test_a_group_of_neurons_is_written_at_a_time():
    census = Census(([[1, 2, 3, 1, 2, 3], [1, 2, 2, 1]], [0, 1]), BLOCK + 70, [1, 2], 1000, 0)
    rules = NgramSettings(0.95, most=1, rotation_null=True, times=1, least=0)
    written = census.collect(rules, range(1, 3))
    assert [table.num_rows for table in written] == [BLOCK * 4, 70 * 4] * 2
    assert_rows(census, rules, range(1, 3), rows_of(written))


@pytest.mark.parametrize("text", [([[]], [0]), ([[], [], []], [0, 1, 1]), ([[4], []], [0, 1])], ids=str)
def test_text_shorter_than_an_ngram_has_no_pairs(text):
    census = Census(text, 70, [2, 5], 1000, 0)
    rules = NgramSettings(0.95, most=5, rotation_null=True)
    for row in rows_of(census.collect(rules, range(1))):
        assert (row["activations"], row["covered"], row["kept"], row["ngrams"]) == (0, 0, True, [])


@pytest.mark.parametrize("token", [0, 50_271])
def test_a_neuron_active_everywhere_and_a_dead_one_on_one_repeated_token(token):
    census = Census(([[token] * 9, [token] * 4], [1, 2]), 2, [1, 2, 3], 1000, 0)
    census.active[:, :, 0], census.active[:, :, 1] = True, False
    rows = rows_of(census.collect(NgramSettings(0.95, most=1, rotation_null=True, times=0, least=0), range(1)))
    for row in rows:
        occurrences = 13 - 2 * (row["n"] - 1)
        even = 0 if row["rotated"] else 4 - (row["n"] - 1)
        alone = ([0], [occurrences], [even]) if row["neuron"] == 0 else ([], [], [])
        total = occurrences if row["neuron"] == 0 else 0
        assert (row["activations"], row["covered"], row["kept"]) == (total, total, True)
        assert (row["ngrams"], row["counts"], row["counts_even"]) == alone
