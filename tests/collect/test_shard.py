"""Counters of n-grams and positions of whole jobs against transformers' forward pass, counted naively."""

from collections import defaultdict

import numpy
import polars
import pyarrow
import pytest

from census_made import WINDOW, Run
from naive import forward_values
from neuroncensus.collect.again import recollect_shard
from neuroncensus.collect.job import Settings
from neuroncensus.collect.ngrams import NgramSettings
from neuroncensus.collect.shard import Ngrams, Positions, collect_shard
from neuroncensus.corpora.ngrams import order_shard, write_order
from neuroncensus.corpora.shards import read_shard
from neuroncensus.errors import CensusError
from neuroncensus.findings.ngramcounts import read_pairs
from neuroncensus.tablefiles import read_metadata, read_table, unpacked, write_table
from neuroncensus.tables import NGRAM_COUNTERS, OPEN_NGRAMS, POSITION_COUNTERS

SIZES = [1, 2, 3]
KEYS = ["layer", "neuron", "n", "rotated"]
ALL = NgramSettings(0.95, most=3, rotation_null=True, least=10**6)
FEW = NgramSettings(0.95, most=3, rotation_null=True, times=0, least=0)


class OneShard:
    """One shard of a made-up census. Each window is a batch of its own: the very computation that transformers does."""

    def __init__(self, folder, layers="first_half", stages=2):
        self.run = Run(folder, Settings(device="cpu", dtype="float32", threads=1, batch_tokens=1, stages=stages, skip_silent=False))
        self.folder, self.layers = folder, layers
        part, domain, number, windows = self.run.shards[1]
        self.what = {"description": self.run.description, "windows": windows, "part": part, "domain": domain, "shard": number}
        self.order, self.ngrams = folder / "order.parquet", folder / "ngrams.parquet"
        write_order(windows, SIZES, self.order, self.ngrams)
        self.text = read_shard(windows)

    def collect(self, name, rules, counted=True):
        """The files of n-grams and of positions of each stage."""
        hidden, files = None, []
        for stage in range(1, self.run.settings.stages + 1):
            after = self.folder / f"{stage}.hidden" if stage < self.run.settings.stages else None
            files.append([self.folder / f"{name}-{kind}-{stage}.parquet" for kind in ("ngrams", "positions")])
            inputs = (self.order, self.ngrams) if rules else (None, None)
            counters = {
                "out": self.folder / f"{name}-{stage}.parquet",
                "ngrams": Ngrams(rules, *inputs, self.layers, files[-1][0]),
                "positions": Positions(counted, files[-1][1]),
            }
            passed = {"stage": stage, "hidden_before": hidden, "hidden_after": after}
            collect_shard(self.run.settings, folder=self.run.model, **self.what, **passed, **counters)
            hidden = after
        return files

    def recollect(self, counters, still_open, out, **other):
        arguments = {"folder": self.run.model, "order": self.order, "ngrams": self.ngrams} | self.what | other
        settings = self.run.settings.__dict__
        recollect_shard(settings, counters=counters, still_open=still_open, out=out, **arguments)

    def active(self):
        """Of each window, (layers, T, F) bool."""
        tokens = [self.text.tokens[a:b].tolist() for a, b in zip(self.text.offsets, self.text.offsets[1:], strict=False)]
        return [values > 0 for values in forward_values(self.run.model, tokens)]

    def pairs(self):
        """By layer, neuron, n and whether it is rotated: tokens of each n-gram, activations, and those in even documents."""
        order = order_shard(self.text, [1])
        given_by = dict(zip(order.place.tolist(), order.rotated.tolist(), strict=True))
        active = numpy.concatenate([of_window[:, 1:] for of_window in self.active()], axis=1)  # (layers, N, F)
        found = defaultdict(dict)
        for document, start, end in zip(self.text.document, self.text.offsets, self.text.offsets[1:], strict=False):
            for n in SIZES:
                for place in range(start + n - 1, end):
                    ngram = tuple(self.text.tokens[place - n + 1 : place + 1].tolist())
                    for rotated in (False, True):
                        for layer, neuron in zip(*active[:, given_by[place] if rotated else place].nonzero(), strict=True):
                            counts = found[int(layer), int(neuron), n, rotated]
                            count, even = counts.get(ngram, (0, 0))
                            counts[ngram] = (count + 1, even + (document % 2 == 0 and not rotated))
        return found


def names_of(shard):
    """The tokens of each n-gram of the shard's file, by n."""
    table = read_table(shard.ngrams)
    found = defaultdict(list)
    for n, ngram in zip(table["n"].to_pylist(), table["ngram"].to_pylist(), strict=True):
        found[n].append(tuple(ngram))
    return found


