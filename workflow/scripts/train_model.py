from pathlib import Path

from neuroncensus.jobs import job

with job(snakemake.log[0]):
    from neuroncensus.models.train import train_model

    train_model(
        snakemake.params.recipe,
        text=Path(snakemake.input.text),
        held_out=Path(snakemake.input.held_out),
        tokenizer=Path(snakemake.input.tokenizer),
        positions=snakemake.wildcards.variant == "positions",
        out=Path(snakemake.output.folder),
        loss_table=Path(snakemake.output.loss),
        device=snakemake.params.device,
    )
