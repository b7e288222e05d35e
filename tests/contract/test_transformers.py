"""What the toolkit relies on in transformers beyond its documentation. An upgrade begins in docs/fragile.md."""

import importlib
import inspect
import json
import shutil
from pathlib import Path

import pytest
import torch
from torch.nn import functional

from tests.fakes.family_models import SIZES
from toolkit.core.errors import ModelError
from toolkit.model.families.family import families, family_of
from toolkit.model.families.sizes import head_size


@pytest.mark.parametrize("kind", sorted(kind for one in families().values() if one.norms for kind in one.model_types))
def test_the_norms_of_the_table_are_rms_norms_with_these_attributes(kind):
    """`fuse_norms` replaces their forward pass by torch's kernel."""
    from transformers import AutoConfig, AutoModelForCausalLM

    config = AutoConfig.for_model(kind, **{**SIZES, "head_dim": 16, "vocab_size": 50, "pad_token_id": 0})
    model = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    names = family_of({"model_type": kind}).norms
    norms = [module for module in model.modules() if type(module).__name__ in names]

    assert norms
    for norm in norms:
        norm.weight.data.normal_()
        states = torch.randn(3, *norm.weight.shape)
        expected = functional.rms_norm(states, norm.weight.shape, norm.weight, norm.variance_epsilon)
        assert list(inspect.signature(type(norm).forward).parameters) == ["self", "hidden_states"]
        torch.testing.assert_close(norm(states), expected)


@pytest.mark.parametrize("kind", ["mistral", "gemma2"])
def test_layers_with_a_window_take_the_mask_that_is_handed_to_them(kind):
    """One mask where every layer has a window; else a mask for each kind of layer, by these names."""
    from transformers import AutoConfig, AutoModelForCausalLM

    window = {"sliding_window": 2, "vocab_size": 50, "attn_implementation": "eager"}
    window |= {"layer_types": ["sliding_attention", "full_attention", "sliding_attention"]} if kind == "gemma2" else {}
    model = AutoModelForCausalLM.from_config(AutoConfig.for_model(kind, **{**SIZES, **window})).eval()
    ids = torch.arange(5)[None]
    full = torch.ones(5, 5).bool().tril()[None, None]
    near = full & ~torch.ones(5, 5).bool().tril(-2)
    full, near = (torch.zeros(one.shape).masked_fill(~one, torch.finfo(torch.float32).min) for one in (full, near))
    mask = {"full_attention": full, "sliding_attention": near} if kind == "gemma2" else near
    with torch.no_grad():
        found, expected = model(input_ids=ids, attention_mask=mask).logits, model(input_ids=ids).logits

    assert model.config._attn_implementation == "eager"
    torch.testing.assert_close(found, expected)


def test_a_causal_model_is_a_decoder_and_a_head(base):
    """The trainer takes hidden states from the decoder by a hook, and applies the head to the positions it needs."""
    ids = torch.arange(5).reshape(1, 5)
    caught = []
    hook = base.model.register_forward_hook(lambda *call: caught.append(call[2].last_hidden_state))
    with torch.no_grad():
        logits = base(inputs_embeds=base.model.get_input_embeddings()(ids), use_cache=False, logits_to_keep=1).logits
    hook.remove()

    assert logits.shape[:2] == (1, 1)
    torch.testing.assert_close(base.lm_head(caught[0][:, -1:]), logits)


def test_a_four_dimensional_mask_decides_what_each_token_sees(base):
    """Packed rows: two sequences in one line, each with its own positions, are as good as apart."""
    one, other = torch.tensor([[5, 6, 7]]), torch.tensor([[8, 9]])
    line = torch.cat([one, other], 1)
    mask = torch.block_diag(torch.ones(3, 3), torch.ones(2, 2)).bool().tril()[None, None]
    positions = torch.tensor([[0, 1, 2, 0, 1]])
    with torch.no_grad():
        packed = base(input_ids=line, attention_mask=mask, position_ids=positions, use_cache=False).logits
        apart = torch.cat([base(input_ids=one).logits, base(input_ids=other).logits], 1)

    torch.testing.assert_close(packed, apart, rtol=1e-4, atol=1e-4)


