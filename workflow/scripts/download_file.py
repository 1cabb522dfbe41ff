from pathlib import Path

from neuroncensus.jobs import job

with job(snakemake.log[0]):
    from neuroncensus.hub.download import download_file

    download_file(
        snakemake.params.source,
        Path(snakemake.input.listing),
        snakemake.wildcards.file,
        Path(snakemake.output.file),
    )
