from pathlib import Path

from neuroncensus.jobs import job

with job(snakemake.log[0]):
    from neuroncensus.report.plan import plan_census

    plan_census(**snakemake.params.asked, flops=snakemake.params.flops, out=Path(snakemake.output.plan))
