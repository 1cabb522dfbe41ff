from pathlib import Path

from neuroncensus.jobs import job

with job(snakemake.log[0]):
    from neuroncensus.findings.positional import classify_positional

    classify_positional(
        [Path(file) for file in snakemake.input.totals],
        Path(snakemake.input.source),
        snakemake.params.threshold,
        snakemake.params.shapes,
        Path(snakemake.output.table),
        Path(snakemake.output.profiles),
    )
