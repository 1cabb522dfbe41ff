"""What a configuration asks for: models, windows, shards and the files that hold them.

Everything here is known before anything is read but the `config.json` of local models, so a dry run and
`plan.md` see the whole graph. It is what the Snakefile imports; nothing heavy may be imported here.
"""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import yaml

from neuroncensus.config import check_config, suggestion
from neuroncensus.corpora.sources import source_files
from neuroncensus.errors import CensusError

PARTS = ("core", "extra")
TOKENIZER_FILES = ("tokenizer.json", "vocab.json", "merges.txt", "tokenizer_config.json")
WEIGHT_FILES = ("config.json", ".safetensors", ".bin", ".index.json")
FINDINGS = ("frequency.parquet", "dead.parquet", "dead.pdf", "summary.json", "provenance.json")
HUB_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*/[A-Za-z0-9][A-Za-z0-9._-]*")


def alternatives(names: Iterable) -> str:
    """A regular expression that matches these names and nothing else."""
    return "|".join(re.escape(str(name)) for name in names) or r"(?!)"


def plain_names(files: Iterable[str]) -> list[str]:
    """The files as they are, as inputs of a rule.

    Raises:
        CensusError: a name has a brace in it, which Snakemake would take for a wildcard's.
    """
    files = list(files)
    for file in files:
        if "{" in file or "}" in file:
            raise CensusError(f"file {file} has a brace in its name, which no rule can read: rename it")
    return files


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


