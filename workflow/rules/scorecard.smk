# A model's numbers held against what the paper publishes.


rule write_scorecard:
    input:
        summary="results/{model}/summary.json",
        provenance="results/{model}/provenance.json",
    output:
        page="results/{model}/scorecard.md",
        told="results/{model}/scorecard.json",
    log:
        "results/{model}/logs/write_scorecard.log",
    conda:
        "../../envs/neuroncensus.yaml"
    params:
        # What is in the file, not the file: where the project lies must be in no record.
        published=lambda wc: census.published(),
        run=lambda wc: census.training_run(wc.model),
        code=census.code("write_scorecard"),
    script:
        "../scripts/write_scorecard.py"
