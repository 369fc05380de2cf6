"""The numbers of a comparison are those of scipy and statsmodels, over random reports.

A few dozen data sets each time; a thousand with BIRTHMARK_LONG_TESTS=1.
"""

import json
import math
import os
import random
import warnings

import birthmark as bm
import pytest

SETS = 1_000 if os.environ.get("BIRTHMARK_LONG_TESTS") else 40


@pytest.fixture(scope="module")
def oracle():
    """scipy and statsmodels, where they are installed."""
    try:
        import numpy
        import scipy.stats
        from statsmodels.stats.contingency_tables import mcnemar
        from statsmodels.stats.multitest import multipletests
        from statsmodels.stats.proportion import proportion_confint
    except ImportError as error:
        warnings.warn(f"SKIPPED: {error.name} is not installed, so no number was checked", stacklevel=1)
        pytest.skip(f"this test needs {error.name}")
    return numpy, scipy.stats, mcnemar, multipletests, proportion_confint


def report(folder, name, values, key, draw):
    order = list(range(len(values)))
    draw.shuffle(order)  # items are matched by id, wherever they stand
    results = [{"id": f"i{n}", key: values[n]} for n in order]
    path = folder / f"{name}.json"
    path.write_text(json.dumps({"metadata": {"model_name": name}, "results": results}))
    return path


def close(ours, theirs):
    return math.isclose(ours, theirs, rel_tol=1e-9, abs_tol=1e-12)


def test_passes_and_fails_are_tested_as_statsmodels_does(oracle, tmp_path):
    _, _, mcnemar, _, proportion_confint = oracle
    for trial in range(SETS):
        draw = random.Random(trial)
        n, share = draw.choice([2, 5, 12, 30, 100, 400, 3_000]), draw.random()
        a = [draw.random() < share for _ in range(n)]
        b = [(not one) if draw.random() < 0.3 else one for one in a]
        paths = [report(tmp_path, name, values, "passed", draw) for name, values in (("a", a), ("b", b))]
        (score,) = bm.compare(*paths).scores
        test = score["paired"]
        only_a = sum(x and not y for x, y in zip(a, b, strict=True))
        only_b = sum(y and not x for x, y in zip(a, b, strict=True))
        assert (test["only_a"], test["only_b"], len(test["flips"])) == (only_a, only_b, min(only_a + only_b, 1_000))
        wanted = mcnemar([[0, only_b], [only_a, 0]], exact=True).pvalue if only_a + only_b else 1.0
        assert close(test["p"], wanted), (trial, test["p"], wanted)
        assert close(score["difference"], (sum(b) - sum(a)) / n)
        for side, values in (("a", a), ("b", b)):
            wilson = proportion_confint(sum(values), n, method="wilson")
            assert all(map(close, score[side]["interval"], wilson)), (trial, score[side], wilson)
        low, high = test["interval"]
        assert low <= score["difference"] <= high


def test_real_values_are_tested_as_scipy_does(oracle, tmp_path):
    numpy, stats, *_ = oracle
    for trial in range(SETS):
        draw = random.Random(10_000 + trial)
        n = draw.randint(3, 12)
        # Eighths, so that sums are exact and ties are ties for both.
        a = [round(draw.gauss(0, 2) * 8) / 8 + 0.0625 for _ in range(n)]
        b = [one + round(draw.gauss(0.3, 1) * 8) / 8 for one in a]
        differences = [y - x for x, y in zip(a, b, strict=True)]
        paths = [report(tmp_path, name, values, "score", draw) for name, values in (("a", a), ("b", b))]
        (score,) = bm.compare(*paths).scores
        test = score["paired"]
        assert close(score["difference"], numpy.mean(differences))
        if not any(differences):
            assert test["p"] == 1.0
            continue
        wanted = stats.permutation_test(
            (differences,),
            lambda values, axis: numpy.sum(values, axis=axis),
            permutation_type="samples",
            n_resamples=numpy.inf,
            vectorized=True,
        ).pvalue
        assert test["method"] == "exact"
        assert close(test["p"], min(1.0, wanted)), (trial, test["p"], wanted, differences)
        if test["effect"] and numpy.std(differences, ddof=1) > 0:
            wanted = numpy.mean(differences) / numpy.std(differences, ddof=1)
            assert close(test["effect"]["size"], wanted)


def test_the_bootstrap_agrees_with_scipys_as_far_as_chance_allows(oracle, tmp_path):
    numpy, stats, *_ = oracle
    for trial in range(max(3, SETS // 50)):
        draw = random.Random(20_000 + trial)
        n = draw.randint(80, 300)
        a = [draw.gauss(0, 1) for _ in range(n)]
        b = [one + draw.gauss(0.1, 1) for one in a]
        paths = [report(tmp_path, name, values, "score", draw) for name, values in (("a", a), ("b", b))]
        (score,) = bm.compare(*paths).scores
        low, high = score["paired"]["interval"]
        differences = numpy.subtract(b, a)
        theirs = stats.bootstrap(
            (differences,), numpy.mean, method="percentile", n_resamples=5_000, random_state=trial
        ).confidence_interval
        error = numpy.std(differences, ddof=1) / math.sqrt(n)
        assert abs(low - theirs.low) < 0.25 * error and abs(high - theirs.high) < 0.25 * error


def test_several_systems_are_corrected_as_statsmodels_does_and_the_seed_decides(oracle, tmp_path):
    *_, multipletests, _ = oracle
    for trial in range(max(5, SETS // 20)):
        draw = random.Random(30_000 + trial)
        count, n = draw.randint(3, 6), draw.choice([20, 60])
        systems = [[draw.random() < 0.3 + 0.1 * k for _ in range(n)] for k in range(count)]
        paths = [report(tmp_path, f"s{k}", values, "passed", draw) for k, values in enumerate(systems)]
        answer = bm.compare(*paths)
        tests = [score["paired"] for score in answer.scores]
        assert len(tests) == answer.data["tests"] == count - 1
        alone = [test["p"] for test in tests]
        corrected = multipletests(alone, method="holm")[1]
        if count > 2:
            assert all(map(close, [test["p_holm"] for test in tests], corrected))
    values = [[draw.gauss(0, 1) for _ in range(60)] for _ in range(2)]
    paths = [report(tmp_path, f"r{k}", one, "score", draw) for k, one in enumerate(values)]
    first, again, other = (bm.compare(*paths, seed=seed).scores[0]["paired"] for seed in (1, 1, 2))
    assert first == again
    assert first["interval"] != other["interval"]
