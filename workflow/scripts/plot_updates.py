from pathlib import Path

from neuroncensus.jobs import job

with job(snakemake.log[0]):
    from neuroncensus.figures.updates import plot_updates

    tables = {name: Path(snakemake.input[name]) for name in ("updates", "trigger_updates", "ablation", "detector_ngrams")}
    plot_updates(tables, Path(snakemake.params.tokenizer), Path(snakemake.output.figure), **snakemake.params.figures)
