from pathlib import Path

from neuroncensus.jobs import job

with job(snakemake.log[0]):
    from neuroncensus.figures.saturation import plot_saturation

    table, dead = Path(snakemake.input.table), Path(snakemake.input.dead)
    plot_saturation(table, dead, Path(snakemake.output.figure), **snakemake.params.figures)