def test_generation_takes_any_callable_as_processor(base):
    """`Recorder` does not subclass anything; it sees the logits of every step once."""
    from transformers import GenerationConfig, LogitsProcessorList

    from toolkit.model.generation import Recorder

    ids, recorder = torch.tensor([[5, 6, 7]]), Recorder()
    greedy = GenerationConfig(do_sample=False, max_new_tokens=4, eos_token_id=None, pad_token_id=0)
    with torch.inference_mode():
        base.generation_config = GenerationConfig(eos_token_id=None, pad_token_id=0)
        output = base.generate(
            input_ids=ids, attention_mask=torch.ones_like(ids), generation_config=greedy,
            logits_processor=LogitsProcessorList([recorder]),
        )  # fmt: skip
        first = base(input_ids=ids).logits[:, -1].float()

    assert output.shape == (1, 7)
    assert len(recorder.margins) == 4
    torch.testing.assert_close(recorder.first, first, rtol=1e-4, atol=1e-4)


def test_a_cache_is_made_of_layers_with_keys_and_values(base):
    """`DecodingBatch` pads, stacks and thins them out: [rows, heads, length, head size]."""
    from transformers import DynamicCache

    ids, cache, rebuilt = torch.tensor([[5, 6, 7], [5, 6, 8]]), DynamicCache(), DynamicCache()
    with torch.inference_mode():
        base(input_ids=ids, past_key_values=cache, use_cache=True)
        for index, layer in enumerate(cache.layers):
            rebuilt.update(layer.keys[1:], layer.values[1:], index)
        found = base(input_ids=torch.tensor([[9]]), past_key_values=rebuilt, use_cache=True).logits[:, -1]
        expected = base(input_ids=torch.tensor([[5, 6, 8, 9]])).logits[:, -1]

    assert len(cache.layers) == base.config.num_hidden_layers
    assert cache.layers[0].keys.shape[:1] + cache.layers[0].keys.shape[2:3] == (2, 3)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


