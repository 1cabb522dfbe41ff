# What stands beside the findings of a model: the numbers of its figures, and what they were made of.


rule join_summary:
    input:
        dead="results/{model}/dead.parquet",
    output:
        summary="results/{model}/summary.json",
    log:
        "results/{model}/logs/join_summary.log",
    conda:
        "../../envs/neuroncensus.yaml"
    params:
        code=code_digest("neuroncensus.report.summary"),
    script:
        "../scripts/join_summary.py"


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
        code=code_digest("neuroncensus.report.provenance"),
    script:
        "../scripts/join_provenance.py"
