"""Random configurations and adversarial scores: the golden model against the documented formula, within the printed bound.

A failure names the configuration and the scores of one result, in a command line that reproduces it.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from support.formulas import Question, largest_code, probability_steps, smallest_code

from softstream.hw.config.config import Config
from softstream.hw.errors import UserError
from softstream.hw.plan.derive import plan
from softstream.hw.plan.ports import outputs, sidebands
from softstream.scripts.console import settings_text
from softstream.sim.golden import golden

__all__ = ["SETTINGS", "check", "configurations", "search", "vectors"]

SETTINGS = settings(
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=(Phase.explicit, Phase.generate, Phase.shrink),
)

# Configurations -------------------------------------------------------------------------------------------------------

MODES = (
    *("softmax", "softmax", "softmax", "log_softmax", "cross_entropy", "exponential"),
    *("sigmoid", "hardmax", "top_k", "softmax_top_k", "argmax", "sample", "log_sum_exp", "entropy"),
)
"""Softmax three times, because most options are its own."""

KERNELS = ((1, 2, 1), (1, 3, 0), (255, 254, 255, 254, 3), (0, 0, 7, 1, 250), (60, 60, 60, 60, 60, 60, 60))
NORMALISERS = ("auto", "divider", "reciprocal", "logarithm", "none")


OPTIONS: dict[str, st.SearchStrategy[dict[str, Any]]] = {
    "mask": st.just({"mask": True}),
    "groups": st.fixed_dictionaries({"groups": st.lists(st.integers(1, 9), min_size=1, max_size=3).map(tuple)}),
    "mean of logits": st.fixed_dictionaries({"ensemble": st.integers(2, 5)}),
    "mean of probabilities": st.fixed_dictionaries(
        {"ensemble": st.integers(2, 5), "ensemble_mean": st.just("probabilities")}
    ),
    "temperature": st.fixed_dictionaries(
        {"temperature_bits": st.integers(1, 5), "temperature_fraction": st.integers(0, 5)}
    ),
    "floor": st.fixed_dictionaries({"probability_floor": st.sampled_from([1e-4, 0.004, 0.02])}),
    "sink": st.fixed_dictionaries(
        {"sink": st.sampled_from(["fixed", "vector"]), "sink_code": st.sampled_from([0, 3, 1])}
    ),
    "margin": st.just({"confidence": "margin"}),
    "exact sum": st.fixed_dictionaries(
        {
            "sum": st.just("exact"),
            "minimum_code": st.integers(0, 2),
            "normaliser": st.sampled_from(["divider", "reciprocal"]),
            "probability_format": st.just("UQ1"),
        }
    ),
    "smoothing": st.fixed_dictionaries(
        {
            "smoothing": st.sampled_from(KERNELS),
            "smoothing_edges": st.sampled_from(["gather", "scatter"]),
            "smoothing_passes": st.integers(1, 2),
        }
    ),
}
"""Option → its keys."""


def clips(lowest: int, highest: int) -> dict[str, st.SearchStrategy[dict[str, Any]]]:
    """Clips of a score format: an idle one lies on or beyond the ends of the format, and changes no score."""
    middle = (lowest + highest) // 2
    return {
        "idle clip": st.fixed_dictionaries(
            {
                "clip_minimum": st.sampled_from([lowest, lowest - 1, 2 * lowest - 2]),
                "clip_maximum": st.sampled_from([highest, highest + 1, 2 * highest]),
            }
        ),
        "clip": st.fixed_dictionaries(
            {
                "clip_minimum": st.sampled_from([lowest + 1, middle, lowest]),
                "clip_maximum": st.sampled_from([highest - 1, middle + 1]),
            }
        ),
    }


def planned(keys: dict[str, Any], options: list[dict[str, Any]]) -> Config | None:
    """The keys with as many of the options, from the front, as the product accepts; None where it refuses the keys alone."""
    for count in range(len(options), -1, -1):
        merged = keys | {name: value for option in options[:count] for name, value in option.items()}
        if merged.get("groups"):
            merged["max_length"] = max(merged["groups"])
        try:
            config = Config(**merged)
            plan(config)
        except UserError:
            continue
        return config
    return None


@st.composite
def configurations(draw: st.DrawFn) -> Config | None:
    """A configuration that can be planned; None where the product refuses the keys that were drawn."""
    width, signed = draw(st.sampled_from([4, 8, 3, 6, 2, 10, 12])), draw(st.booleans())
    lowest = -(1 << width - 1) if signed else 0
    highest = lowest + (1 << width) - 1
    keys: dict[str, Any] = {
        "mode": draw(st.sampled_from(MODES)),
        "max_length": draw(st.sampled_from([5, 9, 3, 16, 1, 33])),
        "score_width": width,
        "score_signed": signed,
        "score_scale": draw(st.sampled_from([0.0625, 0.1, 0.1467, 0.011, 0.7, 2.0**-7, 1.7])),
        "temperature": draw(st.sampled_from([1.0, 1.0, 0.5, 1.7])),
        "probability_width": draw(st.sampled_from([8, 4, 10, 2, 6, 12, 16])),
        "probability_format": draw(st.sampled_from(["UQ0", "UQ1"])),
        "guard_bits": draw(st.sampled_from([0, 4, 5, 6, 3])),
        "normaliser": draw(st.sampled_from(NORMALISERS)),
        "accumulator": draw(st.sampled_from(["auto", "two_windows", "reference", "absolute", "two_pass"])),
        "top_k": draw(st.integers(1, 6)),
    }
    # A code of the narrowest format that the keys below may choose.
    narrow = 1 << min(width, 10)
    keys["score_zero_point"] = draw(st.sampled_from([0, 0, 1]) | st.integers(0, narrow - 1)) - signed * narrow // 2
    if keys["mode"] in ("argmax", "hardmax", "top_k"):
        keys["score_width"] = draw(st.sampled_from([width, 17, 24, 32]))
    if keys["mode"] != "sigmoid":
        keys["select"] = draw(st.sampled_from(["largest", "smallest"]))
    if keys["mode"] not in ("sigmoid", "cross_entropy", "log_sum_exp", "sample"):
        keys["tie"] = draw(st.sampled_from(["first", "last"]))
    if keys["accumulator"] == "two_pass":
        keys |= {"normaliser": "divider", "mode": "softmax"}
    if keys["normaliser"] == "logarithm":
        keys["probability_width"] = min(keys["probability_width"], 14 - keys["guard_bits"])
        keys["score_width"] = min(width, 10)
    if keys["mode"] in ("log_softmax", "cross_entropy", "log_sum_exp"):
        keys["integer_bits"] = draw(st.sampled_from([0, 0, 1, 3]))
    if keys["mode"] == "sample":
        keys |= {
            "sampler": draw(st.sampled_from(["gumbel", "inverse_cdf"])),
            "seed": draw(st.integers(0, (1 << 32) - 1)),
        }
        keys |= {
            "draw_top_k": draw(st.sampled_from([0, 1, 2, 5, 9])),
            "draw_top_p": draw(st.sampled_from([1.0, 1.0, 0.5, 0.9, 1e-3])),
            "draw_min_p": draw(st.sampled_from([0.0, 0.0, 0.05, 0.5])),
        }
        if not keys["draw_top_k"] or draw(st.integers(0, 3)) == 0:
            keys |= {"draw_top_p": 1.0, "draw_min_p": 0.0, "draw_sideband": keys["draw_top_k"] > 0}
        elif keys["normaliser"] == "none":  # which adds no probabilities up
            keys["normaliser"] = "auto"
    if keys["mode"] == "exponential":
        keys["reference_offset"] = draw(st.sampled_from([0, 0, 1, (1 << width) // 3]))
    one = 1 << keys["probability_width"]
    levels = st.sampled_from([one - 1, one // 2 - 1, one, one // 2, one - one // 5, 3, 1])
    zeros = st.sampled_from([-one // 2, 0, 1, -1, -one, 37])
    codes = {
        "levels": st.fixed_dictionaries({"output_levels": levels.map(lambda count: max(count, 1))}),
        "zero point": st.fixed_dictionaries({"output_zero_point": zeros}),
    }
    options = OPTIONS | clips(lowest, highest) | codes
    names = draw(st.lists(st.sampled_from([*options, "idle clip", "smoothing", "smoothing"]), max_size=3, unique=True))
    return planned(keys, [draw(options[name]) for name in names])


# Scores ---------------------------------------------------------------------------------------------------------------


def vectors(config: Config, rng: np.random.Generator, count: int) -> list[np.ndarray]:
    """Vectors that press on the bound: ties, extremes, one winner among losers, dense scores near the top, any length."""
    low, high = smallest_code(config), largest_code(config)
    longest = 2 * sum(config.groups) if config.groups else config.max_length + 1
    rows = []
    for _ in range(count):
        length = int(rng.choice([1, 2, longest, max(1, longest - 1), rng.integers(1, longest + 1)]))
        kind = rng.integers(7)
        if kind == 0:
            row = np.full(length, rng.choice([low, high, (low + high) // 2, rng.integers(low, high + 1)]))
        elif kind == 1:
            row = np.full(length, low)
            row[rng.integers(length)] = high
        elif kind == 2:
            row = rng.choice([low, high], length)
        elif kind == 3:
            row = np.linspace(low, high, length).round().astype(np.int64)[:: rng.choice([1, -1])]
        elif kind == 4:
            row = rng.integers(max(low, high - 12), high + 1, length)
        elif kind == 5:
            row = np.full(length, rng.integers(low, high + 1))
            row[rng.integers(length)] = rng.integers(low, high + 1)
        else:
            row = rng.integers(low, high + 1, length)
        rows.append(row.astype(np.int64))
    return rows


@dataclass(frozen=True)
class Stimulus:
    """Vectors with their sidebands, as arrays."""

    scores: np.ndarray
    lengths: np.ndarray
    sidebands: dict[str, np.ndarray]


def stimulus(config: Config, rng: np.random.Generator, results: int) -> Stimulus:
    rows = vectors(config, rng, results * config.ensemble)
    scores = np.full((len(rows), max(map(len, rows))), smallest_code(config), dtype=np.int64)
    for row, vector in zip(scores, rows, strict=True):
        row[: len(vector)] = vector
    lengths = np.array([len(row) for row in rows])
    arrays = {}
    for field in sidebands(config):
        shape = scores.shape if field.per == "element" else scores.shape[:1]
        values = rng.integers(0, field.limit + 1, shape)
        if field.array == "labels":
            values = np.minimum(rng.integers(0, lengths + 1), field.limit)  # one beyond the end as well
        if field.array == "mask":
            values = (rng.random(shape) < rng.choice([0.1, 0.5, 0.9, 1.0], shape[0])[:, None]).astype(np.int64)
        arrays[field.array] = values
    return Stimulus(scores, lengths, arrays)


# Comparison -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Answer:
    """One result of the model, with the question that it answers."""

    question: Question
    rows: slice
    """The vectors of the stimulus that belong to it."""
    arrays: dict[str, np.ndarray]


def answers(config: Config, sent: Stimulus) -> Iterator[Answer]:
    """The results of the model, vector by vector, group by group or ensemble by ensemble."""
    result = golden(config, sent.scores, sent.lengths, sent.sidebands)
    members = config.ensemble
    elements = {field.array for output in outputs(config) if output.per == "element" for field in output.fields}
    for number in range(len(sent.scores) // members):
        rows = slice(number * members, (number + 1) * members)
        vectors = tuple(row[:n] for row, n in zip(sent.scores[rows], sent.lengths[rows], strict=True))
        masks = sent.sidebands.get("mask")
        mask = None if masks is None else masks[rows.start][: len(vectors[0])]
        codes, labels = sent.sidebands.get("temperatures"), sent.sidebands.get("labels")
        code = 0 if codes is None else int(codes[rows.start])
        label = 0 if labels is None else int(labels[rows.stop - 1])
        sink = int(sent.sidebands["sinks"][rows.start]) if "sinks" in sent.sidebands else 0
        arrays = {name: values[number] for name, values in result.items()}
        if not config.groups:
            yield Answer(Question(config, vectors, mask, code, label, sink), rows, arrays)
            continue
        start, group = 0, 0
        while start < len(vectors[0]):
            inside = slice(start, min(start + config.groups[group % len(config.groups)], len(vectors[0])))
            part = {name: values[inside] if name in elements else values[group : group + 1] for name, values in
                    arrays.items() if name in elements or np.ndim(values)}  # fmt: skip
            question = Question(config, (vectors[0][inside],), None if mask is None else mask[inside], code, label)
            yield Answer(question, rows, {name: v if name in elements else v[0] for name, v in part.items()})
            start, group = inside.stop, group + 1


def slack_ulp(config: Config) -> float:
    """Rounding of the formulas themselves: some 100 roundings of float64's scale, for arguments that do not vanish."""
    return 2.0 ** (config.probability_width - 44)


