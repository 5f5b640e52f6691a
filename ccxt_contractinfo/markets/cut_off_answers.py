"""Whether to believe an answer from REST that lacks known contracts: it may be cut off. Pure."""

from __future__ import annotations


class MissingContracts:
    """The contracts that the last answer on each sub-type lacked. Not thread-safe."""

    def __init__(self) -> None:
        self._last: dict[str, frozenset[str]] = {}

    def are_believed(self, sub_type: str, missing: frozenset[str], known: int) -> bool:
        """Whether an answer shows that contracts are gone. If they are many, the previous answer must have lacked the
        same ones.

        :param missing: the ids of known contracts that the answer lacks
        :param known: how many contracts of the sub-type are known
        """
        are_believed = not are_many(len(missing), known) or self._last.get(sub_type) == missing
        self._last[sub_type] = missing
        return are_believed


def are_many(missing: int, known: int) -> bool:
    """Whether an answer that lacks so many of the known contracts at once may be cut off."""
    return missing > max(5, known // 20)
