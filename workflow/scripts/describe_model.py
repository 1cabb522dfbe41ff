from pathlib import Path

from neuroncensus.jobs import job

with job(snakemake.log[0]):
    from neuroncensus.models.describe import describe_model

    describe_model(
        Path(snakemake.params.folder),
        model=snakemake.wildcards.model,
        checksums=snakemake.params.checksums,
        out=Path(snakemake.output.description),
    )