def within(codes: np.ndarray, exact: np.ndarray, bound: float, limits: tuple[int, int]) -> np.ndarray:
    """Which codes are within `bound` ulp of values in ulp, saturated to the codes that exist."""
    return np.abs(codes - np.clip(exact, *limits)) <= bound


def complaints(config: Config, bound: float, answer: Answer) -> Iterator[str]:
    """The differences between an answer and the formula."""
    asked, arrays = answer.question, answer.arrays
    n, part = asked.length, asked.taking_part
    zero, unit, one = probability_steps(config)

    def compare(name: str, exact: np.ndarray, limits: tuple[int, int]) -> Iterator[str]:
        codes, ideal = arrays[name][: len(exact)] - zero, exact * unit
        wrong = np.flatnonzero(~within(codes, ideal, bound, limits))
        for i in wrong[:1]:
            distance = abs(float(codes[i] - np.clip(ideal[i], *limits)))
            yield (
                f"{name}[{i}] = {codes[i] + zero}, the formula gives {float(ideal[i]):.4f}: {distance:.3f} ulp, bound {bound:.4f}"
            )

    def equal(name: str, expected: Any) -> Iterator[str]:
        if name in arrays and np.any(arrays[name] != expected):
            yield f"{name} = {arrays[name]}, must be {expected}"

    of_means = config.ensemble > 1 and config.ensemble_mean == "probabilities"
    if not of_means:
        yield from equal("argmax", asked.winner)
        yield from equal("best", asked.best)
        yield from equal("margins", asked.margin)
    if config.ensemble == 1 and not config.groups:
        yield from equal("overlong", asked.overlong)
    if config.ensemble > 1:
        yield from equal("uneven", len({len(member) for member in asked.inputs}) > 1)
    yield from equal("all_masked", not part.any())
    if "entropies" in arrays:
        bits = asked.entropy * unit
        if abs(float(arrays["entropies"] - bits)) > bound:
            yield f"entropies = {arrays['entropies']}, the formula gives {float(bits):.4f}, bound {bound:.4f}"
    if "one_hot" in arrays:
        hot = np.full(n, zero)
        hot[asked.winner] += one if part.any() else 0
        yield from equal("one_hot", np.pad(hot, (0, len(arrays["one_hot"]) - n)))
    if "top_indices" in arrays:
        ranking = asked.ranking[: config.top_k]
        if ranking:
            if arrays["top_indices"][: len(ranking)].tolist() != ranking:
                yield f"top_indices = {arrays['top_indices']}, must be {ranking}"
            if arrays["top_scores"][: len(ranking)].tolist() != asked.sums[ranking].tolist():
                yield f"top_scores = {arrays['top_scores']}, must be {asked.sums[ranking]}"
    if "sample" in arrays and part.any():
        drawn = int(arrays["sample"])
        if drawn >= n or not part[drawn] or arrays["score"] != asked.drawn_score(drawn):
            yield f"sample = {drawn}, score = {arrays['score']}: no element that takes part"
    if "exponentials" in arrays:
        yield from compare("exponentials", asked.exponentials, (0, one))
        yield from equal("sums", int(arrays["exponentials"].sum()))
    if "log_probabilities" in arrays or "losses" in arrays:
        name = "log_probabilities" if "log_probabilities" in arrays else "losses"
        [field] = [field for output in outputs(config) for field in output.fields if field.array == name]
        low, high = (
            (-(1 << field.width - 1), (1 << field.width - 1) - 1) if field.signed else (0, (1 << field.width) - 1)
        )
        logs = asked.log_probabilities
        if name == "log_probabilities":
            yield from compare(name, np.where(np.isfinite(logs), logs, low / unit), (low, high))
        else:
            yield from equal("unlabelled", not asked.labelled)
            if not asked.labelled:
                yield from equal(name, high)
            elif abs(float(arrays[name] - np.clip(-logs[asked.label] * unit, low, high))) > bound:
                yield f"losses = {arrays[name]}, the formula gives {float(-logs[asked.label] * unit):.4f}, bound {bound:.4f}"
        finite = logs[np.isfinite(logs)] * unit
        if config.integer_bits == 0 and len(finite) and not low - 1 <= (finite if field.signed else -finite).min():
            yield f"{name}: {finite} does not fit {field.form}"
    if config.mode == "sigmoid":
        yield from compare("probabilities", asked.sigmoids, (0, one))
    elif "probabilities" in arrays or "top_probabilities" in arrays:
        exact = asked.probabilities
        name = "probabilities" if "probabilities" in arrays else "top_probabilities"
        if name == "top_probabilities":
            exact = exact[asked.ranking[: config.top_k]] if asked.ranking else np.zeros(0)
        if config.normaliser == "none":
            yield from _common_factor(config, name, arrays[name][: len(exact)] - zero, exact * unit, bound)
        else:
            yield from compare(name, exact, (0, one))
        if name == "probabilities" and (np.any(arrays[name][n:]) or np.any(arrays[name][:n][~part] != zero)):
            yield f"{name}: a code that is not 0 beyond the end, or not that of 0 at a masked element"
    if of_means and not config.groups:
        means, winner = asked.mean_probabilities, int(arrays["argmax"])
        if winner >= n or means[winner] * unit < means.max() * unit - 2 * bound:
            yield f"argmax = {winner}: its mean is not the largest of {means}"


