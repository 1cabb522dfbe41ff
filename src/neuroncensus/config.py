"""The configuration, checked whole before any job runs.

The JSON schema (config/schemas/config.schema.yaml) says which keys there are and what they may hold; this
module turns its verdicts into one sentence and checks what a schema cannot: that names refer to something.
"""

import difflib
import itertools
import json
import math
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator, ValidationError, validators

from neuroncensus.errors import CensusError
from neuroncensus.hub.places import HUB_ID, RECORD_FORMATS, check_files

TEXT_KINDS = ("path", "hub", "installed")
MODEL_KINDS = ("source", "train")
# What the models of the other kind do not read.
SOURCE_KEYS = ("revision", "window", "files", "architecture", "bytes", "checksums")
TRAIN_KEYS = ("positions", "step")
# Parts of a corpus that may be absent, but not empty.
ABSENT_NOT_EMPTY = ("extra", "positions")


def _is_integer(_checker, value) -> bool:
    # JSON Schema takes 1.0 for an integer; a count written with a point is a slip of the user's.
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(_checker, value) -> bool:
    # YAML's .nan would pass every bound.
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


_types = Draft202012Validator.TYPE_CHECKER.redefine_many({"integer": _is_integer, "number": _is_number})
_Validator = validators.extend(Draft202012Validator, type_checker=_types)

_TYPES = {
    "integer": "a whole number",
    "number": "a number",
    "string": "a text",
    "boolean": "true or false",
    "array": "a list",
    "object": "a mapping",
    "null": "null",
}


def dotted(path: Iterable) -> str:
    """`corpora.mine.core.prose.tokens`: a place in the configuration as messages write it."""
    return ".".join(str(part) for part in path) or "the configuration"


def suggestion(name: str, known: Iterable[str]) -> str:
    """What could have been meant, for the end of a sentence about an unknown name."""
    known = sorted(set(known))
    close = difflib.get_close_matches(name, known, n=1)
    if close:
        return f"did you mean {close[0]}?"
    return f"known: {', '.join(known)}" if known else "there are none"


