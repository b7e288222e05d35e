"""Curves where people look at them: a run's log, line by line, to TensorBoard, Weights & Biases, SwanLab or MLflow."""
