"""Right answers counted: accuracy, and precision and recall of each label."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Score:
    """Right answers out of all, and of each label: found, missed, wrongly given."""

    right: int
    total: int
    labels: Mapping[str, tuple[int, int, int]]

    @property
    def accuracy(self) -> float:
        """Share of right answers."""
        return self.right / self.total if self.total else 0.0

    def precision(self, label: str) -> float:
        """Of the answers that named it, how many were right."""
        found, _, wrong = self.labels[label]
        return found / (found + wrong) if found + wrong else 1.0

    def recall(self, label: str) -> float:
        """Of those that are it, how many were found."""
        found, missed, _ = self.labels[label]
        return found / (found + missed) if found + missed else 1.0


def score(pairs: Iterable[tuple[str, str]]) -> Score:
    """Of (wanted, given) pairs."""
    counted: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
    right = total = 0
    for wanted, given in pairs:
        total += 1
        if wanted == given:
            right += 1
            counted[wanted][0] += 1
        else:
            counted[wanted][1] += 1
            counted[given][2] += 1
    return Score(right, total, {label: (a, b, c) for label, (a, b, c) in sorted(counted.items())})
