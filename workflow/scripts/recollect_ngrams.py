from pathlib import Path

from neuroncensus.jobs import job

with job(snakemake.log[0]):
    from neuroncensus.collect.again import recollect_shard

    recollect_shard(
        snakemake.params.settings,
        folder=Path(snakemake.params.folder),
        description=Path(snakemake.input.description),
        windows=Path(snakemake.input.windows),
        order=Path(snakemake.input.order),
        ngrams=Path(snakemake.input.ngrams),
        part="core",
        domain=snakemake.wildcards.domain,
        shard=int(snakemake.wildcards.shard),
        counters=[Path(stage) for stage in snakemake.input.counters],
        still_open=Path(snakemake.input.open),
        out=Path(snakemake.output.counters),
    )
