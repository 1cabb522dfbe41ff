from pathlib import Path

from neuroncensus.jobs import job

with job(snakemake.log[0]):
    from neuroncensus.findings.coverage import classify_coverage

    frequency = [Path(stage) for stage in snakemake.input.frequency]
    classify_coverage(Path(snakemake.input.covering), frequency, snakemake.params.edges, Path(snakemake.output.table))
