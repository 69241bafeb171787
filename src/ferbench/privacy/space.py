"""Distances between real and synthetic images in one space, and the tests that rest on them.

Were the generator independent of which real images were its training images, members and held-out
singletons would be exchangeable (`roles` says who is who). So each test compares distances to
members with distances to as many held-out images: a set of smooth or average faces is near to both.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
from sklearn.cluster import KMeans

from ferbench.metrics import clusters
from ferbench.metrics.neighbors import nearest
from ferbench.privacy import statistics
from ferbench.privacy.findings import Candidates, Neighbors, Outcome
from ferbench.privacy.roles import Roles
from ferbench.similarity.views import Nearest, Views, nearest_real, nearest_synthetic

KMEANS_IMAGES = 5000  # that the regions of C_T are fitted to
ATTACKS = {"membership": False, "calibrated membership": True}  # by name: calibrated or not
LEAST_IN_CELL = 20  # held-out and synthetic images of a region that counts


def normal_outcome(value: float, chance: float, excess: float, error: float) -> Outcome:
    """An outcome whose excess is normal by chance."""
    return Outcome(value, chance, excess, error, statistics.upper_p(excess, error))


class Members:
    """The training images in one space: vectors [M, F], and what follows from them alone."""

    def __init__(self, vectors: np.ndarray, cells: int, rng: np.random.Generator) -> None:
        self.vectors = vectors
        self.cells = regions(vectors, cells, rng)

    def __len__(self) -> int:
        return len(self.vectors)

    @cached_property
    def own(self) -> np.ndarray:
        """[M] distance of each member to the nearest other one."""
        return own_distances(self.vectors)


class Space:
    """The real images in one space, in their roles; fixed before a set is measured.

    held: views of all held-out images; quantile: of their ratios, under which one is suspicious.
    """

    def __init__(self, members: Members, held: Views, roles: Roles, *, quantile: float) -> None:
        self.members, self.roles, self.quantile = members, roles, quantile
        self._sample = members.vectors[roles.sample]
        self._held = held.plain[roles.held]
        self._half_sample = members.vectors[roles.half_sample]
        self._reference, probe = held.plain[roles.reference], held.take(roles.probe)
        self._probe_cell = members.cells.predict(probe.plain)
        self._probe_sample = nearest_real(probe, self._half_sample).first
        self._probe_reference = nearest_real(probe, self._reference).first
        self._held_near = nearest_real(held.take(roles.held), members.vectors)

    def neighbors(self, views: Views) -> Neighbors:
        """The nearest real images of each image of a set."""
        return Neighbors(
            members=nearest_real(views, self.members.vectors),
            sample=nearest_real(views, self._sample),
            held=nearest_real(views, self._held),
            half_sample=nearest_real(views, self._half_sample),
            reference=nearest_real(views, self._reference),
            cell=self.members.cells.predict(views.plain),
        )

    def distances(self, views: Views) -> Candidates:
        """Distances of members and held images to the nearest image of a set."""
        return Candidates(
            nearest_synthetic(self.members.vectors, views), nearest_synthetic(self._held, views)
        )

    @cached_property
    def _own_held(self) -> np.ndarray:
        return own_distances(self._held)

    @cached_property
    def _difficulty(self) -> Candidates:
        """Of members and held images the distance to the nearest other real image of both."""
        cross = nearest(self.members.vectors, self._held, 1)[0][:, 0]
        back = nearest(self._held, self.members.vectors, 1)[0][:, 0]
        return Candidates(np.minimum(self.members.own, cross), np.minimum(self._own_held, back))

    # --- tests -----------------------------------------------------------------------------------

    def standing_out(self, near: Neighbors) -> Outcome:
        """Share of images with one training image much nearer than the next."""
        return standing_out(near.members, self._held_near, self.quantile)

    def closer_to_training(self, near: Neighbors) -> Outcome:
        """Share of images nearer to the sample of the training images than to the held ones (DCR).

        Distance to the closest record against a holdout of the same size (Platzer and Reutterer
        2021, section 3.2); ties count for a half.
        """
        gap = np.sign(near.held.first.astype(np.float64) - near.sample.first)
        error = statistics.paired_error(gap, near.sample.row, near.held.row)
        return normal_outcome(float((1 + gap.mean()) / 2), 0.5, float(gap.mean() / 2), error / 2)

    def nearest_is_training(self, near: Neighbors) -> Outcome:
        """Share of images whose nearest real image is a member; chance is the members' share."""
        inside, chance = near.members.first < near.held.first, self._members_share
        surplus = inside - chance
        error = statistics.clustered_error(surplus, self._nearest_row(near))
        return normal_outcome(float(inside.mean()), chance, float(surplus.mean()), error)

    def authenticity(self, near: Neighbors) -> Outcome:
        """Share of authentic images among all (Alaa et al. 2022), counting every member.

        Without memorization an image that is too near to a real one is as likely to be near to any
        of them. So the excess counts, of those that are not authentic against members and held
        images together, how many more are near to a member than the members' share of them.
        """
        value = statistics.authentic(near.members.first, near.members.row, self.members.own).mean()
        inside, own = near.members.first < near.held.first, self._difficulty
        first = np.minimum(near.members.first, near.held.first)
        next_one = np.where(inside, own.members[near.members.row], own.others[near.held.row])
        surplus = (inside - self._members_share) * (first <= next_one)
        error = statistics.clustered_error(surplus, self._nearest_row(near))
        excess = float(surplus.mean())
        return normal_outcome(float(value), float(value) + excess, excess, error)

    @property
    def _members_share(self) -> float:
        return len(self.members) / (len(self.members) + len(self._held))

    def _nearest_row(self, near: Neighbors) -> np.ndarray:
        """[N] a number for the nearest real image: members first, then held ones."""
        inside = near.members.first < near.held.first
        return np.where(inside, near.members.row, len(self.members) + near.held.row)

    def data_copying(self, near: Neighbors) -> Outcome | None:
        """C_T with half the sample as the training set; chance: with as many held images instead.

        By chance each has a standard deviation of 1 at most if the images are independent. Those
        that share a nearest reference are not: as if they were fewer (Kish 1965, design effect).
        None if no region has enough images.
        """
        sides = (near.half_sample, near.reference)
        probes = (self._probe_sample, self._probe_reference)
        copying, chance = (
            statistics.c_t(held, self._probe_cell, part.first, near.cell, least=LEAST_IN_CELL)
            for held, part in zip(probes, sides, strict=True)
        )
        if copying is None or chance is None:
            return None
        effect = max(statistics.design_effect(part.row) for part in sides)
        return normal_outcome(copying, chance, chance - copying, float(np.sqrt(2 * effect)))

    def published_c_t(self, near: Neighbors) -> float | None:
        """C_T as published: all members are the training set, all held images the test set."""
        cells = self.members.cells.predict(self._held)
        held, own = self._held_near.first, near.members.first
        return statistics.c_t(held, cells, own, near.cell, least=LEAST_IN_CELL)

    def tests(self, near: Neighbors, distances: Candidates) -> dict[str, Outcome]:
        """Every test of a set by its name; C_T only where a region has enough images."""
        outcomes = {
            "standing out": self.standing_out(near),
            "closer to training": self.closer_to_training(near),
            "nearest is training": self.nearest_is_training(near),
            "authenticity": self.authenticity(near),
        }
        copying = self.data_copying(near)
        if copying is not None:
            outcomes["data copying"] = copying
        for name, calibrated in ATTACKS.items():
            scores = self.scores(distances, calibrated=calibrated)
            one = statistics.attack(scores.members, scores.others)
            error = statistics.auc_error(one.members, one.others)
            outcomes[name] = normal_outcome(one.auc, 0.5, one.auc - 0.5, error)
            chance = statistics.FALSE_POSITIVES
            outcomes[f"{name} at 1 %"] = Outcome(one.tpr, chance, one.tpr - chance, None, one.p_tpr)
        return outcomes

    def scores(self, distances: Candidates, *, calibrated: bool) -> Candidates:
        """Scores of membership inference from the set alone: members should be nearer to it.

        The negative distance to the nearest synthetic image (GAN-Leaks, Chen et al. 2020).
        calibrated: it is divided by that to the nearest other real image, since some faces are near
        to everything (after their section 4.4, with real images in the place of a second model's).
        """
        if not calibrated:
            return Candidates(-distances.members, -distances.others)
        hard = self._difficulty
        return Candidates(
            -distances.members / np.maximum(hard.members, 1e-6),
            -distances.others / np.maximum(hard.others, 1e-6),
        )


def standing_out(near: Nearest, held: Nearest, quantile: float) -> Outcome:
    """Share of images whose ratio of first to second distance is under a quantile of held ones'."""
    limit = np.sort(held.ratio)[int(quantile * len(held.ratio))]
    beyond, passed = (int((part.ratio < limit).sum()) for part in (near, held))
    p = statistics.excess_p(beyond, len(near.ratio), passed, len(held.ratio))
    value, chance = beyond / len(near.ratio), passed / len(held.ratio)
    return Outcome(value, chance, value - chance, None, p)


def own_distances(vectors: np.ndarray) -> np.ndarray:
    """[N] float32: distance of each of the vectors [N, F] to the nearest other one."""
    return nearest(vectors, vectors, 1, exclude_self=True)[0][:, 0]


def regions(members: np.ndarray, count: int, rng: np.random.Generator) -> KMeans:
    """`count` regions of the space by k-means on a sample of the members [M, F]."""
    rows = rng.permutation(len(members))[:KMEANS_IMAGES]
    seed = int(rng.integers(2**31))
    return clusters.k_means(members[np.sort(rows)], count, seed=seed)
