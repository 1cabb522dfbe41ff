# Text to windows. One job a shard, each from the cursor that the one before it left: when a corpus grows,
# the shards that were whole stay as they are, and so does everything behind them.


rule tokenize_shard:
    input:
        text=lambda wc: census.text_files(census.domain(wc.corpus, wc.part, wc.domain)),
        tokenizer=lambda wc: census.tokenizer_files(wc.tokenizer),
        previous=lambda wc: census.previous_token_shard(wc),
    output:
        windows="resources/corpora/{corpus}/{tokenizer}/window-{window}/{part}/{domain}/{shard}.parquet",
    log:
        "resources/corpora/{corpus}/logs/tokenize_shard/{tokenizer}/window-{window}/{part}/{domain}/{shard}.log",
    conda:
        "../../envs/neuroncensus.yaml"
    params:
        source=lambda wc: census.domain(wc.corpus, wc.part, wc.domain).source,
        windows=lambda wc: config["corpora"][wc.corpus].get("windows", "all"),
        shard_tokens=config["collect"]["shard_tokens"],
        tokens=lambda wc: census.budget_here(census.domain(wc.corpus, wc.part, wc.domain), int(wc.shard)),
        code=census.code("tokenize_shard"),
        # Not recorded, being functions of `output`: the place of the tokenizer, and the budget that messages quote.
        tokenizer=lambda wc, output: census.tokenizer_folder(wc.tokenizer),
        asked=lambda wc, output: census.domain(wc.corpus, wc.part, wc.domain).tokens,
        # Nor this, which Snakemake's cache between users lacks (`--cache tokenize_shard`).
        shared=lambda wc, input, output: census.decides(wc, [*input.text, *input.tokenizer]) if workflow.enable_cache else None,
    script:
        "../scripts/tokenize_shard.py"
