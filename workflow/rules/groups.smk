# The models of a group side by side, as the paper's figures across sizes have them.


rule plot_dead_group:
    input:
        tables=lambda wc: census.group_files(wc.group, "dead.parquet"),
    output:
        figure=report(
            "results/groups/{group}/dead.{figure_format}",
            caption="../report/dead_group.rst",
            category="models side by side",
            labels={"group": "{group}", "finding": "dead"},
        ),
    log:
        "results/groups/{group}/logs/plot_dead.{figure_format}.log",
    conda:
        "../../envs/neuroncensus.yaml"
    params:
        figures=dict(sorted(config["figures"].items())),
        code=census.code("plot_dead_group"),
    script:
        "../scripts/plot_dead_group.py"


rule plot_coverage_group:
    input:
        tables=lambda wc: census.group_files(wc.group, "coverage.parquet"),
    output:
        figure=report(
            "results/groups/{group}/coverage.{figure_format}",
            caption="../report/coverage_group.rst",
            category="models side by side",
            labels={"group": "{group}", "finding": "coverage"},
        ),
    log:
        "results/groups/{group}/logs/plot_coverage.{figure_format}.log",
    conda:
        "../../envs/neuroncensus.yaml"
    params:
        figures=dict(sorted(config["figures"].items())),
        code=census.code("plot_coverage_group"),
    script:
        "../scripts/plot_coverage_group.py"


rule plot_detectors_group:
    input:
        detectors=lambda wc: census.group_files(wc.group, "detectors.parquet"),
        ngrams=lambda wc: census.group_files(wc.group, "detector_ngrams.parquet"),
    output:
        figure=report(
            "results/groups/{group}/detectors.{figure_format}",
            caption="../report/detectors_group.rst",
            category="models side by side",
            labels={"group": "{group}", "finding": "detectors"},
        ),
    log:
        "results/groups/{group}/logs/plot_detectors.{figure_format}.log",
    conda:
        "../../envs/neuroncensus.yaml"
    params:
        figures=dict(sorted(config["figures"].items())),
        code=census.code("plot_detectors_group"),
    script:
        "../scripts/plot_detectors_group.py"


rule plot_positional_group:
    input:
        tables=lambda wc: census.group_files(wc.group, "positional.parquet"),
    output:
        figure=report(
            "results/groups/{group}/positional.{figure_format}",
            caption="../report/positional_group.rst",
            category="models side by side",
            labels={"group": "{group}", "finding": "positional"},
        ),
    log:
        "results/groups/{group}/logs/plot_positional.{figure_format}.log",
    conda:
        "../../envs/neuroncensus.yaml"
    params:
        runs=lambda wc: [census.training_run(model) for model in census.group(wc.group)],
        figures=dict(sorted(config["figures"].items())),
        code=census.code("plot_positional_group"),
    script:
        "../scripts/plot_positional_group.py"


rule plot_updates_group:
    input:
        updates=lambda wc: census.group_files(wc.group, "updates.parquet"),
        trigger_updates=lambda wc: census.group_files(wc.group, "trigger_updates.parquet"),
        ablation=lambda wc: census.group_files(wc.group, "ablation.parquet"),
        detector_ngrams=lambda wc: census.group_files(wc.group, "detector_ngrams.parquet"),
        tokenizer=lambda wc: [file for model in census.group(wc.group) for file in census.tokenizer_files(census.tokenizer(model))],
    output:
        figure=report(
            "results/groups/{group}/updates.{figure_format}",
            caption="../report/updates_group.rst",
            category="models side by side",
            labels={"group": "{group}", "finding": "updates"},
        ),
    log:
        "results/groups/{group}/logs/plot_updates.{figure_format}.log",
    conda:
        "../../envs/neuroncensus.yaml"
    params:
        figures=dict(sorted(config["figures"].items())),
        code=census.code("plot_updates_group"),
        tokenizers=lambda wc, output: [census.tokenizer_folder(census.tokenizer(model)) for model in census.group(wc.group)],
    script:
        "../scripts/plot_updates_group.py"
