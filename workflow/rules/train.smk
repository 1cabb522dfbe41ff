# Models that the workflow trains itself: a recipe of the configuration to a folder of checkpoints.


rule train_tokenizer:
    input:
        text=lambda wc: census.recipe_files(wc.recipe, "text"),
    output:
        folder=directory("resources/training/{recipe}/tokenizer"),
    log:
        "resources/training/{recipe}/logs/train_tokenizer.log",
    conda:
        "../../envs/neuroncensus.yaml"
    params:
        recipe=lambda wc: census.tokenizer_recipe(wc.recipe),
        code=census.code("train_tokenizer"),
    script:
        "../scripts/train_tokenizer.py"


rule pack_text:
    input:
        text=lambda wc: census.recipe_files(wc.recipe, wc.split),
        tokenizer="resources/training/{recipe}/tokenizer",
    output:
        folder=directory("resources/training/{recipe}/{split}"),
    log:
        "resources/training/{recipe}/logs/pack_text/{split}.log",
    wildcard_constraints:
        split="text|held_out",
    conda:
        "../../envs/neuroncensus.yaml"
    params:
        recipe=lambda wc: census.text_recipe(wc.recipe),
        code=census.code("pack_text"),
    script:
        "../scripts/pack_text.py"


# The state that a killed run goes on from lies in checkpoints.partial, which is no output.
rule train_model:
    input:
        text="resources/training/{recipe}/text",
        held_out="resources/training/{recipe}/held_out",
        tokenizer="resources/training/{recipe}/tokenizer",
    output:
        folder=directory("resources/training/{recipe}/{variant}/checkpoints"),
        loss="resources/training/{recipe}/{variant}/loss.parquet",
    log:
        "resources/training/{recipe}/logs/train_model/{variant}.log",
    benchmark:
        "resources/training/{recipe}/benchmarks/train_model/{variant}.jsonl"
    conda:
        "../../envs/neuroncensus.yaml"
    threads: lambda wc: config["training"][wc.recipe]["threads"]
    resources:
        gpu=census.gpus,
    params:
        recipe=lambda wc: config["training"][wc.recipe],
        device=config["device"],
        code=census.code("train_model"),
    script:
        "../scripts/train_model.py"


rule plot_loss:
    input:
        loss="resources/training/{recipe}/{variant}/loss.parquet",
    output:
        figure=report(
            "resources/training/{recipe}/{variant}/loss.{figure_format}",
            caption="../report/loss.rst",
            category="training",
            labels={"recipe": "{recipe}", "variant": "{variant}", "finding": "loss"},
        ),
    log:
        "resources/training/{recipe}/logs/plot_loss/{variant}.{figure_format}.log",
    conda:
        "../../envs/neuroncensus.yaml"
    params:
        figures=dict(sorted(config["figures"].items())),
        code=census.code("plot_loss"),
    script:
        "../scripts/plot_loss.py"
