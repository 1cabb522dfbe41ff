from pathlib import Path

from neuroncensus.jobs import job

with job(snakemake.log[0]):
    from neuroncensus.findings.detectors import classify_counted

    classify_counted(
        *([Path(file) for file in snakemake.input[name]] for name in ("counters", "ngrams", "again")),
        covering=Path(snakemake.input.covering),
        index=Path(snakemake.input.index),
        tokenizer=Path(snakemake.params.tokenizer),
        covering_limits=snakemake.params.covering,
        rate=snakemake.params.rate,
        share=snakemake.params.share,
        out=Path(snakemake.output.detectors),
        out_ngrams=Path(snakemake.output.ngrams),
    )
