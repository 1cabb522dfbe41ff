from pathlib import Path

from neuroncensus.jobs import job

with job(snakemake.log[0]):
    from neuroncensus.figures.loss import plot_loss

    plot_loss(Path(snakemake.input.loss), Path(snakemake.output.figure), **snakemake.params.figures)
