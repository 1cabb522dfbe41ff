from pathlib import Path

from neuroncensus.jobs import job

with job(snakemake.log[0]):
    from neuroncensus.models.updates import project_updates

    description, source = Path(snakemake.input.description), Path(snakemake.input.source)
    folder, tokenizer = Path(snakemake.params.folder), Path(snakemake.params.tokenizer)
    settings = {name: snakemake.params[name] for name in ("corpus", "top", "device", "threads")}
    project_updates(description, source, folder, tokenizer, **settings, out=Path(snakemake.output.table))
