from pathlib import Path

from neuroncensus.jobs import job

with job(snakemake.log[0]):
    from neuroncensus.models.trigger_updates import classify_trigger_updates

    tables = (Path(snakemake.input[name]) for name in ("detectors", "ngrams", "description"))
    folder, tokenizer = Path(snakemake.params.folder), Path(snakemake.params.tokenizer)
    settings = {name: snakemake.params[name] for name in ("resamples", "seed", "device", "threads")}
    classify_trigger_updates(*tables, folder, tokenizer, **settings, out=Path(snakemake.output.table))
