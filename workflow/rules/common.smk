# The configuration, checked before any rule is, and what the wildcards may be.

from pathlib import Path

from neuroncensus.census import POSITIONAL_FINDINGS, Census, alternatives

census = Census(config, Path(workflow.basedir))


onstart:
    census.link_scratch()


def positional_files(model, *names):
    """The files of positional neurons that a bare run makes: none where the corpus has no full windows to look at."""
    if not census.counts_positions(model):
        return []
    found = checkpoints.find_full_windows.get(**census.text_wildcards(model)).output.found
    return [f"results/{model}/{name}" for name in names] if census.all_have_full_windows(found) else []


def positional_groups():
    """The figures of positional neurons of groups that a bare run makes."""
    groups = {group: [positional_files(model, "positional.parquet") for model in census.group(group)] for group in census.groups_run()}
    return [f"results/groups/{group}/positional.pdf" for group, found in groups.items() if all(found)]


def asks(work):
    """What a job that computes asks a scheduler for; as much again where an attempt was too little.

    Args:
        work: from a model's needs (`neuroncensus.report.needs.Needing`) and wildcards to what this job needs.
    """

    def needs(wildcards, input):
        return work(census.needs(wildcards.model, input.description), wildcards)

    return {
        "mem_mb": lambda wildcards, input, attempt: attempt * needs(wildcards, input).mem_mb,
        "runtime": lambda wildcards, input, attempt: attempt * needs(wildcards, input).minutes,
        "gpu": census.gpus,
    }


wildcard_constraints:
    model="[^/]+",
    group="[^/]+",
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
