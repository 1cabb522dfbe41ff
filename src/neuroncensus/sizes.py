"""Sizes of the pieces that jobs work in. Their memory follows from these, so they are here, where reading them imports nothing."""

BLOCK = 512
"""Neurons whose n-grams are counted at once, and whose rows make one row group, which a reduction reads of every shard at once."""

# Above this share gathering the columns costs more than leaving the others out saves. Measured on 2 cores: the two take the
# same at 0.75 in bfloat16 with d = 768 and 16,384 rows, at 0.8 and more in float32, in wider models and with 4,096 rows. On CUDA not
# measured above the half.
SKIP_AT_MOST = {"cpu": 0.75, "cuda": 0.5}
"""By device: the largest share of active neurons with which the columns of the others are left out of the second product."""

LOGITS = 1 << 25
"""Numbers of a block of logits: 134 MB in float32."""
BYTE = 255
"""The most that a byte holds: what is counted up to so many times is counted in bytes, which takes a quarter of the memory."""
