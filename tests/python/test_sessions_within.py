"""A session within a session of one process: nearer wins, in threads and tasks too."""

import asyncio
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

import birthmark as bm

CHILD = (
    "import sys, birthmark as bm\n"
    "with bm.session() as s: s.report(sys.argv[1], {'summary': {'a': 1}, 'results': []})\n"
)


def made(name):
    """The birthmark of a report, or of the first record, in the artifacts folder."""
    return bm.read(f"artifacts/{name}")


def write(session, name):
    session.report(f"artifacts/{name}", {"summary": {"a": 1}, "results": []})


def test_what_an_inner_session_was_given_wins_for_what_is_made_through_it(repo, store):
    with bm.session(params={"temperature": 0.1, "k": 5}, seed=1, owner=None) as outer:
        for n, t in enumerate((0.2, 0.7)):
            given = {"params": {"temperature": t}, "provenance": {"model_name": f"m{n}"}}
            with bm.session(seed=n, **given) as inner:
                assert inner.id == outer.id and inner.run_id == outer.run_id
                write(inner, f"{n}.json")
                with inner.jsonl(f"artifacts/{n}.jsonl") as out:
                    out.write({"x": 1})
                (repo / f"artifacts/{n}.bin").write_text("w")
                inner.add(f"artifacts/{n}.bin", "model")
                write(outer, f"outer-{n}.json")
        write(outer, "outer.json")
    for n, t in enumerate((0.2, 0.7)):
        for name in (f"{n}.json", f"{n}.jsonl", f"{n}.bin"):
            mark = made(name)
            told = (mark["temperature"], mark["seed"], mark["model_name"])
            assert told == (t, n, f"m{n}"), name
        assert made(f"{n}.json")["k"] == 5, "what it was not given it inherits"
    for name in ("outer-0.json", "outer-1.json", "outer.json"):
        mark = made(name)
        assert (mark["temperature"], mark["seed"], mark["model_name"]) == (0.1, 1, None)
    assert len(store.manifests()) == 1
    found = bm.find("type=evaluation temperature>0.1", columns=["temperature"])
    assert {one["temperature"] for one in found} == {0.2, 0.7}


def test_threads_beside_each_other_inherit_nothing_and_the_last_one_ends_it(repo, store):
    barrier, first_left = threading.Barrier(3), threading.Event()

    def run(n):
        with bm.session(params={f"only_{n}": n, "temperature": n / 10}) as s:
            barrier.wait()
            assert bm.current() is s
            if n:
                first_left.wait()
            write(s, f"t{n}.json")
        if not n:
            first_left.set()
            assert not s.is_open

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(run, range(3)))
    for n in range(3):
        mark = made(f"t{n}.json")
        own = {name: mark[name] for name in mark if name.startswith("only_")}
        assert (mark["temperature"], own) == (n / 10, {f"only_{n}": n})
    assert len(store.manifests()) == 1 and bm.current() is None
    assert len(store.manifest()["artifacts_generated"]) == 3
    assert "BIRTHMARK_SESSION" not in os.environ and "BIRTHMARK_GIVEN" not in os.environ


def test_a_thread_is_in_the_session_of_the_main_thread_and_enters_its_own_within(repo):
    def run(t):
        near = bm.current()
        write(near, f"near-{t}.json")
        with bm.session(temperature=t) as own:
            assert bm.current() is own
            write(bm.current(), f"own-{t}.json")
        return near

    with bm.session(params={"temperature": 0.1, "k": 5}):
        with bm.session(seed=3) as inner, ThreadPoolExecutor(2) as pool:
            assert all(near is inner for near in pool.map(run, (0.3, 0.4)))
    for t in (0.3, 0.4):
        near, own = made(f"near-{t}.json"), made(f"own-{t}.json")
        assert (near["temperature"], near["k"], near["seed"]) == (0.1, 5, 3)
        assert (own["temperature"], own["k"], own["seed"]) == (t, 5, 3)


