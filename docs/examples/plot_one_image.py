"""
One image and nothing else
==========================

One superimposed image does not determine its sources. Trained networks give a likely pair, say how sure they
are, and keep alternatives.
"""

# %%
# The sample is the mean of two photographs. The true photographs only serve to score the answer.

import matplotlib.pyplot as plt

import napari_bitsnet as nb
from napari_bitsnet.data import samples

layers = samples.photographs()
mixture, *truths = (array for array, _, _ in layers)
result = nb.separate(mixture, seed=0)

fig, axes = plt.subplots(1, 3, figsize=(9, 3.2), layout="constrained")
images = {"mixture": mixture, "source 1": result.sources[0], "source 2": result.sources[1]}
for ax, (title, image) in zip(axes, images.items(), strict=True):
    ax.imshow((image - image.min()) / (image.max() - image.min()))
    ax.set_title(title)
    ax.axis("off")

# %%
# What the run says about its own answer:

print("\n".join(map(str, result.warnings)) or "The run has no warnings.")
print(f"Alternatives: {len(result.candidates)}")

# %%
# ``result.choose`` returns the result with one of the alternatives as its answer.

if result.candidates:
    other = result.choose(1)
    fig, axes = plt.subplots(1, 2, figsize=(6, 3.2), layout="constrained")
    for ax, image in zip(axes, other.sources, strict=True):
        ax.imshow((image - image.min()) / (image.max() - image.min()))
        ax.axis("off")
    fig.suptitle("the first alternative")
