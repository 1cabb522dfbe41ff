from pathlib import Path

from neuroncensus.jobs import job

with job(snakemake.log[0]):
    from neuroncensus.findings.ngrams import reduce_ngrams

    counters, ngrams = ([Path(file) for file in files] for files in (snakemake.input.counters, snakemake.input.ngrams))
    index, description = Path(snakemake.input.index), Path(snakemake.input.description)
    reduce_ngrams(counters, ngrams, index, description, Path(snakemake.output.covering), Path(snakemake.output.open))
