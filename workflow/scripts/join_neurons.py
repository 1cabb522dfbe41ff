from pathlib import Path

from neuroncensus.jobs import job

with job(snakemake.log[0]):
    from neuroncensus.report.neurons import join_neurons

    # An input that is a function and gives nothing has a name all the same.
    files = {name: Path(str(file)) for name, file in snakemake.input.items() if file}
    join_neurons(files, Path(snakemake.output.table))
