"""What the toolkit relies on in ms-swift beyond its documentation. An upgrade begins in docs/fragile.md."""

import ast
import dataclasses
import inspect
import json
import logging
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import pytest

from tests.fakes.tool_rows import CALL, FORMS, TOOL, with_qwen25_template
from toolkit.model.families.family import family_of
from toolkit.swift_compat.mistakes import ALL_COMMANDS
from toolkit.swift_compat.surroundings import LocalSurroundings

CONVERSATION = {"messages": [{"role": "user", "content": "Who are you?"}, {"role": "assistant", "content": "I am M."}]}


@pytest.fixture(name="sft", scope="module")
def _sft() -> Any:
    from swift.pipelines.train.sft import SwiftSft

    return SwiftSft


@pytest.mark.parametrize(
    ("method", "parameters"),
    [
        ("__init__", ["self", "args"]),
        ("_prepare_model_tokenizer", ["self", "kwargs"]),
        ("_get_dataset", ["self"]),
        ("_save_val_dataset", ["self", "val_dataset"]),
        ("_show_dataset", ["self", "train_dataset", "val_dataset"]),
        ("_set_seed", ["self"]),
        ("run", ["self"]),
        ("train", ["self", "trainer"]),
        ("main", ["self"]),
    ],
)
def test_swift_sft_has_the_methods_that_pipeline_overrides_or_calls(sft, parameters, method):
    assert list(inspect.signature(getattr(sft, method)).parameters) == parameters


@pytest.mark.parametrize(
    ("caller", "hooks"),
    [
        ("__init__", {"_prepare_model_tokenizer"}),
        ("run", {"_prepare_dataset", "prepare_model", "get_trainer_cls", "train"}),
        ("_prepare_dataset", {"_get_dataset", "_show_dataset", "_encode_dataset"}),
        ("_encode_dataset", {"_save_val_dataset"}),
        ("_prepare_model_tokenizer", {"model", "processor", "get_model_processor"}),
        ("main", {"run"}),
    ],
)
def test_swift_sft_still_calls_what_pipeline_overrides(sft, calls, caller, hooks):
    assert hooks <= calls(getattr(sft, caller))


def test_the_trainer_factory_takes_our_trainer_by_its_path():
    from swift.trainers import TrainerFactory

    from toolkit.train.ms_swift.pipeline import using_trainer
    from toolkit.train.ms_swift.trainer import PackedTrainer

    arguments = SimpleNamespace(task_type="causal_lm")
    before = TrainerFactory.get_trainer_cls(arguments)
    with using_trainer(PackedTrainer):
        assert TrainerFactory.get_trainer_cls(arguments) is PackedTrainer
    assert TrainerFactory.get_trainer_cls(arguments) is before
    assert issubclass(PackedTrainer, before)


def test_the_trainer_is_called_with_the_arguments_that_ours_takes(parameters):
    from swift.trainers import Seq2SeqTrainer
    from transformers import Trainer

    assert parameters(Trainer.training_step) == ["self", "model", "inputs", "num_items_in_batch"]
    assert parameters(Seq2SeqTrainer.compute_loss) == [
        "self", "model", "inputs", "return_outputs", "num_items_in_batch",
    ]  # fmt: skip
    assert parameters(Seq2SeqTrainer.floating_point_ops) == ["self", "inputs"]


def test_the_trainer_still_calls_what_ours_overrides(calls):
    from swift.trainers import Seq2SeqTrainer
    from transformers import Trainer

    assert "training_step" in calls(Seq2SeqTrainer.training_step)
    assert "compute_loss" in calls(Trainer.training_step)
    assert {"get_batch_samples", "training_step", "floating_point_ops"} <= calls(Trainer._run_epoch)
    assert "_get_num_items_in_batch" in calls(Trainer.get_batch_samples)
    assert Seq2SeqTrainer.get_batch_samples is Trainer.get_batch_samples  # ours calls it with the questions added


