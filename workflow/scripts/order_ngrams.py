from pathlib import Path

from neuroncensus.jobs import job

with job(snakemake.log[0]):
    from neuroncensus.corpora.ngrams import write_order

    order, ngrams = Path(snakemake.output.order), Path(snakemake.output.ngrams)
    write_order(Path(snakemake.input.windows), snakemake.params.n, order, ngrams)
