"""The head of cumulative probabilities: the table that an entropy coder or an inverse-CDF sampler reads."""

from softstream.hw.modes.exact_softmax import ExactSoftmax

__all__ = ["Cdf"]


class Cdf(ExactSoftmax):
    """C_i = round(2^P·(p_1 + … + p_i)): never falling, C_N = 2^P, strictly rising with `minimum_code`.

    A masked element repeats the code before it, and the codes of a fully masked vector are 0. An element's interval is
    [C_(i−1), C_i) with C_0 = 0, and the interval's width is the code of softmax with `sum = exact`.

    Ports: `i`, stream of scores; `o`, stream of {cumulative, last, overlong}, one beat per beat of scores; `o_best`, stream of
    winners, one per vector. Latency, interval and back-pressure are those of `ExactSoftmax`.
    """
