from neuroncensus.collect.stages import first_half, stage_layers


def test_stages_split_the_layers():
    assert stage_layers(12, 1) == [range(12)]
    assert stage_layers(12, 2) == [range(6), range(6, 12)]
    assert stage_layers(7, 3) == [range(3), range(3, 5), range(5, 7)]
    assert stage_layers(1, 2) == [range(0), range(1)]
    for layers in range(1, 20):
        for stages in range(2, 8):
            cut = stage_layers(layers, stages)
            assert [layer for part in cut for layer in part] == list(range(layers))
            assert cut[0] == range(layers // 2) == first_half(layers)
            assert max(map(len, cut[1:])) - min(map(len, cut[1:])) <= 1
