from pathlib import Path

from neuroncensus.jobs import job

with job(snakemake.log[0]):
    from neuroncensus.models.text import pack_text

    pack_text(snakemake.params.recipe, snakemake.wildcards.split, Path(snakemake.input.tokenizer), Path(snakemake.output.folder))
