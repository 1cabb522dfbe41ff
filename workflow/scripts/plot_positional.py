from pathlib import Path

from neuroncensus.jobs import job

with job(snakemake.log[0]):
    from neuroncensus.figures.positional import plot_positional

    tables = (Path(snakemake.input[name]) for name in ("table", "profiles"))
    plot_positional(*tables, Path(snakemake.output.figure), layer=snakemake.params.layer, **snakemake.params.figures)
