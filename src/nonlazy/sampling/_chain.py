"""The one driver loop: runs chains from their start or last checkpoint to their last draw, writing as it goes."""

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from nonlazy.errors import SamplingError
from nonlazy.sampling import _engine, _hosts
from nonlazy.sampling._chain_progress import Progress
from nonlazy.sampling._compiled import compile_kernel, compile_over_devices
from nonlazy.sampling._coordinates import coordinates
from nonlazy.sampling._job import Job
from nonlazy.sampling._jumping import Jumping, Table, table_arrays
from nonlazy.sampling._kept_programs import compiling
from nonlazy.sampling._record import evenly_spaced, kernel_draws, kernel_pairs
from nonlazy.sampling._rows import GROUPS, Writer, combine, write
from nonlazy.sampling._samplers import HMC, GradientDescent, Jumps
from nonlazy.sampling._schedule import Phase
from nonlazy.sampling._shards import shards_of
from nonlazy.sampling._starts import initial
from nonlazy.sampling._state_arrays import state_arrays, state_of
from nonlazy.sampling.kernels._potential import Position
from nonlazy.sampling.store._chain_writer import ChainWriter


# Draws that wait in memory to be written, at most, so that fast chains of small networks stay small.
_BUFFER = 500


def run_chains(job: Job, chains: Sequence[int], report: Callable[[Progress], None], stop: Callable[[], bool]) -> bool:
    """Runs `chains` to the end, together on one device where there are several; True where they got there.

    `stop` is asked after each iteration; where it says so, everything drawn so far is written and checkpointed first.

    **Raises:** `nonlazy.errors.SamplingError` for a start that is not finite; `nonlazy.errors.StoreError`.
    """
    with ExitStack() as stack:
        stack.enter_context(jax.enable_x64(job.precision == "float64"))
        if jax.default_backend() != "cpu":
            # Left to itself JAX multiplies float32 matrices in TF32 on a GPU, in bfloat16 on a TPU.
            stack.enter_context(jax.default_matmul_precision("float32"))
        if _hosts.first():
            writers = [stack.enter_context(ChainWriter(job.path, chain)) for chain in chains]
        else:
            writers = [_hosts.Onlooker(job.path, chain) for chain in chains]
        with _hosts.explained():
            return _Loop(job, chains, writers).run(report, stop)


