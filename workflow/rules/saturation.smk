# How many dead neurons more text would wake.


rule estimate_saturation:
    input:
        dead="results/{model}/dead.parquet",
        description="results/{model}/model.json",
        shards=lambda wc: [file for stage in census.stages for file in census.counter_files(wc.model, stage)],
    output:
        table="results/{model}/saturation.parquet",
    log:
        "results/{model}/logs/estimate_saturation.log",
    conda:
        "../../envs/neuroncensus.yaml"
    params:
        stages=config["collect"]["stages"],
        code=census.code("estimate_saturation"),
    script:
        "../scripts/estimate_saturation.py"


rule plot_saturation:
    input:
        table="results/{model}/saturation.parquet",
        dead="results/{model}/dead.parquet",
    output:
        figure=report(
            "results/{model}/saturation.{figure_format}",
            caption="../report/saturation.rst",
            category="dead neurons",
            labels={"model": "{model}", "finding": "saturation"},
        ),
    log:
        "results/{model}/logs/plot_saturation.{figure_format}.log",
    conda:
        "../../envs/neuroncensus.yaml"
    params:
        figures=dict(sorted(config["figures"].items())),
        code=census.code("plot_saturation"),
    script:
        "../scripts/plot_saturation.py"
