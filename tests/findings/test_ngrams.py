"""From bits to covering numbers: the whole chain of n-grams against dictionaries of tuples."""

from collections import Counter, defaultdict
from fractions import Fraction

import numpy
import polars
import pytest

from census_made import Run
from naive import forward_values
from neuroncensus.collect.again import recollect_shard
from neuroncensus.collect.job import Settings
from neuroncensus.collect.ngrams import NgramSettings
from neuroncensus.collect.shard import Ngrams, collect_shard
from neuroncensus.corpora.ngramindex import index_ngrams, read_index
from neuroncensus.corpora.ngrams import write_order
from neuroncensus.errors import CensusError
from neuroncensus.findings.ngramcounts import NgramCounts, shard_files
from neuroncensus.findings.ngrams import complete_ngrams, reduce_ngrams
from neuroncensus.tablefiles import read_metadata, read_table


class NgramRun(Run):
    """The n-gram part of a census: collection, reduction, second look, reduction again."""

    def __init__(self, folder, sizes, pruning, covered="first_half", **shape):
        # One window a batch and nothing left out: bit for bit what transformers computes, so no activation is near zero.
        exact = Settings(device="cpu", dtype="float32", threads=1, batch_tokens=1, stages=2, skip_silent=False)
        super().__init__(folder, exact, **shape)
        self.sizes, self.pruning, self.layers = sizes, pruning, covered
        self.core = [shard for shard in self.shards if shard[0] == "core"]
        for _, _, _, windows in self.core:
            write_order(windows, sizes, *self.order(windows))
        self.index = folder / "index.parquet"
        index_ngrams([self.order(windows)[1] for *_, windows in self.core], self.index)

    @staticmethod
    def order(windows):
        return windows.with_suffix(".order.parquet"), windows.with_suffix(".ngrams.parquet")

    def count(self, part, domain, shard, windows):
        """The n-gram counters of every stage that has layers covered."""
        hidden, outs = None, []
        for stage in (1, 2):
            after = windows.with_suffix(".hidden") if stage == 1 else None
            counters = windows.with_name(f"{shard}-{stage}.parquet")
            asked = Ngrams(self.pruning, *self.order(windows), self.layers, windows.with_name(f"{shard}-{stage}.ngrams.parquet"))
            about = {"folder": self.model, "description": self.description, "windows": windows}
            place = {"part": part, "domain": domain, "shard": shard, "stage": stage}
            hidden_files = {"hidden_before": hidden, "hidden_after": after}
            collect_shard(self.settings, **about, **place, **hidden_files, out=counters, ngrams=asked)
            outs.append(asked.out)
            hidden = after
        return tuple(outs if self.layers == "all" else outs[:1])

    def cover(self):
        """The whole table, and how many neurons were open."""
        counted = [self.count(*shard) for shard in self.core]
        ngrams = [self.order(windows)[1] for *_, windows in self.core]
        self.counters = [path for of_shard in counted for path in of_shard]
        reduced, still_open = self.folder / "reduced.parquet", self.folder / "open.parquet"
        reduce_ngrams(self.counters, ngrams, self.index, self.description, reduced, still_open)
        again = []
        for (part, domain, shard, windows), counters in zip(self.core, counted, strict=True):
            again.append(windows.with_suffix(".again.parquet"))
            how = {name: getattr(self.settings, name) for name in self.settings.__dataclass_fields__}
            order, of_shard = self.order(windows)
            about = {"folder": self.model, "description": self.description, "windows": windows, "order": order, "ngrams": of_shard}
            place = {"part": part, "domain": domain, "shard": shard}
            recollect_shard(how, **about, **place, counters=counters, still_open=still_open, out=again[-1])
        covering = self.folder / "covering.parquet"
        complete_ngrams(self.counters, ngrams, again, self.index, reduced, still_open, self.source, covering)
        self.files = shard_files(self.counters, ngrams, again)
        return polars.DataFrame(read_table(covering)), len(read_table(still_open))

    def naive(self):
        """(layer, neuron, n) -> {n-gram: [activations, those in even documents]}, and occurrences, from transformers."""
        texts = [window for _, domain in dict.fromkeys(shard[:2] for shard in self.core) for window in self.windows("core", domain)]
        values = forward_values(self.model, [tokens for tokens, _ in texts])
        layers = len(values[0])
        counts, occurrences = defaultdict(lambda: defaultdict(lambda: [0, 0])), Counter()
        for (tokens, document), of_window in zip(texts, values, strict=True):
            for n in self.sizes:
                for place in range(n - 1, len(tokens)):
                    ngram = tuple(tokens[place - n + 1 : place + 1])
                    occurrences[ngram] += 1
                    for layer in range(layers if self.layers == "all" else layers // 2):
                        for neuron in numpy.flatnonzero(of_window[layer][place + 1] > 0):
                            entry = counts[layer, int(neuron), n][ngram]
                            entry[0] += 1
                            entry[1] += document % 2 == 0
        return counts, occurrences


def fewest(counts, share, most):
    """covering(n), from the definition; None if more than `most` or nothing is to be covered."""
    total, covered = sum(counts), 0
    for taken, count in enumerate(sorted(counts, reverse=True), start=1):
        covered += count
        if covered >= Fraction(str(share)) * total:
            return taken if taken <= most else None
    return None


PRUNING = {
    "nothing dropped": NgramSettings(0.95, 500, True),
    "hopeless ones dropped": NgramSettings(0.8, 12, True, times=1, least=0),
    "nearly all dropped": NgramSettings(0.6, 20, False, times=0, least=0),
    "all to be covered": NgramSettings(1.0, 8, True, times=1, least=0),
}
SHAPES = {"two layers": {"layers": 2}, "post-LayerNorm, all layers": {"layers": 3, "pre_layer_norm": False}}


@pytest.mark.parametrize("sizes", [[1, 2, 3], [2, 4]], ids=str)
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("pruning", PRUNING.values(), ids=PRUNING)
def test_covering_and_pairs_equal_dictionaries_of_tuples(tmp_path, sizes, shape, pruning):
    run = NgramRun(tmp_path, sizes, pruning, "all" if shape["layers"] == 3 else "first_half", **shape)
    table, still_open = run.cover()
    counts, occurrences = run.naive()
    index = read_index(run.index)
    for n in sizes:
        rows = list(index[n].select("ngram", "occurrences").iter_rows())
        assert rows == [(list(ngram), occurrences[ngram]) for ngram in sorted(g for g in occurrences if len(g) == n)]
    neurons = {(layer, neuron) for layer, neuron, _ in table.select("layer", "neuron", "n").iter_rows()}
    assert len(table) == len(neurons) * len(sizes)
    for row in table.iter_rows(named=True):
        pairs = counts.get((row["layer"], row["neuron"], row["n"]), {})
        assert row["activations"] == sum(count for count, _ in pairs.values())
        assert row["covering"] == fewest([count for count, _ in pairs.values()], pruning.share, pruning.most)
        assert row["activations_even"] == (None if row["covering"] is None else sum(even for _, even in pairs.values()))
        assert (row["null_activations"] is None) == (not pruning.rotation_null)
    assert table["covering"].null_count() < len(table)
    dropped = [read_table(path, ["kept"])["kept"].to_pylist() for files in run.files for path in files.counters]
    if pruning.times == 0:
        assert still_open, "the second look is looked at"
    assert all(all(kept) for kept in dropped) == (pruning is PRUNING["nothing dropped"])

    wanted = table.filter(polars.col("covering") > 0).select("layer", "neuron", "n")
    found = polars.concat(list(NgramCounts(run.files, index).pairs(wanted)))
    expected = {
        (layer, neuron, n, ngram): tuple(of_ngram)
        for layer, neuron, n in wanted.iter_rows()
        for ngram, of_ngram in counts[layer, neuron, n].items()
    }
    ngrams = {n: [tuple(ngram) for ngram in index[n]["ngram"]] for n in sizes}
    assert {(layer, neuron, n, ngrams[n][ngram]): (a, even) for layer, neuron, n, ngram, a, even in found.iter_rows()} == expected


def test_nothing_to_collect_again_computes_nothing(tmp_path, monkeypatch):
    run = NgramRun(tmp_path, [1], PRUNING["nothing dropped"])
    monkeypatch.setattr("neuroncensus.collect.shard.collect_again", None)
    table, still_open = run.cover()
    assert (still_open, len(table) > 0) == (0, True)


def test_the_null_keeps_what_it_says(tmp_path):
    """For single tokens every activation at a text position has a rotated place, so A stays."""
    table, _ = NgramRun(tmp_path, [1, 2], PRUNING["hopeless ones dropped"]).cover()
    tokens = table.filter(polars.col("n") == 1)
    assert tokens["null_activations"].equals(tokens["activations"])
    assert not table["null_covering"].equals(table["covering"])
    assert read_metadata(tmp_path / "covering.parquet")["most"] == 12


def test_shards_of_other_censuses_are_refused(tmp_path):
    run = NgramRun(tmp_path, [1], PRUNING["nothing dropped"])
    run.cover()
    other = run.core[0][3]
    run.pruning = NgramSettings(0.9, 500, True)
    run.count(*run.core[0])
    with pytest.raises(CensusError, match=r"differ in ngrams: .*0\.9.*0\.95"):
        ngrams = [files.ngrams for files in run.files]
        reduce_ngrams(run.counters, ngrams, run.index, run.description, tmp_path / "r.parquet", tmp_path / "o.parquet")
    run.order(other)[1].write_bytes(run.order(run.core[-1][3])[1].read_bytes())
    run.pruning = PRUNING["nothing dropped"]
    with pytest.raises(CensusError, match="is of other windows"):
        run.count(*run.core[0])


@pytest.mark.parametrize("sizes", [[1], [5]], ids=str)
def test_a_model_of_one_layer_covers_none(tmp_path, sizes):
    table, still_open = NgramRun(tmp_path, sizes, PRUNING["nothing dropped"], layers=1).cover()
    assert (len(table), still_open) == (0, 0)
