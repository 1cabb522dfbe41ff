from pathlib import Path

from neuroncensus.jobs import job

with job(snakemake.log[0]):
    from neuroncensus.models.origin import record_source

    record_source(
        Path(snakemake.input.description),
        Path(snakemake.params.folder),
        source=snakemake.params.source,
        revision=snakemake.params.revision,
        checksums=snakemake.params.checksums,
        out=Path(snakemake.output.source),
    )
