# The neurons, to look through in a web page that opens from disk.


rule write_browser:
    input:
        neurons="results/{model}/neurons.parquet",
        frequency="results/{model}/frequency.parquet",
        updates="results/{model}/updates.parquet",
        detector_ngrams="results/{model}/detector_ngrams.parquet",
        ablation="results/{model}/ablation.parquet",
        profiles=lambda wc: positional_files(wc.model, "profiles.parquet"),
        tokenizer=lambda wc: census.tokenizer_files(census.tokenizer(wc.model)),
    output:
        page="results/{model}/browser/index.html",
        data=directory("results/{model}/browser/data"),
    log:
        "results/{model}/logs/write_browser.log",
    benchmark:
        "results/{model}/benchmarks/write_browser.jsonl"
    conda:
        "../../envs/neuroncensus.yaml"
    params:
        code=census.code("write_browser"),
        tokenizer=lambda wc, output: census.tokenizer_folder(census.tokenizer(wc.model)),
    script:
        "../scripts/write_browser.py"
