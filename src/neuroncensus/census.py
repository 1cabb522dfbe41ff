"""What a configuration asks for: models, windows, shards and the files that hold them.

Everything here is known before anything is read but the `config.json` of local models, so a dry run and
`plan.md` see the whole graph. It is what the Snakefile imports; nothing heavy may be imported here.
"""

import os
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path

from neuroncensus.config import check_config
from neuroncensus.corpora.sources import DEFAULT_FIELD, source_files
from neuroncensus.digest import code_digest
from neuroncensus.errors import CensusError
from neuroncensus.modelsources import ModelSources, plain_names

PARTS = ("core", "extra")
# Where hidden states lie if they are not to lie with the results.
SCRATCH = "resources/hidden"
TABLES = ("frequency", "dead", "coverage", "detectors", "detector_ngrams", "updates", "trigger_updates", "ablation", "saturation")
FIGURES = ("dead", "coverage", "detectors", "updates", "saturation")
FINDINGS = (*(f"{name}.parquet" for name in TABLES), *(f"{name}.pdf" for name in FIGURES), "summary.json", "provenance.json")


def alternatives(names: Iterable) -> str:
    """A regular expression that matches these names and nothing else."""
    return "|".join(re.escape(str(name)) for name in names) or r"(?!)"


def shard_count(tokens: int, shard_tokens: int) -> int:
    """How many shards a domain of `tokens` positions has."""
    return -(-tokens // shard_tokens)


def token_folder(corpus: str, tokenizer: str, window: int | str) -> str:
    """Where the windows of a corpus lie, as one tokenizer makes them."""
    return f"resources/corpora/{corpus}/{tokenizer}/window-{window}"


def _source(text: dict) -> dict:
    """What of a text decides its windows, keys sorted and the default field written out: told or not, it is the same."""
    default = {"field": DEFAULT_FIELD} if "path" in text else {}
    return {key: value for key, value in sorted((default | text).items()) if key != "tokens"}


@dataclass(frozen=True)
class Domain:
    """A text source of one part of a corpus and its budget, in positions."""

    part: str
    name: str
    source: dict
    tokens: int


class Census(ModelSources):
    """The validated configuration, with the questions that the rules ask of it.

    Args:
        config: the merged configuration.
        project: the folder of the Snakefile.

    Raises:
        CensusError: a key or value is wrong, or a name unknown.
    """

    def __init__(self, config: dict, project: Path):
        check_config(config, project / "config" / "schemas" / "config.schema.yaml")
        super().__init__(config, project)
        self.stages: list[int] = list(range(1, config["collect"]["stages"] + 1))

    def code(self, script: str) -> str:
        """A digest of a rule's script and of the code that it can reach (`neuroncensus.digest`)."""
        return code_digest(self.project / "workflow" / "scripts" / f"{script}.py")

    # Models

    def check_model(self, model: str) -> None:
        """Check what a model's own config decides: its window and its shards.

        Raises:
            CensusError: the window is longer than the model's positions, a shard shorter than the window, a key is
                set that the model does not read, or the model or its tokenizer cannot be found.
        """
        window, positions, corpus = self.window(model), self.model_positions(model), self.corpus(model)
        if window > positions:
            raise CensusError(f"corpora.{corpus}.window is {window} but model {model} has {positions} positions: lower the window")
        self.check_source(model)
        shard_tokens = self.config["collect"]["shard_tokens"]
        if shard_tokens < window:
            raise CensusError(
                f"collect.shard_tokens is {shard_tokens} but the window of model {model} is {window}: raise it to at least {window}"
            )
        self.tokenizer_folder(self.tokenizer(model))

    def described_files(self, model: str) -> list[str]:
        """What the description of a model depends on.

        Every job of a model is behind its description, so here is where the model is checked before any job.
        """
        self.check_model(model)
        return self.model_files(model)

    # Corpora

    def corpus(self, model: str) -> str:
        """The corpus that a model is run on."""
        return self.model_entry(model).get("corpus", self.config["corpus"])

    def window(self, model: str) -> int:
        """Positions of a full window, T."""
        return self.config["corpora"][self.corpus(model)].get("window") or self.model_positions(model)

    def domains(self, corpus: str, part: str | None = None) -> list[Domain]:
        """The domains of a corpus, or of one part of it: core first, in the order of their names."""
        entry = self.config["corpora"][corpus]
        return [
            Domain(p, name, _source(text), text["tokens"])
            for p in PARTS
            for name, text in sorted(entry.get(p, {}).items())
            if part in (None, p)
        ]

    def domain_names(self) -> list[str]:
        """The names of all domains of all corpora."""
        return sorted({domain.name for corpus in self.config["corpora"] for domain in self.domains(corpus)})

    def domain(self, corpus: str, part: str, name: str) -> Domain:
        """One domain of a corpus."""
        return next(domain for domain in self.domains(corpus, part) if domain.name == name)

    def shards(self, domain: Domain) -> int:
        """How many shards a domain of a part has."""
        return shard_count(domain.tokens, self.config["collect"]["shard_tokens"])

    def text_files(self, domain: Domain) -> list[str]:
        """The files that a domain's text is read from, those that lie outside packages."""
        return plain_names(source_files(domain.source))

    def budget_here(self, domain: Domain, shard: int) -> int | None:
        """The domain's budget if this shard is its last, else None: a grown budget must leave the others alone."""
        return domain.tokens if shard == self.shards(domain) - 1 else None

    def previous_token_shard(self, wildcards) -> list[str]:
        """The shard of windows whose cursor this one starts from, if it does not start at the first document."""
        folder = token_folder(wildcards.corpus, wildcards.tokenizer, wildcards.window)
        if int(wildcards.shard) > 0:
            return [f"{folder}/{wildcards.part}/{wildcards.domain}/{int(wildcards.shard) - 1}.parquet"]
        if wildcards.part == "extra" and wildcards.domain in self.config["corpora"][wildcards.corpus]["core"]:
            last = self.shards(self.domain(wildcards.corpus, "core", wildcards.domain)) - 1
            return [f"{folder}/core/{wildcards.domain}/{last}.parquet"]
        return []

    def model_shards(self, model: str) -> list[tuple[str, str, int]]:
        """(part, domain, shard) of everything that a model's corpus holds, in order."""
        return [(d.part, d.name, shard) for d in self.domains(self.corpus(model)) for shard in range(self.shards(d))]

    def token_shard(self, model: str, part: str, domain: str, shard: int | str) -> str:
        """The file with the windows of one shard, as the model's tokenizer and window make them."""
        return f"{token_folder(self.corpus(model), self.tokenizer(model), self.window(model))}/{part}/{domain}/{shard}.parquet"

    def token_shards(self, model: str) -> list[str]:
        """All of a model's shards of windows."""
        return [self.token_shard(model, *shard) for shard in self.model_shards(model)]

    # N-grams

    def core_shards(self, model: str) -> list[tuple[str, int]]:
        """(domain, shard) of a model's core, in order."""
        return [(domain, shard) for part, domain, shard in self.model_shards(model) if part == "core"]

    def ngram_file(self, model: str, domain: str, shard: int | str, kind: str) -> str:
        """The `order` or the `ngrams` of a core shard's text."""
        return self.token_shard(model, "core", domain, shard).removesuffix("parquet") + f"{kind}.parquet"

    def ngram_index(self, model: str) -> str:
        """The n-grams of all of a model's core."""
        return str(Path(self.token_shard(model, "core", "", "")).parent / "ngrams.parquet")

    def indexed_shards(self, wildcards) -> list[str]:
        """The n-grams of every shard of the core of a corpus."""
        folder = token_folder(wildcards.corpus, wildcards.tokenizer, wildcards.window) + "/core"
        domains = self.domains(wildcards.corpus, "core")
        return [f"{folder}/{domain.name}/{shard}.ngrams.parquet" for domain in domains for shard in range(self.shards(domain))]

    def covered_stages(self) -> list[int]:
        """The stages that count n-grams: the first has the first half of the layers."""
        return self.stages if self.config["coverage"]["layers"] == "all" else self.stages[:1]

    def ngram_settings(self, part: str, stage: int | str) -> dict | None:
        """What decides which pairs a collection keeps; None where n-grams are not counted."""
        if part != "core" or int(stage) not in self.covered_stages():
            return None
        coverage = self.config["coverage"]
        most = max(coverage["edges"][-1], *self.config["detectors"]["covering"])
        return {"share": coverage["share"], "rotation_null": coverage["rotation_null"], "most": most, "layers": coverage["layers"]}

    def order_files(self, wildcards) -> list[str]:
        """What a collect job reads of a shard's n-grams, order first; nothing where it counts none."""
        if self.ngram_settings(wildcards.part, wildcards.stage) is None:
            return []
        return [self.ngram_file(wildcards.model, wildcards.domain, wildcards.shard, kind) for kind in ("order", "ngrams")]

    def ngram_counters(self, model: str, domain: str | None = None, shard: int | str | None = None) -> list[str]:
        """The n-gram counters of all core shards, or of one, stages inside."""
        shards = self.core_shards(model) if domain is None else [(domain, shard)]
        return [f"results/{model}/collect/core/{d}/{s}/stage-{stage}.ngrams.parquet" for d, s in shards for stage in self.covered_stages()]

    def ngrams_again(self, model: str) -> list[str]:
        """What was collected again of all core shards, in order."""
        return [f"results/{model}/ngrams/again/{domain}/{shard}.parquet" for domain, shard in self.core_shards(model)]

    # Collection

    def collect_settings(self) -> dict:
        """The settings that decide the bytes of counters, beside text and weights."""
        collect = self.config["collect"]
        kept = {key: collect[key] for key in ("threads", "batch_tokens", "stages", "skip_silent")}
        return kept | {key: self.config[key] for key in ("device", "dtype")}

    @property
    def hidden_after(self) -> str:
        """Pattern of the files that hold the hidden states after a stage."""
        folder = f"{SCRATCH}/{{model}}" if self.config["collect"]["scratch"] else "results/{model}/hidden"
        return folder + "/{part}/{domain}/{shard}/stage-{stage}.safetensors"

    def link_scratch(self) -> None:
        """Make `SCRATCH` a link to this working folder's own place in `collect.scratch`, if that is set.

        Working folders that share a scratch must not meet there, and yet no path that a rule names may hang on where the
        folder lies, or a copy of it would not find its results made.

        Raises:
            CensusError: the place or the link cannot be made.
        """
        scratch = self.config["collect"]["scratch"]
        if not scratch:
            return
        link, place = Path(SCRATCH), Path(scratch).resolve() / sha256(os.fsencode(Path.cwd())).hexdigest()[:16]
        try:
            place.mkdir(parents=True, exist_ok=True)
            if link.is_symlink():
                link.unlink()
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(place)
        except OSError as error:
            raise CensusError(f"collect.scratch {scratch} cannot be used ({error}): correct it, or remove what is in the way") from error

    def hidden_before(self, wildcards) -> list[str]:
        """The hidden states that a stage starts from; none for the first."""
        stage = int(wildcards.stage)
        return [self.hidden_after.format(**{**dict(wildcards.items()), "stage": stage - 1})] if stage > 1 else []

    def counter_files(self, model: str, stage: int | str) -> list[str]:
        """The counters of all shards of a model in one stage, in order."""
        return [
            f"results/{model}/collect/{part}/{domain}/{shard}/stage-{stage}.parquet" for part, domain, shard in self.model_shards(model)
        ]

    # Plan

    def plan_inputs(self, model: str) -> dict:
        """What plan.md is worked out from: the configuration and the shape of the model."""
        self.check_model(model)
        architecture, stored = self.model_architecture(model)
        collect, entry = self.config["collect"], self.model_entry(model)
        recipe = self.config["training"][entry["train"]] if "train" in entry else None
        trained = recipe["steps"] * recipe["batch_windows"] * recipe["architecture"]["max_position_embeddings"] if recipe else 0
        corpus, ngrams = self.corpus(model), self.ngram_settings("core", self.stages[0]) or {}
        by_position = self.config["corpora"][corpus].get("positions", [])
        return {
            "architecture": asdict(architecture),
            "domains": [
                {"part": d.part, "name": d.name, "tokens": d.tokens, "shards": self.shards(d), "positions": d.name in by_position}
                for d in self.domains(corpus)
            ],
            "window": self.window(model),
            "settings": {key: collect[key] for key in ("shard_tokens", "batch_tokens", "stages", "skip_silent", "keep_hidden")}
            | {key: ngrams[key] for key in ("layers", "rotation_null", "most")}
            | {"n": self.config["coverage"]["n"], "model": model, "corpus": corpus, "stored": stored}
            | {f"ablation_{key}": self.config["ablation"][key] for key in ("detectors", "contexts", "matched")}
            | {"origin": self.model_origin(model), "training_positions": trained},
            "compute": {"device": self.config["device"], "dtype": self.config["dtype"], "threads": collect["threads"]},
        }

    # Findings

    def findings(self) -> list[str]:
        """What a bare run makes: every finding of `run.models`, and the loss curves of those trained here."""
        files = []
        for model in self.config["run"]["models"]:
            files += [f"results/{model}/{name}" for name in FINDINGS]
            if "train" in self.model_entry(model):
                files.append(str(Path(self.training_folder(model)).parent / "loss.pdf"))
        return files
