"""Turn the YTMT authors' file of weights, and torchvision's VGG-19, into one file of this package, once."""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import torch
from torch import Tensor, nn

from napari_bitsnet.core.networks.weights import save_tensors
from napari_bitsnet.methods.ytmt.official import VGG, OfficialNetwork

LICENCE = (
    "The code of YTMT-Strategy is under the Apache License 2.0; its authors state no licence for the file of "
    "weights. VGG-19's weights are torchvision's (BSD-3-Clause), trained on ImageNet."
)


def convert_official(weights: Path, vgg: Path, output: Path) -> dict[str, Any]:
    """Write one ``.safetensors`` file that the method `ytmt` takes as its weights.

    Parameters
    ----------
    weights : Path
        The authors' file, such as ``ytmt_uct_sirs_68_077_00595364.pt``; of their first network ("old"), with
        one or two stages.
    vgg : Path
        torchvision's weights of VGG-19, such as ``vgg19-dcbb9e9d.pth``, without which the authors' network
        does nothing.
    output : Path
        The new file, 180 MB for one stage and 340 MB for two.

    Returns
    -------
    dict
        What the file says of itself: source, checksums, licence.

    Raises
    ------
    FileNotFoundError
        If a file does not exist.
    ValueError
        If a file is damaged, holds pickled objects instead of tensors alone, or belongs to another network.
    """
    stages = _stages(_read(weights), weights)
    network = OfficialNetwork(len(stages))
    for stage, tensors in zip(network.stages, stages, strict=True):
        _fill(stage, tensors, official_names(), weights, spare="fusion")
    _fill(network.vgg, _read(vgg), vgg_names(), vgg, spare="features.|classifier.")
    facts = {
        "method": "ytmt",
        "network": network.sizes,
        "kinds": ["transmission", "reflection"],
        "mixing": "reflection",
        "task": "reflection",
        "hypercolumn": None,
        "source": {
            "weights": weights.name,
            "sha256": _checksum(weights),
            "vgg": vgg.name,
            "vgg_sha256": _checksum(vgg),
        },
        "licence": LICENCE,
    }
    save_tensors(output, network.state_dict(), facts)
    return facts


def official_names() -> dict[str, str]:
    """Return the authors' name of each tensor of an `OfficialStage`, 236 of them."""
    return dict(_official_names())


def _official_names() -> Iterator[tuple[str, str]]:
    for number in (1, 2):
        layers = {
            "first": f"inc_{number}.model.0",
            "last_mix": f"outc_{number}.fusion",
            "last": f"outc_{number}.conv",
        }
        layers |= _gates("first_gates", f"inc_{number}.model", 1)
        for level in range(4):
            new, old = f"down.{level}", f"down{level + 1}_{number}"
            layers |= {f"{new}.mix": f"{old}.fusion", f"{new}.conv": f"{old}.model.1"}
            layers |= _gates(f"{new}.gates", f"{old}.model", 2)
            new, old = f"up.{level}", f"up{level + 1}_{number}"
            layers |= {f"{new}.below": f"{old}.fusion_1", f"{new}.side": f"{old}.fusion_2"}
            layers |= {f"{new}.conv": f"{old}.model.0", **_gates(f"{new}.gates", f"{old}.model", 1)}
        for new, old in layers.items():
            for kind in ("weight", "bias"):
                yield f"streams.{number - 1}.{new}.{kind}", f"{old}.{kind}"


def _gates(new: str, old: str, place: int) -> dict[str, str]:
    pixel, channel = f"{old}.{place}.pa", f"{old}.{place + 1}.ca"
    return {
        f"{new}.pixel1": f"{pixel}.0",
        f"{new}.pixel2": f"{pixel}.2",
        f"{new}.channel1": f"{channel}.0",
        f"{new}.channel2": f"{channel}.2",
    }


def vgg_names() -> dict[str, str]:
    """Return torchvision's name of each tensor of `VGGFeatures`."""
    names, index, number = {}, 0, 0
    for entry in VGG:
        if isinstance(entry, int):
            for kind in ("weight", "bias"):
                names[f"convolutions.{number}.{kind}"] = f"features.{index}.{kind}"
            index, number = index + 2, number + 1  # a ReLU follows
        else:
            index += 1
    return names


def _stages(found: Mapping[str, Any], path: Path) -> list[dict[str, Tensor]]:
    """Return the tensors of each stage of the authors' file."""
    if "icnn" not in found:
        other = {"state_dict": "XReflection or another Lightning file", "weight": "DSRNet"}
        kind = next((title for key, title in other.items() if key in found), None)
        raise ValueError(
            f"Expected the YTMT authors' file of weights (with a part icnn), got {path}"
            f"{f', which looks like {kind}' if kind else ''}: take ytmt_uct_sirs_68_077_00595364.pt."
        )
    return [found[key] for key in ("icnn", "icnn2") if key in found]


def _fill(module: nn.Module, tensors: Any, names: Mapping[str, str], path: Path, *, spare: str) -> None:
    """Put tensors into a module by their names in a file; names that contain one of `spare` may be left over.

    Raises
    ------
    ValueError
        If a tensor is missing, has another shape, or is left over.
    """
    wanted = {old: tuple(module.state_dict()[new].shape) for new, old in names.items()}
    named = tensors if isinstance(tensors, Mapping) else {}
    got = {name: tuple(tensor.shape) for name, tensor in named.items() if isinstance(tensor, Tensor)}
    missing = sorted(set(wanted) - set(got))
    wrong = sorted(name for name in wanted if name in got and got[name] != wanted[name])
    unknown = sorted(n for n in got if n not in wanted and not any(s in n for s in spare.split("|")))
    if missing or wrong or unknown:
        what = f"without {missing[0]}" if missing else f"with {unknown[0]}" if unknown else ""
        what = what or f"with {wrong[0]} of shape {got[wrong[0]]} instead of {wanted[wrong[0]]}"
        raise ValueError(
            f"Expected the {len(wanted)} tensors of "
            f"{'VGG-19' if 'features' in spare else 'the authors’ first network'}, got {path} {what}: it is "
            "damaged, or belongs to another network."
        )
    module.load_state_dict({new: tensors[old].float() for new, old in names.items()})


def _read(path: Path) -> Mapping[str, Any]:
    """Read a torch file of tensors alone.

    Raises
    ------
    FileNotFoundError, ValueError
        If there is none, or it is damaged, or holds more.
    """
    if not path.is_file():
        raise FileNotFoundError(
            f"Expected a file of weights, got {path}, which does not exist: check the path."
        )
    try:
        found = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        raise ValueError(
            f"Expected a file of tensors alone, got {path}, which holds pickled objects and could run code: "
            "it was not read."
        ) from None
    except (RuntimeError, EOFError, OSError, BadZipFile, ValueError, KeyError) as error:
        raise ValueError(
            f"Expected a torch file of weights, got {path}, which is damaged or of another kind: copy it "
            f"again. ({error})"
        ) from None
    if not isinstance(found, Mapping):
        raise ValueError(f"Expected named tensors, got {type(found).__name__} in {path}.")
    return found


def _checksum(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
