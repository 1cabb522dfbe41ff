from pathlib import Path

from neuroncensus.jobs import job

with job(snakemake.log[0]):
    from neuroncensus.models.origin import record_source

    record_source(
        Path(snakemake.input.description),
        Path(snakemake.params.folder),
        source=snakemake.params.source,
        listing=next(iter(snakemake.input.get("listing", [])), None),
        checksums=snakemake.params.checksums,
        out=Path(snakemake.output.source),
    )
