"""A census of a small made-up model on small made-up texts, by the rules' own library calls."""

from made_text import make_texts, make_tokenizer, write_jsonl
from models_made import make_opt
from neuroncensus.collect.job import Settings
from neuroncensus.collect.shard import collect_shard
from neuroncensus.corpora.shards import read_shard, write_shard
from neuroncensus.findings.dead import classify_dead
from neuroncensus.findings.frequency import reduce_frequency, reduce_stage
from neuroncensus.models.bounds import prove_dead
from neuroncensus.models.describe import describe_model
from neuroncensus.models.origin import record_source

WINDOW, SHARD_TOKENS = 16, 50
BUDGETS = {("core", "prose"): 170, ("extra", "prose"): 90, ("core", "code"): 40}


class Run:
    """A census of a made-up model on made-up text, in a folder of its own."""

    def __init__(self, folder, settings=None, **shape):
        self.folder, self.model = folder, make_opt(folder / "model", vocab=320, positions=WINDOW, **shape)
        self.settings = settings or Settings(device="cpu", dtype="float32", threads=1, batch_tokens=48, stages=2, skip_silent=True)
        make_tokenizer(self.model)
        self.description = folder / "model.json"
        describe_model(self.model, model="mine", out=self.description)
        self.source = folder / "source.json"
        record_source(self.description, self.model, source="model", checksums=None, out=self.source)
        self.shards = []
        for (part, domain), budget in BUDGETS.items():
            write_jsonl(folder / f"{domain}.jsonl", make_texts(40, seed=len(domain)))
            previous = folder / "core" / "prose" / "3.parquet" if part == "extra" else None
            for shard in range(-(-budget // SHARD_TOKENS)):
                out = folder / part / domain / f"{shard}.parquet"
                last = (shard + 1) * SHARD_TOKENS >= budget
                write_shard(
                    {"path": str(folder / f"{domain}.jsonl")},
                    self.model,
                    out,
                    window=WINDOW,
                    windows="all",
                    shard=shard,
                    shard_tokens=SHARD_TOKENS,
                    tokens=budget if last else None,
                    asked=budget,
                    previous=previous,
                    part=part,
                    domain=domain,
                    corpus="mytext",
                )
                self.shards.append((part, domain, shard, out))
                previous = out

    def collect(self, part, domain, shard, windows, settings=None):
        """The counter files of a shard, for each stage."""
        settings, hidden, outs = settings or self.settings, None, []
        for stage in range(1, settings.stages + 1):
            after = windows.with_name(f"{shard}-stage-{stage}.hidden") if stage < settings.stages else None
            out = windows.with_name(f"{shard}-stage-{stage}.parquet")
            collect_shard(
                settings,
                folder=self.model,
                description=self.description,
                windows=windows,
                part=part,
                domain=domain,
                shard=shard,
                stage=stage,
                hidden_before=hidden,
                hidden_after=after,
                out=out,
            )
            outs.append(out)
            hidden = after
        return outs

    def counters(self):
        """The counter files of every shard, for each stage."""
        return [list(files) for files in zip(*(self.collect(*shard) for shard in self.shards), strict=True)]

    def reduce(self, counters):
        """frequency.parquet."""
        stages = [self.folder / f"frequency-{number}.parquet" for number, _ in enumerate(counters, start=1)]
        for files, out in zip(counters, stages, strict=True):
            reduce_stage(files, self.description, out)
        reduce_frequency(stages, self.source, self.folder / "frequency.parquet")

    def finish(self):
        """frequency.parquet, bounds.parquet and dead.parquet."""
        files = [self.folder / f"{name}.parquet" for name in ("frequency", "bounds", "dead")]
        self.reduce(self.counters())
        prove_dead(files[0], self.description, self.model, files[1])
        classify_dead(files[0], files[1], files[2])
        return files

    def windows(self, part, domain):
        """(tokens, document) of every window, as the shards hold them."""
        for p, d, _, path in self.shards:
            if (p, d) == (part, domain):
                shard = read_shard(path)
                for window, document in enumerate(shard.document):
                    yield shard.tokens[shard.offsets[window] : shard.offsets[window + 1]].tolist(), int(document)
