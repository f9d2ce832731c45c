"""Groups of similar patches, and what several families compute from them: denoising, inpainting, sparse
filling."""
