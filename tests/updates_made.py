"""Models whose updates are worked out naively in float64, and tables of token detectors for them."""

from pathlib import Path

import numpy
import pyarrow
import torch
from safetensors.torch import load_file, save_file

from made_text import make_tokenizer
from models_made import make_opt
from neuroncensus.corpora.tokenizer import load_tokenizer
from neuroncensus.models.describe import describe_model
from neuroncensus.models.description import read_description
from neuroncensus.models.origin import record_source
from neuroncensus.tablefiles import write_table
from neuroncensus.tables import DETECTOR_NGRAMS, DETECTORS

MODELS = {
    "tied, lm_head stored": {"lm_head": True},
    "untied": {"tied": False},
    "350m's": {"pre_layer_norm": False, "embedding_width": 12},
    "float16": {"dtype": torch.float16},
    "bfloat16, projected with a final LayerNorm": {"dtype": torch.bfloat16, "embedding_width": 40},
}


class Made:
    """A model with 320 rows of which 300 and fewer are tokens, some of them alike, and with updates of zero."""

    def __init__(self, folder: Path, *, vocab: int = 320, **shape):
        self.folder = make_opt(folder / "model", vocab=vocab, layers=3, **shape)
        make_tokenizer(self.folder)
        path = self.folder / "model.safetensors"
        tensors = load_file(path)
        for name, tensor in tensors.items():
            if name == "lm_head.weight" and shape.get("lm_head"):
                tensors[name] = -tensor  # tied: nobody looks at it
            elif name.endswith("embed_tokens.weight") or name == "lm_head.weight":
                tensor[[200, 31, 7]] = tensor[50].clone()  # alike: they tie
                tensor[310:] *= 50  # no tokens
            elif name.endswith("fc2.weight"):
                tensor[:, 9:10] = 0
            elif name.endswith("fc1.weight"):
                tensor[11:12] = 0
        save_file(tensors, path, metadata={"format": "pt"})
        self.tensors = {name.removeprefix("model.decoder."): tensor.double().numpy() for name, tensor in tensors.items()}
        self.description, self.source = folder / "model.json", folder / "source.json"
        describe_model(self.folder, model="mine", out=self.description)
        record_source(self.description, self.folder, source="model", checksums=None, out=self.source)
        self.about = read_description(self.description)
        self.tokens = [i for i in load_tokenizer(self.folder).ids.tolist() if i < vocab]
        self.rows = self.tensors["embed_tokens.weight" if shape.get("tied", True) else "lm_head.weight"]

    def logits(self, layer: int, neuron: int, *, scaled: bool = False) -> numpy.ndarray:
        """Of every row of the embedding; the naive reference."""
        update = self.tensors[f"layers.{layer}.fc2.weight"][:, neuron]
        if scaled:
            update = (update - update.mean()) * self.tensors["final_layer_norm.weight"]
        if "project_out.weight" in self.tensors:
            update = self.tensors["project_out.weight"] @ update
        return (self.rows * update).sum(axis=1)  # row by row in one order: equal rows give equal sums

    def metadata(self) -> dict:
        told = {"model": "mine", "model_digest": self.about.digest, "corpus": "demo", "window": 16, "dtype": "float32", "device": "cpu"}
        return told | {"threads": 1, "tokens_core": 100, "layers_covered": 2, "n": [1, 2], "source": "model", "revision": None}


def write_detectors(made: Made, found: dict[tuple[int, int], list[int]]) -> tuple[Path, Path]:
    """`detectors.parquet` and `detector_ngrams.parquet` of token detectors, each with a bigram detector beside it."""
    detectors, ngrams = [], []
    for (layer, neuron), tokens in sorted(found.items()):
        for n in (1, 2):
            row = {"layer": layer, "neuron": neuron, "n": n, "activations": 9, "covering": 1, "detected": len(tokens), "share": 1.0}
            detectors.append(row | {"strict": True, "held_out_rate": None, "held_out_share": None})
            for token in tokens:
                pair = {"layer": layer, "neuron": neuron, "n": n, "ngram": [token] * n, "text": "x", "occurrences": 3, "activations": 3}
                ngrams.append(pair | {"rate_lower": 0.4, "in_covering": True})
    paths = [made.description.with_name(f"{name}.parquet") for name in ("detectors", "detector_ngrams")]
    for path, rows, kind in zip(paths, (detectors, ngrams), (DETECTORS, DETECTOR_NGRAMS), strict=True):
        write_table(pyarrow.Table.from_pylist(rows, schema=kind.schema), path, made.metadata())
    return paths[0], paths[1]
