from pathlib import Path

from neuroncensus.jobs import job

with job(snakemake.log[0]):
    from neuroncensus.models.text import train_tokenizer

    train_tokenizer(snakemake.params.recipe, Path(snakemake.output.folder))
