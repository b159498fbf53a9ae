"""Training: steps, logs, held-out figures, checkpoints, interruption and resume."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from fontgen.errors import CheckpointError, TrainingError, writing
from fontgen.workspace import file_hash
from fontgen.zi2zi.ailments import ailment
from fontgen.zi2zi.checkpoint import load_state, save_generator, save_state
from fontgen.zi2zi.data import PairBatches, Pairs
from fontgen.zi2zi.device import repeatable, resolve_device
from fontgen.zi2zi.distributed import ALONE, Team
from fontgen.zi2zi.evaluation import evaluate
from fontgen.zi2zi.figures import score
from fontgen.zi2zi.finetune import take_over
from fontgen.zi2zi.header import CheckpointHeader, current_versions, read_header
from fontgen.zi2zi.health import Monitor
from fontgen.zi2zi.interrupt import Interruption
from fontgen.zi2zi.keeping import BEST, LATEST, STATE, prune, step_files, step_name
from fontgen.zi2zi.lineage import styles_after
from fontgen.zi2zi.metrics import METRICS, MetricsLog, Speed
from fontgen.zi2zi.network_settings import NetworkSettings
from fontgen.zi2zi.plateau import Plateau
from fontgen.zi2zi.requirements import require_room, require_watchable
from fontgen.zi2zi.result import TrainResult
from fontgen.zi2zi.settings import TrainSettings
from fontgen.zi2zi.shortage import naming_what_fits
from fontgen.zi2zi.step import Networks, learning_rates

__all__ = ["BEST", "LATEST", "METRICS", "STATE", "TrainResult", "train"]

Images = NDArray[np.uint8]
OnProgress = Callable[[int, int, dict[str, Any]], None]
OnSample = Callable[[int, Images, Images, Images], None]
OnEvaluated = Callable[[int], None]
OnHealth = Callable[[int, bool, str], None]


def train(
    pairs: Pairs,
    network: NetworkSettings,
    settings: TrainSettings,
    *,
    folder: Path,
    resume: bool = False,
    device: str | torch.device = "auto",
    metadata: dict[str, Any] | None = None,
    on_progress: OnProgress | None = None,
    on_sample: OnSample | None = None,
    on_evaluated: OnEvaluated | None = None,
    on_health: OnHealth | None = None,
    team: Team = ALONE,
) -> TrainResult:
    """Train on `pairs` and leave checkpoints, the trainer's state and `metrics.jsonl` in `folder`.

    `resume` goes on from the state in `folder`, or begins where there is none. The same settings,
    pairs and machine give the same weights to the last bit, interrupted or not (on CPU).
    `on_progress(step, total, figures)` runs after each logged step; `on_sample(step, source,
    generated, truth)` gets (n, size, size) uint8 ink of held-out glyphs at each evaluation, and
    `on_evaluated(step)` runs when its figures are logged and its checkpoints are saved.
    `on_health(step, wrong, words)` runs when something begins to be wrong, or (`wrong` False) is over.
    With a `team` each of its processes calls this with the same arguments, trains on its part of every
    batch, and only the leading one writes, evaluates and calls back.

    Raises KeyboardInterrupt after saving when interrupted (SIGINT, SIGTERM); TrainingError when
    training cannot go on or memory runs out; CheckpointError when the state in `folder` is damaged or of another
    network; RecipeError for settings that do not go together.
    """
    where = resolve_device(device)
    size_px = pairs.canvas.size_px
    with repeatable(where), naming_what_fits(network, settings, size_px, where, folder / STATE):
        run = _Run(
            pairs,
            network,
            settings,
            folder,
            where,
            metadata or {},
            on_progress,
            on_sample,
            on_evaluated,
            on_health,
            team,
        )
        if team.told(resume and (folder / STATE).exists()):
            run.resume()
        else:
            if team.leads:
                run.clear()
            run.begin()
        return run.run()


class _Run:
    def __init__(
        self,
        pairs: Pairs,
        network: NetworkSettings,
        settings: TrainSettings,
        folder: Path,
        device: torch.device,
        metadata: dict[str, Any],
        on_progress: OnProgress | None,
        on_sample: OnSample | None,
        on_evaluated: OnEvaluated | None,
        on_health: OnHealth | None,
        team: Team,
    ) -> None:
        self.pairs = pairs
        self.styles = list(pairs.styles)
        self.start: dict[str, Any] | None = None
        """What training started from, when it did not start afresh."""
        if settings.start_from is not None:
            self.styles = styles_after(read_header(settings.start_from).styles, pairs.styles)
        require_room(self.styles, pairs.style_index, network)
        self.network = network
        self.settings = settings
        self.folder = folder
        self.metadata = metadata
        self.on_progress = on_progress
        self.on_sample = on_sample
        self.on_evaluated = on_evaluated
        self.on_health = on_health
        self.log = MetricsLog(folder, tensorboard=settings.tensorboard)
        self.team = team
        self.batches = PairBatches(pairs, settings, device, team)
        require_watchable(settings, held_out=len(self.batches.held_out), style_index=self.batches.style_index)
        self.plateau = Plateau(settings.early_stop, settings.early_stop_delta)
        self.total = settings.total_steps(len(self.batches.training), team.size)
        torch.manual_seed(settings.seed)
        self.networks = Networks(network, settings, pairs.canvas.size_px, device, team)
        self.step = 0
        self.bad_in_a_row = 0
        self.skipped_steps = 0
        self.sums: dict[str, tuple[float, int]] = {}
        """Sum and number of each loss since the last logged step; not every loss occurs at every step."""
        self.figures: dict[str, float] = {}
        self.best: float | None = None
        self.interruption = Interruption()
        self.whole = True
        """No step and no evaluation is under way."""
        self.position = 0
        """The sampler's position before the step under way."""
        self.speed = Speed(0)
        self.health = Monitor(network, settings, self.total)

    def clear(self) -> None:
        """Remove what an earlier training left, so that nothing old is taken for this one's."""
        for path in [*(self.folder / name for name in (LATEST, BEST, STATE)), *step_files(self.folder).values()]:
            with writing(path):
                path.unlink(missing_ok=True)
        self.log.clear()
        with writing(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)

    def begin(self) -> None:
        """Take the first weights from the checkpoint that the settings name, if they name one."""
        if self.settings.start_from is not None:
            self.start = take_over(self.networks, self.settings.start_from, self.pairs.styles, self.batches)

    def resume(self) -> None:
        path = self.folder / STATE
        groups, state = load_state(path)
        expected = self._identity()
        found = state.get("identity", {})
        if changed := [name for name, value in expected.items() if found.get(name) != value]:
            raise CheckpointError(
                f"{path}: was trained with another {' and '.join(changed)}; "
                "restore the recipe, or train anew without --resume"
            )
        self._require_same_batch(state)
        self.networks.restore(groups, state["balance"], path)
        self.networks.precision.restore(state["precision"])
        self.step = int(state["step"])
        self.batches.sampler.position = int(state["position"])
        self.bad_in_a_row = int(state["bad_in_a_row"])
        self.skipped_steps = int(state["skipped_steps"])
        self.sums = {name: (total, number) for name, (total, number) in state["sums"].items()}
        self.figures = dict(state["figures"])
        self.best = state["best"]
        self.start = state["start"]
        self.plateau.restore(state["plateau"])
        if self.team.leads:
            for line in self.log.cut(self.step):
                self.health.saw(line)
            latest = self.folder / LATEST
            if not latest.exists() or read_header(latest).step != self.step:
                # The state is written first: the disk was full, or the process killed, between the two.
                self._save_generator(LATEST)

    def _require_same_batch(self, state: dict[str, Any]) -> None:
        """Rates, schedules and the order of the pairs go by the effective batch."""
        was, now = int(state["effective_batch"]), self.settings.effective_batch(self.team.size)
        if was != now:
            raise TrainingError(
                f"{self.folder}: was trained with {was} pairs a step, now it is {now} "
                f"({self.team.size} processes x batch_size {self.settings.batch_size} x accumulate "
                f"{self.settings.accumulate}); start as many processes as before, or change batch_size to match"
            )

    def run(self) -> TrainResult:
        self.speed = Speed(self.step)
        with self.interruption.heard():
            try:
                while self.step < self.total and not self.plateau.reached:
                    self._one_step()
                    if self.networks.stop or (self.team.size == 1 and self.interruption.wanted):
                        raise KeyboardInterrupt
                if self.team.told(not (self.folder / LATEST).exists()):
                    self._evaluate_and_save()
            except KeyboardInterrupt:
                # A first signal lets the step and its evaluation end. A second one may tear them: torn weights
                # are not kept, and an evaluation left out would make the resumed run another one.
                if self.whole:
                    self._save()
                self.interruption.deaf = self.team.size > 1
                self.team.told(None)
                raise
            except Exception as error:
                if self.team.is_loss(error):
                    # No step goes on without the others, so the weights are still those of the last one.
                    self.interruption.deaf = True
                    self.batches.sampler.position = self.position
                    self._save()
                raise
            finally:
                self.log.close()
        best = self.folder / BEST
        chosen = best if best.exists() else self.folder / LATEST
        figures = read_header(chosen).figures
        return TrainResult(
            checkpoint=chosen,
            step=self.step,
            figures=figures,
            skipped_steps=self.skipped_steps,
            health=self.health.episodes,
            ended=self._ended() if self.step < self.total else "",
        )

    def _ended(self) -> str:
        return (
            f"stopped early at step {self.step} of {self.total}: {self.plateau.waited} evaluations in a row "
            f"did not raise the held-out score (SSIM - ink L1, {self.plateau.best or 0.0:.4f}) "
            f"by more than {self.plateau.delta:g}"
        )

    def _one_step(self) -> None:
        settings, networks = self.settings, self.networks
        # All of a step's randomness follows from seed and step: there is no random state to save.
        rng = np.random.default_rng([settings.seed, self.step, 1])
        torch.manual_seed(int(rng.integers(2**62)) + self.team.rank)
        epoch = self.batches.sampler.epoch
        rates = learning_rates(settings, self.step, self.total, epoch)
        networks.set_rates(*rates)
        networks.balance.begin_epoch(epoch)
        balance = networks.balance.figures(self.step)
        noise_std = settings.balance.instance_noise * (1.0 - self.step / self.total)
        batches = (self.batches.next(rng) for _ in range(settings.accumulate))
        self.whole = False
        self.position = self.batches.sampler.position
        figures, counted = networks.update(self.step, batches, noise_std, stop=self.interruption.wanted)
        self.step += 1
        evaluates = self.step % settings.evaluate_every == 0 or self.step == self.total
        self.whole = not evaluates
        if counted:
            self.bad_in_a_row = 0
            for name, value in figures.items():
                total, number = self.sums.get(name, (0.0, 0))
                self.sums[name] = total + value, number + 1
        else:
            self._note_bad_step()
        if self.step % settings.log_every == 0 or self.step == self.total:
            means = {name: total / number for name, (total, number) in self.sums.items()}
            self.sums = {}
            if settings.balance.instance_noise:
                balance["instance_noise"] = noise_std
            self._log(epoch, {**means, **balance, "lr_generator": rates[0], "lr_discriminator": rates[1]})
        if evaluates:
            self._evaluate_and_save()
            self.whole = True

    def _note_bad_step(self) -> None:
        self.skipped_steps += 1
        self.bad_in_a_row += 1
        if self.bad_in_a_row >= self.settings.max_bad_steps:
            raise TrainingError(
                f"{self.folder}: losses or gradients were not finite for {self.bad_in_a_row} steps in a row "
                f"(up to step {self.step}); lower lr_generator or use precision fp32; the last checkpoint is kept"
            )

    def _log(self, epoch: int, figures: dict[str, float]) -> None:
        if not self.team.leads:
            return
        speed = self.speed.images_per_second(self.step, self.settings.effective_batch(self.team.size))
        line: dict[str, Any] = {
            "step": self.step,
            "epoch": epoch,
            **figures,
            "skipped_steps": self.skipped_steps,
            "images_per_second": round(speed, 1),
        }
        if self.networks.device.type == "cuda":
            line["gpu_gib"] = round(torch.cuda.max_memory_allocated(self.networks.device) / 2**30, 2)
        self._write(line)
        if self.on_progress is not None:
            self.on_progress(self.step, self.total, line)

    def _write(self, line: dict[str, Any]) -> None:
        """Log a line, and what the health monitor concludes from it."""
        changes = self.health.saw(self.log.append(line))
        if changes:
            self.log.append({"step": self.step, "health": changes})
        if self.on_health is not None:
            for kind, words in changes.items():
                self.on_health(self.step, words is not None, words or ailment(kind).cured)

    def _evaluate_and_save(self) -> None:
        """Measure on the held-out pairs, then save; the best is judged by those figures."""
        if self.team.leads:
            self._evaluate_and_save_alone()
        self.plateau.restore(self.team.told(self.plateau.state()))

    def _evaluate_and_save_alone(self) -> None:
        started = time.monotonic()
        if len(self.batches.held_out):
            found = evaluate(self.networks.mean, self.batches, self.pairs.codepoints, self.settings.batch_size)
            self.figures = found.figures
            if self.on_sample is not None:
                self.on_sample(self.step, found.source, found.generated, found.truth)
            self._write({"step": self.step, "held_out": self.figures, **found.of_styles(self.styles)})
            reached = score(self.figures)
            if math.isfinite(reached) and (self.best is None or reached > self.best):
                self.best = reached
                self._save_generator(BEST)
            self.plateau.saw(reached)
        if self.settings.keep_checkpoints:
            self._save_generator(step_name(self.step))
            prune(self.folder, self.settings.keep_checkpoints)
        self._save()
        if self.on_evaluated is not None:
            self.on_evaluated(self.step)
        self.speed.leave_out(time.monotonic() - started)

    def _save(self) -> None:
        if not self.team.leads:
            return
        state = {
            "identity": self._identity(),
            "settings": self.settings.model_dump(mode="json"),
            "step": self.step,
            "position": self.batches.sampler.position,
            "effective_batch": self.settings.effective_batch(self.team.size),
            "bad_in_a_row": self.bad_in_a_row,
            "skipped_steps": self.skipped_steps,
            "sums": self.sums,
            "figures": self.figures,
            "best": self.best,
            "start": self.start,
            "plateau": self.plateau.state(),
            "balance": self.networks.balance.state(),
            "precision": self.networks.precision.state(),
        }
        save_state(self.folder / STATE, self.networks.groups(), state)
        self._save_generator(LATEST)

    def _save_generator(self, name: str) -> None:
        header = CheckpointHeader(
            network=self.network,
            canvas=self.pairs.canvas,
            styles=self.styles,
            step=self.step,
            pairs=self.pairs.fingerprint,
            figures={name: round(value, 6) for name, value in self.figures.items()},
            metadata={**self.metadata, "start": self.start} if self.start else self.metadata,
            versions=current_versions(torch.__version__),
        )
        save_generator(self.folder / name, self.networks.mean, header)

    def _identity(self) -> dict[str, Any]:
        """What a resumed run must share with the interrupted one."""
        start = self.settings.start_from
        return {
            "checkpoint to start from": file_hash(start) if start else None,
            "network": self.network.model_dump(mode="json"),
            "canvas": self.pairs.canvas.to_json(),
            "set of pairs": self.pairs.fingerprint,
        }
