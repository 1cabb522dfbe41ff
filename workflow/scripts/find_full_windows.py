from pathlib import Path

from neuroncensus.jobs import job

with job(snakemake.log[0]):
    from neuroncensus.corpora.fullwindows import find_full_windows

    find_full_windows([Path(file) for file in snakemake.input.windows], Path(snakemake.output.found))
