"""What a configuration asks for: models, windows, shards and the files that hold them.

Everything here is known before anything is read but the `config.json` of local models, so a dry run and
`plan.md` see the whole graph. It is what the Snakefile imports; nothing heavy may be imported here.
"""

import os
import re
from collections.abc import Iterable
from dataclasses import asdict
from errno import ENOENT
from hashlib import sha256
from pathlib import Path

from neuroncensus.config import check_config, suggestion
from neuroncensus.corpora.sources import source_files
from neuroncensus.corpusfiles import CorpusFiles
from neuroncensus.digest import code_digest
from neuroncensus.errors import CensusError
from neuroncensus.published import read_published
from neuroncensus.report.needs import Needing

# Where hidden states lie if they are not to lie with the results.
SCRATCH = "resources/hidden"
TABLES = ("frequency", "dead", "coverage", "detectors", "detector_ngrams", "updates", "trigger_updates", "ablation", "saturation")
FIGURES = ("dead", "coverage", "detectors", "updates", "saturation")
GROUP_FIGURES = ("dead", "coverage", "detectors", "updates")
JOINED = ("neurons.parquet", "summary.json", "provenance.json", "scorecard.md", "scorecard.json", "browser/index.html")
FINDINGS = (*(f"{name}.parquet" for name in TABLES), *(f"{name}.pdf" for name in FIGURES), *JOINED)
# Of corpora with full windows in every domain of `positions`.
POSITIONAL_FINDINGS = ("positional.parquet", "profiles.parquet", "positional.pdf")


def alternatives(names: Iterable) -> str:
    """A regular expression that matches these names and nothing else."""
    return "|".join(re.escape(str(name)) for name in names) or r"(?!)"


class Census(CorpusFiles):
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
        self._needs: dict[str, Needing] = {}

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
        if positions is not None and window > positions:
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

    # N-grams

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

    # Positions

    def position_counters(self, model: str, domain: str, stage: int | str) -> list[str]:
        """The position counters of all shards of a domain, of core and extra, in one stage."""
        shards = [(part, shard) for part, of_domain, shard in self.model_shards(model) if of_domain == domain]
        return [f"results/{model}/collect/{part}/{domain}/{shard}/stage-{stage}.positions.parquet" for part, shard in shards]

    def position_totals(self, model: str) -> list[str]:
        """The position counters of all domains under `positions`, stages outside.

        Raises:
            CensusError: the model's corpus names none.
        """
        self.check_model(model)
        if not self.counts_positions(model):
            corpus = self.corpus(model)
            raise CensusError(
                f"corpora.{corpus} has no positions, so {model} has no positional neurons to be found: name the domains whose full windows "
                f"are to be counted by position under corpora.{corpus}.positions, or leave the target out"
            )
        domains = self.position_domains(self.corpus(model))
        return [f"results/{model}/positions/{domain}/stage-{stage}.parquet" for stage in self.stages for domain in domains]

    def shapes(self) -> dict:
        """What decides the types of positional neurons."""
        return {key: self.config["positional"][key] for key in ("half_width", "interval", "weak", "strong", "explained")}

    # Plan

    def plan_inputs(self, model: str) -> dict:
        """What plan.md is worked out from: the configuration and the shape of the model."""
        self.check_model(model)
        architecture, stored = self.model_architecture(model)
        collect, entry = self.config["collect"], self.model_entry(model)
        recipe = self.config["training"][entry["train"]] if "train" in entry else None
        trained = recipe["steps"] * recipe["batch_windows"] * recipe["architecture"]["max_position_embeddings"] if recipe else 0
        corpus, ngrams = self.corpus(model), self.ngram_settings("core", self.stages[0]) or {}
        by_position = self.position_domains(corpus)
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
            | {"origin": self.model_origin(model), "training_positions": trained}
            | {"checkpoint": entry.get("bytes"), "downloads": self.plan_downloads(model)},
            "compute": {"device": self.config["device"], "dtype": self.config["dtype"], "threads": collect["threads"]},
        }

    @property
    def gpus(self) -> int:
        """How many a job that computes asks a scheduler for: one where the configuration says cuda, none where it leaves that open."""
        return int(self.config["device"] == "cuda")

    def needs(self, model: str, description: str) -> Needing:
        """What the jobs of a model ask a scheduler for.

        Raises:
            FileNotFoundError: its shape is not known before `description` is there; Snakemake asks again then.
        """
        if model not in self._needs:
            if not self.shape_is_known(model):
                raise FileNotFoundError(ENOENT, f"the shape of model {model} is not known yet", description)
            self._needs[model] = Needing(**self.plan_inputs(model), flops=self.config["plan"]["flops"])
        return self._needs[model]

    def plan_downloads(self, model: str) -> dict[str, dict[str, int]]:
        """Jobs of the Hub by what they are for: the text of some domains with its tokenizer (`core text`), or the model too (`core`)."""
        domains, named = self.domains(self.corpus(model)), self.position_domains(self.corpus(model))
        core, positional = [domain for domain in domains if domain.part == "core"], [domain for domain in domains if domain.name in named]
        found = {}
        for name, some in (("core", core), ("all", domains), ("positional", positional)):
            text = [file for domain in some for file in source_files(domain.source)]
            text += self.tokenizer_files(self.tokenizer(model))
            found |= {f"{name} text": self.downloads(text), name: self.downloads([*text, *self.model_files(model)])}
        return found

    # Findings

    def findings(self) -> list[str]:
        """What a bare run makes but the positional ones: every finding of `run.models`, loss curves of those trained here, and groups."""
        files = []
        for model in self.config["run"]["models"]:
            files += [f"results/{model}/{name}" for name in FINDINGS]
            if "train" in self.model_entry(model):
                files.append(str(Path(self.training_folder(model)).parent / "loss.pdf"))
        return files + [f"results/groups/{group}/{name}.pdf" for group in self.groups_run() for name in GROUP_FIGURES]

    def groups_run(self) -> list[str]:
        """The groups whose figures a bare run makes: those of which it runs every model."""
        return [name for name, models in self.config["groups"].items() if set(models) <= set(self.config["run"]["models"])]

    def published(self) -> dict:
        """What the paper publishes (`neuroncensus.published`)."""
        folder = self.project / "config"
        return read_published(folder / "published.yaml", folder / "schemas" / "published.schema.yaml")

    def group(self, name: str) -> list[str]:
        """The models of a group, in the order in which the configuration names them.

        Raises:
            CensusError: there is no such group.
        """
        groups = self.config["groups"]
        if name not in groups:
            raise CensusError(f"unknown group {name}: {suggestion(name, groups)}")
        return groups[name]

    def group_files(self, name: str, file: str) -> list[str]:
        """A file of every model of a group."""
        return [f"results/{model}/{file}" for model in self.group(name)]

    def training_run(self, model: str) -> dict | None:
        """Of which training run and step a model is: `recipe`, `positions` (bool) and `step`; None of one that is read from a folder."""
        entry = self.model_entry(model)
        if "train" not in entry:
            return None
        return {"recipe": entry["train"], "positions": entry.get("positions", True), "step": self.training_step(model)}
