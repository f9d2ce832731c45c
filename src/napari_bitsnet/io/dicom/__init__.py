"""DICOM beyond pydicom: decoders of compressed pixels, values and sizes, files in the order of their
places."""
