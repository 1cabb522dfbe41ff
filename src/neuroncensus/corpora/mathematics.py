"""A generator of school mathematics: worksheets of questions with their answers.

It stands in for the paper's dm_mathematics where no network is at hand. Every worksheet depends on its
number alone, through `random.Random.random`, whose sequence Python promises to keep between versions.
"""

import math
import random
from collections.abc import Callable, Iterator

LETTERS = "abcdfghjkmnpqrstuvwxyz"
QUESTIONS_PER_WORKSHEET = 24


class Draw:
    """Whole numbers and choices drawn from `random()` alone."""

    def __init__(self, seed: str):
        self._random = random.Random(seed)

    def between(self, low: int, high: int) -> int:
        """A whole number from low to high, both included."""
        return low + int(self._random.random() * (high - low + 1))

    def of(self, options):
        return options[self.between(0, len(options) - 1)]

    def signed(self, high: int) -> int:
        return self.between(-high, high)


def _addition(draw: Draw) -> tuple[str, str]:
    a, b = draw.signed(10 ** draw.between(1, 4)), draw.signed(10 ** draw.between(1, 4))
    form, answer = draw.of(
        [
            (f"What is {a} + {b}?", a + b),
            (f"Calculate {a} - {b}.", a - b),
            (f"Subtract {b} from {a}.", a - b),
            (f"What is the sum of {a} and {b}?", a + b),
        ]
    )
    return form, str(answer)


def _multiplication(draw: Draw) -> tuple[str, str]:
    a, b = draw.signed(99), draw.signed(10 ** draw.between(1, 3))
    return draw.of([f"Multiply {a} and {b}.", f"What is {a} times {b}?", f"Work out {a} * {b}."]), str(a * b)


def _division(draw: Draw) -> tuple[str, str]:
    b, quotient = draw.between(2, 60), draw.signed(200)
    return draw.of([f"Divide {b * quotient} by {b}.", f"Calculate {b * quotient} / {b}."]), str(quotient)


def _remainder(draw: Draw) -> tuple[str, str]:
    a, b = draw.between(10, 5000), draw.between(2, 90)
    return f"Calculate the remainder when {a} is divided by {b}.", str(a % b)


def _divisor(draw: Draw) -> tuple[str, str]:
    common = draw.between(1, 30)
    a, b = common * draw.between(2, 40), common * draw.between(2, 40)
    return draw.of(
        [
            (f"What is the greatest common divisor of {a} and {b}?", str(math.gcd(a, b))),
            (f"What is the least common multiple of {a} and {b}?", str(math.lcm(a, b))),
            (f"Is {a} a multiple of {common + 1}?", str(a % (common + 1) == 0)),
        ]
    )


def _prime_factors(draw: Draw) -> tuple[str, str]:
    number = draw.between(12, 3000)
    factors, rest, divisor = [], number, 2
    while rest > 1:
        if rest % divisor:
            divisor += 1
            continue
        factors += [divisor] if divisor not in factors else []
        rest //= divisor
    return f"List the prime factors of {number}.", ", ".join(map(str, factors))


def _equation(draw: Draw) -> tuple[str, str]:
    unknown, x = draw.of(LETTERS), draw.signed(30)
    a, b = draw.between(2, 30), draw.signed(200)
    sign, size = ("+", b) if b >= 0 else ("-", -b)
    return f"Solve {a}*{unknown} {sign} {size} = {a * x + b} for {unknown}.", str(x)


def _derivative(draw: Draw) -> tuple[str, str]:
    unknown, power = draw.of(LETTERS), draw.between(2, 5)
    a, b = draw.between(2, 40), draw.between(2, 40)
    raised = f"{unknown}**{power - 1}" if power > 2 else unknown
    return f"Differentiate {a}*{unknown}**{power} + {b}*{unknown} with respect to {unknown}.", f"{a * power}*{raised} + {b}"


def _evaluation(draw: Draw) -> tuple[str, str]:
    name, unknown, x = draw.of("fgh"), draw.of("xyz"), draw.signed(12)
    a, b, c = draw.between(1, 9), draw.between(1, 20), draw.between(1, 50)
    return f"Let {name}({unknown}) = {a}*{unknown}**2 + {b}*{unknown} + {c}. What is {name}({x})?", str(a * x * x + b * x + c)


def _sequence(draw: Draw) -> tuple[str, str]:
    start, step = draw.signed(100), draw.signed(40)
    terms = ", ".join(str(start + step * k) for k in range(4))
    return f"What is next in {terms}?", str(start + 4 * step)


def _ordering(draw: Draw) -> tuple[str, str]:
    numbers = [draw.signed(400) for _ in range(draw.between(3, 6))]
    listed = ", ".join(map(str, numbers))
    return draw.of(
        [
            (f"Sort {listed} in increasing order.", ", ".join(map(str, sorted(numbers)))),
            (f"Which is the biggest value of {listed}?", str(max(numbers))),
            (f"Which is the smallest value of {listed}?", str(min(numbers))),
        ]
    )


def _base(draw: Draw) -> tuple[str, str]:
    number, base = draw.between(2, 4000), draw.of([2, 3, 8, 16])
    digits, rest = "", number
    while rest:
        digits, rest = "0123456789abcdef"[rest % base] + digits, rest // base
    return f"{number} (base 10) to base {base}", digits


def _probability(draw: Draw) -> tuple[str, str]:
    red, blue = draw.between(1, 12), draw.between(1, 12)
    shared = math.gcd(red, red + blue)
    return (
        f"One ball is picked from a bag with {red} red and {blue} blue balls. What is the probability that it is red?",
        f"{red // shared}/{(red + blue) // shared}",
    )


def _digits(draw: Draw) -> tuple[str, str]:
    number = draw.between(1000, 9_999_999)
    places = ["units", "tens", "hundreds", "thousands"]
    place = draw.between(0, 3)
    return draw.of(
        [
            (f"What is the {places[place]} digit of {number}?", str(number // 10**place % 10)),
            (f"What is {number} rounded to the nearest one hundred?", str((number + 50) // 100 * 100)),
        ]
    )


KINDS: list[Callable[[Draw], tuple[str, str]]] = [
    _addition,
    _multiplication,
    _division,
    _remainder,
    _divisor,
    _prime_factors,
    _equation,
    _derivative,
    _evaluation,
    _sequence,
    _ordering,
    _base,
    _probability,
    _digits,
]


def worksheets(count: int) -> Iterator[str]:
    """`count` worksheets; each draws questions of a few kinds, question and answer on lines of their own."""
    for number in range(count):
        draw = Draw(f"worksheet {number}")
        kinds = [draw.of(KINDS) for _ in range(4)]
        lines = [line for _ in range(QUESTIONS_PER_WORKSHEET) for line in draw.of(kinds)(draw)]
        yield "\n".join(lines) + "\n"
