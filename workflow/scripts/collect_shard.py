from pathlib import Path

from neuroncensus.jobs import job

with job(snakemake.log[0]):
    from neuroncensus.collect.shard import collect_configured

    collect_configured(
        snakemake.params.settings,
        snakemake.params.ngrams,
        [Path(file) for file in snakemake.input.order],
        Path(snakemake.output.ngrams),
        snakemake.params.by_position,
        Path(snakemake.output.positions),
        folder=Path(snakemake.params.folder),
        description=Path(snakemake.input.description),
        windows=Path(snakemake.input.windows),
        part=snakemake.wildcards.part,
        domain=snakemake.wildcards.domain,
        shard=int(snakemake.wildcards.shard),
        stage=int(snakemake.wildcards.stage),
        hidden_before=next(map(Path, snakemake.input.hidden), None),
        hidden_after=Path(snakemake.output.hidden) if "hidden" in snakemake.output.keys() else None,
        out=Path(snakemake.output.counters),
    )