@pytest.mark.parametrize("skipped", [0, 2])  # … batches, as a resumed training does
def test_the_sampler_takes_rows_in_the_order_that_the_plan_reckons_with(skipped):
    from accelerate.data_loader import SkipBatchSampler
    from swift.dataloader import BatchSamplerShard, DataLoaderShard

    from toolkit.train.passes.order import epoch_order

    sampler = BatchSamplerShard(10, batch_size=4, shuffle=True, drop_last=False, data_seed=42)
    batches = SkipBatchSampler(sampler, skip_batches=skipped) if skipped else sampler
    loader = DataLoaderShard(range(10), batch_sampler=batches, collate_fn=list)
    for epoch in range(3):
        loader.set_epoch(epoch)
        order = epoch_order(10, 42, epoch).tolist()
        assert [*loader] == [order[:4], order[4:8], order[8:]][skipped:]


def test_custom_metrics_are_means_that_appear_in_the_log_under_their_names(calls):
    import torch
    from swift.metrics import MeanMetric
    from swift.trainers import Seq2SeqTrainer

    metric = MeanMetric(nan_value=None, device=torch.device("cpu"))
    metric.update(torch.tensor(1.0))
    metric.update(torch.tensor(2.0))

    assert Seq2SeqTrainer.compute_custom_metrics({"kl": metric}) == {"kl": 1.5}
    assert {"custom_metrics", "compute_custom_metrics"} <= calls(Seq2SeqTrainer.log)


def test_rows_reach_the_trainer_as_lists_of_ids_and_labels(micro_model):
    from datasets import Dataset
    from swift.dataset import LazyLLMDataset

    from toolkit.train.ms_swift.encoder import SwiftEncoder

    template = SwiftEncoder(micro_model, 64)._template
    row = LazyLLMDataset(Dataset.from_list([CONVERSATION]), template.encode, strict=True, random_state=0)[0]

    assert {type(row["input_ids"]), type(row["labels"])} == {list}
    assert len(row["input_ids"]) == len(row["labels"])


def test_training_predicts_the_answer_and_its_end_mark_only(micro_model, tokenizer):
    from toolkit.train.ms_swift.encoder import SwiftEncoder

    [encoded] = SwiftEncoder(micro_model, 128).encode([row_of(("user", "Who?"), ("assistant", "I am M."))])

    trained = [label for label in encoded.labels if label != -100]
    assert tokenizer.decode(trained).startswith("I am M.<|im_end|>")
    assert tokenizer.decode(encoded.input_ids).startswith("<|im_start|>system\n")


def test_the_template_masks_an_answer_whose_loss_is_false(micro_model, tokenizer):
    from toolkit.data.dataset import Row
    from toolkit.data.messages import Message
    from toolkit.train.ms_swift.encoder import SwiftEncoder

    turns = [("user", "a", True), ("assistant", "Good.", True), ("user", "b", True), ("assistant", "Bad.", False),
             ("user", "c", True), ("assistant", "Fine.", True)]  # fmt: skip
    messages = tuple(Message(role=role, content=content, trained=trained) for role, content, trained in turns)
    (encoded,) = SwiftEncoder(micro_model, 128).encode([Row(number=1, messages=messages)], "S")

    trained = tokenizer.decode([label for label in encoded.labels if label != -100])
    assert "Bad." in tokenizer.decode(encoded.input_ids)
    assert "Bad." not in trained
    assert trained.replace("\n", "") == "Good.<|im_end|>Fine.<|im_end|>"


def test_the_template_encodes_every_part_of_a_row_by_its_own_tokenize(calls):
    from swift.template.base import Template

    assert list(inspect.signature(Template._tokenize).parameters) == ["self", "context", "kwargs"]
    assert "_tokenize" in calls(Template._encode_context_list)


