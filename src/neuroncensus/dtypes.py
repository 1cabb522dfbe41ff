"""Which number format a run computes in. Reading this imports nothing."""


def resolve_dtype(dtype: str, device: str) -> str:
    """`dtype` as the configuration has it, `auto` resolved.

    Args:
        dtype: auto, float32, bfloat16 or float16; auto is float16 on cuda and float32 on cpu.
        device: cpu or cuda.
    """
    return {"cuda": "float16", "cpu": "float32"}[device] if dtype == "auto" else dtype