def test_a_cache_takes_layers_of_ones_own(base):
    """`StaticBatch` reads prompts through one and takes steps through the other, over the same keys and values."""
    from toolkit.model.decoding.static_cache import Memory, caches

    config, column = base.config, torch.tensor([3])
    shape = (2, config.num_key_value_heads, 8, config.hidden_size // config.num_attention_heads)
    memory = Memory(config.num_hidden_layers, base.dtype, base.device)
    with torch.inference_mode():
        memory.grow(shape)
        prompt, step = caches(memory.layers(shape), column)
        ids = torch.tensor([[5, 6, 7], [5, 6, 8]])
        base(input_ids=ids, attention_mask=torch.ones_like(ids), past_key_values=prompt, use_cache=True)
        mask = torch.full((2, 1, 1, 8), -torch.inf)
        mask[..., :4] = 0
        found = base(
            input_ids=torch.tensor([[9], [9]]), attention_mask=mask, position_ids=torch.tensor([[3], [3]]),
            past_key_values=step, use_cache=True,
        ).logits[:, -1]  # fmt: skip
        expected = base(input_ids=torch.cat([ids, torch.tensor([[9], [9]])], 1)).logits[:, -1]

    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


def test_the_configuration_names_the_attention_of_each_call(base):
    from transformers import AttentionInterface
    from transformers.integrations.sdpa_attention import sdpa_attention_forward

    called, before = [], base.config._attn_implementation

    def counted(*given, **how):
        called.append(given)
        return sdpa_attention_forward(*given, **how)

    AttentionInterface.register("counted", counted)
    base.config._attn_implementation = "counted"
    with torch.no_grad():
        base(input_ids=torch.tensor([[5]]), attention_mask=torch.zeros(1, 1, 1, 1), use_cache=False)
    base.config._attn_implementation = before
    with torch.no_grad():
        base(input_ids=torch.tensor([[5]]), use_cache=False)

    assert before == "sdpa"
    assert len(called) == base.config.num_hidden_layers


def test_a_keyword_of_a_pass_reaches_the_attention_of_every_layer(base):
    """Also of checkpoints, and past a mask of one element, which the model hands on as it is."""
    from transformers import AttentionInterface

    seen, before = [], base.config._attn_implementation

    def attention(_, query, key, value, mask, spans=None, **how):
        seen.append((spans, tuple(mask.shape)))
        return query.transpose(1, 2), None

    AttentionInterface.register("with_spans", attention)
    base.config._attn_implementation = "with_spans"
    base.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    states = base.get_input_embeddings()(torch.tensor([[5, 6, 7]]))
    mask = torch.ones(1, 1, 1, 1, dtype=torch.bool)
    base.train()(inputs_embeds=states, attention_mask=mask, spans="given", use_cache=False).logits.sum().backward()
    base.config._attn_implementation = before

    assert seen == [("given", (1, 1, 1, 1))] * (2 * base.config.num_hidden_layers)


def test_a_layer_is_made_of_the_parts_that_kernels_replace(base, monkeypatch):
    """Of every family whose long passes are computed so."""
    import sys

    from toolkit.model.families.family import families
    from toolkit.model.families.network import decoder
    from toolkit.train.passes.fused_parts import ROTATE

    assert [key for key, one in families().items() if one.end_to_end] == [base.config.model_type]
    mlp, x = decoder(base).layers[0].mlp, torch.randn(3, base.config.hidden_size)
    torch.testing.assert_close(
        mlp(x), mlp.down_proj(torch.nn.functional.silu(mlp.gate_proj(x)) * mlp.up_proj(x)), rtol=0, atol=0
    )  # fmt: skip
    seen, module = [], sys.modules[type(decoder(base)).__module__]
    plain = getattr(module, ROTATE)
    monkeypatch.setattr(module, ROTATE, lambda *given, **how: seen.append((given, how)) or plain(*given, **how))
    base(input_ids=torch.tensor([[5, 6, 7], [8, 9, 10]]), use_cache=False)

    size = base.config.hidden_size // base.config.num_attention_heads
    heads = base.config.num_attention_heads, base.config.num_key_value_heads
    expected = [(2, heads[0], 3, size), (2, heads[1], 3, size), (1, 3, size), (1, 3, size)]
    assert [[tuple(one.shape) for one in given] for given, how in seen if not how] == [expected] * len(seen)
    assert len(seen) == base.config.num_hidden_layers
    cos = seen[0][0][2]
    assert torch.equal(cos[..., : size // 2], cos[..., size // 2 :])


def test_the_configuration_lists_what_each_layer_sees(base):
    """A model with a sliding window is left to the plain method."""
    from transformers import Qwen2Config

    assert base.config.layer_types == ["full_attention"] * base.config.num_hidden_layers
    window = Qwen2Config(num_hidden_layers=2, use_sliding_window=True, sliding_window=4, max_window_layers=1)
    assert "sliding_attention" in window.layer_types


def test_a_configurations_sizes_are_in_its_own_dictionary():
    from transformers import AutoConfig

    for kind in (kind for family in families().values() for kind in family.model_types):
        config = AutoConfig.for_model(kind, **SIZES)
        config = config.get_text_config()

        assert head_size(vars(config)) == head_size(config.to_dict()), kind


def test_a_models_own_generation_settings_can_be_replaced(base, tokenizer):
    """`LanguageModel` clears them: `generate` takes what it is not given from there, such as a repetition penalty."""
    from toolkit.model.language_model import LanguageModel

    base.generation_config.repetition_penalty = 100.0
    asked = [{"role": "user", "content": "Who are you?"}]
    language_model = LanguageModel(base, tokenizer)
    (answer,) = language_model.answers([asked], max_new_tokens=6)
    ids, expected = torch.tensor([language_model.prompt_ids(asked)]), []
    with torch.no_grad():
        for _ in answer.tokens:
            expected.append(int(base(input_ids=ids).logits[0, -1].argmax()))
            ids = torch.cat([ids, torch.tensor([expected[-1:]])], 1)

    assert answer.tokens == expected
    assert len(expected) == 6


@pytest.mark.parametrize("with_tools", [False, True])
def test_a_folder_says_of_tools_what_its_tokenizer_does(micro_model, tmp_path, with_tools):
    """Rows with tools are refused before anything is loaded, and encoded by the tokenizer."""
    from transformers import AutoTokenizer

    from tests.fakes.tool_rows import with_qwen25_template
    from toolkit.model.chat_template import takes_tools
    from toolkit.model.families.template_files import folder_takes_tools

    folder = with_qwen25_template(micro_model, tmp_path / "model") if with_tools else micro_model

    assert folder_takes_tools(folder) is takes_tools(AutoTokenizer.from_pretrained(folder)) is with_tools


def test_a_fast_tokenizer_keeps_its_words_in_these_attributes():
    """`clone_tokenizer` copies a tokenizer without them."""
    from transformers import AutoTokenizer

    from toolkit.core.files import data_folder
    from toolkit.model.loading import VOCABULARY

    assert vars(AutoTokenizer.from_pretrained(data_folder() / "tiny-qwen2")).keys() >= VOCABULARY


def test_a_checkpoints_trainer_state_is_written_after_its_weights_and_its_optimizer():
    """`whole_checkpoints` takes a readable trainer_state.json as the sign that a checkpoint is complete."""
    from transformers import Trainer
    from transformers.trainer import OPTIMIZER_NAME, SCHEDULER_NAME, TRAINER_STATE_NAME
    from transformers.trainer_utils import PREFIX_CHECKPOINT_DIR

    source = inspect.getsource(Trainer._save_checkpoint)
    steps = ("save_model", "_save_optimizer_and_scheduler", "_save_rng_state", "state.save_to_json")
    places = [source.index(f"self.{step}(") for step in steps]

    assert places == sorted(places)
    assert (PREFIX_CHECKPOINT_DIR, TRAINER_STATE_NAME) == ("checkpoint", "trainer_state.json")
    assert (OPTIMIZER_NAME, SCHEDULER_NAME) == ("optimizer.pt", "scheduler.pt")


def test_save_only_model_is_read_when_a_checkpoint_is_saved(calls):
    """The callbacks set it in the last step, so that a finished run keeps no optimizer state."""
    from transformers import Trainer

    assert "save_only_model" in calls(Trainer._save_checkpoint)


def test_the_console_printer_is_a_callback_of_this_class():
    """`replace_printer` removes it: stdout belongs to the command's result."""
    from transformers import TrainerCallback
    from transformers.trainer_callback import CallbackHandler, PrinterCallback

    assert issubclass(PrinterCallback, TrainerCallback)
    handler = CallbackHandler([PrinterCallback], None, None, None, None)
    assert [type(callback) for callback in handler.callbacks] == [PrinterCallback]


def test_callbacks_are_called_by_these_names(calls):
    from transformers.trainer_callback import CallbackHandler, TrainerCallback

    from toolkit.train.ms_swift.callbacks import StopWhenLearned, Watcher

    hooks = {name for kind in (StopWhenLearned, Watcher) for name in vars(kind) if name.startswith("on_")}
    assert {"on_train_begin", "on_step_end", "on_epoch_end", "on_save", "on_log"} <= hooks
    assert hooks <= vars(TrainerCallback).keys()
    assert "call_event" in calls(CallbackHandler.on_step_end)


def test_remote_code_goes_through_one_function():
    from transformers import dynamic_module_utils
    from transformers.generation import utils

    assert "return get_class_in_module(" in inspect.getsource(dynamic_module_utils.get_class_from_dynamic_module)
    assert 'get_class_in_module("generate"' in inspect.getsource(utils)
    assert callable(dynamic_module_utils.get_class_in_module)


def test_chat_templates_are_compiled_by_one_function_whose_result_renders(monkeypatch):
    """`render_in_child` replaces it, so that no template of others runs in this process."""
    from transformers.utils import chat_template_utils

    from toolkit.model.chat_template import render_in_child

    monkeypatch.setattr(chat_template_utils, "_compile_jinja_template", chat_template_utils._compile_jinja_template)
    render_in_child()
    with pytest.raises(ModelError, match="too much memory"):
        chat_template_utils.render_jinja_template(
            [[{"role": "user", "content": "Hi"}]], chat_template="{{ 'a' * 2**40 }}"
        )
    text, _ = chat_template_utils.render_jinja_template(
        [[{"role": "user", "content": "Hi"}]], chat_template="{{ messages[0].content }}{{ eos_token }}", eos_token="."
    )
    assert text == ["Hi."]


@pytest.mark.parametrize(
    "template",
    [
        "{% for message in messages %}\n    {{- message['role'] + '\\n' + message.content }}\n{% endfor %}\n",
        "{{ messages|tojson }}{{ messages|tojson(indent=2) }}{{ '<é>'|tojson(ensure_ascii=true) }}",
        "{% for m in messages %}{% if loop.index > 1 %}{% break %}{% endif %}{{ m.content }}{% endfor %}",
        "{%- generation %} {{ messages[0].content }} {% endgeneration %}",
        "{{ strftime_now('%Y') }}{{ tools is none }}{{ undefined is defined }}",
        "{% if add_generation_prompt %}{{ bos_token }}{% endif %}",
    ],
)
def test_the_child_renders_a_chat_template_as_transformers_does(template):
    """`core/limited_child.py` compiles templates by itself: importing transformers there would take a second."""
    from transformers.utils.chat_template_utils import _cached_compile_jinja_template

    from toolkit.model.chat_template import render

    values = {
        "messages": [{"role": "user", "content": "Hi <é>"}, {"role": "assistant", "content": "你好"}],
        "tools": None, "add_generation_prompt": True, "bos_token": "<s>",
    }  # fmt: skip
    assert render(template, values) == _cached_compile_jinja_template(template).render(**values)


def test_the_tokenizer_brings_its_own_patterns_and_replacements(tmp_path):
    """Those in the model's tokenizer.json could run without end, or make a text endless; they are not used."""
    from transformers import AutoTokenizer

    split = {"type": "Split", "pattern": {"Regex": "(a+)+§"}, "behavior": "Isolated", "invert": False}
    replace = {"type": "Replace", "pattern": {"String": "a"}, "content": "aa"}
    tiny = Path(__file__).parents[2] / "data/tiny-qwen2"
    for kind in ("PreTrainedTokenizerFast", "LlamaTokenizerFast", "Other"):
        folder = shutil.copytree(tiny, tmp_path / kind)
        for name, change in {
            "tokenizer.json": {
                "pre_tokenizer": split,
                "normalizer": {"type": "Sequence", "normalizers": [replace] * 9},
            },
            "tokenizer_config.json": {"tokenizer_class": kind},
        }.items():
            (folder / name).write_text(json.dumps(json.loads((folder / name).read_text()) | change))
        backend = AutoTokenizer.from_pretrained(folder).backend_tokenizer

        assert "§" not in str(backend.pre_tokenizer)
        assert "Replace" not in str(backend.normalizer)


def test_a_tokenizer_takes_special_tokens_as_text_in_one_call(tokenizer):
    """`ChatTokens` lets nobody end their turn by writing the mark for it."""
    end = tokenizer.convert_tokens_to_ids("<|im_end|>")
    as_text = tokenizer("a<|im_end|>b", add_special_tokens=False, split_special_tokens=True)["input_ids"]

    assert tokenizer.added_tokens_decoder[end].special
    assert end not in as_text
    assert tokenizer.decode(as_text) == "a<|im_end|>b"
    assert end in tokenizer("a<|im_end|>b", add_special_tokens=False)["input_ids"]


def test_a_model_is_loaded_from_weights_in_memory_as_from_its_files_and_only_once(tmp_path: Path, monkeypatch):
    """`make_ready` gives them to the one function that both our loading and ms-swift's go through.

    Only for files does that reserve memory on a card first, as much as they need.
    """
    from transformers import AutoModelForCausalLM, PreTrainedModel, modeling_utils

    from toolkit.model.loading import make_ready

    reserved: list[object] = []
    monkeypatch.setattr(modeling_utils, "caching_allocator_warmup", lambda *given: reserved.append(given))

    def load(folder: Path):
        return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, device_map="cpu").state_dict()

    tiny = Path(__file__).parents[2] / "data/tiny-qwen2"
    folder = shutil.copytree(tiny, tmp_path / "model")
    expected, from_files = load(folder), PreTrainedModel._load_pretrained_model
    parameters = list(inspect.signature(from_files).parameters)
    assert parameters[:4] == ["model", "state_dict", "checkpoint_files", "load_config"]
    given: list[bool] = []

    def watched(model, state, *more):
        given.append(state is not None)
        return from_files(model, state, *more)

    for path, in_memory in ((folder, [True, False]), (tiny, [False, False])):
        PreTrainedModel._load_pretrained_model = staticmethod(watched)
        try:
            make_ready(folder)
            for expects in in_memory:
                reserved.clear()
                found = load(path)
                assert given.pop() is expects
                assert (not reserved) is expects
                assert found.keys() == expected.keys()
                assert all(torch.equal(found[name], weight) for name, weight in expected.items())
        finally:
            PreTrainedModel._load_pretrained_model = staticmethod(from_files)


def test_scipy_is_imported_for_object_detection_alone_and_if_one_function_sees_it():
    source = inspect.getsource(importlib.import_module("transformers.loss.loss_for_object_detection"))

    assert "if is_scipy_available():\n    from scipy.optimize import linear_sum_assignment" in source
    assert "is_scipy_available" in source.partition("if is_scipy_available")[0].partition("from ..utils import")[2]


def test_layers_of_every_family_name_attention_mlp_and_rotation_so():
    """In float16 these are found by name, and the activation of an MLP as its one part without weights."""
    from transformers import AutoConfig, AutoModelForCausalLM

    from tests.fakes.family_models import KINDS, SIZES
    from toolkit.model.families.float16 import ATTENTION, MLP, _activation
    from toolkit.model.families.network import decoder

    for kind in KINDS:
        config = AutoConfig.for_model(kind.model_type, **{**SIZES, "vocab_size": 64, "pad_token_id": 0, **kind.config})
        body = decoder(AutoModelForCausalLM.from_config(config))
        layers = body.layers
        assert hasattr(body, "rotary_emb"), kind.name
        assert all(hasattr(one, ATTENTION) and hasattr(one, MLP) for one in layers), kind.name
        # StarCoder2's last projection has a bias.
        assert (_activation(layers[0].mlp) is None) is (kind.name == "starcoder2"), kind.name


def test_a_loss_scale_is_accelerates_attribute_when_training_begins():
    """It is set on a finished trainer: loss, optimizer and checkpoints take it from there."""
    from accelerate import Accelerator
    from accelerate.optimizer import AcceleratedOptimizer
    from transformers import Trainer

    assert "self.scaler.scale(loss).backward" in inspect.getsource(Accelerator.backward)
    assert "self.scaler" in inspect.getsource(Accelerator.prepare_optimizer)
    assert 'self.native_amp and self.mixed_precision == "fp16"' in inspect.getsource(Accelerator.unscale_gradients)
    source = inspect.getsource(AcceleratedOptimizer.step)
    assert source.index("self.scaler.step(self.optimizer") < source.index("self.scaler.update()")
    assert "self.accelerator.scaler.state_dict()" in inspect.getsource(Trainer._save_scaler)
    assert "self.accelerator.scaler.load_state_dict" in inspect.getsource(Trainer._load_scaler)


def test_every_loading_ends_in_one_function_that_knows_what_the_files_lack(tmp_path: Path):
    """`refused_gaps` reads it there, since ms-swift does not ask transformers for it."""
    from safetensors.torch import load_file, save_file
    from transformers import AutoModelForCausalLM

    from toolkit.core.errors import ModelError
    from toolkit.model.loading import refused_gaps

    folder = shutil.copytree(Path(__file__).parents[2] / "data/tiny-qwen2", tmp_path / "model")
    with refused_gaps(folder):
        AutoModelForCausalLM.from_pretrained(folder)
    weights = load_file(folder / "model.safetensors")
    del weights["model.norm.weight"]
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    with refused_gaps(folder), pytest.raises(ModelError, match=r"model\.norm\.weight missing"):
        AutoModelForCausalLM.from_pretrained(folder)

    AutoModelForCausalLM.from_pretrained(folder)  # outside it is transformers' own again
