"""A TrainingJob as ms-swift's arguments. Pure: starts nothing."""

from typing import Any

from swift import SftArguments

from toolkit.model.families.family import family_in
from toolkit.model.four_bits import in_four_bits
from toolkit.train.job import TrainingJob
from toolkit.train.ms_swift.names import swift_names
from toolkit.train.recipe import target_regex


def arguments(job: TrainingJob) -> SftArguments:
    """Every setting of the recipe and the plan, under ms-swift's names."""
    recipe, names = job.recipe, swift_names(job.model_folder)
    return SftArguments(
        model=str(job.model_folder),
        model_type=names.model_type,
        template=names.template,
        attn_impl=family_in(job.model_folder).attention_implementation,
        torch_dtype=job.precision,
        fp16=False,  # ms-swift would set it for float32 too; the model itself and `loss_scale` see to float16
        bf16=job.precision == "bfloat16",
        dataset=["rows of the run"],  # a placeholder: the pipeline brings the rows
        output_dir=str(job.run_folder),
        add_version=False,
        num_train_epochs=recipe.epochs,
        max_steps=_min_steps(job),
        learning_rate=recipe.learning_rate,
        warmup_ratio=recipe.warmup_ratio,
        lr_scheduler_type=recipe.scheduler,
        weight_decay=recipe.weight_decay,
        max_grad_norm=recipe.max_grad_norm,
        per_device_train_batch_size=job.plan.micro_batch_size,
        gradient_accumulation_steps=job.plan.accumulation_steps,
        gradient_checkpointing=job.plan.gradient_checkpointing,
        gradient_checkpointing_kwargs={
            "use_reentrant": False,  # else layers without an adapter are recomputed too
            "preserve_rng_state": recipe.lora_dropout > 0,  # nothing else is random
        },
        max_length=recipe.max_length_tokens,
        seed=recipe.seed,
        data_seed=recipe.seed,
        use_logits_to_keep=False,  # our trainer selects the positions itself
        resume_from_checkpoint=str(job.resume_from) if job.resume_from else None,
        strict=True,  # a row that fails must not be replaced by another silently
        hub_token="",  # else a token in the environment logs in to a hub
        check_model=False,  # else the trainer queries a hub about the model, and waits if there is none
        dataloader_num_workers=0,  # the rows are in memory, encoded
        logging_steps=1,
        logging_nan_inf_filter=False,  # our callback reports such a loss, and no step waits for the card
        report_to=["none"],
        disable_tqdm=True,
        **in_four_bits(job.precision if recipe.load_in_4bit else None),
        **_adapter(job),
        **_saving_and_evaluating(job),
    )


def _min_steps(job: TrainingJob) -> int:
    """The recipe's least number of steps where its epochs have fewer; else -1, which leaves them as they are."""
    recipe, rows = job.recipe, len(job.rows) // job.recipe.variants
    return recipe.min_steps if recipe.epochs_trained(rows) > recipe.epochs else -1


def _adapter(job: TrainingJob) -> dict[str, Any]:
    recipe = job.recipe
    return {
        "tuner_type": "lora",
        "lora_rank": recipe.lora_rank,
        "lora_alpha": recipe.lora_alpha,
        "lora_dropout": recipe.lora_dropout,
        "target_modules": list(recipe.target_modules),
        "target_regex": target_regex(recipe, job.decoder_layers),
    }


def _saving_and_evaluating(job: TrainingJob) -> dict[str, Any]:
    recipe = job.recipe
    return {
        "save_strategy": "epoch" if recipe.early_stop else "steps",  # early stopping needs an evaluation for each save
        "save_steps": recipe.save_every_steps,
        "eval_strategy": "epoch",  # if rows are held out
        "per_device_eval_batch_size": job.plan.micro_batch_size,
        "prediction_loss_only": True,  # else all logits of the held-out rows are collected
        "early_stop_interval": recipe.early_stop or None,
        "save_total_limit": 2,
        "split_dataset_ratio": recipe.eval_split,  # only says that there are rows to evaluate on
    }
