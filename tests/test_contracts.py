"""Every registered task and method keeps its contract; a new file is tested unasked."""

from __future__ import annotations

import json
import types
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import numpy as np
import pytest
import torch
from annotated_types import Ge, Le

from napari_bitsnet.api import RunSettings, run
from napari_bitsnet.api.export.names import possible_names
from napari_bitsnet.core.config import Config
from napari_bitsnet.core.mixing import Cutout, Haze, Linear, Masked, Noisy, Overlay, Reflection, Weighted
from napari_bitsnet.core.problem import Problem
from napari_bitsnet.methods import METHODS
from napari_bitsnet.tasks import TASKS, Inputs
from napari_bitsnet.training.protocol import TRAINERS

HEIGHT, WIDTH = 28, 34
PLAIN = (bool, int, float, str, Path)

pytestmark = pytest.mark.usefixtures("few_windows")


# --- Settings ------------------------------------------------------------------------------------------


def every_config() -> Iterator[Any]:
    """Every settings class with its defaults, and every preset."""
    yield pytest.param(RunSettings(), id="run")
    registries: dict[str, Any] = {"task": TASKS, "method": METHODS, "trainer": TRAINERS}
    for kind, registry in registries.items():
        for name in registry:
            entry = registry.get(name)
            yield pytest.param(entry.Config(), id=f"{kind}-{name}")
            for preset, config in getattr(entry, "presets", {}).items():
                yield pytest.param(config, id=f"{kind}-{name}-{preset}")


CONFIGS = list(every_config())


def kinds(annotation: Any) -> list[Any]:
    """The plain types a setting may take, with ``None`` and bounds taken off."""
    if get_origin(annotation) is Annotated:
        return kinds(get_args(annotation)[0])
    if get_origin(annotation) in (Union, types.UnionType):
        return [kind for a in get_args(annotation) if a is not type(None) for kind in kinds(a)]
    return [annotation]


def is_listed(kind: Any) -> bool:
    """Whether forms, command line and JSON can all carry such a setting."""
    if get_origin(kind) is Literal:
        return all(isinstance(value, str) for value in get_args(kind))
    if get_origin(kind) is tuple:
        return kinds(get_args(kind)[0])[0] is float and get_args(kind)[1:] == (...,)
    return kind in PLAIN


def entry_configs() -> list[Any]:
    """One settings object a task, method and trainer."""
    return [c for c in CONFIGS if c.id.count("-") == 1]


@pytest.mark.parametrize("config", CONFIGS)
def test_settings_survive_json(config: Config):
    text = config.model_dump_json()
    assert type(config).model_validate_json(text) == config
    assert type(config).model_validate(json.loads(text)) == config
    assert config.updated(json.loads(text)) == config


@pytest.mark.parametrize("config", entry_configs())
def test_settings_have_types_that_every_face_can_carry(config: Config):
    for name, field in type(config).model_fields.items():
        found = kinds(field.annotation)
        assert len(found) == 1, f"{name}: one type or that type and None, got {field.annotation}"
        assert is_listed(found[0]), f"{name}: {field.annotation}"


@pytest.mark.parametrize("config", CONFIGS)
def test_every_number_has_bounds_and_a_step(config: Config):
    for name, field in type(config).model_fields.items():
        if not any(kind in (int, float) for kind in kinds(field.annotation)):
            continue
        low = [m.ge for m in field.metadata if isinstance(m, Ge)]
        high = [m.le for m in field.metadata if isinstance(m, Le)]
        step = (field.json_schema_extra or {}).get("step")
        assert low, f"{name} has no lower bound"
        assert high, f"{name} has no upper bound"
        assert step is not None, f"{name} has no step"
        assert 0 < step <= high[0] - low[0], f"{name}: step {step} in {low[0]} to {high[0]}"
        if int in kinds(field.annotation):
            assert float(step).is_integer(), f"{name}: step {step} of a whole number"


@pytest.mark.parametrize("config", CONFIGS)
def test_every_setting_is_described_in_a_sentence(config: Config):
    for name, field in type(config).model_fields.items():
        assert field.description, f"{name} has no description"
        assert field.description.rstrip().endswith((".", ")", "?")), f"{name}: {field.description!r}"


@pytest.mark.parametrize("config", CONFIGS)
def test_unknown_settings_list_the_known_ones(config: Config):
    with pytest.raises(ValueError, match="Unknown setting 'no_such'") as caught:
        config.updated({"no_such": 1})
    assert all(name in str(caught.value) for name in type(config).model_fields)


