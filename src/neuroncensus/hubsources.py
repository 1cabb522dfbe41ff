"""What a configuration wants from the Hugging Face Hub: its models, tokenizers and data sets, each one repository."""

from collections.abc import Iterable
from dataclasses import replace
from functools import cached_property
from pathlib import Path

import yaml

from neuroncensus.config import texts_of
from neuroncensus.errors import CensusError
from neuroncensus.hub.places import BRANCH, HUB_ID, LISTING, HubSource, data_folder, data_place
from neuroncensus.models.architecture import CONFIG

INDEX = ".index.json"


class HubSources:
    """The sources of a checked configuration that are no folder here.

    Args:
        config: the merged configuration.
        project: the folder of the Snakefile.
    """

    def __init__(self, config: dict, project: Path):
        self.config = config
        self.project = project

    def _in_project(self, place: str) -> str:
        """A place in the project, relative where that is the working directory, so that results can be moved."""
        return place if self.project.resolve() == Path.cwd().resolve() else str(self.project / place)

    def _folder(self, source: str, default: bool, where: str) -> str | None:
        """A source's folder: below the working directory, or the project for the project's own defaults; None of a Hub id."""
        if default and (self.project / source).is_dir():
            return self._in_project(source)
        if Path(source).is_dir():
            return source
        if HUB_ID.fullmatch(source) and not Path(source).exists():
            return None
        raise CensusError(f"{where} is {source}, which is neither a folder nor a Hub id of the form org/name: correct it")

    @cached_property
    def _defaults(self) -> dict:
        """The project's own models and tokenizers."""
        files = [yaml.safe_load((self.project / "config" / name).read_text(encoding="utf-8")) for name in ("config.yaml", "models.yaml")]
        return files[0] | files[1]

    def _is_default(self, key: str, name: str, entry: dict) -> bool:
        return self._defaults[key].get(name, {}).get("source") == entry["source"]

    def _on_hub(self, key: str) -> dict[str, dict]:
        """The entries of `models` or `tokenizers` whose source is a Hub id; one that is nothing is told when it is asked for."""
        named = {name: entry for name, entry in self.config[key].items() if HUB_ID.fullmatch(entry.get("source", ""))}
        return {
            name: entry
            for name, entry in named.items()
            if not Path(entry["source"]).exists() and self._folder(entry["source"], self._is_default(key, name, entry), "") is None
        }

    @cached_property
    def hub_sources(self) -> dict[str, HubSource]:
        """Every repository that the configuration names, by its place below resources/."""
        found = {}
        for key in ("models", "tokenizers"):
            for name, entry in self._on_hub(key).items():
                source = HubSource(f"{key}/{name}", "model", entry["source"], entry.get("revision") or BRANCH, f"{key}.{name}.source")
                files, architecture = tuple(entry.get("files", ())), tuple(entry.get("architecture", {}).items())
                chosen = {"weights": key == "models", "tokenizer": "tokenizer" not in entry}
                found[source.place] = replace(source, files=files, architecture=architecture, **chosen)
        for where, text in texts_of(self.config):
            if "hub" in text:
                revision = text.get("revision") or BRANCH
                source = HubSource(data_place(text["hub"], revision), "dataset", text["hub"], revision, f"{where}.hub")
                source = found.get(source.place, source)
                found[source.place] = replace(source, files=tuple(dict.fromkeys((*source.files, *text["files"]))))
        return found

    def hub_source(self, place: str) -> HubSource:
        """One repository, by its place."""
        return self.hub_sources[place]

    def hub_places(self, *, by_file: bool) -> list[str]:
        """The places whose files are targets, or those that are made in one job."""
        return [place for place, source in self.hub_sources.items() if bool(source.files) == by_file]

    def hub_files(self) -> list[str]:
        """Every file that is a target, by its name in its repository."""
        return sorted({name for source in self.hub_sources.values() for name in source.files})

    def shared_listing(self, place: str) -> list[str]:
        """The listing of the tokenizer that a Hub model shares, if that is from the Hub and its files are targets."""
        kind, name = place.split("/", 1)
        shared = self.config["models"][name].get("tokenizer") if kind == "models" else None
        source = self.hub_sources.get(f"tokenizers/{shared}")
        return [source.listing] if source and source.files else []

    def before_file(self, place: str, name: str) -> list[str]:
        """What is looked at before a file is fetched: of a model, its config and the index of its weights, which are small."""
        source = self.hub_source(place)
        small = [file for file in source.files if source.kind == "model" and (file == CONFIG or file.endswith(INDEX))]
        return source.paths([] if name in small or not source.weights else small)

    def model_listing(self, model: str) -> list[str]:
        """What says of which commit a Hub model is; nothing of any other."""
        source = self.hub_sources.get(f"models/{model}")
        return [] if source is None else [source.listing if source.files else source.folder]

    def text_listing(self, source: dict) -> list[str]:
        """What says of which commit a data set is; nothing of a text from elsewhere."""
        return [f"{data_folder(source)}/{LISTING}"] if "hub" in source else []

    def downloads(self, files: Iterable[str]) -> dict[str, int]:
        """How many jobs of each rule bring these files here, with the listings behind them; files from elsewhere cost none."""
        wanted = set(files)
        fetched = [source for source in self.hub_sources.values() if not source.files and source.folder in wanted]
        by_file = {source.place: wanted & set(source.paths()) for source in self.hub_sources.values() if source.files}
        listed = {self.hub_source(place).listing for place, names in by_file.items() if names} | {
            listing for place, names in by_file.items() if names for listing in self.shared_listing(place)
        }
        listed |= {listing for source in fetched for listing in self.shared_listing(source.place)}
        # Weights wait for the config and the index.
        small = {file for place, names in by_file.items() for path in names for file in self.before_file(place, self._name(place, path))}
        counts = {
            "list_files": len(listed),
            "download_file": len(small | {path for names in by_file.values() for path in names}),
            "download_repository": len(fetched),
        }
        return {rule: count for rule, count in counts.items() if count}

    def _name(self, place: str, path: str) -> str:
        return path.removeprefix(f"{self.hub_source(place).folder}/")
