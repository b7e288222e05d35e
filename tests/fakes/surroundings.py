"""Made-up surroundings of a `swift` command: folders, adapters, a card."""

from dataclasses import dataclass, field

from toolkit.swift_compat.surroundings import Adapter, ModelFolder

QWEN = "Qwen2.5-7B-Instruct"
TRAINED = "output/v0-20261124-120446/checkpoint-40"

OPTIONS = frozenset({"model", "model_type", "dataset", "adapters", "learning_rate", "num_train_epochs", "lora_rank"})


@dataclass(frozen=True, kw_only=True)
class FakeSurroundings:
    has_card: bool = True
    prefers_hugging_face: bool = False
    models: dict[str, ModelFolder] = field(default_factory=lambda: {QWEN: ModelFolder()})
    adapters: dict[str, Adapter] = field(
        default_factory=lambda: {TRAINED: Adapter(model=QWEN, paths=(f"/root/{QWEN}",), has_type=True)}
    )
    places: dict[str, str] = field(default_factory=dict)  # of models and data sets, by name
    options: frozenset[str] = OPTIONS
    files: tuple[str, ...] = ("self_cognition.json", "general.json")

    def exists(self, name: str) -> bool:
        return name in {*self.files, *self.models, *self.adapters}

    def model(self, name: str) -> ModelFolder | None:
        return self.models.get(name)

    def adapter(self, name: str) -> Adapter | None:
        return self.adapters.get(name)

    def elsewhere(self, name: str, *, is_model: bool) -> str | None:
        return self.places.get(name)

    def checkpoints(self) -> list[str]:
        return list(self.adapters)
