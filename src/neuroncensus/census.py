"""What a configuration asks for: models, windows, shards and the files that hold them.

Everything here is known before anything is read but the `config.json` of local models, so a dry run and
`plan.md` see the whole graph. It is what the Snakefile imports; nothing heavy may be imported here.
"""

import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from neuroncensus.config import check_config
from neuroncensus.corpora.sources import source_files
from neuroncensus.digest import code_digest
from neuroncensus.errors import CensusError
from neuroncensus.modelsources import ModelSources, plain_names

PARTS = ("core", "extra")
FINDINGS = ("frequency.parquet", "dead.parquet", "dead.pdf", "summary.json", "provenance.json")


def alternatives(names: Iterable) -> str:
    """A regular expression that matches these names and nothing else."""
    return "|".join(re.escape(str(name)) for name in names) or r"(?!)"


def shard_count(tokens: int, shard_tokens: int) -> int:
    """How many shards a domain of `tokens` positions has."""
    return -(-tokens // shard_tokens)


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
            CensusError: the window is longer than the model's positions, a shard shorter than the window, or
                the model or its tokenizer cannot be found.
        """
        window, positions, corpus = self.window(model), self.model_positions(model), self.corpus(model)
        if window > positions:
            raise CensusError(f"corpora.{corpus}.window is {window} but model {model} has {positions} positions: lower the window")
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
            Domain(p, name, {key: value for key, value in sorted(text.items()) if key != "tokens"}, text["tokens"])
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
        folder = f"resources/corpora/{wildcards.corpus}/{wildcards.tokenizer}/window-{wildcards.window}"
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
        return f"resources/corpora/{self.corpus(model)}/{self.tokenizer(model)}/window-{self.window(model)}/{part}/{domain}/{shard}.parquet"

    def token_shards(self, model: str) -> list[str]:
        """All of a model's shards of windows."""
        return [self.token_shard(model, *shard) for shard in self.model_shards(model)]

    # Collection

    def collect_settings(self) -> dict:
        """The settings that decide the bytes of counters, beside text and weights."""
        collect = self.config["collect"]
        kept = {key: collect[key] for key in ("threads", "batch_tokens", "stages", "skip_silent")}
        return kept | {key: self.config[key] for key in ("device", "dtype")}

    @property
    def hidden_after(self) -> str:
        """Pattern of the files that hold the hidden states after a stage."""
        scratch = self.config["collect"]["scratch"]
        folder = f"{scratch}/{{model}}" if scratch else "results/{model}/hidden"
        return folder + "/{part}/{domain}/{shard}/stage-{stage}.safetensors"

    def hidden_before(self, wildcards) -> list[str]:
        """The hidden states that a stage starts from; none for the first."""
        stage = int(wildcards.stage)
        return [self.hidden_after.format(**{**dict(wildcards.items()), "stage": stage - 1})] if stage > 1 else []

    def counter_files(self, model: str) -> list[str]:
        """The counters of all shards and stages of a model, in order."""
        return [
            f"results/{model}/collect/{part}/{domain}/{shard}/stage-{stage}.parquet"
            for part, domain, shard in self.model_shards(model)
            for stage in self.stages
        ]

    # Plan

    def plan_inputs(self, model: str) -> dict:
        """What plan.md is worked out from: the configuration and the shape of the model."""
        self.check_model(model)
        architecture, stored = self.model_architecture(model)
        collect, entry = self.config["collect"], self.model_entry(model)
        recipe = self.config["training"][entry["train"]] if "train" in entry else None
        trained = recipe["steps"] * recipe["batch_windows"] * recipe["architecture"]["max_position_embeddings"] if recipe else 0
        domains = self.domains(self.corpus(model))
        return {
            "architecture": asdict(architecture),
            "domains": [{"part": d.part, "name": d.name, "tokens": d.tokens, "shards": self.shards(d)} for d in domains],
            "window": self.window(model),
            "settings": {key: collect[key] for key in ("shard_tokens", "batch_tokens", "stages", "skip_silent", "keep_hidden")}
            | {"model": model, "corpus": self.corpus(model), "stored": stored}
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
