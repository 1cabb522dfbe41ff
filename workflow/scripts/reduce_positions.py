from pathlib import Path

from neuroncensus.jobs import job

with job(snakemake.log[0]):
    from neuroncensus.findings.positioncounts import reduce_positions

    shards = [Path(file) for file in snakemake.input.shards]
    reduce_positions(shards, Path(snakemake.input.description), Path(snakemake.output.total))
