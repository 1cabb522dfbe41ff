from pathlib import Path

from neuroncensus.jobs import job

with job(snakemake.log[0]):
    from neuroncensus.figures.coverage import plot_coverage

    plot_coverage(Path(snakemake.input.table), Path(snakemake.output.figure), **snakemake.params.figures)