class _Loop:
    """The state of the driver loop between two iterations."""

    def __init__(self, job: Job, chains: Sequence[int], writers: Sequence[Writer]):
        self.job, self.chains, self.writers = job, list(chains), list(writers)
        self.dtype = np.dtype(job.precision)
        self.phases = job.phases
        self.coordinates = coordinates(job.posterior)
        self.batched = len(self.chains) > 1
        self.shards = shards_of(job, self.coordinates)
        padding = 0 if self.shards is None else self.shards.padding
        kernel = _engine.make_kernel(job.posterior, self.coordinates, job.sampler, job.moves, padding)
        if self.shards is None:
            self.compiled = compile_kernel(kernel, self.batched, self.dtype)
        else:
            self.compiled = compile_over_devices(kernel, self.shards, self.dtype)
        self.observer = _engine.make_observer(
            job.posterior, self.coordinates, kernel_pairs(job.posterior), job.record.test, self.dtype, self.shards
        )
        self.snapshot_draws = evenly_spaced(job.draws, job.record.snapshots)
        self.kernel_draws = kernel_draws(job.draws) if job.record.averages_kernels(job.posterior) else ()
        self.seed = jnp.int32(job.seed)
        self.chain_numbers = jnp.asarray(self.chains if self.batched else self.chains[0], jnp.int32)
        self.jumping = Jumping(job.posterior, self.coordinates) if isinstance(job.moves, Jumps) else None
        self.jumped = False
        self.tables: list[Table] = []
        self._settings: tuple[tuple[int, float], Any, Any] | None = None
        self._forget_buffers()

    # Where the loop stands.

    def begin(self) -> None:
        """From the checkpoints, or from the start."""
        saved = self.writers[0].load_checkpoint()
        if saved is None:
            self._start_afresh()
            return
        arrays, progress = saved
        self.iteration, self.draws, self.kernel_count = (
            progress[name] for name in ("iteration", "draws", "kernel_count")
        )
        self.state = self._placed(state_of(arrays, self.job.posterior.network.depth))
        self.class_activation = list(arrays["class_activation_sum"])
        self.kernel_sum = self._everywhere(arrays["kernel_sum"])
        if self.jumping is not None:
            self.tables = self.jumping.tables(arrays)

    def _start_afresh(self) -> None:
        job = self.job
        starts = [initial(job.start, job.posterior, self.coordinates, (job.seed, chain)) for chain in self.chains]

        def stack(parts) -> Any:
            return np.asarray(np.stack(parts) if self.batched else parts[0], self.dtype)

        position = Position(
            stack([first for first, _, _ in starts]),
            tuple(stack(list(layers)) for layers in zip(*(hidden for _, hidden, _ in starts), strict=True)),
            stack([readout for _, _, readout in starts]),
        )
        zero = stack([np.zeros(())] * len(starts))
        log_step = stack([np.log(_engine.first_step_size(job.posterior, job.sampler))] * len(starts))
        self.state = self._placed(_engine.State(position, log_step, zero, zero))
        self.iteration = self.draws = self.kernel_count = 0
        task, network = job.posterior.task, job.posterior.network
        self.class_activation = [np.zeros((network.width, task.classes)) for _ in self.chains]
        self.kernel_sum = self._everywhere(
            stack([np.zeros((network.depth, task.P, task.P) if self.kernel_draws else (0,))] * len(starts))
        )

    # Between the host and the device or devices.

    def _everywhere(self, array: Any) -> jax.Array:
        return jnp.asarray(array) if self.shards is None else self.shards.put(array, array.dtype, None)

    def _placed(self, state: _engine.State) -> _engine.State:
        if self.shards is None:
            return jax.tree.map(jnp.asarray, state)
        others = (self._everywhere(value) for value in state[1:])
        return _engine.State(self.shards.position(state.position, self.dtype), *others)

    def _fetch(self, tree: Any) -> Any:
        """In NumPy, without the inputs that are only padding."""
        return jax.device_get(tree) if self.shards is None else self.shards.fetch(tree)

    # The loop.

    def run(self, report: Callable[[Progress], None], stop: Callable[[], bool]) -> bool:
        self.begin()
        if _hosts.several():
            _hosts.check_same("the start", state_arrays(self._fetch(self.state)).values())
        self.written = time.monotonic()
        total = self.job.warmup_iterations + self.job.draws * self.job.thin
        stopped = False
        while self.iteration < total and not stopped:
            phase, index = self._phase()
            info, temperature = self._iterate(phase, index)
            self._check(info)
            self.iteration += 1
            if phase is self.phases[-1]:
                self._collect(info)
                if (index + 1) % self.job.thin == 0:
                    self._draw()
            else:
                self._keep_warmup(info, temperature)
            # A draw is made of `thin` iterations: between them there is nothing whole to write.
            whole = not self.pending[0]
            due = time.monotonic() - self.written >= self.job.checkpoint_seconds or len(self.draw_buffer[0]) >= _BUFFER
            stopped, due = _hosts.any_stops_first_is_due(whole and stop(), due)
            if stopped or self.iteration == total or (due and whole):
                self._flush()
            self._report(report, info, phase, temperature, total)
        return self.iteration == total

    def _phase(self) -> tuple[Phase, int]:
        index = self.iteration
        for phase in self.phases[:-1]:
            if index < phase.iterations:
                return phase, index
            index -= phase.iterations
        return self.phases[-1], index

    def _iterate(self, phase: Phase, index: int) -> tuple[_engine.IterationInfo, float]:
        state = self.state
        temperature = phase.temperature_at(index)
        if index == 0:
            if phase is self.phases[-1]:
                averaged = state.log_step_sum / jnp.maximum(state.log_step_count, 1.0)
                state = state._replace(log_step=jnp.where(state.log_step_count > 0, averaged, state.log_step))
            elif phase.step_size is not None:
                state = state._replace(log_step=jnp.full_like(state.log_step, float(np.log(phase.step_size))))
        problem, control = self._problem_and_control(phase, temperature)
        self.state, info = self.compiled.iterate(
            problem, control, state, self.seed, self.chain_numbers, np.int32(self.iteration)
        )
        self.problem = problem
        if phase.jump_every and (index + 1) % phase.jump_every == 0:
            attempts, accepted = self._jump(phase) if self.jumped else self._jump_first(phase)
            info = info._replace(move_attempts=attempts, move_accepted=accepted)
        return info, temperature

    def _jump_first(self, phase: Phase) -> tuple[Any, Any]:
        """`_jump`, which takes seconds to compile: the processes of several chains leave that to one of them."""
        self.jumped = True
        network, task = self.job.posterior.network, self.job.posterior.task
        sizes = (network.width, network.depth, task.P, task.N0, task.m, task.classes, len(self.chains))
        with compiling("jumps", network.phi.name, sizes, self.job.precision):
            return self._jump(phase)

    def _jump(self, phase: Phase) -> tuple[Any, Any]:
        """A sweep of jumps in every chain; returns the changes of code that were proposed and accepted."""
        assert self.jumping is not None
        positions = self._split(self.state.position)
        if phase.learn_codes or not self.tables:
            self.tables = [self.jumping.table(position) for position in positions]
        moved = []
        for chain, table, position in zip(self.chains, self.tables, positions, strict=True):
            # 2**31 - 2 is no chain number: these streams never meet those of the iterations.
            key = jax.random.fold_in(jax.random.fold_in(jax.random.key(self.seed), 2**31 - 2), chain)
            key = jax.random.fold_in(key, self.iteration)
            moved.append(self.jumping.sweep(table, position, key))
        if self.batched:
            position = jax.tree.map(lambda *parts: jnp.stack(parts), *(new for new, _ in moved))
        else:
            position = moved[0][0]
        self.state = self.state._replace(position=position)
        attempts, accepted = ([getattr(count, name) for _, count in moved] for name in ("proposed", "accepted"))
        return (np.array(attempts), np.array(accepted)) if self.batched else (attempts[0], accepted[0])

    def _problem_and_control(self, phase: Phase, temperature: float):
        wanted = (id(phase), temperature)
        if self._settings is None or self._settings[0] != wanted:
            job = self.job
            problem = _engine.make_problem(
                job.posterior, self.coordinates, job.sampler, phase, temperature, self.dtype, self.shards
            )
            control = _engine.make_control(job.posterior, job.sampler, phase, temperature, self.dtype)
            self._settings = (wanted, problem, control)
        return self._settings[1], self._settings[2]

    def _check(self, info: _engine.IterationInfo) -> None:
        if self.iteration == 0 and not np.isfinite(np.atleast_1d(info.loss)).all():
            raise SamplingError(
                "the loss is not finite where the chain starts: check the inputs' scale and the activation function"
            )

    # What is kept.

    def _forget_buffers(self) -> None:
        self.warmup_buffer: list[list[dict[str, Any]]] = [[] for _ in self.chains]
        self.draw_buffer: list[list[dict[str, Any]]] = [[] for _ in self.chains]
        self.snapshot_buffer: list[list[dict[str, Any]]] = [[] for _ in self.chains]
        self.pending: list[list[dict[str, Any]]] = [[] for _ in self.chains]

    def _split(self, tree: Any) -> list[Any]:
        if not self.batched:
            return [tree]
        return [jax.tree.map(lambda x, i=i: x[i], tree) for i in range(len(self.chains))]

    def _keep_warmup(self, info: _engine.IterationInfo, temperature: float) -> None:
        for buffer, one in zip(self.warmup_buffer, self._split(info), strict=True):
            trajectory = one.trajectory
            buffer.append(
                {
                    "loss": one.loss,
                    "acceptance": trajectory.acceptance,
                    "step_size": one.step_size,
                    "steps": trajectory.steps,
                    "diverging": trajectory.diverging,
                    "temperature": temperature,
                    "move_accepted": one.move_accepted,
                }
            )

    def _collect(self, info: _engine.IterationInfo) -> None:
        tested = self.phases[-1].adjusted and not isinstance(self.job.sampler, GradientDescent)
        limit = self.job.sampler.max_steps if isinstance(self.job.sampler, HMC) else None
        for pending, one in zip(self.pending, self._split(info), strict=True):
            trajectory = one.trajectory
            pending.append(
                {
                    "acceptance": float(trajectory.acceptance) if tested else float("nan"),
                    "energy_error": float(trajectory.energy_error),
                    "step_size": float(one.step_size),
                    "steps": int(trajectory.steps),
                    "diverging": int(trajectory.diverging),
                    "shortened": int(limit is not None and trajectory.steps >= limit),
                    "move_attempts": int(one.move_attempts),
                    "move_accepted": int(one.move_accepted),
                }
            )

    def _outside(self) -> tuple[np.int32, float]:
        """Which draw of the weights outside the inputs' span belongs to this draw, and its size.

        They are drawn anew for every draw of the posterior. Descent keeps those it started with, but for weight decay.
        """
        sampler, posterior = self.job.sampler, self.job.posterior
        if not isinstance(sampler, GradientDescent):
            return np.int32(self.draws), 1.0
        decay = posterior.noise_variance / posterior.sigma2[0] if sampler.weight_decay else 0.0
        return np.int32(0), (1.0 - sampler.step_size * decay) ** (sampler.steps * self.iteration)

    def _observer_now(self) -> tuple[_engine.Observer, np.int32]:
        draw, size = self._outside()
        outside = self.observer.test_outside
        if outside is None or size == 1.0:
            return self.observer, draw
        return self.observer._replace(test_outside=outside * size), draw

    def _draw(self) -> None:
        draw, position = self.draws, self.state.position
        observer, outside = self._observer_now()
        _, observed = self.compiled.observe(self.problem, observer, position, self.seed, self.chain_numbers, outside)
        if draw in self.kernel_draws:
            self.kernel_sum = self.compiled.add_kernels(self.problem, position, self.kernel_sum)
            self.kernel_count += 1
        if self.shards is not None:
            observed = self.shards.without_padding(observed)
        for i, one in enumerate(self._split(observed)):
            if self.job.posterior.temperature == 0:
                one["log_density"] = np.nan
            self.class_activation[i] = self.class_activation[i] + np.asarray(one.pop("class_activation"), np.float64)
            self.draw_buffer[i].append({**one, **combine(self.pending[i])})
            self.pending[i] = []
        if draw in self.snapshot_draws:
            self._take_snapshot()
        self.draws += 1

    def _take_snapshot(self) -> None:
        position = self.state.position
        observer, outside = self._observer_now()
        snapshots = self._fetch(
            self.compiled.snapshot(self.problem, observer, position, self.seed, self.chain_numbers, outside)
        )
        if self.job.record.weights:
            position = self._fetch(position)
        for i, (chain, one, kept) in enumerate(
            zip(self.chains, self._split(position), self._split(snapshots), strict=True)
        ):
            if self.job.record.weights:
                kept |= self._weights(one, chain)
            self.snapshot_buffer[i].append(kept)

    def _weights(self, position: Position, chain: int) -> dict[str, np.ndarray]:
        posterior = self.job.posterior
        outside = None
        if self.coordinates.basis is not None:
            like = jnp.zeros((1, posterior.task.N0), self.dtype)
            draw, size = self._outside()
            outside = size * np.asarray(
                _engine.outside_draw(position, like, self.seed, np.int32(chain), draw), np.float64
            )
        weights = {"first_weight": self.coordinates.first_weights(np.asarray(position.first, np.float64), outside)}
        if position.hidden:
            sigma = np.sqrt(np.array(posterior.sigma2[1:]))
            weights["hidden_weight"] = np.stack(
                [s * np.asarray(matrix) for s, matrix in zip(sigma, position.hidden, strict=True)]
            )
        return weights

    # What is written.

    def _flush(self) -> None:
        snapshots_done = sum(draw < self.draws for draw in self.snapshot_draws)
        warmup_done = min(self.iteration, self.job.warmup_iterations)
        kernel_sum = np.asarray(self.kernel_sum)
        for i, writer in enumerate(self.writers):
            write(writer, "warmup_sample_stats", warmup_done, self.warmup_buffer[i])
            for group, names in GROUPS.items():
                rows = [{name: row[name] for name in names if name in row} for row in self.draw_buffer[i]]
                write(writer, group, self.draws, rows)
            write(writer, "snapshots", snapshots_done, self.snapshot_buffer[i])
            if self.draw_buffer[i]:
                means = {"class_activation": self.class_activation[i] / self.draws}
                if self.kernel_count:
                    means["kernel"] = self._split(kernel_sum)[i].astype(np.float64) / self.kernel_count
                writer.write_once("running_means", means)
        progress = {
            "draws": self.draws,
            "warmup": warmup_done,
            "iteration": self.iteration,
            "kernel_count": self.kernel_count,
        }
        # The first chain's checkpoint holds the state of all chains of a batch and is written last: whatever happens in
        # between, the chains go on from one common iteration.
        for writer in self.writers[1:]:
            writer.checkpoint({}, progress)
        arrays = state_arrays(self._fetch(self.state))
        _hosts.check_same(f"the state after iteration {self.iteration}", arrays.values())
        arrays |= {
            "class_activation_sum": np.stack(self.class_activation),
            "kernel_sum": kernel_sum,
            **table_arrays(self.tables),
        }
        self.writers[0].checkpoint(arrays, progress)
        self.written = time.monotonic()
        self._forget_buffers()

    def _report(self, report, info: _engine.IterationInfo, phase: Phase, temperature: float, total: int) -> None:
        for chain, one in zip(self.chains, self._split(info), strict=True):
            report(
                Progress(
                    chain,
                    self.iteration,
                    total,
                    phase.name,
                    self.draws,
                    float(one.trajectory.acceptance),
                    float(one.loss),
                    temperature,
                    int(one.trajectory.steps),
                )
            )