def _common_factor(config: Config, name: str, codes: np.ndarray, ideal: np.ndarray, bound: float) -> Iterator[str]:
    """Without a normaliser the codes are the probabilities times one factor in [1/2, 1) of the whole vector."""
    positive = ideal > 0
    if np.any(codes[~positive] > bound):
        yield f"{name} = {codes}: not 0 where the probability is"
    if positive.any():
        lowest = max(0.5, float(((codes - bound) / np.where(positive, ideal, 1))[positive].max()))
        saturated = codes >= probability_steps(config)[2]
        ceilings = np.where(saturated, np.inf, (codes + bound) / np.where(positive, ideal, 1))
        highest = min(1.0, float(ceilings[positive].min()))
        tolerance = 2.0 ** (
            1 - config.probability_width - config.guard_width
        )  # the sum's own exponent is of rounded terms
        if lowest > highest * (1 + tolerance):
            yield f"{name} = {codes}: no factor in [1/2, 1) makes these of the probabilities {ideal} ulp"


def reproduction(config: Config, sent: Stimulus, rows: slice) -> str:
    """Command lines that show the model's answer to some vectors: with the bound in Python, and by `softstream run`."""
    extra = ", ".join(f"{name!r}: np.array({values[rows].tolist()})" for name, values in sent.sidebands.items())
    arguments = [f"np.array({sent.scores[rows].tolist()})", f"np.array({sent.lengths[rows].tolist()})"]
    arguments += [f"{{{extra}}}"] if extra else []
    code = (
        "import numpy as np, softstream as s; from softstream import Config; "
        f"c = {config!r}; print(s.plan(c).bound_ulp, dict(s.golden(c, {', '.join(arguments)})))"
    )
    return f'python -c "{code}"\n{run_command(config, sent, rows)}'


