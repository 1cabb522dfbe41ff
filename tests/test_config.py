"""The configuration: defaults and schema agree, and whatever is wrong is told in one sentence."""

import copy
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from neuroncensus.config import check_config
from neuroncensus.errors import CensusError

PROJECT = Path(__file__).parents[1]
SCHEMA = PROJECT / "config" / "schemas" / "config.schema.yaml"
RULES = yaml.safe_load(SCHEMA.read_text(encoding="utf-8"))


FILES = [yaml.safe_load((PROJECT / "config" / f"{name}.yaml").read_text(encoding="utf-8")) for name in ("config", "models", "corpora")]


def defaults() -> dict:
    return copy.deepcopy(FILES[0] | FILES[1] | FILES[2])


def user_config() -> dict:
    """The defaults, and one entry of every kind that a user may write."""
    config = defaults()
    config["tokenizers"]["shared"] = {"source": "tokenizer"}
    config["models"] |= {"mine": {"source": "m", "corpus": "text"}, "own": {"train": "nano", "step": 6000, "positions": False}}
    prose = {"path": "*.jsonl", "tokens": 10}
    config["corpora"]["text"] = {"window": 8, "core": {"prose": prose}, "extra": {"prose": prose | {"tokens": 5}}, "positions": ["prose"]}
    config["groups"]["pair"] = ["mine", "own"]
    return config


def put(config: dict, path: str, value: object) -> dict:
    """A copy with `value` at a place; `...` takes the key out."""
    config = copy.deepcopy(config)
    *parents, last = path.split("/")
    place: Any = config
    for key in parents:
        place = place[key]
    if value is ...:
        del place[last]
    else:
        place[last] = value
    return config


def resolved(schema: dict) -> dict:
    """A subschema with what it refers to; its own words win."""
    if "$ref" in schema:
        schema = resolved(RULES["$defs"][schema["$ref"].removeprefix("#/$defs/")]) | schema
    for part in schema.get("allOf", []):
        schema = resolved(part) | schema
    return schema


def properties(schema: dict, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], dict, dict]]:
    """(place, as written, resolved) of every property; `*` stands for names that users choose."""
    schema = resolved(schema)
    for key, written in schema.get("properties", {}).items():
        yield (*path, key), written, resolved(written)
        yield from properties(written, (*path, key))
    if isinstance(schema.get("additionalProperties"), dict):
        yield from properties(schema["additionalProperties"], (*path, "*"))


def test_the_defaults_pass():
    check_config(defaults(), SCHEMA)
    check_config(user_config(), SCHEMA)


def test_defaults_of_the_schema_are_those_of_the_files():
    found = defaults()
    for path, _, rule in properties(RULES):
        if "default" in rule and "*" not in path:
            value: Any = found
            for key in path:
                value = value[key]
            assert value == rule["default"], ".".join(path)


def test_every_leaf_of_the_files_is_in_the_schema_with_a_default_or_named_by_a_user():
    known = {path for path, _, _ in properties(RULES)}
    for section, content in defaults().items():
        assert (section,) in known
        if section not in ("groups", "tokenizers", "training", "models", "corpora") and isinstance(content, dict):
            assert {path for path in known if path[0] == section and len(path) == 2} == {(section, key) for key in content}


def test_every_property_is_described():
    assert not [".".join(path) for path, written, rule in properties(RULES) if not (written.get("description") or rule.get("description"))]


def test_every_object_refuses_unknown_keys():
    def objects(schema: Any) -> Iterator[dict]:
        if isinstance(schema, dict):
            if schema.get("type") == "object":
                yield schema
            for value in schema.values():
                yield from objects(value)

    assert not [schema for schema in objects(RULES) if "additionalProperties" not in schema]


