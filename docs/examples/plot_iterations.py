"""
Watch BITS-Net iterate
======================

Untrained networks are fitted step by step. A loop over the iterations shows what they do, and can stop them
at any time.
"""

# %%
# The losses are kept every few iterations. The outputs of an iteration are computed only when they are read.

import matplotlib.pyplot as plt

import napari_bitsnet as nb
from napari_bitsnet.data.panel import simulate_panel

panel = simulate_panel(3, 64)
steps, losses = [], []
for iteration in nb.iter_separate(panel.mixture, method="bitsnet", preset="official", iterations=60, seed=0):
    if iteration.losses and iteration.step % 5 == 0:
        steps.append(iteration.step)
        losses.append({name: float(value) for name, value in iteration.losses.items()})
outputs = iteration.outputs

# %%
# Each term of the loss in the course of the iterations:

fig, ax = plt.subplots(figsize=(6, 3.5), layout="constrained")
for name in losses[-1]:
    ax.semilogy(steps, [max(abs(each.get(name, float("nan"))), 1e-8) for each in losses], label=name)
ax.set_xlabel("iteration")
ax.set_ylabel("loss")
ax.legend(fontsize="small")

# %%
# The sources after sixty iterations are still blurred; the paper takes thousands of iterations, and the
# preset ``balanced`` starts from a trained network instead.

fig, axes = plt.subplots(1, 3, figsize=(9, 3.2), layout="constrained")
images = {
    "mixture": panel.mixture,
    "source 1": outputs["source_1"].array,
    "source 2": outputs["source_2"].array,
}
for ax, (title, image) in zip(axes, images.items(), strict=True):
    ax.imshow(image, cmap="gray")
    ax.set_title(title)
    ax.axis("off")
