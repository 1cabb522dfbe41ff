# Dead neurons: figure 1, and which of them no input can wake.


rule prove_dead:
    input:
        # For what it says of the run; not frequency.parquet, which a model's source changes too.
        frequency="results/{model}/frequency/stage-1.parquet",
        description="results/{model}/model.json",
    output:
        bounds="results/{model}/bounds.parquet",
    log:
        "results/{model}/logs/prove_dead.log",
    benchmark:
        "results/{model}/benchmarks/prove_dead.jsonl"
    conda:
        "../../envs/neuroncensus.yaml"
    params:
        code=census.code("prove_dead"),
        folder=lambda wc, output: census.model_folder(wc.model),
    script:
        "../scripts/prove_dead.py"


rule classify_dead:
    input:
        frequency="results/{model}/frequency.parquet",
        bounds="results/{model}/bounds.parquet",
    output:
        table="results/{model}/dead.parquet",
    log:
        "results/{model}/logs/classify_dead.log",
    conda:
        "../../envs/neuroncensus.yaml"
    params:
        code=census.code("classify_dead"),
    script:
        "../scripts/classify_dead.py"


rule plot_dead:
    input:
        table="results/{model}/dead.parquet",
    output:
        figure=report(
            "results/{model}/dead.{figure_format}",
            caption="../report/dead.rst",
            category="dead neurons",
            labels={"model": "{model}", "finding": "dead"},
        ),
    log:
        "results/{model}/logs/plot_dead.{figure_format}.log",
    conda:
        "../../envs/neuroncensus.yaml"
    params:
        figures=dict(sorted(config["figures"].items())),
        code=census.code("plot_dead"),
    script:
        "../scripts/plot_dead.py"
