"""The one exception that speaks to users."""


class CensusError(Exception):
    """What is wrong, where, and what to do, in one sentence.

    Everything that a user can cause raises this class; scripts print its text as the last line of the
    rule's log. Any other exception is a bug of ours and keeps its traceback.
    """
