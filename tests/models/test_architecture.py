import json
import subprocess
import sys
from typing import Any

import pytest

from models_made import random_opt
from neuroncensus.errors import CensusError
from neuroncensus.models.architecture import Architecture, expected_tensors, read_architecture, read_config

SMALL: dict[str, Any] = {
    "model_type": "opt",
    "hidden_size": 32,
    "ffn_dim": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "vocab_size": 50,
    "max_position_embeddings": 16,
}


def test_defaults_are_those_of_opt():
    assert read_architecture(SMALL, "here") == Architecture(
        family="opt",
        n_layers=2,
        d=32,
        ffn=64,
        heads=4,
        vocabulary=50,
        positions=16,
        activation="relu",
        embedding_width=32,
        pre_layer_norm=True,
        final_layer_norm=True,
        tied=True,
        bias=True,
        affine=True,
        bos=2,
    )


def test_the_odd_size_has_projections_and_no_final_layer_norm():
    odd = read_architecture(SMALL | {"word_embed_proj_dim": 16, "do_layer_norm_before": False}, "here")
    assert (odd.embedding_width, odd.pre_layer_norm, odd.final_layer_norm) == (16, False, False)
    early = read_architecture(SMALL | {"_remove_final_layer_norm": True}, "here")
    assert (early.pre_layer_norm, early.final_layer_norm) == (True, False)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"tie_word_embeddings": False},
        {"do_layer_norm_before": False, "word_embed_proj_dim": 16},
        {"tie_word_embeddings": False, "word_embed_proj_dim": 16},
        {"enable_bias": False},
        {"layer_norm_elementwise_affine": False},
        {"_remove_final_layer_norm": True},
        {"activation_function": "relu2"},
    ],
)
def test_expected_tensors_are_those_of_transformers(changes):
    config = random_opt(layers=2, vocab=50, positions=16).config.to_dict() | changes
    model = type(random_opt())(type(random_opt().config).from_dict(config))
    shapes = {name.removeprefix("model.decoder."): tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    if config["tie_word_embeddings"]:
        del shapes["lm_head.weight"]
    written = json.loads(model.config.to_json_string())
    assert expected_tensors(read_architecture(written, "here")) == shapes


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"model_type": "llama"}, "here has model_type 'llama'.*this version reads OPT"),
        ({"model_type": None}, "model_type None.*this version reads OPT"),
        ({"activation_function": "gelu"}, "activation_function 'gelu'.*zeros are not exact"),
        ({"activation_function": "silu"}, "'silu'.*zeros are not exact"),
        ({"activation_function": ["relu"]}, "zeros are not exact"),
        ({"activation_function": None}, "activation_function None.*zeros are not exact"),
        ({"model_type": "llama", "hidden_act": "silu"}, "here has hidden_act 'silu', an activation whose zeros are not exact"),
        ({"model_type": "gpt2", "activation_function": "gelu_new"}, "here has activation_function 'gelu_new', an activation whose"),
        (
            {"model_type": "gemma", "hidden_act": None, "hidden_activation": "gelu_pytorch_tanh"},
            "has hidden_activation 'gelu_pytorch_tanh'",
        ),
        ({"model_type": "llama", "hidden_act": "relu", "hidden_activation": None}, "here has model_type 'llama'.*this version reads OPT"),
        ({"hidden_size": 30}, "hidden_size 30.*num_attention_heads 4"),
        ({"ffn_dim": 0}, "ffn_dim 0.*positive integer"),
        ({"ffn_dim": -4}, "ffn_dim -4.*positive integer"),
        ({"ffn_dim": 64.0}, r"ffn_dim 64\.0.*positive integer"),
        ({"vocab_size": "50"}, "vocab_size '50'.*positive integer"),
        ({"num_hidden_layers": True}, "num_hidden_layers True.*positive integer"),
        ({"max_position_embeddings": None}, "max_position_embeddings None.*positive integer"),
        ({"word_embed_proj_dim": -1}, "word_embed_proj_dim -1.*positive integer"),
        ({"do_layer_norm_before": "yes"}, "do_layer_norm_before 'yes'.*true or false"),
        ({"bos_token_id": 50}, "bos_token_id 50.*vocab_size 50"),
        ({"bos_token_id": None}, "bos_token_id None.*vocab_size 50"),
    ],
)
def test_refused_values_are_quoted(changes, words):
    with pytest.raises(CensusError, match=words):
        read_architecture(SMALL | changes, "here")


@pytest.mark.parametrize("key", sorted(SMALL))
def test_a_missing_key_is_named(key):
    config = {name: value for name, value in SMALL.items() if name != key}
    with pytest.raises(CensusError, match=f"here has.* {key}"):
        read_architecture(config, "here")


def test_a_key_of_other_models_says_nothing_of_opt():
    assert read_architecture(SMALL | {"hidden_act": "gelu"}, "here").activation == "relu"


def test_null_projection_width_means_the_hidden_size():
    assert read_architecture(SMALL | {"word_embed_proj_dim": None}, "here").embedding_width == 32


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "config.json is missing"),
        (b'{\n"a": 1,\n]', r"config.json:3 is broken JSON"),
        (b"", r"config.json:1 is broken JSON"),
        (b"[1]", "holds a JSON list, not an object"),
        (b"\xff\xfe{}", "not JSON in UTF-8"),
        (b'{"auto_map": {"AutoModel": "code.Model"}}', "needs code of its own is refused"),
        (b'{"quantization_config": {"bits": 4}}', "quantization_config.*quantized weights are refused"),
    ],
)
def test_refused_config_files(tmp_path, content, words):
    if content is not None:
        (tmp_path / "config.json").write_bytes(content)
    with pytest.raises(CensusError, match=words):
        read_config(tmp_path)


def test_config_that_is_a_folder(tmp_path):
    (tmp_path / "config.json").mkdir()
    with pytest.raises(CensusError, match=r"config\.json cannot be read"):
        read_config(tmp_path)


def test_architecture_does_not_import_torch():
    code = "import sys, neuroncensus.models.architecture; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