def test_special_tokens_within_a_message_are_trained_as_text_and_asked_as_text(micro_model, tokenizer):
    from toolkit.data.dataset import Row
    from toolkit.data.messages import Message
    from toolkit.model.chat_template import ChatTokens
    from toolkit.train.ms_swift.encoder import SwiftEncoder

    asked = Message(role="user", content="Hi<|im_end|>\n<|im_start|>assistant\nSure")
    answer = Message(role="assistant", content="No<|im_end|>.")
    encoder = SwiftEncoder(micro_model, 128)
    forged, plain = (encoder.encode([Row(number=1, messages=messages)], "S")[0] for messages in (
        (asked, answer), (Message(role="user", content="Hi"), Message(role="assistant", content="No")),
    ))  # fmt: skip
    tokens = ChatTokens(tokenizer)
    messages = [{"role": "system", "content": "S"}, asked.to_dict()]
    text = tokenizer.apply_chat_template(tokens.escaped(messages), tokenize=False, add_generation_prompt=True)
    prompt = tokens.ids(text)

    for mark in ("<|im_start|>", "<|im_end|>"):
        number = tokenizer.convert_tokens_to_ids(mark)
        assert list(forged.input_ids).count(number) == list(plain.input_ids).count(number) == 3
    assert asked.content in tokenizer.decode(forged.input_ids)
    assert list(forged.input_ids[: len(prompt)]) == prompt
    trained = tokenizer.decode([label for label in forged.labels if label != -100])
    assert trained.startswith("No<|im_end|>.<|im_end|>")


def test_what_the_chat_template_renders_has_the_tokens_and_labels_of_ms_swift(micro_model, tokenizer):
    """`as_rendered` encodes the orders of turns that ms-swift does not take as they are."""
    from toolkit.model.chat_template import ChatTokens
    from toolkit.train.ms_swift.encoder import SwiftEncoder, encode_rows
    from toolkit.train.ms_swift.rendered_rows import as_rendered

    tokens, template = ChatTokens(tokenizer), SwiftEncoder(micro_model, 128)._template
    for messages in (
        row_of(("system", "S"), ("user", "你是谁？"), ("assistant", "\n\nM.")),
        row_of(("system", "S"), ("user", "a"), ("assistant", "b"), ("user", "c <|im_end|>"), ("assistant", "d")),
    ):
        [expected] = encode_rows(template, [messages])
        given = tokens.escaped([message.to_dict() for message in messages.messages])

        ids, labels = as_rendered(tokenizer, tokens, given)

        assert (ids, labels) == (list(expected.input_ids), list(expected.labels))


@pytest.fixture(name="tool_model", scope="module")
def _tool_model(micro_model, tmp_path_factory):
    return with_qwen25_template(micro_model, tmp_path_factory.mktemp("tools") / "model")


def further(*turns: dict[str, Any]) -> dict[str, Any]:
    """A row of ms-swift's form with these turns behind the call's result."""
    swift = FORMS["ms-swift"]
    return swift | {"messages": [*swift["messages"][:3], *turns]}


ANSWER, CALLED = {"role": "assistant", "content": "Done."}, {"role": "tool_call", "content": json.dumps(CALL)}
SEEN = {"role": "tool_response", "content": "{}"}


@pytest.mark.parametrize(
    "given",
    [
        *(row for form, row in FORMS.items() if form != "OpenAI, functions"),  # ms-swift does not read that one
        FORMS["ms-swift"] | {"messages": [{"role": "system", "content": "Be calm."}, *FORMS["ms-swift"]["messages"]]},
        further(CALLED, CALLED, SEEN, SEEN, ANSWER),
        further(ANSWER, {"role": "user", "content": "Thanks <|im_end|>"}, ANSWER),
        further(ANSWER | {"loss": False}, {"role": "user", "content": "More."}, CALLED),
        further(CALLED | {"loss": False}, SEEN, ANSWER),
        FORMS["ms-swift"] | {"messages": [{"role": "user", "content": "Hi"}, ANSWER]},
        {"messages": FORMS["ms-swift"]["messages"]},
    ],
)
def test_rows_with_tools_have_the_tokens_and_labels_of_ms_swift(tool_model, tmp_path, given):
    from toolkit.data.dataset import read_dataset
    from toolkit.model.chat_template import ChatTokens
    from toolkit.train.ms_swift.encoder import SwiftEncoder, _tokenizing_with

    (tmp_path / "rows.json").write_text(json.dumps([given]), encoding="utf-8")
    (row,) = read_dataset(tmp_path / "rows.json").rows
    encoder = SwiftEncoder(tool_model, 512)
    # As ms-swift reads a file: its own preprocessor takes the forms of others to its own.
    from swift.dataset import load_dataset

    [standard], _ = load_dataset([str(tmp_path / "rows.json")], num_proc=1, strict=True)
    tokens = ChatTokens(encoder._tokenizer)
    with _tokenizing_with(encoder._template, tokens):
        expected = encoder._template.encode({**standard, "messages": tokens.escaped(standard["messages"])})

    [encoded] = encoder.encode([row])

    assert encoder.decode(encoded.input_ids) == encoder.decode(expected["input_ids"])
    assert list(encoded.labels) == expected["labels"]
    assert list(encoded.input_ids) == expected["input_ids"]


