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
        code=census.code("describe_model"),
        # Functions of `output` are not recorded: a place on this machine must not make results stale elsewhere, and
        # a checksum given later is for the rule below.
        checksums=lambda wc, output: config["models"][wc.model].get("checksums"),
        folder=lambda wc, output: census.model_folder(wc.model),
    script:
        "../scripts/describe_model.py"


# Behind the description, so that what is only said of the weights is no reason to collect again.
rule record_source:
    input:
        description="results/{model}/model.json",
        # Of a Hub model, for the commit that it is of.
        listing=lambda wc: census.model_listing(wc.model),
    output:
        source="results/{model}/source.json",
    log:
        "results/{model}/logs/record_source.log",
    conda:
        "../../envs/neuroncensus.yaml"
    params:
        source=lambda wc: census.model_source(wc.model),
        checksums=lambda wc: config["models"][wc.model].get("checksums"),
        code=census.code("record_source"),
        folder=lambda wc, output: census.model_folder(wc.model),
    script:
        "../scripts/record_source.py"
