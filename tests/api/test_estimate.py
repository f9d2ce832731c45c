"""Estimates grow with the work, learn from runs, and say nothing of what was never measured."""

import pytest

from napari_bitsnet.api.estimate import estimate, in_words, kind_of_run, learn
from napari_bitsnet.api.settings import RunSettings
from napari_bitsnet.methods import METHODS

BITSNET = RunSettings(method="bitsnet")


def of(settings=BITSNET, size=(256, 256), **more):
    return estimate(settings, size, **{"n_sources": 2, **more})


def test_more_work_takes_longer():
    less = of()
    assert of(n_sources=3).seconds > less.seconds
    assert of(n_planes=4).seconds == pytest.approx(4 * less.seconds)
    assert of(BITSNET.updated({"preset": "best"})).seconds > 2 * less.seconds
    assert of(BITSNET.updated({"iterations": 10})).seconds < less.seconds
    assert of(device="cuda:0").seconds < less.seconds / 3
    assert of(size=(512, 512)).mebibytes == pytest.approx(4 * less.mebibytes)


def test_networks_work_at_a_limited_size_and_closed_forms_once():
    assert of(size=(4096, 4096)) == of(size=(512, 512))
    limited = BITSNET.updated({"size_limit": 1024})
    assert of(limited, size=(4096, 4096)).seconds > 3 * of(size=(512, 512)).seconds
    regression = RunSettings(method="guided_regression")
    assert of(regression, size=(1024, 1024)).mebibytes == pytest.approx(16 * of(regression).mebibytes)


def test_a_time_limit_holds():
    assert of(BITSNET.updated({"seconds": 3.0}), n_planes=2).seconds == 6


def test_a_run_teaches():
    learnt = learn(
        BITSNET,
        (256, 256),
        100.0,
        n_sources=2,
        n_planes=1,
        device="cuda:1",
        iterations=150,
        learnt={"a": 1.0},
    )
    assert set(learnt) == {"a", "bitsnet on cuda"}
    assert of(device="cuda:0", learnt=learnt, iterations=150).seconds == pytest.approx(100)
    again = learn(
        BITSNET, (256, 256), 200.0, n_sources=2, n_planes=1, device="cuda", iterations=150, learnt=learnt
    )
    assert of(device="cuda", learnt=again, iterations=150).seconds == pytest.approx(150)
    assert of(learnt=learnt) == of()  # the CPU was not used


def test_every_method_of_the_package_was_measured():
    assert all(METHODS.get(name).cost is not None for name in METHODS)


def test_what_goes_first_is_paid_once():
    dip = RunSettings(method="dip")
    few, many = (of(dip.updated({"iterations": n}), n_sources=1, device="cuda").seconds for n in (10, 100))
    assert many < 5 * few


def test_methods_that_were_never_measured_are_learnt(monkeypatch):
    name = "dip"
    monkeypatch.setattr(METHODS.get(name), "cost", None)
    settings = RunSettings(method=name)
    assert not of(settings).known
    learnt = learn(settings, (64, 64), 2.0, n_sources=1, n_planes=1, device="cpu", iterations=5, learnt={})
    assert of(settings, learnt=learnt).known
    assert kind_of_run(settings, "cpu") == f"{name} on cpu"
    assert of(settings).mebibytes is None


@pytest.mark.parametrize(
    ("seconds", "mebibytes", "text"),
    [
        (3, None, "a few seconds"),
        (47, 50, "≈ 50 s, under 0.1 GB"),
        (130, 3000, "≈ 2 min, ≈ 3.1 GB"),
        (9000, None, "≈ 2.5 h"),
    ],
)
def test_in_words(seconds, mebibytes, text):
    assert in_words(seconds, mebibytes) == text