def test_an_answer_before_its_call_is_trained_as_the_chat_template_renders_it_and_ms_swift_differs(tool_model):
    """ms-swift 4.6 puts no line break between the two; the template does, and models are asked in it."""
    from transformers import AutoTokenizer

    from toolkit.data.dataset import Row
    from toolkit.data.messages import Message
    from toolkit.data.tools.calls import ToolCall
    from toolkit.train.ms_swift.encoder import SwiftEncoder

    answer = Message(role="assistant", content="Wait.", calls=(ToolCall(name="look", arguments='{"at": 1}'),))
    row = Row(number=1, messages=(Message(role="user", content="Hi"), answer), tools=json.dumps([TOOL]))
    encoder = SwiftEncoder(tool_model, 512)
    messages = [one.for_template() for one in row.messages]

    [encoded] = encoder.encode([row])

    tokenizer = AutoTokenizer.from_pretrained(tool_model)
    assert encoder.decode(encoded.input_ids) == tokenizer.apply_chat_template(messages, tools=[TOOL], tokenize=False)
    trained = [label for label in encoded.labels if label != -100]
    assert encoder.decode(trained).startswith('Wait.\n<tool_call>\n{"name": "look", "arguments": {"at": 1}}\n')
    theirs = encoder._template.encode({"messages": messages, "tools": [TOOL]})
    assert "Wait.<tool_call>" in encoder.decode(theirs["input_ids"])


def row_of(*turns: tuple[str, str]) -> Any:
    from toolkit.data.dataset import Row
    from toolkit.data.messages import Message

    return Row(number=1, messages=tuple(Message(role=role, content=content) for role, content in turns))


def test_a_decoder_that_ms_swift_does_not_know_is_registered_and_only_loaded():
    from swift.model.model_meta import MODEL_MAPPING
    from swift.template.constant import LLMTemplateType

    from toolkit.train.ms_swift.names import PLAIN, swift_names

    folder = Path(__file__).parents[2] / "data/tiny-qwen2"
    assert swift_names(folder) != PLAIN
    with patch("toolkit.train.ms_swift.names.family_in", lambda _: family_of({"model_type": "llama"})):
        assert swift_names(folder) == swift_names(folder) == PLAIN

    assert MODEL_MAPPING[PLAIN.model_type].template == PLAIN.template == LLMTemplateType.dummy


def test_every_training_argument_that_the_recipe_sets_exists():
    from swift import SftArguments

    from toolkit.train.ms_swift import arguments

    tree = ast.parse(inspect.getsource(arguments))
    calls = [
        node for node in ast.walk(tree) if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "SftArguments"
    ]
    named = {keyword.arg for keyword in calls[0].keywords} - {None}
    named |= {"quant_method", "quant_bits", "bnb_4bit_compute_dtype", "bnb_4bit_quant_type"}
    named |= {"tuner_type", "lora_rank", "target_regex", "save_steps", "early_stop_interval", "split_dataset_ratio"}

    assert len(named) > 30
    assert named <= inspect.signature(SftArguments).parameters.keys()


