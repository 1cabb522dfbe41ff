"""Benchmarks, one file a question: `python -m benchmarks.forward`, or all of them: `python -m benchmarks`.

A package, since a folder of programs on the search path would hide other packages: torch looks for one called `cuda`.
"""
