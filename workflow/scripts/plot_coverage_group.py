from pathlib import Path

from neuroncensus.jobs import job

with job(snakemake.log[0]):
    from neuroncensus.figures.coverage_group import plot_coverage_group

    tables = [Path(file) for file in snakemake.input.tables]
    plot_coverage_group(tables, Path(snakemake.output.figure), **snakemake.params.figures)