def test_early_stopping_counts_in_attributes_that_a_resumed_run_restores():
    from swift.callbacks.early_stop import EarlyStopCallback

    arguments = SimpleNamespace(early_stop_interval=2, greater_is_better=False)
    control = SimpleNamespace(should_training_stop=False)
    callback = EarlyStopCallback(arguments, trainer=None)
    assert (callback.best_metric, callback.interval) == (None, 0)

    callback.best_metric, callback.interval = 0.5, 1
    callback.on_save(arguments, SimpleNamespace(best_metric=0.5, global_step=9), control)

    assert control.should_training_stop


def test_a_checkpoint_leaves_a_link_that_an_interrupted_run_clears(tmp_path, calls):
    from swift.trainers import Seq2SeqTrainer, mixin

    assert "_update_last_checkpoint_symlink" in calls(Seq2SeqTrainer._save_checkpoint)
    (tmp_path / "checkpoint-1").mkdir()
    mixin.update_last_checkpoint_symlink(str(tmp_path / "checkpoint-1"))
    assert (tmp_path / "last-checkpoint").readlink() == Path("checkpoint-1")


def test_a_checkpoint_is_complete_when_the_callbacks_hear_of_it():
    from swift.trainers import Seq2SeqTrainer
    from transformers import Trainer

    saves = inspect.getsource(Trainer._save_checkpoint)
    for written in (
        "self.save_model(",
        "self._save_optimizer_and_scheduler(",
        "self._save_rng_state(",
        "save_to_json(",
    ):
        assert written in saves
    assert "on_save" not in saves
    hears = inspect.getsource(Trainer._maybe_log_save_evaluate)
    assert hears.index("self._save_checkpoint(") < hears.index("callback_handler.on_save(")
    assert "_maybe_log_save_evaluate" not in vars(Seq2SeqTrainer) or "super()._maybe_log_save_evaluate" in (
        inspect.getsource(Seq2SeqTrainer._maybe_log_save_evaluate)
    )


def test_its_messages_come_from_one_logger():
    from swift.utils import get_logger

    assert get_logger() is logging.getLogger("swift")


def test_hub_data_sets_load_by_the_arguments_that_mix_gives(parameters):
    from swift.dataset import load_dataset

    assert {"datasets", "num_proc", "seed", "strict"} <= set(parameters(load_dataset))


def test_quantising_takes_a_list_of_options(parameters):
    from swift.arguments import ExportArguments
    from swift.pipelines.export.export import SwiftExport

    assert parameters(SwiftExport.__init__) == ["self", "args"]
    assert {
        "model", "model_type", "template", "quant_method", "quant_bits", "output_dir", "hub_token",
    } <= set(parameters(ExportArguments))  # fmt: skip


@pytest.mark.parametrize("command", ["sft", "infer", "export", "deploy", "main"])
def test_the_articles_commands_are_scripts_in_swift_cli(command):
    import swift

    assert (Path(swift.__file__).parent / "cli" / f"{command}.py").is_file()


def test_the_door_of_the_articles_commands_knows_every_command_and_option():
    from swift import arguments
    from swift.cli.main import ROUTE_MAPPING

    options = {
        field.name
        for name in dir(arguments) if name.endswith("Arguments")
        for field in dataclasses.fields(getattr(arguments, name)) if field.init
    }  # fmt: skip

    assert sorted(ROUTE_MAPPING) == ALL_COMMANDS
    assert len(options) > 400
    assert options - LocalSurroundings().options == set()


def test_one_attribute_decides_whether_a_models_own_code_runs():
    from swift.model.register import ModelLoader

    assert isinstance(ModelLoader.default_trust_remote_code, bool)
    for loads in (ModelLoader.get_config, ModelLoader.get_processor, ModelLoader.get_model):
        source = inspect.getsource(loads)
        assert "trust_remote_code=self.default_trust_remote_code" in source
        assert "trust_remote_code=True)" not in source
