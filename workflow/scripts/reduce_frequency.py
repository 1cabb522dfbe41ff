from pathlib import Path

from neuroncensus.jobs import job

with job(snakemake.log[0]):
    from neuroncensus.findings.frequency import reduce_frequency

    stages = [Path(stage) for stage in snakemake.input.stages]
    reduce_frequency(stages, Path(snakemake.input.source), Path(snakemake.output.table))
