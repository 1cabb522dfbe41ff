"""A full census of the neurons of ReLU language models.

The workflow's rules each make one call of this package, and so can a notebook (`examples/census.ipynb` does), in the order of
the data:

    neuroncensus.hub.download.list_files                       a repository of the Hub -> hub.json
    neuroncensus.hub.download.download_file                    one file of it, checked
    neuroncensus.hub.download.download_repository              all that is needed of it
    neuroncensus.models.text.train_tokenizer                   text of a recipe -> a tokenizer
    neuroncensus.models.text.pack_text                         text of a recipe -> tokens to train on
    neuroncensus.models.train.train_model                      those -> checkpoints, and the loss
    neuroncensus.models.describe.describe_model                a checkpoint -> model.json
    neuroncensus.models.origin.record_source                   where it is from -> source.json
    neuroncensus.corpora.shards.write_shard                    text -> windows of one shard
    neuroncensus.corpora.ngrams.write_order                    windows of core -> their positions by n-gram
    neuroncensus.corpora.ngramindex.index_ngrams               n-grams of all shards -> those of core
    neuroncensus.corpora.fullwindows.find_full_windows         windows -> how many are full
    neuroncensus.collect.shard.collect_shard                   windows through a stage of layers -> counters
    neuroncensus.collect.shard.collect_configured              the same, from what the configuration says
    neuroncensus.findings.frequency.reduce_stage               counters of all shards of a stage -> its rows of the next
    neuroncensus.findings.frequency.reduce_frequency           those of all stages -> frequency.parquet
    neuroncensus.models.bounds.prove_dead                      weights -> bounds.parquet
    neuroncensus.findings.dead.classify_dead                   both -> dead.parquet
    neuroncensus.findings.ngrams.reduce_ngrams                 counters of n-grams -> what covers a neuron, and what is open
    neuroncensus.collect.again.recollect_shard                 what is open, counted again
    neuroncensus.findings.ngrams.complete_ngrams               both -> covering.parquet
    neuroncensus.findings.coverage.classify_coverage           that and frequencies -> coverage.parquet
    neuroncensus.findings.detectors.classify_counted           that and counters -> detectors.parquet, detector_ngrams.parquet
    neuroncensus.findings.positioncounts.reduce_positions      counters of positions -> their sums
    neuroncensus.findings.positional.classify_positional       those -> positional.parquet, profiles.parquet
    neuroncensus.models.updates.project_updates                weights -> updates.parquet
    neuroncensus.models.trigger_updates.classify_trigger_updates   detectors and weights -> trigger_updates.parquet
    neuroncensus.collect.ablation.collect_ablation             detectors and text -> ablation.parquet
    neuroncensus.findings.saturation.estimate_saturation       dead neurons and counters -> saturation.parquet
    neuroncensus.report.summary.join_summary                   tables -> summary.json
    neuroncensus.report.neurons.join_neurons                   tables -> neurons.parquet
    neuroncensus.report.scorecard.write_scorecard              summary.json, what is published -> scorecard.md, scorecard.json
    neuroncensus.report.browser.write_browser                  tables -> browser/
    neuroncensus.report.provenance.join_provenance             model and windows -> provenance.json
    neuroncensus.report.plan.plan_census                       a configuration -> plan.md

Each figure is a call, too: `neuroncensus.figures.dead.plot_dead`, dead.parquet -> dead.pdf or dead.png; likewise plot_coverage,
plot_detectors, plot_positional, plot_updates, plot_saturation, plot_loss; and of several models plot_dead_group,
plot_coverage_group, plot_detectors_group, plot_positional_group, plot_updates_group.
"""
