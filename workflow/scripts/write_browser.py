from pathlib import Path

from neuroncensus.jobs import job

with job(snakemake.log[0]):
    from neuroncensus.report.browser import write_browser

    # An input that is a function and gives nothing has a name all the same.
    files = {name: Path(str(file)) for name, file in snakemake.input.items() if file and name != "tokenizer"}
    write_browser(files, Path(snakemake.params.tokenizer), Path(snakemake.output.page))
