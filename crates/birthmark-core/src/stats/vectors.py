"""Print the values that the tests of `stats` hold against: python vectors.py > vectors.json

Needs scipy and statsmodels; the first lines of its output say which versions it ran with.
"""

import json
import random

import numpy
import scipy
import scipy.optimize
import scipy.stats
import statsmodels
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import proportion_confint

draw = random.Random(20261122)


def tables():
    sizes = [3, 12, 40, 200, 5_000, 500_000]
    for _ in range(400):
        size = draw.choice(sizes)
        b = draw.randint(0, size)
        c = draw.randint(0, size) if draw.random() < 0.5 else max(0, b + draw.randint(-9, 9))
        yield b, c


def differences():
    for n in range(300):
        size = draw.randint(2, 12)
        if n % 3 == 0:
            yield [draw.randint(-1, 1) for _ in range(size)]
        elif n % 3 == 1:
            yield [draw.randint(-5, 5) / 10 for _ in range(size)]
        else:
            yield [draw.gauss(0.3, 1) for _ in range(size)]


def permutation(values):
    found = scipy.stats.permutation_test(
        (values,), lambda x, axis: numpy.mean(x, axis=axis),
        permutation_type="samples", n_resamples=numpy.inf, vectorized=True,
    )
    return found.pvalue


def bootstrap(values):
    found = scipy.stats.bootstrap(
        (values,), numpy.mean, method="percentile", n_resamples=99_999, rng=1,
    )
    return [found.confidence_interval.low, found.confidence_interval.high]


def tango(n, c, b):
    """The ends of Tango's interval by root finding on the likelihood, with no closed form for q."""
    z = scipy.stats.norm.ppf(0.975)

    def score(delta):
        # q is the share of flips to A; p, to B, is q + delta; the rest did not flip.
        low, high = max(0.0, -delta), (1 - delta) / 2

        def slope(q):
            return (b / (q + delta) if b else 0) + (c / q if c else 0) - 2 * (n - b - c) / (1 - 2 * q - delta)

        edge = 1e-15 * max(1.0, high - low)
        if (n - b - c == 0 and b + c == 0) or slope(low + edge) <= 0:
            q = low
        elif n - b - c == 0 and slope(high - edge) >= 0:
            q = high
        else:
            q = scipy.optimize.brentq(slope, low + edge, high - edge, xtol=1e-16, rtol=1e-15)
        return (b - c - n * delta) / (n * (2 * q + delta * (1 - delta))) ** 0.5

    found = (b - c) / n
    edge = 1e-12
    low = -1.0 if c == n else scipy.optimize.brentq(lambda d: score(d) - z, -1 + edge, found - edge, xtol=1e-14)
    high = 1.0 if b == n else scipy.optimize.brentq(lambda d: score(d) + z, found + edge, 1 - edge, xtol=1e-14)
    return low, high


def row(*values):
    return [float(v) if isinstance(v, numpy.floating) else v for v in values]


samples = list(differences())
shares = [(draw.randint(0, n), n) for n in (draw.randint(1, 2_000) for _ in range(200))]
looks = [[draw.random() ** 3 for _ in range(draw.randint(1, 9))] for _ in range(100)]
own = random.Random(1998)
pairs = []
for n in (own.randint(1, 400) for _ in range(200)):
    c = own.randint(0, n)
    pairs.append((n, c, own.randint(0, n - c) if own.random() < 0.5 else min(n - c, own.randint(0, 5))))
pairs += [(12, 0, 0), (12, 0, 3), (12, 12, 0), (12, 0, 12), (1, 0, 0), (1, 1, 0)]
large = [[round(draw.gauss(0.2, 1), 3) for _ in range(draw.randint(40, 90))] for _ in range(12)]
print(json.dumps({
    "made_with": {"scipy": scipy.__version__, "statsmodels": statsmodels.__version__},
    "mcnemar": [row(b, c, mcnemar([[0, b], [c, 0]], exact=True).pvalue) for b, c in tables()],
    "wilson": [row(k, n, *proportion_confint(k, n, alpha=0.05, method="wilson")) for k, n in shares],
    "holm": [[p, list(map(float, multipletests(p, method="holm")[1]))] for p in looks],
    "tango": [row(n, c, b, *tango(n, c, b)) for n, c, b in pairs],
    # A sum of 0 that rounding spoils is left out: the true p is 1, and scipy's depends on the rounding.
    "permutation": [[v, float(permutation(v))] for v in samples if any(v) and abs(sum(v)) > 1e-9],
    "bootstrap": [[v, *map(float, bootstrap(v)), float(numpy.std(v, ddof=1))] for v in large],
    "tail": [[x / 8, float(scipy.stats.norm.sf(x / 8))] for x in range(-64, 200)],
    "quantile": [[p, float(scipy.stats.norm.ppf(p))] for p in (0.025, 0.05, 0.5, 0.8, 0.95, 0.975, 0.995, 0.9995)],
}).replace("], [", "],\n["))
