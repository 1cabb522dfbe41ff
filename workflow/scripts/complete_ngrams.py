from pathlib import Path

from neuroncensus.jobs import job

with job(snakemake.log[0]):
    from neuroncensus.findings.ngrams import complete_ngrams

    files = snakemake.input.counters, snakemake.input.ngrams, snakemake.input.again
    counters, ngrams, again = ([Path(file) for file in of_kind] for of_kind in files)
    index, reduced, still_open, source = (Path(snakemake.input[name]) for name in ("index", "reduced", "open", "source"))
    complete_ngrams(counters, ngrams, again, index, reduced, still_open, source, Path(snakemake.output.covering))
