"""Registration: known transforms are found between modalities, points are fitted, images are brought over."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, map_coordinates

from napari_bitsnet.core.images import normalise
from napari_bitsnet.core.registration.point_pairs import matrix_of_points, mirror_points, residual_of_points
from napari_bitsnet.core.registration.register import Registration, register
from tests.panels import shared_panel

SIZE = (96, 84)


def similarity(degrees: float, scale: float, shift: tuple[float, float]) -> np.ndarray:
    """Moving to fixed, about the middle of images of `SIZE`."""
    c, s = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    matrix, middle = np.eye(3), (np.array(SIZE) - 1) / 2
    matrix[:2, :2] = scale * np.array([[c, -s], [s, c]])
    matrix[:2, 2] = middle + shift - matrix[:2, :2] @ middle
    return matrix


def places(matrix: np.ndarray) -> np.ndarray:
    y, x = np.mgrid[: SIZE[0], : SIZE[1]].astype(float)
    rows = np.stack([row[0] * y + row[1] * x + row[2] for row in matrix])
    return rows[:2] / rows[2]


def moved(image: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """The moving image whose pixel p shows what the given one shows at ``matrix @ p``."""
    at = places(matrix)
    channels = [
        map_coordinates(c.astype(float), at, order=1, mode="nearest") for c in np.moveaxis(image, -1, 0)
    ]
    return np.stack(channels, -1).astype(image.dtype)


@pytest.fixture
def sides():
    return shared_panel(1, SIZE, misregistration=0.0)


def error(found: Registration, truth: np.ndarray) -> float:
    difference = found.places() - places(np.linalg.inv(truth))
    return float(np.sqrt((difference**2).sum(0).mean()))


def test_an_affine_map_between_photograph_and_x_ray(sides):
    truth = similarity(4.0, 1.04, (5.0, -6.0))
    found = register(moved(sides.guides[1], truth), sides.mixture)
    assert error(found, np.eye(3)) > 5
    assert error(found, truth) < 0.7
    assert found.score > 2


@pytest.mark.parametrize("side", [0, 1])
def test_the_last_bits_decide_nothing(side: int):
    """Another processor rounds otherwise: noise of that size stands for it."""
    both, rng = shared_panel(5, 96), np.random.default_rng(side)
    images = both.guides[side] / 255, both.mixture / both.mixture.max()
    first = register(*images)
    again = register(*(i * (1 + 1e-7 * rng.standard_normal(i.shape)) for i in images))
    assert again.score == pytest.approx(first.score, rel=0.03)
    assert float(np.sqrt(((again.places() - first.places()) ** 2).sum(0).mean())) < 0.2


def test_a_shift_stays_a_shift_and_is_found_again(sides):
    truth = similarity(0.0, 1.0, (4.0, -3.0))
    found, again = (register(moved(sides.guides[0], truth), sides.mixture, model="shift") for _ in range(2))
    np.testing.assert_allclose(found.matrix[:2, :2], np.eye(2), atol=1e-6)
    assert error(found, truth) < 0.7
    np.testing.assert_array_equal(again.matrix, found.matrix)


def test_pixels_of_another_size(sides):
    fine = sides.guides[1].repeat(2, 0).repeat(2, 1)
    found = register(fine, sides.mixture, model="shift")
    np.testing.assert_allclose(found.matrix, [[0.5, 0, -0.25], [0, 0.5, -0.25], [0, 0, 1]], atol=0.6)
    assert found.warp(fine).shape == (*SIZE, 3)


@pytest.mark.parametrize("model", ["shift", "affine"])
@pytest.mark.parametrize("side", [0, 1])
def test_a_photograph_of_a_part_at_the_same_pixel_size(side: int, model: str):
    whole = shared_panel(2, 144, misregistration=0.0)  # larger than where places are searched for
    found = register(whole.guides[side][7:109, 23:135], whole.mixture, model=model)
    assert (found.assumed, found.doubtful) == ("same pixel size", False)
    truth = [[1, 0, 7], [0, 1, 23], [0, 0, 1]]
    np.testing.assert_allclose(found.matrix[:2, :2], np.eye(2), atol=1e-6 if model == "shift" else 0.01)
    corners = np.array([[y, x, 1] for y in (0, 101) for x in (0, 111)]).T
    np.testing.assert_allclose(found.matrix @ corners, truth @ corners, atol=0.7)


def test_a_shift_that_hardly_any_information_tells():
    sides = shared_panel(5, 96, misregistration=0.0)
    found = register(np.roll(sides.guides[0], (3, -4), (0, 1)), sides.mixture)
    assert not found.doubtful
    np.testing.assert_allclose(found.matrix, [[1, 0, -3], [0, 1, 4], [0, 0, 1]], atol=0.5)


def test_what_does_not_belong_is_doubtful():
    one, other = (shared_panel(seed, 96, misregistration=0.0) for seed in (1, 4))
    assert register(one.guides[0][:, ::-1], one.mixture).doubtful
    assert register(other.guides[1][10:75, 15:85], one.mixture).doubtful


def test_points_that_are_right_have_a_high_score():
    whole = shared_panel(0, 96, misregistration=0.0)
    points = np.array([[2.0, 2], [64, 8], [34, 68]])
    pairs = (points, points + np.array([5, 15]))
    found = register(whole.guides[1][5:72, 15:90], whole.mixture, points=pairs)
    assert (found.assumed, found.doubtful) == ("points", False)
    assert register(whole.guides[1], whole.mixture, points=pairs).doubtful


def test_points_that_do_not_agree():
    moving = np.array([[0.0, 0], [0, 10], [10, 0], [10, 10]])
    assert residual_of_points(moving[:3], 2 * moving[:3] + 1) is None
    assert residual_of_points(moving, 2 * moving + 1) == pytest.approx(0, abs=1e-9)
    # a corner that is 4 px off: an affine map takes a quarter of that from each of the four
    assert residual_of_points(moving, moving + np.array([[0, 0], [0, 0], [0, 0], [4, 0]])) == pytest.approx(1)


def test_a_smooth_deformation_is_followed():
    rng = np.random.default_rng(0)
    image = gaussian_filter(rng.standard_normal((*SIZE, 3)), (2, 2, 0))
    y, x = np.mgrid[: SIZE[0], : SIZE[1]].astype(float)
    bend = 3 * np.cos(np.pi * x / SIZE[1])
    moving = np.stack(
        [map_coordinates(c, [y + bend, x], order=1, mode="nearest") for c in np.moveaxis(image, -1, 0)], -1
    )
    fixed = np.abs(image[..., 0]) + image[..., 1] ** 2  # another modality
    corners = ([[0, 0], [0, 80], [90, 0]],) * 2
    stiff, bent = (register(moving, fixed, model=m, points=corners) for m in ("affine", "smooth"))
    np.testing.assert_allclose(stiff.matrix, np.eye(3), atol=1e-5)

    def left(found: Registration) -> float:
        return float(np.sqrt(((found.places()[0] + bend - y) ** 2).mean()))

    assert left(bent) < 0.5 * left(stiff)
    assert bent.mutual_information > 1.2 * stiff.mutual_information


def test_perspective_is_followed_and_is_no_affine_map():
    rng = np.random.default_rng(0)
    image = gaussian_filter(rng.standard_normal((*SIZE, 3)), (2, 2, 0))
    tilt = np.eye(3)
    tilt[2, 1] = 0.0008  # 6 % over the width
    moving = moved(image, tilt)
    fixed = np.abs(image[..., 0]) + image[..., 1] ** 2  # another modality
    corners = ([[0, 0], [0, 80], [90, 0]],) * 2
    stiff, tilted = (register(moving, fixed, model=m, points=corners) for m in ("affine", "projective"))
    assert (stiff.affine, tilted.affine) == (True, False)
    assert error(tilted, tilt) < 0.3 * error(stiff, tilt)
    assert tilted.score > stiff.score


@pytest.mark.parametrize("count", [1, 2, 3, 6])
def test_points(count: int):
    rng = np.random.default_rng(count)
    truth = similarity(30.0 if count > 1 else 0.0, 1.5 if count > 1 else 1.0, (3.0, 4.0))
    if count > 2:
        truth[0, 1] += 0.3  # a shear, which two points cannot tell
    moving = rng.uniform(0, 80, (count, 2))
    fixed = moving @ truth[:2, :2].T + truth[:2, 2]
    np.testing.assert_allclose(matrix_of_points(moving, fixed), truth, atol=1e-9)


def test_bringing_images_over():
    matrix = np.array([[1.0, 0, 2], [0, 1, -1], [0, 0, 1]])
    found = Registration(matrix, 1.0, 0.0, (6, 8), (6, 8))
    image = np.arange(48, dtype=np.float32).reshape(6, 8)
    brought = found.warp(image)
    np.testing.assert_allclose(brought[2:, :7], image[:-2, 1:])
    assert np.isnan(brought[:2]).all()
    counts = found.warp(image.astype(np.uint8), labels=True)
    assert counts.dtype == np.uint8
    np.testing.assert_array_equal(counts[2:, :7], image[:-2, 1:])
    assert (counts[:2] == 0).all()
    with pytest.raises(
        ValueError, match=r"image of \(6, 8\) pixels \(Y, X\), as was registered, got \(5, 8\)"
    ):
        found.warp(image[:5])


def shifted(y: float, x: float) -> Registration:
    return Registration(np.array([[1.0, 0, y], [0, 1, x], [0, 0, 1]]), 1.0, 0.0, (6, 8), (6, 8))


def test_an_image_reaches_half_a_pixel_beyond_its_outermost_centres():
    image = np.arange(1, 49, dtype=np.float32).reshape(6, 8)
    assert shifted(0.49, -0.49).covered().all()
    assert np.isfinite(shifted(0.49, -0.49).warp(image)).all()
    np.testing.assert_array_equal(shifted(0.51, 0).covered(), np.arange(6)[:, None] + np.zeros(8) > 0)
    np.testing.assert_allclose(shifted(0.25, 0).warp(image)[0], image[0])  # the border goes on


def test_masked_pixels_of_what_is_brought_over_are_missing():
    here, values = shifted(0, 0), np.arange(48, dtype=np.int16).reshape(6, 8)
    hidden = np.zeros(values.shape, bool)
    hidden[4:, 5:7] = True
    picture = np.ma.array(np.where(hidden, -9999, values), mask=hidden)
    brought = here.as_guide(picture)
    assert np.isnan(brought[hidden]).all()  # and their neighbours, which are interpolated with them
    seen = np.isfinite(brought)
    np.testing.assert_array_equal(brought[seen], values[seen])
    assert seen[:3].all()
    np.testing.assert_array_equal(here.warp(picture, labels=True), np.where(hidden, 0, values))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32, np.float64])
@pytest.mark.parametrize("channels", [(), (3,), (4,)])
def test_what_a_guide_does_not_cover_is_missing_and_all_else_is_as_it_was(dtype: type, channels: tuple):
    found = shifted(2, -3)
    image = np.random.default_rng(0).integers(1, 255, (6, 8, *channels)).astype(dtype)
    brought = found.as_guide(image)
    read = normalise(brought)
    assert read.valid is not None
    np.testing.assert_array_equal(read.valid[0, 0].numpy(), found.covered())
    colours = brought[..., :3] if channels else brought
    np.testing.assert_array_equal(colours[2:, :5], image[..., :3][:-2, 3:] if channels else image[:-2, 3:])
    whole = shifted(0, 0).as_guide(image)
    assert whole.dtype == image.dtype
    np.testing.assert_array_equal(whole, image)


def test_mirrored_points_are_where_the_mirrored_image_shows_the_same():
    image = np.random.default_rng(0).random((6, 9))
    points = np.array([[0, 0], [2, 3], [5, 8]])
    y, x = mirror_points(points, image.shape[1]).astype(int).T
    np.testing.assert_array_equal(image[:, ::-1][y, x], image[points[:, 0], points[:, 1]])
    np.testing.assert_array_equal(mirror_points(mirror_points(points, 9), 9), points)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"model": "elastic"}, "a model of shift, affine, projective or smooth, got 'elastic'"),
        ({"points": ([[1, 2]], [[1, 2], [3, 4]])}, r"pairs of points, two arrays \(N, 2\), got \(1, 2\) and"),
        ({"points": ([[0, 0], [1, 1], [2, 2]],) * 2}, "span an area, got points on one line"),
    ],
)
def test_errors(sides, arguments: dict, message: str):
    with pytest.raises(ValueError, match=message):
        register(sides.guides[0], sides.mixture, **arguments)
