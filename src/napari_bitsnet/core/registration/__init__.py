"""Registration of images of different modalities."""
