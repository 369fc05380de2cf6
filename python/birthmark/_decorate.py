"""``@bm.session()``: each call of a function is a session, for as long as its body runs.

A generator's body runs between the calls of whoever asks it for values, who is not in its
session: between two values nothing of it is inherited.
"""

from __future__ import annotations

from . import _life

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Generator
    from typing import Any, TypeVar

    from ._session import Session

    F = TypeVar("F", bound=Callable[..., Any])

# inspect.CO_GENERATOR and its like, without importing inspect
_GENERATOR, _COROUTINE, _ASYNC_GENERATOR = 0x20, 0x80, 0x200
_LATER = ("generator", "coroutine", "async_generator")


def decorated(new: Callable[[], Session], function: F) -> F:
    """Return ``function`` with each call in a session of its own."""
    from functools import update_wrapper

    flags = getattr(getattr(function, "__code__", None), "co_flags", 0)
    if flags & _ASYNC_GENERATOR:
        wrapper: Any = _async_generator(new, function)
    elif flags & _COROUTINE:
        wrapper = _coroutine(new, function)
    elif flags & _GENERATOR:
        wrapper = _generator(new, function)
    else:
        wrapper = _plain(new, function)
    return update_wrapper(wrapper, function)  # type: ignore[no-any-return]


def _plain(new: Callable[[], Session], function: Callable[..., Any]) -> Callable[..., Any]:
    def inside(*args: Any, **kwargs: Any) -> Any:
        with new():
            made = function(*args, **kwargs)
            kind = type(made).__name__
            if kind in _LATER and hasattr(made, "close"):
                made.close()
                name = getattr(function, "__qualname__", repr(function))
                raise TypeError(
                    f"`{name}` returned a {kind}, whose body would run after its session: put "
                    "@bm.session() on the function that has the body, or `with bm.session():` "
                    "into it"
                )
            return made

    return inside


def _coroutine(new: Callable[[], Session], function: Callable[..., Any]) -> Callable[..., Any]:
    async def inside(*args: Any, **kwargs: Any) -> Any:
        with new():
            return await function(*args, **kwargs)

    return inside


class _Within:
    """In a session for one step of a generator; then where its caller was."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._caller: Session | None = None

    def __enter__(self) -> None:
        self._caller = _life.nearest()
        _life.enter(self._session)

    def __exit__(self, *error: object) -> None:
        _life.enter(self._caller)


def _generator(new: Callable[[], Session], function: Callable[..., Any]) -> Callable[..., Any]:
    def inside(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        caller = _life.nearest()
        with new() as session:
            _life.enter(caller)
            within = _Within(session)
            generator = function(*args, **kwargs)
            step, value = generator.send, None
            while True:
                try:
                    with within:
                        made = step(value)
                except StopIteration as done:
                    return done.value
                try:
                    step, value = generator.send, (yield made)
                except GeneratorExit:
                    with within:
                        generator.close()
                    raise
                except BaseException as error:  # noqa: BLE001 - it is for the body to handle
                    step, value = generator.throw, error

    return inside


def _async_generator(
    new: Callable[[], Session], function: Callable[..., Any]
) -> Callable[..., Any]:
    async def inside(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
        caller = _life.nearest()
        with new() as session:
            _life.enter(caller)
            within = _Within(session)
            generator = function(*args, **kwargs)
            step, value = generator.asend, None
            while True:
                try:
                    with within:
                        made = await step(value)
                except StopAsyncIteration:
                    return
                try:
                    step, value = generator.asend, (yield made)
                except GeneratorExit:
                    with within:
                        await generator.aclose()
                    raise
                except BaseException as error:  # noqa: BLE001 - it is for the body to handle
                    step, value = generator.athrow, error

    return inside
