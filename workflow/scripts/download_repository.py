from pathlib import Path

from neuroncensus.jobs import job

with job(snakemake.log[0]):
    from neuroncensus.hub.download import download_repository

    download_repository(
        snakemake.params.source,
        Path(snakemake.output.folder),
        tokenizers=[Path(file) for file in snakemake.input.get("tokenizers", [])],
    )
