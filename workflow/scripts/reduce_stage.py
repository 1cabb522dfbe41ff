from pathlib import Path

from neuroncensus.jobs import job

with job(snakemake.log[0]):
    from neuroncensus.findings.frequency import reduce_stage

    reduce_stage([Path(shard) for shard in snakemake.input.shards], Path(snakemake.input.description), Path(snakemake.output.table))