def _shown(value) -> str:
    """A value as YAML would show it, cut where it is long."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 80 else text[:77] + "..."


def _plain(pattern: str) -> str:
    """A pattern of the schema without its anchors."""
    return pattern.removeprefix("^").removesuffix("$").removesuffix(r"(?!\n)")


def _problem(error: ValidationError) -> str:
    place, rule = dotted(error.absolute_path), error.validator
    asked: Any = error.validator_value
    instance: Any = error.instance
    schema: Any = error.schema
    if rule == "additionalProperties":
        known = schema["properties"]
        key = next(key for key in instance if key not in known)
        return f"unknown key {dotted([*error.absolute_path, key])}: {suggestion(str(key), known)}"
    if rule == "required":
        key = next(key for key in asked if key not in instance)
        return f"{place} lacks the key {key}: add it"
    if rule == "type" and "propertyNames" in error.absolute_schema_path:
        return f"name {_shown(error.instance)} in {place} is not a text: put it in quotes"
    if rule == "type":
        wanted = " or ".join(_TYPES[kind] for kind in ([asked] if isinstance(asked, str) else asked))
        return f"{place} is {_shown(error.instance)} but must be {wanted}"
    if rule == "enum":
        allowed = ", ".join(str(value) for value in asked)
        return f"{place} is {_shown(error.instance)} but must be one of {allowed}"
    if rule == "pattern" and "propertyNames" in error.absolute_schema_path:
        return f"name {_shown(error.instance)} in {place} must match {_plain(asked)}: rename it"
    if rule == "pattern":
        return f"{place} is {_shown(error.instance)} but must match {_plain(asked)}"
    if rule == "not":
        return f"name {_shown(error.instance)} in {place} is reserved: rename it"
    bounds = {
        "minimum": "at least",
        "maximum": "at most",
        "exclusiveMinimum": "above",
        "exclusiveMaximum": "below",
        "minItems": "a list of at least this length:",
        "minProperties": "a mapping of at least this many keys:",
    }
    if rule in bounds:
        advice = ": leave the key out" if place.split(".")[-1] in ABSENT_NOT_EMPTY and not instance else ""
        return f"{place} is {_shown(error.instance)} but must be {bounds[rule]} {asked}{advice}"
    return f"{place} is {_shown(error.instance)}: {error.message}"


@cache
def _validator(schema: Path) -> Any:
    return _Validator(yaml.safe_load(schema.read_text(encoding="utf-8")))


def check_schema(config: dict, schema: Path) -> None:
    errors = list(_validator(schema).iter_errors(config))
    if errors:
        # Unknown keys first: a mistyped key often makes another one seem to be missing.
        first = min(errors, key=lambda e: (e.validator != "additionalProperties", [str(part) for part in e.absolute_path]))
        raise CensusError(_problem(first))


def require_known(place: str, name: str, what: str, known: Iterable[str]) -> None:
    known = list(known)
    if name not in known:
        raise CensusError(f"{place} names the unknown {what} {name}: {suggestion(name, known)}")


def check_exactly_one(place: str, entry: dict, kinds: tuple[str, ...]) -> None:
    given = [kind for kind in kinds if kind in entry]
    if len(given) != 1:
        found = f"has {' and '.join(given)}" if given else "has none of them"
        raise CensusError(f"{place} must have exactly one of {', '.join(kinds)} but {found}")


def texts_of(config: dict) -> Iterator[tuple[str, dict]]:
    """(place in the configuration, text source) of every text source."""
    for name, corpus in config["corpora"].items():
        for part in ("core", "extra"):
            for domain, text in corpus.get(part, {}).items():
                yield f"corpora.{name}.{part}.{domain}", text
    for name, recipe in config["training"].items():
        for part in ("text", "held_out"):
            for domain, text in recipe[part].items():
                yield f"training.{name}.{part}.{domain}", text


def _check_hub(place: str, text: dict) -> None:
    if not HUB_ID.fullmatch(text["hub"]):
        raise CensusError(f"{place}.hub is {text['hub']}, which is no id of a data set, of the form org/name: correct it")
    if "files" not in text:
        raise CensusError(f"{place} lacks the key files: add the files of {text['hub']}, in the order in which they are to be read")
    check_files(text["files"], f"{place}.files", folders=True)
    for name in text["files"]:
        if not name.endswith(RECORD_FORMATS):
            raise CensusError(f"{place}.files has {name}, whose format is not read: take files that end in {', '.join(RECORD_FORMATS)}")


def _check_text(place: str, text: dict) -> None:
    check_exactly_one(place, text, TEXT_KINDS)
    if "installed" in text and "split" not in text:
        raise CensusError(f"{place} lacks the key split: add split: train or split: held_out")
    if "hub" in text:
        _check_hub(place, text)
    allowed = {"path": {"field"}, "hub": {"field", "files", "revision", "where", "drop"}, "installed": {"split"}}
    kind = next(kind for kind in TEXT_KINDS if kind in text)
    for key in text:
        if key not in allowed[kind] | {kind, "tokens"}:
            raise CensusError(f"unknown key {place}.{key}: a text source with {kind} does not read it")


def _check_corpus(name: str, corpus: dict) -> None:
    core, extra = corpus["core"], corpus.get("extra", {})
    for domain in corpus.get("positions", []):
        require_known(f"corpora.{name}.positions", domain, "domain", [*core, *extra])
        if domain == "all":  # what profiles.parquet calls them together
            raise CensusError(f"corpora.{name}.positions names the domain all, which is what all of them are called together: rename it")
    for domain in extra:
        if domain in core:
            same = [{"field": "text"} | part[domain] | {"tokens": None} for part in (core, extra)]
            if same[0] != same[1]:
                raise CensusError(
                    f"corpora.{name}.extra.{domain} differs from corpora.{name}.core.{domain} in more than tokens: "
                    "a domain in both parts is one source, read once"
                )


def _check_model(name: str, model: dict, config: dict) -> None:
    place = f"models.{name}"
    check_exactly_one(place, model, MODEL_KINDS)
    require_known(f"{place}.corpus", model.get("corpus", config["corpus"]), "corpus", config["corpora"])
    check_files(model.get("files", ()), f"{place}.files", folders=False)
    if "tokenizer" in model:
        require_known(f"{place}.tokenizer", model["tokenizer"], "tokenizer", config["tokenizers"])
    kind, others = ("source", SOURCE_KEYS) if "train" in model else ("train", TRAIN_KEYS)
    for key in others:
        if key in model:
            raise CensusError(f"unknown key {place}.{key}: only a model with {kind} reads it")
    if "train" not in model:
        return
    require_known(f"{place}.train", model["train"], "recipe", config["training"])
    checkpoints = config["training"][model["train"]]["checkpoints"]
    if model.get("step", checkpoints[-1]) not in checkpoints:
        raise CensusError(f"{place}.step is {model['step']} but training.{model['train']}.checkpoints are {checkpoints}: name one of them")


def _check_recipe(name: str, recipe: dict) -> None:
    place, steps, sizes = f"training.{name}", recipe["steps"], recipe["architecture"]
    if sorted(recipe["checkpoints"]) != recipe["checkpoints"] or recipe["checkpoints"][-1] != steps:
        raise CensusError(f"{place}.checkpoints is {recipe['checkpoints']} but must rise and end with {place}.steps, {steps}")
    if sizes["hidden_size"] % sizes["num_attention_heads"]:
        raise CensusError(
            f"{place}.architecture.hidden_size is {sizes['hidden_size']}, "
            f"not a multiple of num_attention_heads, {sizes['num_attention_heads']}"
        )


def check_config(config: dict, schema: Path) -> None:
    """Check the merged configuration.

    Args:
        config: defaults with the user's file merged over them.
        schema: config/schemas/config.schema.yaml.

    Raises:
        CensusError: the first problem, with the key as written.
    """
    check_schema(config, schema)
    for place, text in texts_of(config):
        _check_text(place, text)
        if place.startswith("training.") and "tokens" in text:
            raise CensusError(f"unknown key {place}.tokens: training reads the whole text, over and over")
    for name, corpus in config["corpora"].items():
        _check_corpus(name, corpus)
    for name, tokenizer in config["tokenizers"].items():
        check_files(tokenizer.get("files", ()), f"tokenizers.{name}.files", folders=False)
    for name, recipe in config["training"].items():
        _check_recipe(name, recipe)
    require_known("corpus", config["corpus"], "corpus", config["corpora"])
    for name, model in config["models"].items():
        _check_model(name, model, config)
    for place, models in [("run.models", config["run"]["models"]), *((f"groups.{g}", m) for g, m in config["groups"].items())]:
        for model in models:
            require_known(place, model, "model", config["models"])
    lengths, covering = config["coverage"]["n"], config["detectors"]["covering"]
    if len(lengths) != len(covering):
        raise CensusError(
            f"detectors.covering has {len(covering)} numbers but coverage.n has {len(lengths)}: give one for each n of {lengths}"
        )
    edges = config["coverage"]["edges"]
    if any(low >= high for low, high in itertools.pairwise(edges)):
        raise CensusError(f"coverage.edges is {edges} but must rise")
    if config["positional"]["strong"] > config["positional"]["weak"]:
        raise CensusError(
            f"positional.strong is {config['positional']['strong']} but must be at most positional.weak, {config['positional']['weak']}"
        )
