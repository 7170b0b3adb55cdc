"""Random words: the registers go through every state, words are spread evenly, and the model makes those of the hardware."""

import math
from typing import Any

import numpy as np
import pytest
from amaranth.sim import Simulator

from softstream.hw.numbers.random_words import REGISTERS, WORD, initial_states, next_states, word_of
from softstream.hw.stages.random_words import RandomWords
from softstream.sim.golden.stages.random_words import words

FACTORS = {63: (7, 7, 73, 127, 337, 92737, 649657), 65: (31, 8191, 145295143558111)}
"""Of 2^n − 1."""


def product(a: int, b: int, n: int, k: int) -> int:
    """Of two polynomials modulo 2 and x^n + x^k + 1, a bit for each coefficient."""
    result = 0
    while b:
        if b & 1:
            result ^= a
        a, b = a << 1, b >> 1
        if a >> n:
            a ^= 1 << n | 1 << k | 1
    return result


def power(exponent: int, n: int, k: int) -> int:
    """x^exponent."""
    result, base = 1, 2
    while exponent:
        if exponent & 1:
            result = product(result, base, n, k)
        base, exponent = product(base, base, n, k), exponent >> 1
    return result


def is_prime(number: int) -> bool:
    """By the witnesses that decide it below 3.3·10^24 (Sorenson and Webster)."""
    if number < 50:
        return number in (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47)
    odd, twos = number - 1, 0
    while odd % 2 == 0:
        odd, twos = odd // 2, twos + 1
    for base in (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41):
        x = pow(base, odd, number)
        if x in (1, number - 1):
            continue
        for _ in range(twos - 1):
            x = x * x % number
            if x == number - 1:
                break
        else:
            return False
    return True


@pytest.mark.parametrize(("n", "k"), REGISTERS)
def test_the_polynomial_is_primitive(n: int, k: int) -> None:
    """x has the order 2^n − 1, so the register goes through every state but 0."""
    whole = (1 << n) - 1
    assert math.prod(FACTORS[n]) == whole
    assert all(is_prime(factor) for factor in FACTORS[n])
    assert power(whole, n, k) == 1
    assert all(power(whole // factor, n, k) != 1 for factor in FACTORS[n])
    assert n - k >= WORD


def test_the_period_is_that_of_both_registers() -> None:
    one, other = ((1 << n) - 1 for n, _ in REGISTERS)
    assert math.gcd(one, other) == math.gcd(one, WORD) == math.gcd(other, WORD) == 1


def reference(seed: int, count: int) -> list[int]:
    """Bit by bit, as the recurrences say."""
    numbers = [0] * count
    for (n, k), state in zip(REGISTERS, initial_states(seed), strict=True):
        bits = [state >> bit & 1 for bit in range(n)]
        for t in range(WORD * count):
            bits.append(bits[t + k] ^ bits[t])
        for number in range(count):
            numbers[number] ^= sum(bit << place for place, bit in enumerate(bits[WORD * number :][:WORD]))
    return numbers


@pytest.mark.parametrize("seed", [0, 1, 2**32 - 1])
def test_the_model_follows_the_recurrences(seed: int) -> None:
    assert words(seed, 300).tolist() == reference(seed, 300)
    assert words(seed, 0).tolist() == []
    assert words(seed, 1).tolist() == reference(seed, 1)


@pytest.mark.parametrize("start", [1, 2, 63, 1000, 65537])
def test_the_model_starts_at_any_word(start: int) -> None:
    assert words(4, 5, start).tolist() == words(4, start + 5)[start:].tolist()


def test_the_first_words_come_again_after_the_period() -> None:
    period = math.prod((1 << n) - 1 for n, _ in REGISTERS)
    assert words(5, 3, period).tolist() == words(5, 3).tolist()
    assert words(5, 3, period - 1)[1:].tolist() == words(5, 2).tolist()


def test_blocks_join() -> None:
    """Across the model's blocks the recurrences go on."""
    stream = words(3, (1 << 16) + 200)
    bits = (stream[:, None] >> np.arange(WORD)[None] & 1).ravel()
    # The sum of both sequences obeys the product of both polynomials.
    (n, k), (m, h) = REGISTERS
    first = bits[n:] ^ bits[k : len(bits) - n + k] ^ bits[: len(bits) - n]
    assert not (first[m:] ^ first[h : len(first) - m + h] ^ first[: len(first) - m]).any()


def test_three_successive_words_come_equally_often() -> None:
    """Their 120 bits are independent functions of the registers' 128: the rank modulo 2 is full."""
    total = sum(n for n, _ in REGISTERS)
    rows = [0] * (3 * WORD)
    at = 0
    for n, k in REGISTERS:
        bits = [1 << at + bit for bit in range(n)]
        for t in range(3 * WORD - n):
            bits.append(bits[t + k] ^ bits[t])
        rows = [row ^ bit for row, bit in zip(rows, bits, strict=False)]
        at += n
    assert at == total == 128
    rank = 0
    while rows:
        pivot = rows.pop()
        if pivot:
            rank += 1
            low = pivot & -pivot
            rows = [row ^ pivot if row & low else row for row in rows]
    assert rank == 3 * WORD


def test_seeds_give_other_words_and_no_register_is_empty() -> None:
    firsts = {words(seed, 1)[0] for seed in range(200)}
    assert len(firsts) == 200
    for seed in range(200):
        assert all(0 < state < 1 << n for state, (n, _) in zip(initial_states(seed), REGISTERS, strict=True))


def test_the_states_give_the_words_one_after_the_other() -> None:
    states, sequence = initial_states(7), []
    for _ in range(200):
        sequence.append(word_of(states))
        states = next_states(states)
    assert sequence == words(7, 200).tolist()


def test_hardware_gives_the_words_of_the_model_when_asked() -> None:
    dut = RandomWords(initial_states(7))
    due = words(7, 200).tolist()
    rng = np.random.default_rng(5)
    outputs = []

    async def drive(ctx: Any) -> None:
        while len(outputs) < 200:
            step = int(rng.integers(0, 2))
            ctx.set(dut.step, step)
            _, _, word = await ctx.tick().sample(dut.word)
            assert word == due[len(outputs)]
            if step:
                outputs.append(word)

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(drive)
    simulator.run()
    assert outputs == due
