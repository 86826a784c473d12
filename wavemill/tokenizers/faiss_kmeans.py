"""K-means by faiss: on a GPU where faiss has one, else on one thread, so that sums round alike."""

import numpy as np
import numpy.typing as npt

from wavemill.packages import require


def train_centroids(
    vectors: npt.NDArray[np.float32],
    units: int,
    *,
    iterations: int,
    seed: int,
    restarts: int = 1,
    spherical: bool = False,
    what: str = "fitting units",
) -> npt.NDArray[np.float32]:
    """Fit centroids.

    The same vectors and settings give the same centroids on the same kind of processor; a GPU sums
    in another order, and so gives others.

    Args:
        vectors: finite, [N, D]; all of them are used.
        units: how many centroids, K; N at the most.
        iterations: of Lloyd's algorithm.
        seed: 0 or more; which vectors it starts from.
        restarts: starts from other vectors; the best result stays.
        spherical: scale centroids to length one; vectors of length one go to the nearest by cosine.
        what: who needs faiss, for the error.

    Returns:
        [K, D] float32.

    Raises:
        UsageError: faiss is not installed.

    """
    faiss = require("faiss", "units", what)
    threads = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)
    try:
        kmeans = faiss.Kmeans(
            vectors.shape[1],
            units,
            niter=iterations,
            nredo=restarts,
            seed=seed,
            spherical=spherical,
            gpu=faiss.get_num_gpus() > 0,
            # The vectors are drawn already: faiss shall use all of them, and not complain.
            max_points_per_centroid=len(vectors),
            min_points_per_centroid=1,
        )
        kmeans.train(np.ascontiguousarray(vectors, np.float32))
    finally:
        faiss.omp_set_num_threads(threads)
    return np.ascontiguousarray(kmeans.centroids, np.float32)
