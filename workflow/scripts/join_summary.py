from pathlib import Path

from neuroncensus.jobs import job

with job(snakemake.log[0]):
    from neuroncensus.report.summary import join_summary

    join_summary(Path(snakemake.input.dead), Path(snakemake.output.summary))