@pytest.mark.parametrize(
    ("path", "value", "sentence"),
    [
        ("colect", {}, r"unknown key colect: did you mean collect\?"),
        ("collect/shard_token", 5, r"unknown key collect.shard_token: did you mean collect.shard_tokens\?|did you mean shard_tokens\?"),
        ("corpora/text/core/prose/feild", "x", r"unknown key corpora.text.core.prose.feild: did you mean field\?"),
        ("models/mine/sauce", "x", r"unknown key models.mine.sauce: did you mean source\?"),
        ("collect/shard_tokens", "1000", r'collect.shard_tokens is "1000" but must be a whole number'),
        ("collect/shard_tokens", 1e6, r"collect.shard_tokens is 1000000.0 but must be a whole number"),
        ("collect/shard_tokens", "1e6", r'collect.shard_tokens is "1e6" but must be a whole number'),
        ("collect/shard_tokens", True, r"collect.shard_tokens is true but must be a whole number"),
        ("collect/shard_tokens", 0, r"collect.shard_tokens is 0 but must be at least 1"),
        ("collect/threads", -1, r"collect.threads is -1 but must be at least 1"),
        ("collect/stages", None, r"collect.stages is null but must be a whole number"),
        ("collect/keep_hidden", "yes", r'collect.keep_hidden is "yes" but must be true or false'),
        ("collect", None, r"collect is null but must be a mapping"),
        ("collect", ["threads"], r'collect is \["threads"\] but must be a mapping'),
        ("run", None, r"run is null but must be a mapping"),
        ("run/models", None, r"run.models is null but must be a list"),
        ("run/models", "mine", r'run.models is "mine" but must be a list'),
        ("run/models", ["mien"], r"run.models names the unknown model mien: did you mean mine\?"),
        ("run/models", [125], r"run.models.0 is 125 but must be a text"),
        ("run/models", ["mine", "mine"], r"run.models is .*mine.*mine"),
        ("run/models", ..., r"run lacks the key models: add it"),
        ("groups/pair", ["mine", "yours"], r"groups.pair names the unknown model yours"),
        ("groups/pair", [], r"groups.pair is \[\] but must be a list of at least this length: 1"),
        ("corpus", "tixt", r"corpus names the unknown corpus tixt: did you mean text\?"),
        ("corpus", ..., r"the configuration lacks the key corpus: add it"),
        ("device", "gpu", r'device is "gpu" but must be one of auto, cpu, cuda'),
        ("dtype", "float64", r'dtype is "float64" but must be one of auto, float32, bfloat16, float16'),
        ("dtype", 16, r"dtype is 16 but must be one of auto"),
        ("models", None, r"models is null but must be a mapping"),
        ("models/mine", None, r"models.mine is null but must be a mapping"),
        ("models/mine", "folder", r'models.mine is "folder" but must be a mapping'),
        ("models/mine", {}, r"models.mine must have exactly one of source, train but has none of them"),
        ("models/mine/train", "nano", r"models.mine must have exactly one of source, train but has source and train"),
        ("models/mine/source", "", r'models.mine.source is ""'),
        ("models/mine/source", 7, r"models.mine.source is 7 but must be a text"),
        ("models/mine/corpus", "none", r"models.mine.corpus names the unknown corpus none"),
        ("models/mine/tokenizer", "share", r"models.mine.tokenizer names the unknown tokenizer share: did you mean shared\?"),
        ("models/mine/positions", False, r"unknown key models.mine.positions: only a model with train reads it"),
        ("models/own/revision", None, r"unknown key models.own.revision: only a model with source reads it"),
        ("models/own/window", 8, r"unknown key models.own.window: only a model with source reads it"),
        ("models/own/files", ["a"], r"unknown key models.own.files: only a model with source reads it"),
        ("models/own/checksums", {}, r"unknown key models.own.checksums: only a model with source reads it"),
        ("models/own/step", 7, r"models.own.step is 7 but training.nano.checkpoints are \[6000, 12000, 24000\]"),
        ("models/own/train", "nono", r"models.own.train names the unknown recipe nono: known: nano"),
        ("models/groups", {"source": "x"}, r'name "groups" in models is reserved: rename it'),
        ("groups/groups", ["mine"], r'name "groups" in groups is reserved: rename it'),
        ("corpora/groups", {"core": {"a": {"path": "x", "tokens": 1}}}, r'name "groups" in corpora is reserved: rename it'),
        ("corpora/text/core/groups", {"path": "x", "tokens": 1}, r'name "groups" in corpora.text.core is reserved: rename it'),
        ("tokenizers/groups", {"source": "x"}, r'name "groups" in tokenizers is reserved: rename it'),
        ("training/groups", {}, r'name "groups" in training is reserved: rename it'),
        ("models/mine/corpus", "groups", r'name "groups" in models.mine.corpus is reserved: rename it'),
        ("models/a b", {"source": "x"}, r'name "a b" in models must match \[A-Za-z0-9\]\[A-Za-z0-9._-\]\*: rename it$'),
        ("run/models", ["a b"], r'run.models.0 is "a b" but must match \[A-Za-z0-9\]\[A-Za-z0-9._-\]\*$'),
        ("models/-x", {"source": "x"}, r'name "-x" in models must match'),
        ("models/.x", {"source": "x"}, r'name ".x" in models must match'),
        ("models/x\n", {"source": "x"}, r'name "x\\n" in models must match'),
        ("models/mine/checksums", {"model.safetensors": "12"}, r"checksums.model.safetensors is \"12\" but must match \[0-9a-f\]\{64\}$"),
        ("tokenizers/shared/source", ..., r"tokenizers.shared lacks the key source: add it"),
        ("corpora/text", None, r"corpora.text is null but must be a mapping"),
        ("corpora/text/core", ..., r"corpora.text lacks the key core: add it"),
        ("corpora/text/core", {}, r"corpora.text.core is \{\} but must be a mapping of at least this many keys: 1"),
        ("corpora/text/extra", {}, r"corpora.text.extra is \{\} but must be a mapping of at least this many keys: 1: leave the key out$"),
        ("corpora/text/positions", [], r"corpora.text.positions is \[\] but must be a list of at least this length: 1: leave the key out$"),
        ("corpora/text/core", [], r"corpora.text.core is \[\] but must be a mapping"),
        ("corpora/text/core/prose", None, r"corpora.text.core.prose is null but must be a mapping"),
        ("corpora/text/core/prose/tokens", ..., r"corpora.text.core.prose lacks the key tokens: add it"),
        ("corpora/text/core/prose/tokens", 1e6, r"corpora.text.core.prose.tokens is 1000000.0 but must be a whole number"),
        ("corpora/text/core/prose/tokens", 0, r"corpora.text.core.prose.tokens is 0 but must be at least 1"),
        ("corpora/text/core/prose/path", ..., r"corpora.text.core.prose must have exactly one of path, hub, installed but has none"),
        (
            "corpora/text/core/prose/hub",
            "a/b",
            r"corpora.text.core.prose must have exactly one of path, hub, installed but has path and hub",
        ),
        ("corpora/text/core/prose/split", "train", r"unknown key corpora.text.core.prose.split: a text source with path does not read it"),
        ("corpora/text/extra/prose/path", "b", r"corpora.text.extra.prose differs from corpora.text.core.prose in more than tokens"),
        (
            "corpora/text",
            {"core": {"all": {"path": "*", "tokens": 9}}, "positions": ["all"]},
            "corpora.text.positions names the domain all, which",
        ),
        ("corpora/text/positions", ["pros"], r"corpora.text.positions names the unknown domain pros: did you mean prose\?"),
        ("corpora/text/window", 1, r"corpora.text.window is 1 but must be at least 2"),
        ("corpora/text/windows", "last", r'corpora.text.windows is "last" but must be one of all, first'),
        ("corpora/demo/core/code/split", ..., r"corpora.demo.core.code lacks the key split: add split: train or split: held_out"),
        ("coverage/share", 0, r"coverage.share is 0 but must be above 0"),
        ("coverage/share", 1.5, r"coverage.share is 1.5 but must be at most 1"),
        ("coverage/share", float("nan"), r"coverage.share is NaN"),
        ("coverage/n", [1, 6], r"coverage.n.1 is 6 but must be at most 5"),
        ("coverage/n", [1], r"detectors.covering has 3 numbers but coverage.n has 1: give one for each n of \[1\]"),
        ("coverage/edges", [5, 5], r"coverage.edges is \[5, 5\] but must rise"),
        ("positional/weak", 0.5, r"positional.weak is 0.5 but must be below 0.5"),
        ("positional/strong", 0.2, r"positional.strong is 0.2 but must be at most positional.weak, 0.1"),
        ("figures/columns", 3, r"figures.columns is 3 but must be one of 1, 2"),
        ("training/nano/checkpoints", [5], r"training.nano.checkpoints is \[5\] but must rise and end with training.nano.steps, 24000"),
        ("training/nano/architecture/num_attention_heads", 3, r"training.nano.architecture.hidden_size is 128, not a multiple of"),
        ("training/nano/seed", ..., r"training.nano lacks the key seed: add it"),
    ],
)
def test_what_is_wrong_is_told_in_one_sentence(path, value, sentence):
    with pytest.raises(CensusError, match=sentence) as told:
        check_config(put(user_config(), path, value), SCHEMA)
    assert "\n" not in str(told.value) and len(str(told.value)) < 400


