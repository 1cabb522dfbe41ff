# From the Hugging Face Hub: the list of files first, then each file a target of its own.
# These rules carry no digest of their code: what they fetch is what its checksum says, and no change here is worth 132 GB.
# They run where Snakemake runs, which has the network, and try again by themselves what may pass.


rule list_files:
    input:
        tokenizers=lambda wc: census.shared_listing(wc.hub),
    output:
        listing="resources/{hub}/hub.json",
    log:
        "resources/logs/{hub}/list_files.log",
    wildcard_constraints:
        hub=alternatives(census.hub_places(by_file=True)),
    localrule: True
    conda:
        "../../envs/neuroncensus.yaml"
    params:
        wanted=lambda wc: [census.hub_source(wc.hub).repo, census.hub_source(wc.hub).revision],
        # Not recorded, being a function of `output`: another file wanted is no other repository.
        source=lambda wc, output: census.hub_source(wc.hub),
    script:
        "../scripts/list_files.py"


rule download_file:
    input:
        listing="resources/{hub}/hub.json",
        before=lambda wc: census.before_file(wc.hub, wc.file),
    output:
        file="resources/{hub}/{file}",
    log:
        "resources/logs/{hub}/{file}.log",
    wildcard_constraints:
        hub=alternatives(census.hub_places(by_file=True)),
        file=alternatives(census.hub_files()),
    localrule: True
    conda:
        "../../envs/neuroncensus.yaml"
    params:
        source=lambda wc, output: census.hub_source(wc.hub),
    script:
        "../scripts/download_file.py"


# A repository of which no files are named. Files that a killed job had finished lie in <folder>.partial, which is no output.
rule download_repository:
    input:
        tokenizers=lambda wc: census.shared_listing(wc.hub),
    output:
        folder=directory("resources/{hub}"),
    log:
        "resources/logs/{hub}/download_repository.log",
    wildcard_constraints:
        hub=alternatives(census.hub_places(by_file=False)),
    localrule: True
    conda:
        "../../envs/neuroncensus.yaml"
    params:
        wanted=lambda wc: [census.hub_source(wc.hub).repo, census.hub_source(wc.hub).revision],
        source=lambda wc, output: census.hub_source(wc.hub),
    script:
        "../scripts/download_repository.py"
