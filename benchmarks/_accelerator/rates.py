"""What the device can do at best: operations of a large matrix product, and bytes of a pass over a large array."""

from typing import Any

from _accelerator.timing import medians


def rates(precisions: list[str], size: int, megabytes: int, seconds: float) -> dict[str, Any]:
    """Operations a second of a product of two square matrices of `size` rows in each precision, and bytes a second of
    y = a x + b over `megabytes`, float32."""
    import jax
    import jax.numpy as jnp

    matrix = jax.random.normal(jax.random.key(0), (size, size), jnp.float32)
    long = jnp.ones(megabytes * 250_000, jnp.float32)
    found: dict[str, float] = {}
    for precision in precisions:
        with jax.default_matmul_precision(precision):
            product = jax.jit(lambda x: x @ x).lower(matrix).compile()
        took = medians({"product": lambda product=product: product(matrix)}, seconds)["product"]
        found[precision] = 2.0 * size**3 / took
    once = jax.jit(lambda x: 1.5 * x + 0.5)
    took = medians({"pass": lambda: once(long)}, seconds)["pass"]
    return {"operations": found, "bytes": 2.0 * long.nbytes / took, "size": size, "megabytes": megabytes}
