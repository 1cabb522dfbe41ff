"""`neurons.parquet` against dictionaries joined by hand, on made-up tables."""

import itertools
import random
from pathlib import Path
from statistics import mean

import pyarrow
import pytest
from pyarrow import parquet

from neuroncensus.errors import CensusError
from neuroncensus.report.neurons import join_neurons
from neuroncensus.tablefiles import read_metadata, read_table, table_writer
from neuroncensus.tables import COVERAGE, DEAD, DETECTORS, POSITIONAL, neurons_table
from neuroncensus.updatetables import ABLATION, TRIGGER_UPDATES, UPDATES

KINDS = {
    "dead": DEAD,
    "coverage": COVERAGE,
    "detectors": DETECTORS,
    "updates": UPDATES,
    "trigger_updates": TRIGGER_UPDATES,
    "ablation": ABLATION,
    "positional": POSITIONAL,
}
LAYERS, COVERED, NEURONS = 5, 3, 12
# Layer 1 has no detector, and in layer 2 they were not zeroed.
WITHOUT_DETECTORS, NOT_ZEROED = 1, 2
MATCHED = ("matched_log_probability_change", "matched_logit_change")
TOLD = {"model": "mine", "model_digest": "a1", "corpus": "mytext", "window": 16, "dtype": "float16", "device": "cpu", "windows": 9}
OWN = {
    "coverage": {"edges": [5, 500], "share": 0.95},
    "detectors": {"detector_rate": 0.95, "windows": 7},
    "updates": {"dtype": "float32", "device": "cuda", "top": 10},
    "positional": {"mutual_information": 0.05},
}


class Tables:
    """Random tables of one model, as lists of rows, and as files in uneven pieces that end within layers."""

    def __init__(self, folder: Path, sizes: list[int], seed: int = 0):
        self.folder, self.sizes, self.random = folder, sizes, random.Random(seed)
        self.rows: dict[str, list[dict]] = {name: [] for name in KINDS}
        for layer, neuron in itertools.product(range(LAYERS), range(NEURONS)):
            self.add(layer, neuron)
        self.own = OWN | {"coverage": OWN["coverage"] | {"n": sizes}}

    def row(self, name: str, **given) -> None:
        """A row with something in every column that is not given; null now and then where no key is."""
        row = dict(given)
        for column, kind, _ in KINDS[name].columns:
            if column in row:
                continue
            if pyarrow.types.is_list(kind):
                row[column] = [1, 2]
            elif self.random.random() < 0.2 and column not in ("class", "detected"):
                row[column] = None
            elif pyarrow.types.is_boolean(kind):
                row[column] = self.random.random() < 0.5
            elif pyarrow.types.is_string(kind):
                row[column] = self.random.choice(["1-5", "not seen"])
            else:
                row[column] = self.random.randint(1, 99) if pyarrow.types.is_int64(kind) else self.random.uniform(-1, 1)
        self.rows[name].append({column: row[column] for column in KINDS[name].names})

    def add(self, layer: int, neuron: int) -> None:
        """What the tables have of a neuron."""
        key = {"layer": layer, "neuron": neuron}
        dead, detects = neuron % 4 == 0, neuron % 3 == 1 and layer < COVERED and layer != WITHOUT_DETECTORS
        for name in ("updates", "positional"):
            self.row(name, **key)
        self.row("dead", **key, dead=dead)
        if dead or layer >= COVERED:
            return
        for n in self.sizes:
            self.row("coverage", **key, n=n)
            if detects and (n == 1 or neuron % 2):
                self.row("detectors", **key, n=n)
        if detects and 1 in self.sizes:
            self.row("trigger_updates", **key)
            for position in range(self.random.randint(1, 4) if layer != NOT_ZEROED else 0):
                matched = self.random.random() < 0.6
                means = {} if matched else dict.fromkeys(MATCHED)
                numbers = {name: self.random.uniform(-1, 1) for name in ("log_probability_change", "logit_change", *MATCHED)}
                self.row("ablation", **key, position=position, **(numbers | means))

    def write(self, *left_out: str) -> dict[str, Path]:
        """The files, by name."""
        files = {}
        for name in KINDS.keys() - set(left_out):
            files[name] = self.folder / f"{name}.parquet"
            with table_writer(files[name], KINDS[name].schema, TOLD | self.own.get(name, {})) as write:
                for start in range(0, len(self.rows[name]), 7):
                    write(pyarrow.Table.from_pylist(self.rows[name][start : start + 7], schema=KINDS[name].schema))
        return files

    def find(self, name: str, **key) -> list[dict]:
        return [row for row in self.rows[name] if all(row[column] == value for column, value in key.items())]

    def expected(self, left_out: set[str]) -> list[dict]:
        """The naive join."""
        found = []
        for dead in self.rows["dead"]:
            key, row = {"layer": dead["layer"], "neuron": dead["neuron"]}, dict(dead)
            for n in self.sizes:
                (covered,) = self.find("coverage", **key, n=n) or [{}]
                (detector,) = self.find("detectors", **key, n=n) or [{}]
                row |= {f"{name}_{n}": covered.get(name) for name in ("activations", "covering", "class", "null_class")}
                row[f"detector_{n}"] = bool(detector) if covered else None
                for name in ("detected", "share", "strict", "held_out_rate", "held_out_share"):
                    row[f"{name}_{n}"] = detector.get(name)
            (written,) = self.find("updates", **key)
            row |= {name: written[name] for name in ("norm", "mean_logit", "kurtosis", "read_write_cosine")}
            (triggers,) = self.find("trigger_updates", **key) or [{}]
            for name in TRIGGER_UPDATES.names[3:]:
                row[f"trigger_{name}" if name.startswith("mean_logit") else name] = triggers.get(name)
            row |= self.means(self.find("ablation", **key))
            (positional,) = self.find("positional", **key)
            row |= {name: None if "positional" in left_out else positional[name] for name in POSITIONAL.names[2:]}
            found.append(row)
        return found

    @staticmethod
    def means(contexts: list[dict]) -> dict:
        found: dict = {"ablation_contexts": len(contexts) or None}
        for name in ("log_probability_change", "logit_change"):
            with_matched = [row for row in contexts if row[f"matched_{name}"] is not None]
            own, others = ([row[column] for row in with_matched] for column in (name, f"matched_{name}"))
            found[f"ablation_{name}"] = mean([row[name] for row in contexts]) if contexts else None
            found[f"ablation_matched_{name}"] = mean(others) if others else None
            found[f"ablation_{name}_difference"] = mean(own) - mean(others) if others else None
        return found


