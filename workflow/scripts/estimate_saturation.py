from pathlib import Path

from neuroncensus.jobs import job

with job(snakemake.log[0]):
    from neuroncensus.findings.saturation import estimate_saturation

    shards, stages = [Path(shard) for shard in snakemake.input.shards], snakemake.params.stages
    size = len(shards) // stages
    of_stages = [shards[start : start + size] for start in range(0, len(shards), size)]
    estimate_saturation(Path(snakemake.input.dead), Path(snakemake.input.description), of_stages, Path(snakemake.output.table))
