"""How strong the adversarial loss is at each step."""

from __future__ import annotations

from typing import Any

from fontgen.zi2zi.loss_settings import BalanceSettings


class Balance:
    """Holds lambda_adv; `state` and `restore` carry it over a resume."""

    def __init__(self, settings: BalanceSettings) -> None:
        self.settings = settings
        self.lambda_adv = settings.start
        self.discriminator_updates = 0
        self.braking = False
        """The discriminator has exploded, and lambda_adv is down at `emergency`."""
        self.epoch = 0

    @property
    def off(self) -> bool:
        """Whether there is no adversarial part at all."""
        return self.settings.mode == "fixed" and self.settings.start == 0.0

    def active(self, step: int) -> bool:
        """Whether step `step` (from 0) has an adversarial part."""
        return not self.off and step >= self.settings.d_start

    def deceives(self, step: int) -> bool:
        """Whether the generator hears the discriminator at this step, which may have learned alone before."""
        return self.active(step) and step >= self.settings.d_start + self.settings.d_alone

    def updates_discriminator(self, step: int) -> bool:
        return self.active(step) and (step - self.settings.d_start) % self.settings.d_every == 0

    def penalises(self) -> bool:
        """Whether the coming discriminator update carries the lazy R1 penalty."""
        return self.settings.r1 > 0 and self.discriminator_updates % self.settings.r1_every == 0

    @property
    def names_styles(self) -> bool:
        """Whether the category head is judged by in this epoch, and learns."""
        return self.epoch >= self.settings.category_freeze_epochs

    def begin_epoch(self, epoch: int) -> None:
        """Take note of the epoch; in mode schedule, take its weight."""
        self.epoch = epoch
        if self.settings.mode == "schedule":
            values = (value for limit, value in self.settings.schedule if epoch < limit)
            self.lambda_adv = next(values, self.settings.schedule_end)

    def saw(self, d_loss: float) -> None:
        """Take note of a discriminator update's adversarial loss."""
        self.discriminator_updates += 1
        if self.settings.mode != "d_loss":
            return
        self.braking = d_loss > self.settings.emergency_d_loss
        if self.braking:
            self.lambda_adv = self.settings.emergency
        else:
            values = (value for limit, value in self.settings.d_loss_levels if d_loss < limit)
            self.lambda_adv = next(values, self.settings.d_loss_above)

    def figures(self, step: int) -> dict[str, float | bool]:
        """What the log says about step `step`: every state that is not a plain setting."""
        on = self.deceives(step)
        found: dict[str, float | bool] = {
            "lambda_adv": self.lambda_adv if on else 0.0,
            "discriminator_updates": self.discriminator_updates,
        }
        if self.settings.mode == "d_loss":
            found["emergency_brake"] = on and self.braking
        if self.settings.category_freeze_epochs:
            found["category_frozen"] = not self.names_styles
        return found

    def state(self) -> dict[str, Any]:
        return {
            "lambda_adv": self.lambda_adv,
            "discriminator_updates": self.discriminator_updates,
            "braking": self.braking,
        }

    def restore(self, state: dict[str, Any]) -> None:
        self.lambda_adv = float(state["lambda_adv"])
        self.discriminator_updates = int(state["discriminator_updates"])
        self.braking = bool(state["braking"])
