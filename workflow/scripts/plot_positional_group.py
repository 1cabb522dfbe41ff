from pathlib import Path

from neuroncensus.jobs import job

with job(snakemake.log[0]):
    from neuroncensus.figures.positional_group import plot_positional_group

    tables = [Path(file) for file in snakemake.input.tables]
    plot_positional_group(tables, snakemake.params.runs, Path(snakemake.output.figure), **snakemake.params.figures)
