"""What the reader of TIFF is made of: metadata, completeness, the choice of the image, and its colours."""