@pytest.mark.parametrize("config", CONFIGS)
def test_settings_are_frozen(config: Config):
    name = next(iter(type(config).model_fields), None)
    if name is not None:
        with pytest.raises(ValueError, match="frozen"):
            setattr(config, name, getattr(config, name))


# --- Tiny problems -------------------------------------------------------------------------------------


def pictures() -> tuple[torch.Tensor, torch.Tensor]:
    """Two colour images (1, 3, H, W) in [0, 1] with edges in different places."""
    y, x = torch.meshgrid(torch.linspace(0, 1, HEIGHT), torch.linspace(0, 1, WIDTH), indexing="ij")
    bars = 0.25 + 0.5 * ((6 * x).floor() % 2)
    disc = 0.2 + 0.6 * ((y - 0.5) ** 2 + (x - 0.45) ** 2 < 0.1).float()
    grain = torch.rand((2, 1, HEIGHT, WIDTH), generator=torch.Generator().manual_seed(3)) * 0.1
    tint_a, tint_b = torch.tensor([1.0, 0.8, 0.5]), torch.tensor([0.6, 0.9, 1.0])
    a = (bars + grain[0]) * tint_a[:, None, None]
    b = (disc + grain[1]) * tint_b[:, None, None]
    return a[None].clamp(0, 1), b[None].clamp(0, 1)


def tiny_problems() -> dict[str, Problem]:
    """One problem of each kind that methods say they can or cannot solve."""
    a, b = pictures()
    mixture = (a + b) / 2
    grey = mixture.mean(dim=1, keepdim=True)
    valid = torch.ones((1, 1, HEIGHT, WIDTH), dtype=torch.bool)
    valid[..., 4:9, 5:12] = False
    hints = torch.zeros((2, 1, HEIGHT, WIDTH))
    hints[0, 0, 2:26, 11], hints[1, 0, 14, 5:28] = 1, 1
    pair = torch.cat([0.7 * a + 0.3 * b, 0.4 * a + 0.6 * b])
    weights = torch.tensor([[0.7, 0.3], [0.4, 0.6]])
    marked = torch.cat([a, b])
    marked[..., 6:12, 8:26] = 0.5 * marked[..., 6:12, 8:26] + 0.5
    everywhere = torch.zeros((3, 1, HEIGHT, WIDTH))
    everywhere[2] = 1
    return {
        "colour": Problem(mixture),
        "grey": Problem(grey),
        "missing pixels": Problem(mixture, valid=valid),
        "three sources": Problem(grey, 3),
        "two guides": Problem(grey, guides=(a, b)),
        "one guide": Problem(grey, guides=(a, None)),
        "hints": Problem(mixture, hints=hints),
        "noise": Problem(a, 1, mixing=Noisy()),
        "noise, grey, missing pixels": Problem(grey, 1, mixing=Noisy(0.05), valid=valid),
        "holes": Problem(a, 1, mixing=Masked(), valid=valid),
        "haze": Problem(a, 1, mixing=Haze()),
        "a reflection": Problem(mixture, mixing=Reflection()),
        "a cutout": Problem(mixture, mixing=Cutout(), hints=hints),
        "a mark on two images": Problem(marked, 3, mixing=Overlay(), hints=everywhere),
        "two mixtures": Problem(pair, mixing=Weighted()),
        "two mixtures, weights add to one": Problem(pair, mixing=Weighted(rule="sum-to-one")),
        "two mixtures, weights given": Problem(pair, mixing=Weighted(weights, rule="given")),
        "two mixtures, missing pixels": Problem(pair, mixing=Weighted(), valid=valid),
    }


PROBLEMS = tiny_problems()
TYPICAL = ("missing pixels", "two guides", "two mixtures")
"""Kinds that are solved with every preset; the others, and closer looks, with the quickest only."""

SOLVABLE = [
    pytest.param(method, preset, problem, id=f"{method}-{preset}-{problem}")
    for method in METHODS
    for preset in ("quick", "balanced", "best")
    for problem in PROBLEMS
    if (preset == "quick" or problem in TYPICAL)
    and METHODS.get(method)(METHODS.get(method).presets[preset]).unsupported_reason(PROBLEMS[problem].traits)
    is None
]
QUICK = [case for case in SOLVABLE if case.values[1] == "quick"]
QUICK_TYPICAL = [case for case in QUICK if case.values[2] in TYPICAL]


