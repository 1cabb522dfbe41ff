from pathlib import Path

from neuroncensus.jobs import job

with job(snakemake.log[0]):
    from neuroncensus.models.bounds import prove_dead

    prove_dead(
        Path(snakemake.input.frequency), Path(snakemake.input.description), Path(snakemake.params.folder), Path(snakemake.output.bounds)
    )
