"""A full census of the neurons of ReLU language models.

The workflow's rules each make one call of this package, and so can a notebook, in the order of the data:

    neuroncensus.hub.download.list_files               a repository of the Hub -> hub.json
    neuroncensus.hub.download.download_file            one file of it, checked
    neuroncensus.models.describe.describe_model        a checkpoint -> model.json
    neuroncensus.models.origin.record_source           where it is from -> source.json
    neuroncensus.corpora.shards.write_shard            text -> windows of one shard
    neuroncensus.collect.shard.collect_shard           windows through a stage of layers -> counters
    neuroncensus.findings.frequency.reduce_stage       counters of all shards of a stage -> its rows of the next
    neuroncensus.findings.frequency.reduce_frequency   those of all stages -> frequency.parquet
    neuroncensus.models.bounds.prove_dead              weights -> bounds.parquet
    neuroncensus.findings.dead.classify_dead           both -> dead.parquet
    neuroncensus.figures.dead.plot_dead                dead.parquet -> dead.pdf
"""
