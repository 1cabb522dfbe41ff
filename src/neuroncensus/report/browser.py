"""`browser/index.html`: the neurons of a model, to look through in a web page that opens from disk."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars

from neuroncensus.corpora.readable import token_reader
from neuroncensus.corpora.tokenizer import load_tokenizer
from neuroncensus.files import atomic_path, whole_folder
from neuroncensus.findings.agree import check_findings
from neuroncensus.findings.coverage import class_names
from neuroncensus.report.browserdata import (
    bin_starts,
    binned,
    chunk_content,
    columns,
    group_codes,
    group_names,
    token_ids,
    write_bytes,
    write_json,
)
from neuroncensus.report.layers import Layers, by_layer
from neuroncensus.report.page import copy_page
from neuroncensus.tablekinds import Table
from neuroncensus.tables import DETECTOR_NGRAMS, FREQUENCY, PROFILES, neurons_table
from neuroncensus.updatetables import ABLATION, UPDATES

DATA = "data"
"""Folder beside index.html that holds all other files."""
CHUNK = 1024
"""Neurons of a file of details."""
DOMAIN = ["part", "domain", "tokens", "documents"]
COUNTED = ["activations", "activations_bos", "documents_active"]
WRITTEN = ["promoted", "suppressed"]
LOGITS = [f"{name}_logits" for name in WRITTEN]
# The columns that are read of each table beside `neurons`.
SOURCES: dict[str, tuple[Table, list[str]]] = {
    "frequency": (FREQUENCY, FREQUENCY.names),
    "updates": (UPDATES, ["layer", "neuron", *WRITTEN, *LOGITS]),
    "detector_ngrams": (DETECTOR_NGRAMS, [name for name in DETECTOR_NGRAMS.names if name != "ngram"]),
    "ablation": (ABLATION, ABLATION.names),
    "profiles": (PROFILES, PROFILES.names),
}
LISTED = ("frequency", "documents_active", "mutual_information", "norm", "kurtosis")


def _list_names(sizes: list[int]) -> list[str]:
    """Columns of `neurons.parquet` that lists of neurons are sorted by, beside codes."""
    return [*LISTED, *(f"{name}_{n}" for n in sizes for name in ("covering", "detected"))]


class _Writer:
    """Writes the data of one layer after the other, and keeps what the first view shows of all."""

    def __init__(self, folder: Path, told: dict, window: int):
        self.folder, self.told = folder, told
        coverage = told.get("coverage", {})
        self.sizes: list[int] = coverage.get("n", [])
        self.classes = class_names(coverage["edges"]) if self.sizes else []
        self.groups = group_names(self.sizes, self.classes)
        self.starts = bin_starts(window)
        self.domains: list[dict] = []
        self.layers: list[dict[str, int]] = []
        self.maps: dict[str, list[bytes]] = {name: [] for name in (*self.groups, "level")}

    def add(self, layer: int, neurons: polars.DataFrame, found: Mapping[str, polars.DataFrame]) -> None:
        """Write the files of a layer; `neurons`: its rows of `neurons.parquet`; `found`: those of the other tables."""
        place, codes = f"layer-{layer:02}", group_codes(neurons, self.sizes, self.classes)
        for name, of_layers in self.maps.items():
            of_layers.append(codes[name].to_numpy().tobytes())
        self.layers.append({"neurons": len(neurons), "ngrams": len(found["detector_ngrams"])})
        if not self.domains and len(found["frequency"]):
            first = found["frequency"]["neuron"][0]
            self.domains = found["frequency"].filter(polars.col("neuron") == first).select(DOMAIN).to_dicts()
        by_domain = found["frequency"].group_by("neuron", maintain_order=True).agg(COUNTED)
        listed = polars.concat([neurons.select("neuron", *_list_names(self.sizes)), codes.select(list(self.groups))], how="horizontal")
        write_json(self.folder, f"{place}/neurons", columns(listed))
        write_json(self.folder, f"{place}/ngrams", columns(found["detector_ngrams"].drop("layer")))
        write_bytes(self.folder, f"{place}/writes", token_ids(found["updates"].select(WRITTEN)))
        tables = {
            "neurons": neurons.drop("layer"),
            "domains": by_domain,
            "logits": found["updates"].select("neuron", *LOGITS),
            "ablation": found["ablation"].drop("layer"),
            "profiles": binned(found["profiles"], self.starts),
        }
        for number, first in enumerate(range(0, len(neurons), CHUNK)):
            write_json(self.folder, f"{place}/{number:03}", chunk_content(tables, first, first + CHUNK))

    def finish(self, tokenizer: Path, has: Mapping[str, bool]) -> None:
        """Write what is of all layers."""
        for name, of_layers in self.maps.items():
            write_bytes(self.folder, f"map-{name}", b"".join(of_layers))
        read = token_reader(tokenizer)
        ids = load_tokenizer(tokenizer).ids.tolist()
        write_json(self.folder, "vocabulary", {"ids": ids, "texts": [read(token) for token in ids]})
        model: dict[str, Any] = {"told": self.told, "has": has, "n": self.sizes, "groups": self.groups, "chunk": CHUNK}
        model |= {"domains": self.domains, "bins": self.starts, "layers": self.layers}
        write_json(self.folder, "model", model)


def write_browser(files: Mapping[str, Path], tokenizer: Path, out: Path) -> None:
    """Make a page in which the neurons of a model are looked through: a map of all, lists, a page a neuron, search.

    It opens from disk, and needs no network. Files of data are small, and loaded as they are looked at; one layer of the tables
    is in memory at a time. Integers are those of the tables; floats have 4 significant digits, and profiles are averaged over
    parts of the positions, in thousandths.

    Args:
        files: tables of the model by name: `neurons`, `frequency`, `updates`, `detector_ngrams`, `ablation`, and `profiles` if there is
            one. What is not there is shown as not counted.
        tokenizer: folder of the model's tokenizer.
        out: index.html, written last; a folder `data` beside it has the rest, and what was there is replaced.

    Raises:
        CensusError: a file is corrupt, they are not of one census, or the tokenizer is missing or broken.
    """
    # All of them with `neurons`, whatever order they come in.
    metadata = check_findings({"neurons": files["neurons"], **files})["neurons"]
    sizes = metadata.get("coverage", {}).get("n", [])
    tables = {name: Layers(files.get(name), table, wanted) for name, (table, wanted) in SOURCES.items()}
    has = {name: name in metadata for name in ("coverage", "updates", "positional", "ablation")}
    out.unlink(missing_ok=True)
    with whole_folder(out.parent / DATA) as folder:
        page, writer = copy_page(folder), _Writer(folder, metadata, metadata["window"])
        for neurons in by_layer(files["neurons"], neurons_table(sizes).names):
            layer = neurons["layer"][0]
            writer.add(layer, neurons, {name: table.rows(layer) for name, table in tables.items()})
        writer.finish(tokenizer, has)
    with atomic_path(out) as partial:
        partial.write_text(page, encoding="utf-8")
