# What a model is: its checkpoint checked once, its shape and checksums written down for all later jobs.


rule describe_model:
    input:
        files=lambda wc: census.described_files(wc.model),
    output:
        description="results/{model}/model.json",
    log:
        "results/{model}/logs/describe_model.log",
    benchmark:
        "results/{model}/benchmarks/describe_model.jsonl"
    conda:
        "../../envs/neuroncensus.yaml"
    params:
        source=lambda wc: census.model_source(wc.model),
        revision=lambda wc: config["models"][wc.model].get("revision"),
        checksums=lambda wc: config["models"][wc.model].get("checksums"),
        code=census.code("describe_model"),
        # Functions of `output` are not recorded: a place on this machine must not make results stale elsewhere.
        folder=lambda wc, output: census.model_folder(wc.model),
    script:
        "../scripts/describe_model.py"
