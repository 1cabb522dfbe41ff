# Neurons that follow the position (figures 7, 8, 9, 16), and how training makes them (figures 10, 11).


# The one question whose answer decides what a bare run makes and that no configuration tells: a domain without a full window
# has no positional neurons, and all else goes on.
checkpoint find_full_windows:
    input:
        windows=lambda wc: census.position_text(wc),
    output:
        found="resources/corpora/{corpus}/{tokenizer}/window-{window}/full_windows.json",
    log:
        "resources/corpora/{corpus}/logs/find_full_windows/{tokenizer}/window-{window}.log",
    conda:
        "../../envs/neuroncensus.yaml"
    params:
        code=census.code("find_full_windows"),
    script:
        "../scripts/find_full_windows.py"


rule reduce_positions:
    input:
        description="results/{model}/model.json",
        shards=lambda wc: census.position_counters(wc.model, wc.domain, wc.stage),
    output:
        total="results/{model}/positions/{domain}/stage-{stage}.parquet",
    log:
        "results/{model}/logs/reduce_positions/{domain}/stage-{stage}.log",
    conda:
        "../../envs/neuroncensus.yaml"
    params:
        code=census.code("reduce_positions"),
    script:
        "../scripts/reduce_positions.py"


rule classify_positional:
    input:
        totals=lambda wc: census.position_totals(wc.model),
        source="results/{model}/source.json",
    output:
        table="results/{model}/positional.parquet",
        profiles="results/{model}/profiles.parquet",
    log:
        "results/{model}/logs/classify_positional.log",
    conda:
        "../../envs/neuroncensus.yaml"
    params:
        threshold=config["positional"]["mutual_information"],
        shapes=census.shapes(),
        code=census.code("classify_positional"),
    script:
        "../scripts/classify_positional.py"


rule plot_positional:
    input:
        table="results/{model}/positional.parquet",
        profiles="results/{model}/profiles.parquet",
    output:
        figure=report(
            "results/{model}/positional.{figure_format}",
            caption="../report/positional.rst",
            category="positional neurons",
            labels={"model": "{model}", "finding": "positional"},
        ),
    log:
        "results/{model}/logs/plot_positional.{figure_format}.log",
    conda:
        "../../envs/neuroncensus.yaml"
    params:
        layer=config["positional"]["ranges_layer"],
        figures=dict(sorted(config["figures"].items())),
        code=census.code("plot_positional"),
    script:
        "../scripts/plot_positional.py"
