# What neurons write (figure 5): from the weights, at the triggers of token detectors, and in effect.


# From the checkpoint alone: no collection stands before it.
rule project_updates:
    input:
        description="results/{model}/model.json",
        source="results/{model}/source.json",
        tokenizer=lambda wc: census.tokenizer_files(census.tokenizer(wc.model)),
    output:
        table="results/{model}/updates.parquet",
    log:
        "results/{model}/logs/project_updates.log",
    benchmark:
        "results/{model}/benchmarks/project_updates.jsonl"
    conda:
        "../../envs/neuroncensus.yaml"
    threads: config["collect"]["threads"]
    resources:
        **asks(lambda needs, wc: needs.project()),
    params:
        corpus=lambda wc: census.corpus(wc.model),
        top=config["updates"]["top"],
        device=config["device"],
        threads=config["collect"]["threads"],
        code=census.code("project_updates"),
        folder=lambda wc, output: census.model_folder(wc.model),
        tokenizer=lambda wc, output: census.tokenizer_folder(census.tokenizer(wc.model)),
    script:
        "../scripts/project_updates.py"


rule classify_trigger_updates:
    input:
        detectors="results/{model}/detectors.parquet",
        ngrams="results/{model}/detector_ngrams.parquet",
        description="results/{model}/model.json",
        tokenizer=lambda wc: census.tokenizer_files(census.tokenizer(wc.model)),
    output:
        table="results/{model}/trigger_updates.parquet",
    log:
        "results/{model}/logs/classify_trigger_updates.log",
    benchmark:
        "results/{model}/benchmarks/classify_trigger_updates.jsonl"
    conda:
        "../../envs/neuroncensus.yaml"
    threads: config["collect"]["threads"]
    resources:
        gpu=census.gpus,
    params:
        resamples=config["updates"]["resamples"],
        seed=config["updates"]["seed"],
        device=config["device"],
        threads=config["collect"]["threads"],
        code=census.code("classify_trigger_updates"),
        folder=lambda wc, output: census.model_folder(wc.model),
        tokenizer=lambda wc, output: census.tokenizer_folder(census.tokenizer(wc.model)),
    script:
        "../scripts/classify_trigger_updates.py"


rule collect_ablation:
    input:
        description="results/{model}/model.json",
        detectors="results/{model}/detectors.parquet",
        ngrams="results/{model}/detector_ngrams.parquet",
        windows=lambda wc: [census.token_shard(wc.model, "core", *shard) for shard in census.core_shards(wc.model)],
        tokenizer=lambda wc: census.tokenizer_files(census.tokenizer(wc.model)),
    output:
        table="results/{model}/ablation.parquet",
    log:
        "results/{model}/logs/collect_ablation.log",
    benchmark:
        "results/{model}/benchmarks/collect_ablation.jsonl"
    conda:
        "../../envs/neuroncensus.yaml"
    threads: config["collect"]["threads"]
    resources:
        **asks(lambda needs, wc: needs.ablate()),
    params:
        settings=census.collect_settings(),
        asked=dict(sorted(config["ablation"].items())),
        positions=config["collect"]["shard_tokens"],
        code=census.code("collect_ablation"),
        folder=lambda wc, output: census.model_folder(wc.model),
        tokenizer=lambda wc, output: census.tokenizer_folder(census.tokenizer(wc.model)),
    script:
        "../scripts/collect_ablation.py"


rule plot_updates:
    input:
        updates="results/{model}/updates.parquet",
        trigger_updates="results/{model}/trigger_updates.parquet",
        ablation="results/{model}/ablation.parquet",
        detector_ngrams="results/{model}/detector_ngrams.parquet",
        tokenizer=lambda wc: census.tokenizer_files(census.tokenizer(wc.model)),
    output:
        figure=report(
            "results/{model}/updates.{figure_format}",
            caption="../report/updates.rst",
            category="what neurons write",
            labels={"model": "{model}", "finding": "updates"},
        ),
    log:
        "results/{model}/logs/plot_updates.{figure_format}.log",
    conda:
        "../../envs/neuroncensus.yaml"
    params:
        figures=dict(sorted(config["figures"].items())),
        code=census.code("plot_updates"),
        tokenizer=lambda wc, output: census.tokenizer_folder(census.tokenizer(wc.model)),
    script:
        "../scripts/plot_updates.py"
