from pathlib import Path

from neuroncensus.jobs import job

with job(snakemake.log[0]):
    from neuroncensus.hub.download import list_files

    list_files(
        snakemake.params.source,
        Path(snakemake.output.listing),
        tokenizers=[Path(file) for file in snakemake.input.get("tokenizers", [])],
    )