def test_tasks_at_once_have_each_its_own(repo):
    async def run(t):
        with bm.session(params={"temperature": t, f"only_{t}": 1}) as s:
            await asyncio.sleep(0.01)
            assert bm.current() is s
            await asyncio.to_thread(write, bm.current(), f"{t}.json")

    async def main():
        await asyncio.gather(run(0.1), run(0.2))
        with bm.session(params={"k": 1}):
            await asyncio.gather(run(0.3), run(0.4))

    asyncio.run(main())
    for t in (0.1, 0.2, 0.3, 0.4):
        mark = made(f"{t}.json")
        assert mark["temperature"] == t and mark.get("k") == (1 if t > 0.2 else None)
        assert [name for name in mark if name.startswith("only_")] == [f"only_{t}"]


def test_one_who_is_in_none_of_several_is_told_only_what_they_agree_on(repo):
    ready, done = threading.Barrier(3), threading.Event()

    def hold(t):
        with bm.session(temperature=t, seed=7):
            ready.wait()
            done.wait()

    threads = [threading.Thread(target=hold, args=(t,)) for t in (0.3, 0.4)]
    for thread in threads:
        thread.start()
    ready.wait()
    write(bm.current(), "between.json")
    subprocess.run([sys.executable, "-c", CHILD, "artifacts/child.json"], check=True)
    done.set()
    for thread in threads:
        thread.join()
    for name in ("between.json", "child.json"):
        mark = made(name)
        assert (mark["seed"], mark["temperature"]) == (7, None)
        assert "0.3, 0.4" in mark["unknown"]["temperature"]


def test_a_process_that_is_started_within_inherits_what_is_nearest(repo):
    def child(name):
        subprocess.run([sys.executable, "-c", CHILD, f"artifacts/{name}"], check=True)

    with bm.session(params={"temperature": 0.1, "k": 5}):
        with bm.session(params={"temperature": 0.9, "prompt": "p" * 200_000}):
            child("inner.json")
        child("outer.json")
    inner, outer = made("inner.json"), made("outer.json")
    assert (inner["temperature"], inner["k"], inner["prompt"]) == (0.9, 5, None)
    assert "too long" in inner["unknown"]["prompt"]
    assert (outer["temperature"], outer["k"], outer.get("prompt")) == (0.1, 5, None)
    assert "BIRTHMARK_GIVEN" not in os.environ


def test_a_plain_file_has_no_value_in_which_the_sessions_differ(committed, store):
    committed(
        "import birthmark as bm\n"
        "with bm.session(params={'temperature': 0.1, 'k': 5}):\n"
        "    for t in (0.2, 0.7):\n"
        "        with bm.session(params={'temperature': t}):\n"
        "            open(f'artifacts/{t}.txt', 'w').write('x')\n"
    )
    for event in store.events("artifact_sealed"):
        mark = event["birthmark"]
        assert (mark["k"], mark["temperature"]) == (5, None)
        assert "0.1, 0.2, 0.7" in mark["unknown"]["temperature"]


def test_plans_of_an_inner_session_are_added_and_its_error_is_its_own(repo, store):
    with bm.session(planned=["a.json"]):
        with pytest.raises(ZeroDivisionError), bm.session(planned=["b.json"]) as inner:
            _ = 1 / 0
        assert not inner.is_open and bm.current().is_open
    manifest = store.manifest()
    assert manifest["planned_artifacts"] == ["a.json", "b.json"]
    assert store.events("session_ended")[0]["outcome"] == "completed"


def test_an_error_in_a_thread_beside_others_is_the_outcome(repo, store):
    both = threading.Barrier(2)

    def run(n):
        with bm.session():
            both.wait()
            if n == 0:
                raise OSError("disk is gone")

    with ThreadPoolExecutor(2) as pool:
        ran = [pool.submit(run, n) for n in range(2)]
    assert [type(one.exception()) for one in ran] == [OSError, type(None)]
    assert store.events("session_ended")[0]["outcome"] == "failed"