@pytest.mark.parametrize(("name", "section"), [(125, "models"), (1.3, "models"), (True, "corpora"), (None, "groups")])
def test_names_that_yaml_reads_as_something_else_are_told(name, section):
    config = user_config()
    config[section][name] = next(iter(config[section].values()), ["mine"])
    with pytest.raises(CensusError, match=r"name .* is not a text: put it in quotes"):
        check_config(config, SCHEMA)


def test_an_unknown_key_is_told_before_what_it_makes_missing():
    with pytest.raises(CensusError, match=r"unknown key corpora.text.cores: did you mean core\?"):
        check_config(put(put(user_config(), "corpora/text/core", ...), "corpora/text/cores", {}), SCHEMA)


def places(value: Any, path: tuple = ()) -> Iterator[tuple]:
    """Every place in a configuration, lists' items included."""
    if path:
        yield path
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from places(inner, (*path, key))


ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**20), 10**20),
    st.floats(),
    st.text(max_size=5),
    st.dates(),
    st.lists(st.one_of(st.none(), st.integers(), st.text(max_size=3)), max_size=3),
    st.dictionaries(st.one_of(st.text(max_size=3), st.integers(), st.none()), st.integers(), max_size=2),
    st.sampled_from(["mine", "text", "nano", "demo", "auto", {"path": "x", "tokens": 1}, ["mine"]]),
)


@given(place=st.sampled_from(list(places(user_config()))), value=ODD, rename=st.booleans())
def test_any_one_corruption_passes_or_is_told(place, value, rename):
    config = user_config()
    parent: Any = config
    for key in place[:-1]:
        parent = parent[key]
    if rename and isinstance(parent, dict) and not isinstance(value, (list, dict)):
        parent[value] = parent.pop(place[-1])
    else:
        parent[place[-1]] = value
    try:
        check_config(config, SCHEMA)
    except CensusError as told:
        assert "\n" not in str(told) and re.match(r"\S", str(told))
