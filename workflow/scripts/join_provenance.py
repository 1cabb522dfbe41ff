from pathlib import Path

from neuroncensus.jobs import job

with job(snakemake.log[0]):
    from neuroncensus.report.provenance import join_provenance

    join_provenance(
        Path(snakemake.input.description),
        Path(snakemake.input.frequency),
        [Path(shard) for shard in snakemake.input.windows],
        Path(snakemake.output.provenance),
    )
