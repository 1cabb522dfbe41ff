"""Where models, tokenizers and training texts come from: names of the configuration to files."""

from collections.abc import Iterable
from pathlib import Path

from neuroncensus.config import suggestion
from neuroncensus.corpora.sources import source_files
from neuroncensus.errors import CensusError
from neuroncensus.hub.places import TOKENIZER_FILES
from neuroncensus.hubsources import HubSources
from neuroncensus.models.architecture import CONFIG, Architecture, read_architecture, read_config, read_json

WEIGHT_SUFFIXES = (".safetensors", ".bin", ".index.json")


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


class ModelSources(HubSources):
    """The models, recipes and tokenizers of a checked configuration."""

    # Models

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
            return f"{self.training_folder(model)}/step-{self.training_step(model)}"
        folder = self._folder(entry["source"], self._is_default("models", model, entry), f"models.{model}.source")
        return self.hub_source(f"models/{model}").folder if folder is None else folder

    def training_folder(self, model: str) -> str:
        """Where the training run of a model leaves its checkpoints."""
        entry = self.model_entry(model)
        return f"resources/training/{entry['train']}/{'positions' if entry.get('positions', True) else 'nopos'}/checkpoints"

    def training_step(self, model: str) -> int:
        """The step of its training run that a model is the checkpoint of."""
        entry = self.model_entry(model)
        return entry.get("step", self.config["training"][entry["train"]]["checkpoints"][-1])

    def model_source(self, model: str) -> str:
        """A model's source as the configuration writes it."""
        entry = self.model_entry(model)
        return entry["source"] if "source" in entry else f"training.{entry['train']}"

    def check_source(self, model: str) -> None:
        """Refuse what only a Hub model reads.

        What the project's own model of that name has is let through: its source may be set to a folder.

        Raises:
            CensusError: the model is a folder, and such a key is set.
        """
        entry, default = self.model_entry(model), self._defaults["models"].get(model, {})
        for key in ("window", "files", "architecture", "bytes"):
            if key in entry and entry[key] != default.get(key) and self.model_origin(model) == "folder":
                raise CensusError(
                    f"models.{model}.{key} is read of a Hub model only, and source {entry['source']} is a folder: leave the key out"
                )

    def model_files(self, model: str) -> list[str]:
        """What the description of a model depends on: its files, or the training run or download that makes them."""
        origin = self.model_origin(model)
        if origin == "training":
            return [self.training_folder(model)]
        folder = Path(self.model_folder(model))
        if origin == "folder":
            return plain_names(str(file) for file in sorted(folder.iterdir()) if file.name == CONFIG or file.name.endswith(WEIGHT_SUFFIXES))
        source = self.hub_source(f"models/{model}")
        if not source.files:
            return [source.folder]
        wanted = [name for name in source.files if name == CONFIG or name.endswith(WEIGHT_SUFFIXES)]
        if CONFIG not in wanted or len(wanted) == 1:
            raise CensusError(f"models.{model}.files must have {CONFIG} and the files of the weights: add them")
        return source.paths(wanted)

    def model_positions(self, model: str) -> int | None:
        """Positions that a model has: the longest window it can be fed; None of a Hub model that is not known yet."""
        entry, origin = self.model_entry(model), self.model_origin(model)
        if origin == "training":
            return self.config["training"][entry["train"]]["architecture"]["max_position_embeddings"]
        if origin == "hub" and "architecture" in entry:
            return entry["architecture"]["max_position_embeddings"]
        file = Path(self.model_folder(model)) / CONFIG
        if origin == "hub" and not file.exists():
            return entry.get("window")
        if not file.exists():
            raise CensusError(f"models.{model}.source, {entry['source']}, has no config.json: name a folder in Hugging Face layout")
        positions = read_json(file).get("max_position_embeddings")
        if type(positions) is not int or positions < 2:
            # Models that cannot be counted may have no such key: that they cannot is told first.
            read_architecture(read_config(file.parent), str(file))
            raise CensusError(
                f"max_position_embeddings of model {model} is {positions!r} but must be a whole number of at least 2: mend config.json"
            )
        return positions

    def corpus(self, model: str) -> str:
        """The corpus that a model is run on."""
        return self.model_entry(model).get("corpus", self.config["corpus"])

    def window(self, model: str) -> int:
        """Positions of a full window, T.

        Raises:
            CensusError: the corpus has none, and the model is on the Hub and not known yet.
        """
        corpus = self.corpus(model)
        window = self.config["corpora"][corpus].get("window") or self.model_positions(model)
        if window is None:
            raise CensusError(
                f"corpora.{corpus}.window is not set and the positions of Hub model {model} are not known before it is here: "
                f"set corpora.{corpus}.window, or models.{model}.window to the model's longest window"
            )
        return window

    def model_origin(self, model: str) -> str:
        """`training`, `hub` or `folder`: where a model's checkpoint comes from."""
        if "train" in self.model_entry(model):
            return "training"
        return "hub" if f"models/{model}" in self.hub_sources else "folder"

    def shape_is_known(self, model: str) -> bool:
        """Whether a model's shape can be told yet: of a Hub model that names none, once its config.json is here."""
        if self.model_origin(model) != "hub" or "architecture" in self.model_entry(model):
            return True
        return (Path(self.model_folder(model)) / CONFIG).exists()

    def model_architecture(self, model: str) -> tuple[Architecture, str]:
        """A model's shape and the dtype that it is stored in, from its config.json or recipe, no weight read.

        Raises:
            CensusError: config.json is missing, broken, or of a model that cannot be counted.
        """
        entry = self.model_entry(model)
        if "train" in entry:
            recipe = self.config["training"][entry["train"]]
            config = {"model_type": "opt", "vocab_size": recipe["vocabulary"], **recipe["architecture"]}
            return read_architecture(config, f"training.{entry['train']}"), "float16"
        folder = Path(self.model_folder(model))
        if self.model_origin(model) == "hub" and "architecture" in entry:
            config = {"model_type": "opt", **entry["architecture"]}
            return read_architecture(config, f"models.{model}.architecture"), config.get("torch_dtype", "float16")
        if not self.shape_is_known(model):
            raise CensusError(
                f"the shape of model {model} is not known before its config.json is here: set models.{model}.architecture, "
                f"or make results/{model}/model.json first"
            )
        config = read_config(folder)
        # Only a price hangs on it, and without the key transformers takes float32 too.
        stored = config.get("dtype") or config.get("torch_dtype")
        return read_architecture(config, str(folder / CONFIG)), stored if stored in ("float16", "bfloat16", "float64") else "float32"

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
        folder = self._folder(entry["source"], self._is_default("tokenizers", name, entry), f"tokenizers.{name}.source")
        return self.hub_source(tokenizer).folder if folder is None else folder

    def tokenizer_files(self, tokenizer: str) -> list[str]:
        """The files that tokenized text depends on."""
        kind, name = tokenizer.split("/")
        if kind == "models" and "train" in self.config["models"][name]:
            return [self.training_folder(name)]
        folder = Path(self.tokenizer_folder(tokenizer))
        if tokenizer not in self.hub_sources:
            return plain_names(str(folder / file) for file in TOKENIZER_FILES if (folder / file).is_file())
        source = self.hub_source(tokenizer)
        wanted = [file for file in TOKENIZER_FILES if file in source.files]
        if source.files and not wanted:
            raise CensusError(f"{source.entry}.files has no file of a tokenizer: add them, or name a tokenizer that models share")
        return source.paths(wanted) if source.files else [source.folder]