def test_what_is_one_for_the_process_is_refused_where_it_would_differ(repo):
    with bm.session(on_dirty="warn"):
        with pytest.raises(bm.UsageError, match="on_dirty is one for the whole process"):
            bm.session(on_dirty="snapshot").start()
        with bm.session(on_dirty="warn"), bm.session(on_dirty="refuse"):
            pass
        (repo / "README.md").write_text("edited")
        with pytest.raises(bm.RefusedError, match="the session says"):
            bm.session(on_dirty="refuse").start()
        with pytest.raises(bm.UsageError, match="lineage cannot differ"):
            bm.session(lineage=False).start()
        with pytest.raises(bm.UsageError, match="reserved|may say"):
            bm.session(git_commit="abc").start()
        assert bm.current()._outer is None, "what was refused is not entered"


# -- decorators


def test_a_decorated_generator_is_a_session_while_its_body_runs(repo, store):
    @bm.session(seed=1)
    def numbers(count):
        for n in range(count):
            write(bm.current(), f"g{count}-{n}.json")
            got = yield n
            assert got in (None, "sent")
        return "done"

    steps = numbers(2)
    assert next(steps) == 0 and bm.current().is_open
    assert steps.send("sent") == 1
    with pytest.raises(StopIteration) as done:
        next(steps)
    assert done.value.value == "done" and numbers.__name__ == "numbers"
    assert [made(f"g2-{n}.json")["seed"] for n in range(2)] == [1, 1]
    assert len(store.manifests()) == 1

    with bm.session(seed=5):
        mixed = zip(numbers(3), bm.session(seed=2)(numbers.__wrapped__)(4))
        next(mixed)
        write(bm.current(), "between.json")
        del mixed
        assert bm.current().is_open
    marks = [made(name)["seed"] for name in ("g3-0.json", "g4-0.json", "between.json")]
    assert marks == [1, 2, 5]


def test_a_decorated_generator_hears_of_errors_and_of_its_end(repo, store):
    heard = []

    @bm.session()
    def body():
        try:
            yield 1
        except KeyError:
            heard.append(bm.current().is_open)
        try:
            yield 2
        finally:
            heard.append(bm.current().is_open)

    steps = body()
    assert next(steps) == 1 and steps.throw(KeyError("x")) == 2
    steps.close()
    assert heard == [True, True] and bm.current() is None
    assert store.events("session_ended")[0]["outcome"] == "interrupted"


def test_a_decorated_async_generator_is_a_session_while_its_body_runs(repo, store):
    @bm.session(seed=1)
    async def numbers():
        for n in range(3):
            await asyncio.sleep(0)
            write(bm.current(), f"a{n}.json")
            yield n

    async def main():
        seen = []
        async for n in numbers():
            seen.append(n)
        return seen

    assert asyncio.run(main()) == [0, 1, 2] and len(store.manifests()) == 1
    assert made("a2.json")["seed"] == 1


def test_a_decorated_function_that_only_returns_a_generator_is_refused(repo):
    def body():
        yield 1

    @bm.session()
    def main():
        return body()

    with pytest.raises(TypeError, match="main` returned a generator, whose body would run after"):
        main()


# -- what is no plan


@pytest.mark.parametrize("planned", [[1], [b"a"], [None]])
def test_what_is_no_text_is_no_plan(planned):
    with pytest.raises(TypeError, match="a plan is a text"):
        bm.session(planned=planned)


def test_arguments_of_a_wrong_type_are_told(repo):
    with pytest.raises(TypeError, match="lineage must be"):
        bm.session(lineage="x")
    with bm.session() as s, pytest.raises(TypeError, match="a plan is a text"):
        s.plan(3)


def test_a_generator_that_holds_a_session_at_the_interpreters_end_says_nothing(committed):
    done = committed(
        "import birthmark as bm\n"
        "def hold():\n"
        "    with bm.session() as s, s.jsonl('artifacts/a.jsonl') as out:\n"
        "        out.write({'a': 1})\n"
        "        yield out\n"
        "held = hold()\n"
        "next(held)\n"
    )
    assert "Traceback" not in done.stderr and "Exception ignored" not in done.stderr