def solve(method: str, preset: str, problem: str, *parts: int, seed: int = 0) -> dict[str, torch.Tensor]:
    """Advance by each of `parts` iterations, a new generator each time, and return the answer."""
    made = METHODS.get(method)(METHODS.get(method).presets[preset])
    state = made.start(PROBLEMS[problem], device="cpu", seed=seed)
    for count in parts:
        for losses in islice(made.advance(state), count):
            assert all(np.isfinite(float(value)) for value in losses.values()), losses
    return {name: tensor.clone() for name, tensor in made.solution(state).items()}


# --- Methods -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", METHODS)
def test_a_method_says_what_it_is(name: str):
    method = METHODS.get(name)
    assert method.name == name
    assert method.title
    assert method.title[0].isupper()
    assert method.summary.endswith(".")
    assert isinstance(method.full_resolution, bool)
    assert {"quick", "balanced", "best"} <= set(method.presets)
    assert all(type(config) is method.Config for config in method.presets.values())
    for config in method.presets.values():
        assert method(config).iterations >= 1
        assert method(config).config == config


@pytest.mark.parametrize("name", METHODS)
def test_a_method_solves_something_and_says_why_it_cannot_solve_the_rest(name: str):
    made = METHODS.get(name)(METHODS.get(name).Config())
    reasons = [made.unsupported_reason(problem.traits) for problem in PROBLEMS.values()]
    needs_weights = any("weights=FILE" in reason for reason in reasons if reason)
    assert None in reasons or needs_weights, "it solves nothing"
    assert all(reason is None or reason.endswith(".") for reason in reasons), reasons


@pytest.mark.parametrize("name", METHODS)
def test_a_stopping_rule_is_fresh(name: str):
    for config in METHODS.get(name).presets.values():
        made = METHODS.get(name)(config)
        first, second = made.stopping(), made.stopping()
        assert (first is None) == (second is None)
        assert first is None or first is not second


@pytest.mark.parametrize(("method", "preset", "problem"), SOLVABLE)
def test_an_answer_has_the_promised_form(method: str, preset: str, problem: str):
    stated = PROBLEMS[problem]
    answer = solve(method, preset, problem, 2)
    sources = answer["sources"]
    assert sources.shape == (stated.n_sources, *stated.observations.shape[1:])
    assert all(tensor.dtype == torch.float32 for tensor in answer.values())
    assert all(bool(torch.isfinite(tensor).all()) for tensor in answer.values())
    assert not any(tensor.requires_grad for tensor in answer.values())
    if isinstance(stated.mixing, Linear):  # quick, balanced and best recombine exactly
        torch.testing.assert_close(stated.mixing(sources), stated.observations, rtol=0, atol=1e-5)
    if "weights" in answer:
        assert answer["weights"].shape == (len(stated.observations), stated.n_sources)
    if "explained" in answer:
        assert answer["explained"].shape == sources.shape
        assert answer["unexplained"].shape == (1, *sources.shape[1:])


@pytest.mark.parametrize(("method", "preset", "problem"), QUICK)
def test_the_same_seed_gives_the_same_bits_and_going_on_changes_nothing(
    method: str, preset: str, problem: str
):
    once = solve(method, preset, problem, 4, seed=5)
    again = solve(method, preset, problem, 2, 2, seed=5)
    assert once.keys() == again.keys()
    for name in once:
        assert torch.equal(once[name], again[name]), f"{name} differs"


@pytest.mark.parametrize(("method", "preset", "problem"), QUICK_TYPICAL)
def test_the_global_generator_neither_matters_nor_is_seeded(method: str, preset: str, problem: str):
    answers, states = [], []
    with torch.random.fork_rng(devices=[]):
        for seed in (1, 2):
            torch.manual_seed(seed)
            answers.append(solve(method, preset, problem, 1)["sources"])
            states.append(torch.get_rng_state())
    assert torch.equal(*answers)
    assert not torch.equal(*states)


# --- Tasks ---------------------------------------------------------------------------------------------


def tiny_inputs(name: str, *, everything: bool) -> Inputs:
    """Images for what the task declares: only what it requires, or all it takes."""
    a, b = (p[0].permute(1, 2, 0).numpy() for p in pictures())
    mixture = 200.0 * (a + b) / 2 + 10
    hints = np.zeros((HEIGHT, WIDTH), dtype=np.uint8)
    hints[2:26, 11], hints[14, 5:28] = 1, 2
    mask = np.zeros((HEIGHT, WIDTH), dtype=bool)
    mask[:3, :4] = True
    images: dict[str, Any] = {"mixture": mixture, "guides": (a, b), "hints": hints, "mask": mask}
    declared = {i.name: i for i in TASKS.get(name).inputs}
    if declared["mixture"].many:
        images["mixture"] = np.stack([0.7 * a + 0.3 * b, 0.4 * a + 0.6 * b])
    elif "guides" in declared and declared["guides"].many:
        images["mixture"] = mixture.mean(axis=-1)
    elif "guides" in declared:
        del images["guides"]  # one saliency image stands in the place of hints, and both are refused
    return Inputs(
        **{k: v for k, v in images.items() if k in declared and (everything or declared[k].required)}
    )