class Census:
    """The validated configuration, with the questions that the rules ask of it.

    Args:
        config: the merged configuration.
        project: the folder of the Snakefile.

    Raises:
        CensusError: a key or value is wrong, or a name unknown.
    """

    def __init__(self, config: dict, project: Path):
        check_config(config, project / "config" / "schemas" / "config.schema.yaml")
        self.config = config
        self.project = project
        self.stages: list[int] = list(range(1, config["collect"]["stages"] + 1))

    # Models

    def _in_project(self, place: str) -> str:
        """A place in the project, relative where that is the working directory, so that results can be moved."""
        return place if self.project == Path.cwd() else str(self.project / place)

    def _folder(self, source: str, default: bool, where: str) -> str:
        """A source's folder: below the working directory, or the project for the project's own defaults."""
        if default and (self.project / source).is_dir():
            return self._in_project(source)
        if Path(source).is_dir():
            return source
        if HUB_ID.fullmatch(source):
            raise CensusError(
                f"{where} is {source}, which is no folder here, and this version does not download from the Hub: name a folder"
            )
        raise CensusError(f"{where} is {source}, which is neither a folder nor a Hub id of the form org/name: correct it")

    def _is_default(self, key: str, name: str, entry: dict) -> bool:
        file = self.project / "config" / ("models.yaml" if key == "models" else "config.yaml")
        return yaml.safe_load(file.read_text(encoding="utf-8")).get(key, {}).get(name, {}).get("source") == entry["source"]

    def model_entry(self, model: str) -> dict:
        """A model's entry in the configuration.

        Raises:
            CensusError: there is no such model.
        """
        if model not in self.config["models"]:
            raise CensusError(f"unknown model {model}: {suggestion(model, self.config['models'])}")
        return self.config["models"][model]

    def model_folder(self, model: str) -> str:
        """The folder with a model's checkpoint, in Hugging Face layout."""
        entry = self.model_entry(model)
        if "train" in entry:
            step = entry.get("step", self.config["training"][entry["train"]]["checkpoints"][-1])
            return f"{self.training_folder(model)}/step-{step}"
        return self._folder(entry["source"], self._is_default("models", model, entry), f"models.{model}.source")

    def training_folder(self, model: str) -> str:
        """Where the training run of a model leaves its checkpoints."""
        entry = self.model_entry(model)
        return f"resources/training/{entry['train']}/{'positions' if entry.get('positions', True) else 'nopos'}/checkpoints"

    def model_source(self, model: str) -> str:
        """A model's source as the configuration writes it."""
        entry = self.model_entry(model)
        return entry["source"] if "source" in entry else f"training.{entry['train']}"

    def model_files(self, model: str) -> list[str]:
        """What the description of a model depends on: its files, or the training run that makes them.

        Every job of a model is behind its description, so here is where the model is checked before any job.
        """
        self.check_model(model)
        if "train" in self.model_entry(model):
            return [self.training_folder(model)]
        folder = Path(self.model_folder(model))
        return plain_names(str(file) for file in sorted(folder.iterdir()) if file.name.endswith(WEIGHT_FILES))

    def model_positions(self, model: str) -> int:
        """Positions that a model has: the longest window it can be fed."""
        entry = self.model_entry(model)
        if "train" in entry:
            return self.config["training"][entry["train"]]["architecture"]["max_position_embeddings"]
        file = Path(self.model_folder(model)) / "config.json"
        try:
            positions = json.loads(file.read_text(encoding="utf-8"))["max_position_embeddings"]
        except FileNotFoundError:
            raise CensusError(
                f"models.{model}.source, {entry['source']}, has no config.json: name a folder in Hugging Face layout"
            ) from None
        except (ValueError, KeyError, TypeError):
            raise CensusError(f"{file} of model {model} has no max_position_embeddings that can be read: mend the file") from None
        if not isinstance(positions, int) or isinstance(positions, bool) or positions < 2:
            raise CensusError(
                f"max_position_embeddings of model {model} is {positions!r} but must be a whole number of at least 2: mend config.json"
            )
        return positions

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

    # Training

    def recipe_files(self, recipe: str, split: str) -> list[str]:
        """The files that a recipe's text is read from, those that lie outside packages."""
        return plain_names(file for source in self.config["training"][recipe][split].values() for file in source_files(source))

    def tokenizer_recipe(self, recipe: str) -> dict:
        """What of a recipe its tokenizer depends on."""
        return {key: self.config["training"][recipe][key] for key in ("text", "vocabulary")}

    def text_recipe(self, recipe: str) -> dict:
        """What of a recipe its packed text depends on."""
        entry = self.config["training"][recipe]
        window = {"max_position_embeddings": entry["architecture"]["max_position_embeddings"]}
        return {key: entry[key] for key in ("text", "held_out", "vocabulary")} | {"architecture": window}

    # Tokenizers

    def tokenizers(self) -> list[str]:
        """Every tokenizer that text can be tokenized with, by the folder that its shards lie in."""
        return sorted({self.tokenizer(model) for model in self.config["models"]})

    def tokenizer(self, model: str) -> str:
        """Where a model's tokenized text lies: `tokenizers/<name>` if it shares one, else `models/<model>`."""
        name = self.model_entry(model).get("tokenizer")
        return f"tokenizers/{name}" if name else f"models/{model}"

    def tokenizer_folder(self, tokenizer: str) -> str:
        """The folder with a tokenizer's files."""
        kind, name = tokenizer.split("/")
        if kind == "models":
            return self.model_folder(name)
        entry = self.config["tokenizers"][name]
        return self._folder(entry["source"], self._is_default("tokenizers", name, entry), f"tokenizers.{name}.source")

    def tokenizer_files(self, tokenizer: str) -> list[str]:
        """The files that tokenized text depends on."""
        kind, name = tokenizer.split("/")
        if kind == "models" and "train" in self.config["models"][name]:
            return [self.training_folder(name)]
        folder = Path(self.tokenizer_folder(tokenizer))
        return plain_names(str(folder / file) for file in TOKENIZER_FILES if (folder / file).is_file())

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

    # Findings

    def findings(self) -> list[str]:
        """What a bare run makes: every finding of `run.models`, and the loss curves of those trained here."""
        files = []
        for model in self.config["run"]["models"]:
            files += [f"results/{model}/{name}" for name in FINDINGS]
            if "train" in self.model_entry(model):
                files.append(str(Path(self.training_folder(model)).parent / "loss.pdf"))
        return files
