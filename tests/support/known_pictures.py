"""Pictures whose contents are known, for weights that claim to recognise them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image
from sklearn.datasets import load_sample_image

from zoo.models.weights_files import file_of_package

RIGHT = {
    "china": {442, 698, 832},  # bell cote, palace, stupa
    "coffee": {967},  # espresso
    "chelsea": {281, 282, 283, 285},  # cats
    "motorcycle_left": {665, 670},  # moped, motor scooter
}


def known_pictures() -> dict[str, tuple[npt.NDArray[np.uint8], set[int]]]:
    """Pictures and their ImageNet classes: of scikit-learn, and of scikit-image if it is installed."""
    known = {"china": (load_sample_image("china.jpg"), RIGHT["china"])}
    for name in ("coffee", "chelsea", "motorcycle_left"):
        path = file_of_package("skimage", Path("data", f"{name}.png"))
        if path is not None:
            known[name] = (np.asarray(Image.open(path).convert("RGB")), RIGHT[name])
    return known
