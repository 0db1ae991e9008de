"""Constrained domination, and who survives by rank and crowding (Deb, Pratap, Agarwal, Meyarivan, "A fast and elitist
multiobjective genetic algorithm: NSGA-II", IEEE Transactions on Evolutionary Computation 6(2), 2002).

n is the number of points, m that of objectives; costs and violations are less where they are better.
"""

import numpy as np

Array = np.ndarray


def dominates(costs: Array, violations: Array) -> Array:
    """Returns who dominates whom (section VI-B): bool [n, n], true at [i, j] where i dominates j.

    Of two feasible points the one that is no worse in any objective and better in one; of others the one that violates
    the constraints less.

    Args:
      costs: float [n, m].
      violations: float [n], the sum over all constraints; 0 for a feasible point, infinite for a failure.
    """
    no_worse = np.ones((len(costs), len(costs)), bool)
    for column in costs.T:
        no_worse &= column[:, None] <= column[None, :]
    better = no_worse & ~no_worse.T
    if not violations.any():
        return better
    feasible = violations == 0.0
    return (better & feasible[:, None] & feasible[None, :]) | (violations[:, None] < violations[None, :])


def ranks(costs: Array, violations: Array) -> Array:
    """Returns the front of each point: int [n], 0 for points that nobody dominates; O(m n²) (section III-A)."""
    above = dominates(costs, violations)
    dominators = above.sum(axis=0)
    found = np.zeros(len(costs), np.int64)
    rank = 0
    front = np.flatnonzero(dominators == 0)
    while len(front):
        found[front] = rank
        dominators[front] = -1  # Never again.
        dominators -= above[front].sum(axis=0)
        front = np.flatnonzero(dominators == 0)
        rank += 1
    return found


def crowding(costs: Array) -> Array:
    """Returns crowding distances of the points of one front: float [n], infinite at the ends (section III-B).

    Of points with equal costs the first has the distance, the others have none: a search over programs meets many
    twins, which would crowd everyone else out of the front.
    """
    distance = np.zeros(len(costs))
    if not np.isfinite(costs).all():  # Failures.
        return distance
    first = np.sort(np.unique(costs, axis=0, return_index=True)[1])
    for column in costs[first].T:
        order = np.argsort(column, kind="stable")
        ordered, places = column[order], first[order]
        distance[places[[0, -1]]] = np.inf
        extent = ordered[-1] - ordered[0]
        if extent > 0.0:
            distance[places[1:-1]] += (ordered[2:] - ordered[:-2]) / extent
    return distance


def survivors(costs: Array, violations: Array, count: int) -> tuple[Array, Array, Array]:
    """Selects the best `count` points by rank, then by crowding, then by order; repetitions go last.

    Without the latter, which the paper lacks, copies of a front of a few points soon fill a population: they are all of
    rank 0, and each of them goes before the best of rank 1.

    Args:
      costs: float [n, m].
      violations: float [n].
      count: at most n.

    Returns:
      Their indices, best first, their ranks and their crowding distances within their whole front.
    """
    rank = ranks(costs, violations)
    distance = np.zeros(len(costs))
    for number in range(int(rank.max()) + 1):
        front = np.flatnonzero(rank == number)
        distance[front] = crowding(costs[front])
    repeated = np.ones(len(costs), bool)
    repeated[np.unique(np.column_stack([costs, violations]), axis=0, return_index=True)[1]] = False
    repeated[violations == np.inf] = True  # No failure goes before a copy of a score.
    chosen = np.lexsort((-distance, rank, repeated))[:count]
    return chosen, rank[chosen], distance[chosen]
