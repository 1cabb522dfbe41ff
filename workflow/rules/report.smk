# What stands beside the findings of a model: what they cost, the numbers of its figures, and what they were made of.


# No input: it is made before there is anything.
rule write_plan:
    output:
        plan="results/{model}/plan.md",
    log:
        "results/{model}/logs/write_plan.log",
    conda:
        "../../envs/neuroncensus.yaml"
    threads: config["collect"]["threads"]
    params:
        asked=lambda wc: census.plan_inputs(wc.model),
        flops=config["plan"]["flops"],
        code=census.code("write_plan"),
    script:
        "../scripts/write_plan.py"


rule join_summary:
    input:
        dead="results/{model}/dead.parquet",
        coverage="results/{model}/coverage.parquet",
        detectors="results/{model}/detectors.parquet",
        detector_ngrams="results/{model}/detector_ngrams.parquet",
        positional=lambda wc: positional_files(wc.model, "positional.parquet"),
        profiles=lambda wc: positional_files(wc.model, "profiles.parquet"),
        full_windows=lambda wc: census.full_windows(wc.model) if census.counts_positions(wc.model) else [],
        updates="results/{model}/updates.parquet",
        trigger_updates="results/{model}/trigger_updates.parquet",
        ablation="results/{model}/ablation.parquet",
        saturation="results/{model}/saturation.parquet",
    output:
        summary="results/{model}/summary.json",
    log:
        "results/{model}/logs/join_summary.log",
    conda:
        "../../envs/neuroncensus.yaml"
    params:
        code=census.code("join_summary"),
    script:
        "../scripts/join_summary.py"


rule join_neurons:
    input:
        dead="results/{model}/dead.parquet",
        coverage="results/{model}/coverage.parquet",
        detectors="results/{model}/detectors.parquet",
        updates="results/{model}/updates.parquet",
        trigger_updates="results/{model}/trigger_updates.parquet",
        ablation="results/{model}/ablation.parquet",
        positional=lambda wc: positional_files(wc.model, "positional.parquet"),
    output:
        table="results/{model}/neurons.parquet",
    log:
        "results/{model}/logs/join_neurons.log",
    conda:
        "../../envs/neuroncensus.yaml"
    params:
        code=census.code("join_neurons"),
    script:
        "../scripts/join_neurons.py"


rule join_provenance:
    input:
        description="results/{model}/model.json",
        frequency="results/{model}/frequency.parquet",
        windows=lambda wc: census.token_shards(wc.model),
    output:
        provenance="results/{model}/provenance.json",
    log:
        "results/{model}/logs/join_provenance.log",
    conda:
        "../../envs/neuroncensus.yaml"
    params:
        code=census.code("join_provenance"),
    script:
        "../scripts/join_provenance.py"