@pytest.mark.parametrize("name", TASKS)
def test_a_task_says_what_it_is(name: str):
    task = TASKS.get(name)
    assert task.name == name
    assert task.title
    assert task.title[0].isupper()
    assert task.summary.endswith(".")
    names = [i.name for i in task.inputs]
    assert "mixture" in names
    assert len(names) == len(set(names))
    assert set(names) <= set(Inputs.__dataclass_fields__)
    for declared in task.inputs:
        assert declared.title
        assert declared.description.endswith(".")


@pytest.mark.parametrize("everything", [False, True], ids=["required", "everything"])
@pytest.mark.parametrize("name", TASKS)
def test_a_task_foresees_its_problem_and_has_a_method_for_it(name: str, everything: bool):
    task, inputs = TASKS.get(name)(TASKS.get(name).Config()), tiny_inputs(name, everything=everything)
    several = next(i.many for i in task.inputs if i.name == "mixture")
    foreseen = task.traits(
        n_observations=len(inputs.mixture) if several else 1,
        n_guides=sum(g is not None for g in inputs.guides),
        has_hints=inputs.hints is not None,
    )
    problem = task.build(inputs).problem
    assert problem.traits == foreseen
    assert float(problem.observations.min()) >= 0
    assert float(problem.observations.max()) <= 1
    method = METHODS.get(task.default_method(foreseen))
    assert method(method.presets["balanced"]).unsupported_reason(foreseen) is None


@pytest.mark.filterwarnings("ignore::UserWarning")  # tiny images are hardly separable, and the run says so
@pytest.mark.parametrize("everything", [False, True], ids=["required", "everything"])
@pytest.mark.parametrize("name", TASKS)
def test_a_task_runs_and_names_its_outputs(name: str, everything: bool):
    inputs = tiny_inputs(name, everything=everything)
    result = run(
        name,
        inputs.mixture,
        guides=inputs.guides,
        hints=inputs.hints,
        mask=inputs.mask,
        preset="quick",
        iterations=2,
        device="cpu",
    )
    assert result.outputs
    may_be_written = possible_names(
        name, ["tiny"]
    ).matcher()  # what is seen to before a run, so that nothing is replaced
    outputs = result.outputs
    assert all(may_be_written(f"tiny_{key}.tif") for key, output in outputs.items() if output.is_image)
    assert all(len(output.axes) == output.ndim for output in outputs.values())
    assert all(output.caption and output.description for output in outputs.values())
    declared = {i.name: i for i in TASKS.get(name).inputs}
    images = {key: output.array for key, output in outputs.items() if output.is_image}
    weights = None if "weights" not in outputs else outputs["weights"].array
    if weights is not None:  # one residual a mixture
        images |= {f"residual {m + 1}": image for m, image in enumerate(images.pop("residual"))}
    for key, image in images.items():
        assert image.dtype in (np.float32, np.uint8), key  # images, labels
        assert image.shape[:2] == (HEIGHT, WIDTH), key
        kept = np.ones((HEIGHT, WIDTH), bool) if inputs.mask is None else ~inputs.mask
        assert np.isfinite(image[kept]).all(), key
        if declared["mask"].title != "Ignore":  # what the task works on, not what it leaves out
            assert np.isfinite(image).all(), key
        else:
            missing = image[~kept]
            assert (missing == 0 if image.dtype == np.uint8 else np.isnan(missing)).all(), key
    spread = np.ptp(inputs.mixture)
    if weights is not None:
        explained = np.tensordot(weights.astype(np.float64), result.sources.astype(np.float64), axes=1)
        total = explained + result.outputs["residual"]
        np.testing.assert_allclose(total[:, kept], inputs.mixture[:, kept], rtol=0, atol=1e-6 * spread)
    if "residual" in images and "source_1" in images:
        total = np.nansum([*result.sources.astype(np.float64), result.residual], axis=0)
        np.testing.assert_allclose(total[kept], inputs.mixture[kept], rtol=0, atol=1e-6 * spread)
    assert json.loads(json.dumps(result.provenance)) == result.provenance
