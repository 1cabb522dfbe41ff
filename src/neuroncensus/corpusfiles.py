"""The text of a corpus as files: domains, shards of windows, n-grams, all known before anything is read."""

from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from neuroncensus.corpora.fullwindows import read_full_windows
from neuroncensus.corpora.installed import PACKAGES
from neuroncensus.corpora.sources import DEFAULT_FIELD, source_files
from neuroncensus.errors import CensusError
from neuroncensus.hub.places import BRANCH
from neuroncensus.models.description import file_sha256
from neuroncensus.modelsources import ModelSources, plain_names

PARTS = ("core", "extra")


def shard_count(tokens: int, shard_tokens: int) -> int:
    """How many shards a domain of `tokens` positions has."""
    return -(-tokens // shard_tokens)


def token_folder(corpus: str, tokenizer: str, window: int | str) -> str:
    """Where the windows of a corpus lie, as one tokenizer makes them."""
    return f"resources/corpora/{corpus}/{tokenizer}/window-{window}"


def _source(text: dict) -> dict:
    """What of a text decides its windows, keys sorted and defaults written out: told or not, they are the same."""
    default = {"field": DEFAULT_FIELD} if "path" in text else {"field": DEFAULT_FIELD, "revision": BRANCH} if "hub" in text else {}
    return {key: value for key, value in sorted((default | text).items()) if key != "tokens"}


@dataclass(frozen=True)
class Domain:
    """A text source of one part of a corpus and its budget, in positions."""

    part: str
    name: str
    source: dict
    tokens: int


class CorpusFiles(ModelSources):
    """The corpora of a checked configuration, as the models' tokenizers and windows cut them."""

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
        return plain_names(source_files(domain.source)) + self.text_listing(domain.source)

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

    def decides(self, wildcards, files: Iterable[str]) -> dict:
        """What decides the bytes of a shard of windows beside the job's other parameters and the shards before it.

        Snakemake's cache between users knows those, and of `files` only which contents there are: not which file has which, nor what
        the shard is called, which stands in it.

        Raises:
            CensusError: text or tokenizer are made by another job, of which the cache knows too little.
        """
        source = self.domain(wildcards.corpus, wildcards.part, wildcards.domain).source
        kind, name = wildcards.tokenizer.split("/")
        trained = kind == "models" and self.model_origin(name) == "training"
        if "hub" in source or wildcards.tokenizer in self.hub_sources or trained:
            what = f"corpora.{wildcards.corpus}.{wildcards.part}.{wildcards.domain} as {wildcards.tokenizer} cuts it"
            raise CensusError(f"{what} cannot be shared by --cache, as it is from the Hub or of a model trained here: leave --cache out")
        text = PACKAGES[source["installed"]] if "installed" in source else None
        return {
            "named": dict(sorted(wildcards.items())),
            "files": [[Path(file).name, file_sha256(Path(file))] for file in files],
            "packages": [[package, version(package)] for package in ("pyarrow", "tokenizers", text) if package],
        }

    def model_shards(self, model: str) -> list[tuple[str, str, int]]:
        """(part, domain, shard) of everything that a model's corpus holds, in order."""
        return [(d.part, d.name, shard) for d in self.domains(self.corpus(model)) for shard in range(self.shards(d))]

    def token_shard(self, model: str, part: str, domain: str, shard: int | str) -> str:
        """The file with the windows of one shard, as the model's tokenizer and window make them."""
        return f"{token_folder(**self.text_wildcards(model))}/{part}/{domain}/{shard}.parquet"

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

    # Positions

    def position_domains(self, corpus: str) -> list[str]:
        """The domains whose full windows are counted by position, in the order of their names."""
        return sorted(self.config["corpora"][corpus].get("positions", []))

    def counts_positions(self, model: str) -> bool:
        """Whether a model's corpus names any such domain."""
        return bool(self.position_domains(self.corpus(model)))

    def text_wildcards(self, model: str) -> dict:
        """Which corpus a model reads, and how it is cut: the wildcards of its files."""
        return {"corpus": self.corpus(model), "tokenizer": self.tokenizer(model), "window": str(self.window(model))}

    def full_windows(self, model: str) -> str:
        """The file that says how many full windows each of these domains has."""
        return f"{token_folder(**self.text_wildcards(model))}/full_windows.json"

    def all_have_full_windows(self, found: str) -> bool:
        """Whether each of the domains in that file has one."""
        return all(read_full_windows(Path(found)).values())

    def position_text(self, wildcards) -> list[str]:
        """The shards of windows of these domains of a corpus."""
        folder = token_folder(wildcards.corpus, wildcards.tokenizer, wildcards.window)
        named = self.position_domains(wildcards.corpus)
        domains = [domain for domain in self.domains(wildcards.corpus) if domain.name in named]
        return [f"{folder}/{domain.part}/{domain.name}/{shard}.parquet" for domain in domains for shard in range(self.shards(domain))]
