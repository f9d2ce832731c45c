from __future__ import annotations

import numpy as np
import pytest

from napari_bitsnet.core.encoding import Transfer, may_be_photograph, transfer_of

EIGHT_BITS = np.dtype(np.uint8)


@pytest.mark.parametrize(
    ("stored", "light"),
    [(0, 0), (0.04045, 0.0031308), (0.5, 0.21404), (0.73536, 0.5), (1, 1), (-0.5, -0.21404)],
)
def test_the_curve_is_that_of_the_standard_mirrored_at_zero(stored, light):
    assert Transfer(1.0).to_light(np.array([stored]))[0] == pytest.approx(light, abs=1e-5)
    assert Transfer(1.0).to_stored(np.array([light]))[0] == pytest.approx(stored, abs=1e-4)


@pytest.mark.parametrize("white", [1.0, 255.0, 65535.0])
def test_encoding_undoes_decoding_on_any_scale(white):
    values = np.linspace(-0.3, 1.7, 1001) * white
    np.testing.assert_allclose(
        Transfer(white).to_stored(Transfer(white).to_light(values)), values, atol=1e-9 * white
    )


def test_linear_values_are_passed_on_untouched():
    values = np.array([[1, 2], [3, 250]], np.uint8)
    assert Transfer().to_light(values) is values
    assert Transfer().to_stored(values) is values
    assert Transfer().is_identity


def test_opacity_is_no_light():
    image = np.full((2, 2, 4), 128, np.uint8)
    light = Transfer(255.0).to_light(image)
    assert (light[..., 3] == 128).all()
    assert light[0, 0, 0] == pytest.approx(255 * 0.2158605, rel=1e-5)


def test_missing_pixels_stay_missing_and_types_of_images_stay():
    values = np.array([np.nan, 0.5], np.float32)
    light = Transfer(1.0).to_light(values)
    assert np.isnan(light[0])
    assert Transfer(1.0).to_stored(light.astype(np.float32)).dtype == np.float32


@pytest.mark.parametrize(
    ("image", "stored", "high", "white"),
    [
        (np.zeros((2, 2), np.uint8), np.uint8, None, 255.0),
        (np.zeros((2, 2), np.uint16), np.uint16, None, 65535.0),
        (np.array([[np.nan, 7.0]]), np.uint8, None, 255.0),
        (np.ones((2, 2)), np.float32, None, 1.0),
        (np.full((2, 2), 300.0), np.float32, 4095.0, 4095.0),
    ],
)
def test_white_is_the_largest_integer_one_or_what_is_set(image, stored, high, white):
    assert transfer_of("srgb", image, np.dtype(stored), high).white == white


def test_floating_values_above_one_need_their_white():
    with pytest.raises(ValueError, match="values up to 300: set high to the value of white"):
        transfer_of("srgb", np.full((2, 2), 300.0), np.dtype(float))


@pytest.mark.parametrize("encoding", ["linear", "auto"])
def test_what_no_file_calls_encoded_is_linear(encoding):
    assert transfer_of(encoding, np.full((2, 2), 300.0), np.dtype(float)).is_identity


@pytest.mark.parametrize(
    ("shape", "stored", "may"),
    [
        ((4, 4, 3), "u1", True),
        ((4, 4, 4), "u1", True),
        ((4, 4), "u1", False),
        ((4, 4, 3), "u2", False),
        ((4, 4, 3), "f4", False),
    ],
)
def test_only_colours_of_8_bits_may_be_photographs(shape, stored, may):
    assert may_be_photograph(np.zeros(shape), np.dtype(stored)) is may
