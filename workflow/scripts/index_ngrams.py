from pathlib import Path

from neuroncensus.jobs import job

with job(snakemake.log[0]):
    from neuroncensus.corpora.ngramindex import index_ngrams

    index_ngrams([Path(shard) for shard in snakemake.input.shards], Path(snakemake.output.index))
