# How many n-grams cover a neuron (figures 2, 12, 13).


rule classify_coverage:
    input:
        covering="results/{model}/ngrams/covering.parquet",
        frequency=expand("results/{{model}}/frequency/stage-{stage}.parquet", stage=census.covered_stages()),
    output:
        table="results/{model}/coverage.parquet",
    log:
        "results/{model}/logs/classify_coverage.log",
    conda:
        "../../envs/neuroncensus.yaml"
    params:
        edges=config["coverage"]["edges"],
        code=census.code("classify_coverage"),
    script:
        "../scripts/classify_coverage.py"


rule plot_coverage:
    input:
        table="results/{model}/coverage.parquet",
    output:
        figure=report(
            "results/{model}/coverage.{figure_format}",
            caption="../report/coverage.rst",
            category="n-grams that cover a neuron",
            labels={"model": "{model}", "finding": "coverage"},
        ),
    log:
        "results/{model}/logs/plot_coverage.{figure_format}.log",
    conda:
        "../../envs/neuroncensus.yaml"
    params:
        figures=dict(sorted(config["figures"].items())),
        code=census.code("plot_coverage"),
    script:
        "../scripts/plot_coverage.py"
