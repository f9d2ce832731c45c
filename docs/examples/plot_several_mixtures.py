"""
Several mixtures
================

Two mixtures of the same two sources with different weights determine the sources in closed form, without
networks.
"""

# %%
# The weights of the two mixtures are not given to the method.

import matplotlib.pyplot as plt
import numpy as np

import napari_bitsnet as nb
from napari_bitsnet.data.synthetic import photograph_mixtures

made = photograph_mixtures(1, 128)
result = nb.run("multi_mixture", made.mixtures, weights="sum-to-one", seed=0)

# %%
# Weights that add to one in each mixture also determine the scale of the sources.

np.set_printoptions(precision=3)
print(result.outputs["weights"].array)

fig, axes = plt.subplots(2, 2, figsize=(6, 6), layout="constrained")
images = [*made.mixtures, *result.sources]
titles = ["mixture 1", "mixture 2", "source 1", "source 2"]
for ax, image, title in zip(axes.flat, images, titles, strict=True):
    ax.imshow(np.clip(image / np.max(image), 0, 1))
    ax.set_title(title)
    ax.axis("off")
