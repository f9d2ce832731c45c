"""
An X-ray with photographs
=========================

A simulated panel is painted on both sides. Its X-ray shows both paintings at once, and a photograph of each
side serves as a guide.
"""

# %%
# The sample holds the X-ray, a photograph of each side, and the true sources, which a real panel does not
# have.

import matplotlib.pyplot as plt

import napari_bitsnet as nb
from napari_bitsnet.data.panel import simulate_panel

panel = simulate_panel(3, 128)
result = nb.run("xray", panel.mixture, guides=panel.guides, preset="quick", seed=0)

# %%
# The sources and the residual add up to the X-ray. Below each source stands the true one.

front, back = result.sources
fig, axes = plt.subplots(2, 3, figsize=(9, 6), layout="constrained")
images = {
    "X-ray": panel.mixture,
    "source 1": front,
    "source 2": back,
    "photograph of side 1": panel.guides[0],
    "truth 1": panel.truths[0],
    "truth 2": panel.truths[1],
}
for ax, (title, image) in zip(axes.flat, images.items(), strict=True):
    ax.imshow(image, cmap="gray")
    ax.set_title(title)
    ax.axis("off")

# %%
# The gain compares the sources with the X-ray itself, which is what one has without a separation. Constants
# are left out, because one X-ray does not tell how its brightness is shared (:doc:`/concepts/scores`).

scores = nb.metrics.score(result.sources, panel.truths, panel.mixture)
print(f"Offset-free gain over the X-ray: {scores['mean_gain_offset_free']:+.1f} dB")

# %%
# What no photograph explains is an image of its own. A hidden design would stand there, and the run says what
# else a reader should know.

print("\n".join(map(str, result.warnings)) or "The run has no warnings.")
fig, axes = plt.subplots(1, 2, figsize=(6, 3), layout="constrained")
for ax, name in zip(axes, ("unexplained", "uncertainty"), strict=True):
    output = result.outputs[name].array
    ax.imshow(output if output.ndim == 2 else output[0], cmap="magma")
    ax.set_title(name)
    ax.axis("off")
