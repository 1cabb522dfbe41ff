# A census of the neurons of ReLU language models. The rules come in the order in which the data flows.

from snakemake.utils import min_version

min_version("9.27")


configfile: f"{workflow.basedir}/config/config.yaml"
configfile: f"{workflow.basedir}/config/models.yaml"
configfile: f"{workflow.basedir}/config/corpora.yaml"


include: "workflow/rules/common.smk"
include: "workflow/rules/hub.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/models.smk"
include: "workflow/rules/corpora.smk"
include: "workflow/rules/collect.smk"
include: "workflow/rules/dead.smk"
include: "workflow/rules/ngrams.smk"
include: "workflow/rules/coverage.smk"
include: "workflow/rules/detectors.smk"
include: "workflow/rules/positional.smk"
include: "workflow/rules/updates.smk"
include: "workflow/rules/saturation.smk"
include: "workflow/rules/groups.smk"
include: "workflow/rules/report.smk"
include: "workflow/rules/scorecard.smk"
include: "workflow/rules/browser.smk"


rule all:
    default_target: True
    input:
        census.findings(),
        lambda wc: [file for model in config["run"]["models"] for file in positional_files(model, *POSITIONAL_FINDINGS)],
        lambda wc: positional_groups(),
    log:
        "results/logs/all.log",
    localrule: True
