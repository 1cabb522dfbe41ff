"""Schemas of what neurons write, of what zeroing them does, and of what more text would wake: part of `neuroncensus.tables`."""

import pyarrow

from neuroncensus.tablekinds import BOOL, FLOAT, INT, LAYER, NEURON, SHARES, TEXT, Table

IDS = pyarrow.list_(pyarrow.int32())

UPDATES = Table(
    "neuron",
    2,
    (
        LAYER,
        NEURON,
        ("norm", FLOAT, "length of its update, the neuron's column of the FFN's second matrix"),
        ("promoted", IDS, "tokens with the largest logits, the largest first, ties to the lower id"),
        ("promoted_logits", SHARES, "their logits: rows of the output embedding times the update"),
        ("suppressed", IDS, "tokens with the smallest logits, the smallest first, ties to the lower id"),
        ("suppressed_logits", SHARES, "their logits"),
        (
            "promoted_scaled",
            IDS,
            "`promoted` with the final LayerNorm's centring and gain; null, as the next three, without that LayerNorm",
        ),
        ("promoted_logits_scaled", SHARES, "their logits"),
        ("suppressed_scaled", IDS, "`suppressed` with the final LayerNorm's centring and gain"),
        ("suppressed_logits_scaled", SHARES, "their logits"),
        ("mean_logit", FLOAT, "mean logit of all tokens, which a centred logit lacks"),
        ("kurtosis", FLOAT, "excess kurtosis of the tokens' centred logits; null where they do not differ"),
        (
            "read_write_cosine",
            FLOAT,
            "cosine of its row of the first matrix, times the LayerNorm's gain, and its update; null if one is zero",
        ),
    ),
)

TRIGGER_UPDATES = Table(
    "token detector",
    2,
    (
        LAYER,
        NEURON,
        ("detected", INT, "tokens that it detects"),
        ("mean_logit", FLOAT, "mean logit of its update over the tokens that it detects"),
        ("mean_logit_scaled", FLOAT, "the same with the final LayerNorm's centring and gain; null without that LayerNorm"),
        ("mean_logit_centred", FLOAT, "mean logit over them less the mean over all tokens"),
        ("suppresses_trigger", BOOL, "mean logit over them is below 0"),
        ("all_suppressed", BOOL, "every detected token's logit is below 0"),
        ("suppresses_centred", BOOL, "mean logit over them less the mean over all tokens is below 0"),
        ("trigger_rank", FLOAT, "median over detected tokens of how many tokens have a smaller logit: 0 is the most suppressed"),
        (
            "null_suppresses",
            FLOAT,
            "of the layer's token detectors with other tokens: share whose mean logit is below 0; null if there is none",
        ),
        ("null_suppresses_centred", FLOAT, "the same of centred logits"),
    ),
)

ABLATION = Table(
    "token detector × sampled context in which it is active",
    6,
    (
        LAYER,
        NEURON,
        ("domain", TEXT, "domain of core"),
        ("shard", INT, "shard of the domain, from 0"),
        ("window", INT, "window of the shard, from 0"),
        ("position", INT, "position in the window; BOS is 0"),
        ("document", INT, "document of the domain, from 0"),
        ("token", INT, "id of the token there: the trigger"),
        ("value", FLOAT, "the detector's value there"),
        ("log_probability", FLOAT, "of the trigger as the next token, nothing zeroed"),
        ("log_probability_change", FLOAT, "with the detector zeroed there, less that"),
        ("logit_change", FLOAT, "the same of the trigger's logit less the mean logit of all tokens"),
        ("matched", INT, "matched neurons: active there too, in the same layer"),
        ("matched_log_probability_change", FLOAT, "mean change with each of them zeroed instead; null if they are fewer than 3"),
        ("matched_logit_change", FLOAT, "mean change with each of them zeroed instead; null if they are fewer than 3"),
    ),
)

SATURATION = Table(
    "layer, or all of them (null) × number of documents drawn, or shard",
    2,
    (
        ("layer", INT, "layer, from 0; null: all layers together"),
        ("documents", INT, "documents with at least one window: drawn, or of this shard and those before it"),
        ("tokens", INT, "their positions, BOS included; of documents drawn expected, rounded down"),
        ("alive", FLOAT, "neurons active at a text position of them: expected, or seen"),
        ("chao2", FLOAT, "dead neurons that more text of this mix would wake, at least (Chao2); the same in all rows of a layer"),
        ("chao2_lower", FLOAT, "lower end of its 95% interval; null where chao2 has none"),
        ("chao2_upper", FLOAT, "upper end"),
        ("kind", TEXT, "`rarefaction`: so many documents drawn from all; `shard`: this shard and those before it"),
        ("part", TEXT, "part of the shard, core or extra; null of rarefaction, as the next two"),
        ("domain", TEXT, "domain of the shard"),
        ("shard", INT, "its number in the domain, from 0"),
        ("neurons", INT, "neurons of the layer"),
        ("rate_bound", FLOAT, "95% bound on the rate per document of a neuron not seen in so many documents"),
    ),
)
