"""Shapes and settings to price."""

from neuroncensus.models.architecture import Architecture, read_architecture
from neuroncensus.report.terms import Domain, Rate, Settings

OPT_66B = {
    "model_type": "opt",
    "hidden_size": 9216,
    "ffn_dim": 36864,
    "num_hidden_layers": 64,
    "num_attention_heads": 72,
    "max_position_embeddings": 2048,
    "vocab_size": 50272,
    "torch_dtype": "float16",
}
BIG = read_architecture(OPT_66B, "66b")
SETTINGS = Settings(
    model="opt",
    corpus="paper",
    device="cpu",
    dtype="float16",
    shard_tokens=1_000_000,
    batch_tokens=16384,
    stages=2,
    skip_silent=True,
    keep_hidden=False,
    n=(1, 2, 3),
    layers="first_half",
    rotation_null=True,
    most=500,
    stored="float16",
    origin="folder",
    ablation_detectors=10,
    ablation_contexts=5,
    ablation_matched=10,
)
RATE = Rate(7.9e14, "cuda, float16")
TEXT = [
    Domain("core", "prose", 15_000_000, 15, positions=True),
    Domain("extra", "prose", 4_500_000, 5, positions=True),
    Domain("extra", "code", 500_000, 1),
]


def small(**changed) -> Architecture:
    """Five layers of width 32 with 96 neurons each."""
    config = {
        "model_type": "opt",
        "hidden_size": 32,
        "ffn_dim": 96,
        "num_hidden_layers": 5,
        "num_attention_heads": 4,
        "max_position_embeddings": 24,
        "vocab_size": 64,
    }
    return read_architecture(config | changed, "small")


def parts(memory) -> dict[str, int]:
    """Bytes of each part of a memory by its name."""
    return {part.name: part.bytes for part in memory.parts}
