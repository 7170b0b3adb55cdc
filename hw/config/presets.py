"""The presets: one place for the command line, the tests, the resource table and the README."""

from softstream.hw.config.config import Config
from softstream.hw.config.keys import nearest, quoted
from softstream.hw.errors import UserError

__all__ = ["DIGITS_SCALE", "ENSEMBLE_SCALE", "PRESETS", "preset"]

DIGITS_SCALE = 0.0912
"""Real value of one score step of the digits classifier that ships with the package."""
ENSEMBLE_SCALE = 0.0965
"""The same of the three weaker classifiers of the same digits."""

PRESETS: dict[str, Config] = {
    "argmax-int8": Config(mode="argmax", profile="fast"),
    "argmax-int8-small": Config(mode="argmax", profile="small"),
    "argmax-int8-margin": Config(mode="argmax", confidence="margin"),
    "softmax-int8": Config(),
    "softmax-int8-divider": Config(normaliser="divider"),
    "softmax-int8-log": Config(normaliser="logarithm", profile="fast"),
    "softmax-int8-fastest": Config(normaliser="logarithm", profile="fastest"),
    "softmax-int8-dsp": Config(normaliser="reciprocal"),
    "softmax-int8-small": Config(profile="small", accumulator="two_pass"),
    "softmax-int16": Config(
        score_width=16,
        score_scale=2.0**-12,  # 16 nats from the smallest score to the largest, as with 8 bits
        probability_width=16,
        guard_bits=3,
        normaliser="reciprocal",
        profile="fastest",
    ),
    # A row of attention: codes fine enough for 1024 keys, and a range whose sum is exact up to 65536 of them.
    "attention-int8": Config(score_scale=0.08, probability_width=12, normaliser="reciprocal"),
    "attention-int8-sink": Config(score_scale=0.08, probability_width=12, normaliser="reciprocal", sink="vector"),
    "softmax-int8-groups": Config(max_length=8, groups=(8,), normaliser="logarithm", per_vector="pipelined"),
    "softmax-int8-masked": Config(normaliser="logarithm", mask=True),
    "softmax-int8-sink": Config(sink="fixed"),
    "softmax-int8-floor": Config(normaliser="logarithm", max_length=64, probability_floor=1 / 256),
    "softmax-int8-exact": Config(
        max_length=64, sum="exact", minimum_code=1, probability_format="UQ1", normaliser="divider"
    ),
    "softmax-int8-smoothed": Config(normaliser="logarithm", smoothing=(1, 2, 1)),
    # Sums of 10 bits: a table of shifted terms for each of them would not fit beside the others.
    "ensemble-logits-int8": Config(normaliser="logarithm", accumulator="reference", ensemble=3, ensemble_mean="logits"),
    "ensemble-probabilities-int8": Config(normaliser="logarithm", ensemble=3, ensemble_mean="probabilities"),
    "softmax-int8-temperature": Config(temperature_bits=8, temperature_fraction=5, normaliser="divider"),
    "log-softmax-int8": Config(mode="log_softmax"),
    "cross-entropy-int8": Config(mode="cross_entropy"),
    "log-sum-exp-int8": Config(mode="log_sum_exp"),
    "entropy-int8": Config(mode="entropy"),
    "exponential-int8": Config(mode="exponential"),
    "sigmoid-int8": Config(mode="sigmoid"),
    "sample-int8": Config(mode="sample"),
    "sample-int8-cdf": Config(mode="sample", sampler="inverse_cdf"),
    "sample-int8-temperature": Config(mode="sample", temperature_bits=8, temperature_fraction=5),
    "sample-int8-top-p": Config(mode="sample", draw_top_k=16, draw_top_p=0.9, normaliser="logarithm"),
    "sample-int8-min-p": Config(mode="sample", sampler="inverse_cdf", draw_top_k=16, draw_min_p=0.05),
    "sample-int8-bounds": Config(mode="sample", draw_top_k=16, draw_sideband=True, normaliser="logarithm"),
    "hardmax-int8": Config(mode="hardmax"),
    "top-k-int8": Config(mode="top_k"),
    "softmax-top-k-int8": Config(mode="softmax_top_k", normaliser="logarithm"),
    "cdf-int8": Config(mode="cdf", max_length=64, minimum_code=1, normaliser="divider"),
    "digits-argmax": Config(mode="argmax", max_length=10, score_scale=DIGITS_SCALE, profile="fast"),
    # Vectors as short as these would wait for what works once per vector.
    "digits-softmax": Config(
        max_length=10, score_scale=DIGITS_SCALE, per_vector="pipelined", normaliser="divider", profile="fast"
    ),
}


def preset(name: str) -> Config:
    """The preset of that name. Raises `UserError` naming the nearest."""
    if not isinstance(name, str):
        raise UserError(f"preset {quoted(name)}: must be a name; for example {next(iter(PRESETS))!r}")
    if name not in PRESETS:
        raise UserError(f"unknown preset '{name}'{nearest(name, PRESETS)}; the presets are {', '.join(PRESETS)}")
    return PRESETS[name]
