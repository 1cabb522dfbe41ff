# N-grams: from text alone, then how many cover a neuron, proved or counted.


# From tokens alone, for all layers and all models of a tokenizer.
rule order_ngrams:
    input:
        windows="resources/corpora/{corpus}/{tokenizer}/window-{window}/core/{domain}/{shard}.parquet",
    output:
        order="resources/corpora/{corpus}/{tokenizer}/window-{window}/core/{domain}/{shard}.order.parquet",
        ngrams="resources/corpora/{corpus}/{tokenizer}/window-{window}/core/{domain}/{shard}.ngrams.parquet",
    log:
        "resources/corpora/{corpus}/logs/order_ngrams/{tokenizer}/window-{window}/{domain}/{shard}.log",
    conda:
        "../../envs/neuroncensus.yaml"
    params:
        n=config["coverage"]["n"],
        code=census.code("order_ngrams"),
    script:
        "../scripts/order_ngrams.py"


rule index_ngrams:
    input:
        shards=lambda wc: census.indexed_shards(wc),
    output:
        index="resources/corpora/{corpus}/{tokenizer}/window-{window}/core/ngrams.parquet",
    log:
        "resources/corpora/{corpus}/logs/index_ngrams/{tokenizer}/window-{window}.log",
    conda:
        "../../envs/neuroncensus.yaml"
    params:
        code=census.code("index_ngrams"),
    script:
        "../scripts/index_ngrams.py"


rule reduce_ngrams:
    input:
        description="results/{model}/model.json",
        counters=lambda wc: census.ngram_counters(wc.model),
        ngrams=lambda wc: [census.ngram_file(wc.model, *shard, "ngrams") for shard in census.core_shards(wc.model)],
        index=lambda wc: census.ngram_index(wc.model),
    output:
        covering="results/{model}/ngrams/reduced.parquet",
        open="results/{model}/ngrams/open.parquet",
    log:
        "results/{model}/logs/reduce_ngrams.log",
    benchmark:
        "results/{model}/benchmarks/reduce_ngrams.jsonl"
    conda:
        "../../envs/neuroncensus.yaml"
    params:
        code=census.code("reduce_ngrams"),
    script:
        "../scripts/reduce_ngrams.py"


# The second look: only where a shard dropped what the reduction cannot do without. Mostly there is nothing to do.
rule recollect_ngrams:
    input:
        description="results/{model}/model.json",
        windows=lambda wc: census.token_shard(wc.model, "core", wc.domain, wc.shard),
        order=lambda wc: census.ngram_file(wc.model, wc.domain, wc.shard, "order"),
        ngrams=lambda wc: census.ngram_file(wc.model, wc.domain, wc.shard, "ngrams"),
        counters=lambda wc: census.ngram_counters(wc.model, wc.domain, wc.shard),
        open="results/{model}/ngrams/open.parquet",
    output:
        counters="results/{model}/ngrams/again/{domain}/{shard}.parquet",
    log:
        "results/{model}/logs/recollect_ngrams/{domain}/{shard}.log",
    benchmark:
        "results/{model}/benchmarks/recollect_ngrams/{domain}/{shard}.jsonl"
    conda:
        "../../envs/neuroncensus.yaml"
    threads: config["collect"]["threads"]
    resources:
        **asks(lambda needs, wc: needs.recollect(wc.domain)),
    params:
        settings=census.collect_settings(),
        code=census.code("recollect_ngrams"),
        folder=lambda wc, output: census.model_folder(wc.model),
    script:
        "../scripts/recollect_ngrams.py"


rule complete_ngrams:
    input:
        counters=lambda wc: census.ngram_counters(wc.model),
        ngrams=lambda wc: [census.ngram_file(wc.model, *shard, "ngrams") for shard in census.core_shards(wc.model)],
        again=lambda wc: census.ngrams_again(wc.model),
        index=lambda wc: census.ngram_index(wc.model),
        reduced="results/{model}/ngrams/reduced.parquet",
        open="results/{model}/ngrams/open.parquet",
        source="results/{model}/source.json",
    output:
        covering="results/{model}/ngrams/covering.parquet",
    log:
        "results/{model}/logs/complete_ngrams.log",
    conda:
        "../../envs/neuroncensus.yaml"
    params:
        code=census.code("complete_ngrams"),
    script:
        "../scripts/complete_ngrams.py"
