"""Find other plausible splits of a mixture, where the trained network is ambiguous."""

from __future__ import annotations

import torch
from torch import Tensor

from napari_bitsnet.methods.feedforward.multi_crop import follow_windows
from napari_bitsnet.methods.feedforward.network import SEEN_SIZE, SplitNetwork, reduce_image
from napari_bitsnet.methods.feedforward.split import LOOKS, MIRRORS, Evidence, agreeing_signs, guided_upsample


def other_splits(network: SplitNetwork, evidence: Evidence, mixture: Tensor) -> list[Tensor]:
    """Return up to three other estimates of ``d = y1 - y2`` (1, C, H, W), the best supported first.

    Parameters
    ----------
    network : SplitNetwork
        Trained.
    evidence : Evidence
        Evidence from `splitting`; without closer looks the result is empty.
    mixture : Tensor of shape (1, C, H, W)
        The mixture that was split.

    Notes
    -----
    There are three starts: the leading principal component of the estimates from six views (mirrored,
    transposed, negative), and the estimate with its sign inverted in the right or in the lower half, because
    a wrong sign in part of the picture is the most frequent error. Each start is then refined by the same
    windows as the estimate itself. Its support is the agreement with these windows, whose signs are free.
    """
    if not evidence.said:
        return []
    turn = torch.linspace(-5, 5, evidence.whole.shape[-1]).tanh().to(evidence.whole)
    starts = [disagreement(network, evidence.seen), evidence.whole * turn, evidence.whole * turn[:, None]]
    found = []
    for difference in starts:
        support = torch.zeros(())
        for said, side in zip(evidence.said, LOOKS, strict=False):
            difference, agreement = follow_windows(said, difference, side // 2)
            support = support + float(agreement)
        found.append((float(support), difference))
    found.sort(key=lambda pair: -pair[0])
    guide = reduce_image(evidence.seen, found[0][1].shape[-1])
    if mixture.shape[1] == 1:
        found = [(support, d.mean(dim=1, keepdim=True)) for support, d in found]
        guide = guide[:, :1]
    return [guided_upsample(difference, guide, mixture) for _, difference in found]


def disagreement(network: SplitNetwork, mixture: Tensor) -> Tensor:
    """Return the leading principal component (1, 3, 64, 64) of the estimates from six views."""
    seen = reduce_image(mixture, SEEN_SIZE)
    views = torch.cat([*(seen.flip(m) for m in MIRRORS), seen.transpose(2, 3), 1 - seen])
    said = network(views, views.new_zeros(len(views), 2, *views.shape[2:]))
    members = torch.stack(
        [*(said[k : k + 1].flip(m) for k, m in enumerate(MIRRORS)), said[4:5].transpose(2, 3), -said[5:6]]
    )
    members = members * agreeing_signs(members).reshape(-1, 1, 1, 1, 1)
    apart = (members - members.mean(dim=0)).flatten(1)
    vectors = torch.linalg.eigh(apart @ apart.T).eigenvectors
    leading = vectors[:, -1] @ apart / len(members) ** 0.5
    return leading.reshape(members.shape[1:])
