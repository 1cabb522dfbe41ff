from pathlib import Path

from neuroncensus.jobs import job

with job(snakemake.log[0]):
    from neuroncensus.corpora.shards import write_shard

    write_shard(
        snakemake.params.source,
        Path(snakemake.params.tokenizer),
        Path(snakemake.output.windows),
        window=int(snakemake.wildcards.window),
        windows=snakemake.params.windows,
        shard=int(snakemake.wildcards.shard),
        shard_tokens=snakemake.params.shard_tokens,
        tokens=snakemake.params.tokens,
        asked=snakemake.params.asked,
        previous=next(iter(snakemake.input.get("previous", [])), None),
        part=snakemake.wildcards.part,
        domain=snakemake.wildcards.domain,
        corpus=snakemake.wildcards.corpus,
    )
