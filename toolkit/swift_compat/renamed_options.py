"""Options of ms-swift 2 and 3 with their names and values in 4, as data. A test checks it against ms-swift."""

from dataclasses import dataclass

LISTS = ("adapters",)  # values of repeated options are joined


@dataclass(frozen=True, kw_only=True)
class Change:
    """`--old [value]` becomes `--new [new_value]`, or is dropped if `new` is None. `value` None: any value."""

    old: str
    value: str | None = None
    new: str | None = None
    new_value: str | None = None
    why: str


# why: old name, new name
RENAMED = {
    "renamed in 4.0": "train_type tuner_type",
    "removed in 4.0": "lora_modules adapters",
    "vLLM's options carry its name since 3.7 or 3.10": """
        tensor_parallel_size        vllm_tensor_parallel_size
        pipeline_parallel_size      vllm_pipeline_parallel_size
        data_parallel_size          vllm_data_parallel_size
        gpu_memory_utilization      vllm_gpu_memory_utilization
        max_num_seqs                vllm_max_num_seqs
        limit_mm_per_prompt         vllm_limit_mm_per_prompt
        enforce_eager               vllm_enforce_eager
        enable_prefix_caching       vllm_enable_prefix_caching
        disable_custom_all_reduce   vllm_disable_custom_all_reduce
        use_async_engine            vllm_use_async_engine
    """,
    "LMDeploy's options carry its name since 3.7": """
        tp                          lmdeploy_tp
        session_len                 lmdeploy_session_len
        quant_policy                lmdeploy_quant_policy
        cache_max_entry_count       lmdeploy_cache_max_entry_count
        vision_batch_size           lmdeploy_vision_batch_size
    """,
    "renamed within 3.x": """
        use_liger                   use_liger_kernel
        tools_prompt                agent_template
        eval_datasets               eval_dataset
        eval_datasets_args          eval_dataset_args
        load_dataset_config         load_data_args
    """,
    "renamed in transformers": """
        evaluation_strategy         eval_strategy
        no_cuda                     use_cpu
        push_to_hub_model_id        hub_model_id
        push_to_hub_token           hub_token
    """,
    "renamed in 3.0": """
        sft_type                    tuner_type
        model_id_or_path            model
        template_type               template
        dtype                       torch_dtype
        quantization_bit            quant_bits
        bnb_4bit_comp_dtype         bnb_4bit_compute_dtype
        check_model_is_latest       check_model
        batch_size                  per_device_train_batch_size
        eval_batch_size             per_device_eval_batch_size
        lora_target_modules         target_modules
        lora_target_regex           target_regex
        lora_modules_to_save        modules_to_save
        lora_dropout_p              lora_dropout
        lora_lr_ratio               lorap_lr_ratio
        add_output_dir_suffix       add_version
        only_save_model             save_only_model
        dataset_test_ratio          split_dataset_ratio
        dataset_seed                data_seed
        preprocess_num_proc         dataset_num_proc
        streaming_buffer_size       shuffle_buffer_size
        neftune_alpha               neftune_noise_alpha
        vit_use_gc                  vit_gradient_checkpointing
        deepspeed_config_path       deepspeed
        push_hub_strategy           hub_strategy
        load_args_from_ckpt_dir     load_args
    """,
}
# why: option, its old value (* for any), then the new option and value, or nothing if the option is dropped
CHANGED_VALUES = {
    "renamed in 3.0": """
        target_modules      all             target_modules  all-linear
        lora_target_modules all             target_modules  all-linear
        use_flash_attn      true            attn_impl       flash_attn
        deepspeed           default-zero2   deepspeed       zero2
        deepspeed           default-zero3   deepspeed       zero3
    """,
    "named as in torch since 3.0": """
        torch_dtype         bf16            torch_dtype     bfloat16
        torch_dtype         fp16            torch_dtype     float16
        torch_dtype         fp32            torch_dtype     float32
        dtype               bf16            torch_dtype     bfloat16
        dtype               fp16            torch_dtype     float16
        dtype               fp32            torch_dtype     float32
    """,
    "ms-swift's own backend was removed in 3.0": "tuner_backend swift tuner_backend peft",
    "the model's own type is the default": "dtype auto",
    "no quantization is the default": "quantization_bit 0",
    "torch's own attention is the default": "use_flash_attn *",
    "weights are always saved as safetensors": "save_safetensors *",
    "each run has a folder of its own, v<N>-<time>": "overwrite_output_dir *",
    "without a data set ms-swift prompts for input": "eval_human *",
    "only the temperature decides": """
        do_sample           false           temperature     0
        do_sample           *
    """,
}


def _changes() -> list[Change]:
    """Changes of one value come before those of any value."""
    lines_with_reasons = [
        (why, line.split()) for why, lines in CHANGED_VALUES.items() for line in lines.strip().splitlines()
    ]
    changes = [
        Change(
            old=old, value=None if value == "*" else value, new=after[0] if after else None,
            new_value=after[1] if after else None, why=why,
        )
        for why, (old, value, *after) in lines_with_reasons
    ]  # fmt: skip
    for why, lines in RENAMED.items():
        for old, new in (line.split() for line in lines.strip().splitlines()):
            changes.append(Change(old=old, new=new, why=why))
    return sorted(changes, key=lambda change: change.value is None)


CHANGES = _changes()
# 3.x model types that are a type and a template in 4.x.
MODEL_TYPES = {
    "qwen2_5": ("qwen2", "qwen2_5"),
    "qwen2_5_math": ("qwen2", "qwen2_5_math"),
    "qwen3_thinking": ("qwen3", "qwen3_thinking"),
    "qwen3_nothinking": ("qwen3", "qwen3_nothinking"),
}
