from pathlib import Path

from neuroncensus.jobs import job

with job(snakemake.log[0]):
    from neuroncensus.findings.dead import classify_dead

    classify_dead(Path(snakemake.input.frequency), Path(snakemake.input.bounds), Path(snakemake.output.table))
