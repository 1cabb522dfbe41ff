from pathlib import Path

from neuroncensus.jobs import job

with job(snakemake.log[0]):
    from neuroncensus.figures.dead import plot_dead

    plot_dead(Path(snakemake.input.table), Path(snakemake.output.figure), **snakemake.params.figures)
