from pathlib import Path

from neuroncensus.jobs import job

with job(snakemake.log[0]):
    from neuroncensus.figures.detectors_group import plot_detectors_group

    detectors, ngrams = ([Path(file) for file in snakemake.input[name]] for name in ("detectors", "ngrams"))
    plot_detectors_group(detectors, ngrams, Path(snakemake.output.figure), **snakemake.params.figures)
