# Which neurons detect tokens and n-grams (figures 3, 4, 14, 15).


rule classify_detectors:
    input:
        covering="results/{model}/ngrams/covering.parquet",
        counters=lambda wc: census.ngram_counters(wc.model),
        ngrams=lambda wc: [census.ngram_file(wc.model, *shard, "ngrams") for shard in census.core_shards(wc.model)],
        again=lambda wc: census.ngrams_again(wc.model),
        index=lambda wc: census.ngram_index(wc.model),
        tokenizer=lambda wc: census.tokenizer_files(census.tokenizer(wc.model)),
    output:
        detectors="results/{model}/detectors.parquet",
        ngrams="results/{model}/detector_ngrams.parquet",
    log:
        "results/{model}/logs/classify_detectors.log",
    benchmark:
        "results/{model}/benchmarks/classify_detectors.jsonl"
    conda:
        "../../envs/neuroncensus.yaml"
    params:
        covering=dict(zip(config["coverage"]["n"], config["detectors"]["covering"])),
        rate=config["detectors"]["rate"],
        share=config["detectors"]["share"],
        code=census.code("classify_detectors"),
        tokenizer=lambda wc, output: census.tokenizer_folder(census.tokenizer(wc.model)),
    script:
        "../scripts/classify_detectors.py"


rule plot_detectors:
    input:
        detectors="results/{model}/detectors.parquet",
        ngrams="results/{model}/detector_ngrams.parquet",
    output:
        figure=report(
            "results/{model}/detectors.{figure_format}",
            caption="../report/detectors.rst",
            category="token and n-gram detectors",
            labels={"model": "{model}", "finding": "detectors"},
        ),
    log:
        "results/{model}/logs/plot_detectors.{figure_format}.log",
    conda:
        "../../envs/neuroncensus.yaml"
    params:
        figures=dict(sorted(config["figures"].items())),
        code=census.code("plot_detectors"),
    script:
        "../scripts/plot_detectors.py"