@pytest.mark.parametrize(("layers", "stages", "covered"), [("first_half", 2, [0, 1]), ("all", 3, [0, 1, 2, 3]), ("first_half", 1, [0, 1])])
def test_counters_equal_a_naive_count(tmp_path, layers, stages, covered):
    shard = OneShard(tmp_path, layers, stages)
    files = shard.collect("once", ALL)
    assert all(read_table(ngrams).schema.equals(NGRAM_COUNTERS.schema) for ngrams, _ in files)
    expected, names = shard.pairs(), names_of(shard)
    frame = polars.concat([piece for ngrams, _ in files for piece in read_pairs(ngrams)])
    asked = [(layer, neuron, n, rotated) for layer in covered for neuron in range(64) for n in SIZES for rotated in (False, True)]
    assert frame.select(KEYS).rows() == asked
    for row in frame.rows(named=True):
        counts = expected[row["layer"], row["neuron"], row["n"], row["rotated"]]
        found = [names[row["n"]][number] for number in row["ngrams"]]
        assert dict(zip(found, zip(row["counts"], row["counts_even"], strict=True), strict=True)) == counts
        assert row["activations"] == sum(count for count, _ in counts.values())
    assert any(frame["counts_even"].list.sum() > 0)

    full = [window.astype(int) for window in shard.active() if window.shape[1] == WINDOW]
    assert full
    table = pyarrow.concat_tables(read_table(positions) for _, positions in files)
    assert table.schema.equals(POSITION_COUNTERS.schema)
    at_position = sum(full).transpose(0, 2, 1)  # (layers, F, T)
    assert polars.DataFrame(table)["layer", "neuron"].rows() == [(layer, neuron) for layer in range(4) for neuron in range(64)]
    counted = numpy.concatenate([unpacked(read_table(positions)["windows_active"], WINDOW) for _, positions in files])
    assert (counted == at_position.reshape(-1, WINDOW)).all()
    for _, positions in files:
        assert read_metadata(positions)["full_windows"] == len(full)


def test_a_collection_again_is_the_same_bytes(tmp_path):
    shard = OneShard(tmp_path)
    once, again = ([file.read_bytes() for files in shard.collect(name, FEW) for file in files] for name in ("one", "other"))
    assert once == again


def test_other_counters_do_not_change_with_what_is_counted(tmp_path):
    shard = OneShard(tmp_path)
    files = shard.collect("none", None, counted=False) + shard.collect("every", ALL)
    for stage in (1, 2):
        assert (tmp_path / f"none-{stage}.parquet").read_bytes() == (tmp_path / f"every-{stage}.parquet").read_bytes()
    for ngrams, positions in files[:2]:
        assert len(read_table(ngrams)) == len(read_table(positions)) == 0
        assert read_metadata(ngrams)["ngrams"] is None


def test_files_of_another_shard_leave_nothing(tmp_path):
    shard = OneShard(tmp_path)
    write_order(shard.run.shards[0][-1], SIZES, shard.order, shard.ngrams)
    with pytest.raises(CensusError, match="is of other windows"):
        shard.collect("none", ALL)
    assert not list(tmp_path.glob("none*")) and not list(tmp_path.glob(".none*"))


def test_what_was_dropped_is_collected_after_all(tmp_path):
    shard = OneShard(tmp_path, stages=1)
    ((every, _),), ((few, _),) = shard.collect("every", ALL), shard.collect("few", FEW)
    whole, found = polars.DataFrame(read_table(every)), polars.DataFrame(read_table(few))
    dropped = found.filter(~polars.col("kept"))
    assert 10 < len(dropped) < len(found) - 10
    still_open, out = tmp_path / "open.parquet", tmp_path / "again.parquet"
    # Also such as this shard has kept: those it need not collect.
    named = polars.concat([dropped[::2], found.filter("kept")[::3]]).select(KEYS).sort(KEYS)
    write_table(named.to_arrow().cast(OPEN_NGRAMS.schema), still_open, {})
    shard.recollect([few], still_open, out)
    again = polars.DataFrame(read_table(out))
    assert again.equals(whole.join(dropped[::2], on=KEYS, how="semi", maintain_order="left"))
    assert read_metadata(out)["ngrams"] == read_metadata(few)["ngrams"]
    assert read_metadata(out)["content_sha256"] == shard.text.metadata["content_sha256"]


def test_nothing_is_computed_where_nothing_is_missing(tmp_path):
    shard = OneShard(tmp_path, stages=1)
    ((every, _),) = shard.collect("every", ALL)
    kept = polars.DataFrame(read_table(every)).select(KEYS)
    for number, named in enumerate((kept[:5], kept[:0])):
        write_table(named.to_arrow().cast(OPEN_NGRAMS.schema), tmp_path / "open.parquet", {})
        out = tmp_path / f"again-{number}.parquet"
        shard.recollect([every], tmp_path / "open.parquet", out, folder=tmp_path / "no such model")
        assert len(read_table(out)) == 0 and read_table(out).schema.equals(NGRAM_COUNTERS.schema)