@pytest.mark.parametrize("sizes", [[1, 2, 3], [1], [2, 3]])
@pytest.mark.parametrize("left_out", [(), ("positional",)])
def test_every_neuron_has_what_the_tables_have_of_it(tmp_path, sizes, left_out):
    tables, out = Tables(tmp_path, sizes), tmp_path / "neurons.parquet"
    join_neurons(tables.write(*left_out), out)
    found, expected = read_table(out), tables.expected(set(left_out))
    assert found.schema.equals(neurons_table(sizes).schema) and found.schema.names == list(expected[0])
    assert found.num_rows == LAYERS * NEURONS
    for row, wanted in zip(found.to_pylist(), expected, strict=True):
        assert row == {name: pytest.approx(value) if isinstance(value, float) else value for name, value in wanted.items()}


def test_columns_of_detectors_are_null_where_no_detector_can_be(tmp_path):
    tables, out = Tables(tmp_path, [1, 2]), tmp_path / "neurons.parquet"
    join_neurons(tables.write(), out)
    for row in read_table(out).to_pylist():
        unknown = row["dead"] or row["layer"] >= COVERED
        assert (row["detector_1"] is None) == (row["class_1"] is None) == unknown
        assert row["detector_1"] or row["share_1"] is None
    flags = {(row["layer"], row["detector_1"]) for row in read_table(out).to_pylist()}
    assert (0, True) in flags and (0, False) in flags and (WITHOUT_DETECTORS, True) not in flags


def test_a_model_without_detectors_has_all_columns(tmp_path):
    tables, out = Tables(tmp_path, [1]), tmp_path / "neurons.parquet"
    for name in ("detectors", "trigger_updates", "ablation"):
        tables.rows[name] = []
    join_neurons(tables.write(), out)
    table = read_table(out)
    assert table.schema.equals(neurons_table([1]).schema)
    assert True not in table["detector_1"].to_pylist() and False in table["detector_1"].to_pylist()
    assert table["ablation_contexts"].null_count == table["suppresses_trigger"].null_count == table.num_rows


def test_the_metadata_are_those_of_dead_and_what_others_have_beside_them(tmp_path):
    out = tmp_path / "neurons.parquet"
    join_neurons(Tables(tmp_path, [1, 2]).write(), out)
    own = {"trigger_updates": {}, "ablation": {}} | OWN | {"coverage": OWN["coverage"] | {"n": [1, 2]}}
    assert read_metadata(out) == TOLD | own


def test_a_layer_is_in_memory_at_a_time_and_the_bytes_are_the_same_each_time(tmp_path):
    files, outs = Tables(tmp_path, [1, 2, 3]).write(), [tmp_path / f"{number}.parquet" for number in (1, 2)]
    for out in outs:
        join_neurons(files, out)
    assert outs[0].read_bytes() == outs[1].read_bytes()
    file = parquet.ParquetFile(outs[0])
    assert [file.metadata.row_group(number).num_rows for number in range(file.num_row_groups)] == [NEURONS] * LAYERS


@pytest.mark.parametrize("name", sorted(KINDS.keys() - {"dead"}))
def test_tables_of_two_models_are_not_joined(tmp_path, name):
    tables = Tables(tmp_path, [1])
    tables.own = tables.own | {name: tables.own.get(name, {}) | {"model_digest": "b2"}}
    with pytest.raises(CensusError, match=rf"dead.parquet and .*{name}.parquet differ in model_digest: a1 and b2: delete both"):
        join_neurons(tables.write(), tmp_path / "neurons.parquet")
    assert not (tmp_path / "neurons.parquet").exists()
