"""Total variation denoising."""

from __future__ import annotations

import torch
from torch import Tensor

from napari_bitsnet.core.denoisers import DENOISERS
from napari_bitsnet.core.operators.gradient import divergence, gradient


@DENOISERS.register("tv")
@torch.no_grad()
def tv(image: Tensor, sigma: float, *, weight: float | None = None, iterations: int = 50) -> Tensor:
    """Minimise the Rudin-Osher-Fatemi energy.

    Parameters
    ----------
    image, sigma
        See `Denoiser`.
    weight : float, optional
        Weight w, on the same scale, > 0; default ``0.7 * sigma``, nearly optimal for photographs at sigma
        0.06.
    iterations : int
        Steps of the solver, >= 1.

    Notes
    -----
    Solves ``min_u 1/2 ||u - x||**2 + w sum_p |grad u(p)|`` with forward differences that are zero across the
    border. Chambolle's dual is ``u = x + w div p``, where the vector field p with ``|p| <= 1`` maximises
    ``-1/2 ||x + w div p||**2``. Projected gradient ascent (step 1 / (8 w), ``||div||**2 <= 8``) with the
    momentum of Beck & Teboulle solves it; the error falls with the square of the iterations.

    References
    ----------
    Chambolle, "An algorithm for total variation minimization and applications", J. Math. Imaging Vis. 20,
    2004, doi:10.1023/B:JMIV.0000011325.36760.1e.
    Beck & Teboulle, "Fast gradient-based algorithms for constrained total variation image denoising and
    deblurring problems", IEEE TIP 18(11), 2009, doi:10.1109/TIP.2009.2028250.
    """
    weight = 0.7 * sigma if weight is None else weight
    if sigma < 0 or iterations < 1:
        raise ValueError(f"Expected sigma >= 0 and iterations >= 1, got {sigma:g} and {iterations}.")
    if sigma == 0:
        return image
    if weight <= 0:
        raise ValueError(f"Expected weight > 0, got {weight:g}.")

    p = image.new_zeros((2, *image.shape))
    ahead, momentum = p, 1.0  # `ahead` is p extrapolated along its last step
    for _ in range(iterations):
        risen = ahead + gradient(image + weight * divergence(ahead)) / (8 * weight)
        risen /= torch.linalg.vector_norm(risen, dim=0).clamp_(min=1)  # projection onto length <= 1
        following = (1 + (1 + 4 * momentum**2) ** 0.5) / 2
        ahead = risen + (momentum - 1) / following * (risen - p)
        p, momentum = risen, following
    return image + weight * divergence(p)
