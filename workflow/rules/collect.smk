# Activations to counters: one job for each shard and stage, which writes every counter there is.


rule collect_stage:
    input:
        description="results/{model}/model.json",
        windows=lambda wc: census.token_shard(wc.model, wc.part, wc.domain, wc.shard),
        order=lambda wc: census.order_files(wc),
        hidden=lambda wc: census.hidden_before(wc),
    output:
        counters="results/{model}/collect/{part}/{domain}/{shard}/stage-{stage}.parquet",
        ngrams="results/{model}/collect/{part}/{domain}/{shard}/stage-{stage}.ngrams.parquet",
        positions="results/{model}/collect/{part}/{domain}/{shard}/stage-{stage}.positions.parquet",
        hidden=census.hidden_after if config["collect"]["keep_hidden"] else temp(census.hidden_after),
    log:
        "results/{model}/logs/collect/{part}/{domain}/{shard}/stage-{stage}.log",
    benchmark:
        "results/{model}/benchmarks/collect/{part}/{domain}/{shard}/stage-{stage}.jsonl"
    wildcard_constraints:
        stage=alternatives(census.stages[:-1]),
    conda:
        "../../envs/neuroncensus.yaml"
    threads: config["collect"]["threads"]
    resources:
        **asks(lambda needs, wc: needs.collect(wc.part, wc.domain, int(wc.stage))),
    params:
        settings=census.collect_settings(),
        ngrams=lambda wc: census.ngram_settings(wc.part, wc.stage),
        by_position=lambda wc: wc.domain in census.position_domains(census.corpus(wc.model)),
        code=census.code("collect_shard"),
        folder=lambda wc, output: census.model_folder(wc.model),
    script:
        "../scripts/collect_shard.py"


# It goes first, so that few shards' hidden states lie on disk at once.
use rule collect_stage as collect_last_stage with:
    output:
        counters="results/{model}/collect/{part}/{domain}/{shard}/stage-{stage}.parquet",
        ngrams="results/{model}/collect/{part}/{domain}/{shard}/stage-{stage}.ngrams.parquet",
        positions="results/{model}/collect/{part}/{domain}/{shard}/stage-{stage}.positions.parquet",
    wildcard_constraints:
        stage=str(census.stages[-1]),
    priority: 1


rule reduce_stage:
    input:
        description="results/{model}/model.json",
        shards=lambda wc: census.counter_files(wc.model, wc.stage),
    output:
        table="results/{model}/frequency/stage-{stage}.parquet",
    log:
        "results/{model}/logs/reduce_stage/stage-{stage}.log",
    conda:
        "../../envs/neuroncensus.yaml"
    params:
        code=census.code("reduce_stage"),
    script:
        "../scripts/reduce_stage.py"


rule reduce_frequency:
    input:
        stages=expand("results/{{model}}/frequency/stage-{stage}.parquet", stage=census.stages),
        source="results/{model}/source.json",
    output:
        table="results/{model}/frequency.parquet",
    log:
        "results/{model}/logs/reduce_frequency.log",
    conda:
        "../../envs/neuroncensus.yaml"
    params:
        code=census.code("reduce_frequency"),
    script:
        "../scripts/reduce_frequency.py"
