from pathlib import Path

from neuroncensus.jobs import job

with job(snakemake.log[0]):
    from neuroncensus.figures.detectors import plot_detectors

    detectors, ngrams = Path(snakemake.input.detectors), Path(snakemake.input.ngrams)
    plot_detectors(detectors, ngrams, Path(snakemake.output.figure), **snakemake.params.figures)
