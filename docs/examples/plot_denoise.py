"""
Remove noise
============

A photograph with white noise is cleaned in closed form.
"""

# %%
# The sample holds the noisy image and the clean one.

import matplotlib.pyplot as plt
import numpy as np

import napari_bitsnet as nb
from napari_bitsnet.data import samples

noisy, clean = (array[:96, :96] for array, _, _ in samples.noise()[:2])
result = nb.run("denoise", noisy, seed=0)
cleaned = result.outputs["clean"].array

# %%
# The PSNR of the noisy image is the null of this task.


def psnr(image: np.ndarray) -> float:
    """Return the peak signal-to-noise ratio in decibels; the images are on the scale 0 to 255."""
    return -10 * np.log10(np.mean((np.asarray(image, float) - clean) ** 2) / 255**2)


print(f"noisy {psnr(noisy):.1f} dB, cleaned {psnr(cleaned):.1f} dB")

fig, axes = plt.subplots(1, 3, figsize=(9, 3.2), layout="constrained")
for ax, (title, image) in zip(
    axes, {"noisy": noisy, "cleaned": cleaned, "clean": clean}.items(), strict=True
):
    ax.imshow(np.clip(image / 255, 0, 1))
    ax.set_title(title)
    ax.axis("off")
