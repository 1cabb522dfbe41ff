from pathlib import Path

from neuroncensus.jobs import job

with job(snakemake.log[0]):
    from neuroncensus.figures.updates_group import plot_updates_group

    names = ("updates", "trigger_updates", "ablation", "detector_ngrams")
    tables = {name: [Path(file) for file in snakemake.input[name]] for name in names}
    tokenizers = [Path(folder) for folder in snakemake.params.tokenizers]
    plot_updates_group(tables, tokenizers, Path(snakemake.output.figure), **snakemake.params.figures)
