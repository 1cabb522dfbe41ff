from pathlib import Path

from neuroncensus.jobs import job

with job(snakemake.log[0]):
    from neuroncensus.report.summary import join_summary

    tables = (Path(snakemake.input[name]) for name in ("dead", "coverage", "detectors", "detector_ngrams"))
    join_summary(*tables, Path(snakemake.output.summary))
