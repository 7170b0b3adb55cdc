"""Makes the ensemble's sample data in sim/data: `python -m softstream.scripts.training.ensemble`. Needs scikit-learn.

Weaker classifiers of the digits of `train_digits`, each of which sees only some of the pixels, drawn at random: the random
subspace method (T. K. Ho, IEEE Trans. Pattern Anal. Mach. Intell. 20 (8), 1998). Out-of-fold and int8 as there, with one scale
for all of them, so that their logits have a mean.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import tomli_w

from softstream.hw.output import written_file
from softstream.scripts.training.digits import DESCRIPTION, REGULARISATION, SEED, out_of_fold, to_int8
from softstream.sim.data import DIGITS_LABELS, ENSEMBLE_DESCRIPTION, ENSEMBLE_SCORES

__all__ = ["MEMBERS", "PIXELS", "Ensemble", "main", "train"]

MEMBERS = 3
PIXELS = 24
"""Of 64 that each member sees."""


@dataclass(frozen=True)
class Ensemble:
    """The members' scores."""

    scores: np.ndarray
    """int8 [1797 · MEMBERS, 10]: the members' rows of a digit follow each other."""
    scale: float
    """Nats per score step."""


def train() -> Ensemble:
    """Trains, scores out-of-fold and quantises; the same on every run."""
    from sklearn.datasets import load_digits

    pixels, labels = load_digits(return_X_y=True)
    rng = np.random.default_rng(SEED)
    seen = [rng.permutation(pixels.shape[1])[:PIXELS] for _ in range(MEMBERS)]
    scores = np.stack([out_of_fold(pixels[:, columns], labels) for columns in seen], axis=1)
    return Ensemble(*to_int8(scores.reshape(-1, scores.shape[2])))


def main() -> None:
    """Writes ensemble_scores.npy and ensemble.toml."""
    ensemble, labels = train(), np.load(DIGITS_LABELS, allow_pickle=False)
    right = ensemble.scores.argmax(axis=1) == np.repeat(labels, MEMBERS)
    description = {
        "score_scale": ensemble.scale,
        "score_width": 8,
        "members": MEMBERS,
        "vectors": len(ensemble.scores),
        "classes": ensemble.scores.shape[1],
        "accuracy_codes": [round(float(right[member::MEMBERS].mean()), 6) for member in range(MEMBERS)],
        **DESCRIPTION,
        "classifier": f"{PIXELS} standardised pixels of each member's own, multinomial logistic regression, C = {REGULARISATION}",
        "made_by": "python -m softstream.scripts.training.ensemble",
    }
    with written_file("sim/data", ENSEMBLE_SCORES) as temporary, temporary.open("wb") as file:
        np.save(file, ensemble.scores)
    with written_file("sim/data", ENSEMBLE_DESCRIPTION) as temporary:
        temporary.write_text(tomli_w.dumps(description), encoding="utf-8")


if __name__ == "__main__":
    main()
