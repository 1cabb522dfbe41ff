from pathlib import Path

from neuroncensus.jobs import job

with job(snakemake.log[0]):
    from neuroncensus.report.scorecard import write_scorecard

    write_scorecard(
        Path(snakemake.input.summary),
        Path(snakemake.input.provenance),
        snakemake.params.published,
        snakemake.params.run,
        Path(snakemake.output.page),
        Path(snakemake.output.told),
    )
