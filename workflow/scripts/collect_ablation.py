from pathlib import Path

from neuroncensus.jobs import job

with job(snakemake.log[0]):
    from neuroncensus.collect.ablation import collect_ablation

    collect_ablation(
        snakemake.params.settings,
        snakemake.params.asked,
        positions=snakemake.params.positions,
        folder=Path(snakemake.params.folder),
        description=Path(snakemake.input.description),
        detectors=Path(snakemake.input.detectors),
        ngrams=Path(snakemake.input.ngrams),
        windows=[Path(shard) for shard in snakemake.input.windows],
        tokenizer=Path(snakemake.params.tokenizer),
        out=Path(snakemake.output.table),
    )