def run_command(config: Config, sent: Stimulus, rows: slice) -> str:
    """Writes some vectors to files and sends them through the model, as one command line."""
    arrays = {"scores": sent.scores[rows], "lengths": sent.lengths[rows], **sent.sidebands}
    commands, options = (
        [],
        [f"--set {settings_text({key.name: getattr(config, key.name)})}" for key in config.changed_keys()],
    )
    for name, values in arrays.items():
        table = values if name in ("scores", "lengths") else values[rows]
        lines = "\\n".join(",".join(map(str, np.atleast_1d(line))) for line in table.tolist())
        commands.append(f"printf -- '{lines}\\n' > {name}.csv")
        options.append(f"--{name} {name}.csv" if name in ("scores", "lengths") else f"--sideband {name}={name}.csv")
    return "; ".join([*commands, f"softstream run {' '.join(options)} -o result.npz"])


def check(config: Config, number: int, results: int = 24) -> None:
    """Raises AssertionError where the golden model is farther from the formula than the bound, with a command line."""
    sent = stimulus(config, np.random.default_rng(number), results)
    printed = plan(config).bound_ulp
    bound = (0.0 if printed is None else printed) + slack_ulp(config)
    for answer in answers(config, sent):
        for text in complaints(config, bound, answer):
            raise AssertionError(f"{text}\n{reproduction(config, sent, answer.rows)}")


def search(examples: int, number: int) -> Callable[[], None]:
    """A search through so many random configurations."""

    @seed(number)
    @settings(SETTINGS, max_examples=examples, report_multiple_bugs=False)
    @given(configurations(), st.integers(0, 1 << 31))
    def bounds_hold(config: Config | None, scores: int) -> None:
        if config is not None:
            check(config, scores)

    return bounds_hold
