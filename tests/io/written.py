"""Files of formats whose libraries are extras, as small as they can be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


def write_dicom(path: Path, image: NDArray, **elements: Any) -> None:
    """Write a grey image; `elements` by their DICOM names."""
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

    header = Dataset()
    header.file_meta = FileMetaDataset()
    header.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    header.file_meta.MediaStorageSOPClassUID = header.SOPClassUID = CTImageStorage
    header.file_meta.MediaStorageSOPInstanceUID = header.SOPInstanceUID = generate_uid()
    if image.ndim == 3:
        header.NumberOfFrames = len(image)
    header.Rows, header.Columns = image.shape[-2:]
    header.SamplesPerPixel, header.PhotometricInterpretation = 1, "MONOCHROME2"
    header.BitsAllocated = header.BitsStored = 8 * image.dtype.itemsize
    header.HighBit = header.BitsStored - 1
    header.PixelRepresentation = int(image.dtype.kind == "i")
    header.PixelData = image.tobytes()
    for name, value in elements.items():
        setattr(header, name, value)
    header.save_as(path, enforce_file_format=True)


def write_nifti(path: Path, array: NDArray, affine: NDArray | None = None) -> None:
    """Write an array whose last axis is X, compressed whatever the suffix."""
    import gzip

    import nibabel

    image = nibabel.Nifti1Image(array.T, np.eye(4) if affine is None else affine)
    with gzip.open(path, "wb") as file:
        image.to_stream(file)


def write_zarr(path: Path, array: NDArray) -> None:
    """Write a plain array in small pieces."""
    import zarr

    zarr.create_array(str(path), data=array, chunks=tuple(max(1, n // 2) for n in array.shape))


def write_dng(path: Path, mosaic: NDArray | None = None) -> None:
    """Write a raw file with the pattern red, green, green, blue and neutral colours."""
    import tifffile

    if mosaic is None:
        mosaic = np.random.default_rng(0).integers(200, 4000, (64, 96), dtype=np.uint16)
    unit = tuple(n for row in np.eye(3, dtype=int) for value in row for n in (int(value), 1))
    tags = [
        (50706, "B", 4, bytes([1, 4, 0, 0]), True),  # DNGVersion
        (50708, "s", 0, "Test", True),  # UniqueCameraModel
        (33421, "H", 2, (2, 2), True),  # CFARepeatPatternDim
        (33422, "B", 4, bytes([0, 1, 1, 2]), True),  # CFAPattern
        (50714, "I", 1, 0, True),  # BlackLevel
        (50717, "I", 1, 4095, True),  # WhiteLevel
        (50721, "2i", 9, unit, True),  # ColorMatrix1
        (50728, "2I", 3, (1, 1, 1, 1, 1, 1), True),  # AsShotNeutral
        (50778, "H", 1, 21, True),  # CalibrationIlluminant1
    ]
    tifffile.imwrite(path, mosaic, photometric=32803, extratags=tags, metadata=None)
