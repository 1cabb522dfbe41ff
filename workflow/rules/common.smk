# The configuration, checked before any rule is, and what the wildcards may be.

from pathlib import Path

from neuroncensus.census import Census, alternatives

census = Census(config, Path(workflow.basedir))


onstart:
    census.link_scratch()


wildcard_constraints:
    model="[^/]+",
    corpus=alternatives(config["corpora"]),
    tokenizer=alternatives(census.tokenizers()),
    recipe=alternatives(config["training"]),
    variant="positions|nopos",
    part="core|extra",
    domain=alternatives(census.domain_names()),
    window=r"\d+",
    shard=r"\d+",
    stage=r"\d+",
    figure_format="pdf|png",
